"""What the figures mean: one place, used by panel, exporter, alert and report."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Definition:
    """A figure in words. `formula` is shown in panel descriptions and in the documentation; `unit` is a Grafana unit."""

    key: str
    title: str
    formula: str
    unit: str


_ALL = (
    Definition(
        "success_ratio",
        "Success rate",
        "ended conversations with the goal achieved / ended conversations with a known goal",
        "percentunit",
    ),
    Definition("handoff_ratio", "Handoff rate", "conversations handed over to a person / conversations ended", "percentunit"),
    Definition("nps", "Net promoter score", "100 x (promoters - detractors) / answers", "none"),
    Definition("active_users", "Active users", "distinct users with at least one own message in the window", "short"),
    Definition("stickiness", "Stickiness", "mean daily active users / monthly active users", "percentunit"),
    Definition(
        "retention",
        "Retention",
        "users of a cohort active in week n / cohort size; unfinished weeks are not shown",
        "percentunit",
    ),
    Definition(
        "lifecycle",
        "Lifecycle",
        "active users of a week: new ones joined in it, returning ones were active in the week before, resurrected ones joined "
        "earlier and were not; gone quiet is who was active in the week before and not in this one",
        "short",
    ),
    Definition(
        "segments",
        "Segments",
        "power: active in each of the last four full weeks; regular: in some of them, and in the last one or since; new or back: "
        "only since; at risk: in some of them, but neither in the last one nor since; dormant: all others",
        "short",
    ),
    Definition("adoption", "Feature adoption", "users of a feature / active users", "percentunit"),
    Definition(
        "sla_attainment", "SLA attainment", "served before due / (served with a due time + open past due)", "percentunit"
    ),
    Definition(
        "cost_per_conversation",
        "Cost per conversation",
        "cost of model calls with a conversation / distinct conversations",
        "currencyUSD",
    ),
    Definition("token_efficiency", "Token efficiency", "output tokens / input tokens", "percentunit"),
    Definition("tokens_per_call", "Tokens per call", "tokens of model calls / model calls", "short"),
    Definition("error_ratio", "Error ratio", "agent queries that failed or timed out / agent queries", "percentunit"),
    Definition("server_error_ratio", "Server error share", "HTTP answers of the 5xx class / HTTP answers", "percentunit"),
    Definition("feedback_response", "Response rate", "answers with feedback / answers of agents", "percentunit"),
    Definition(
        "sentiment",
        "Sentiment",
        "positive from four stars, negative up to two, else neutral; without stars, a thumb up or down decides",
        "short",
    ),
    Definition("login_success", "Login success", "successful attempts to log in / attempts to log in", "percentunit"),
    Definition("growth", "Growth", "new in the window / existing before it", "percentunit"),
)
DEFINITIONS: dict[str, Definition] = {definition.key: definition for definition in _ALL}

BACKLOG_AGE_BOUNDS_DAYS = (1, 3, 7)
"""Bounds of the backlog age groups: under a day, 1-3 d, 3-7 d, over 7 d."""

NPS_PROMOTER_FROM, NPS_DETRACTOR_TO = 9, 6
"""An answer of 9 or 10 is a promoter, of 0 to 6 a detractor, the rest is passive (Reichheld 2003)."""

TICKET_OPEN_STATUSES = ("open", "in_progress", "waiting")
TICKET_STATUSES = (*TICKET_OPEN_STATUSES, "resolved", "closed")
DOCUMENT_STATUSES = ("done", "processing", "failed")

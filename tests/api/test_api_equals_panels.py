"""A figure of the API is the figure of the panel that shows the same, on the same database and over the same days."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import psycopg
import pytest

from api.catalogue.endpoints import ENDPOINTS
from contract.settings import Settings
from dashboards.catalogue import TABS
from dashboards.lib.queries import SqlQuery
from exporters.database.roles import Role as Login
from provisioning.interpolation import Span, sql_macros, substitute
from tests.api.conftest import Lived, Served

SINCE, UNTIL = "2026-11-10T00:00:00Z", "2026-11-18T23:59:59.999999Z"
V1, PLAIN = "/api/v1/analytics", "/api/analytics"
Rows = list[dict[str, Any]]
Values = dict[Any, Any]

EVERYTHING = {"regex": ".*", "sqlstring": "'day'", "before": "'0'", "page": "'0'"}
"""What Grafana puts for variables that stand at all values, for the width of time, and for as many days before."""


@pytest.fixture(scope="module")
def shown(lived: Lived) -> Callable[[str], Rows]:
    """What a panel shows, by its key, with the login of dashboards."""
    panels = {f"{tab.key}/{one.name}": one for tab in TABS for one in tab.panels(Settings())}
    span = Span(datetime.fromisoformat(SINCE).timestamp(), datetime.fromisoformat(UNTIL).timestamp(), 60)

    def rows(key: str) -> Rows:
        (query,) = panels[key].targets
        assert isinstance(query, SqlQuery)
        text = substitute(
            sql_macros(query.sql, span),
            lambda name, form: None if name.startswith("__") else EVERYTHING.get(name) or EVERYTHING.get(form or "regex"),
        )
        dsn = psycopg.conninfo.make_conninfo(lived.dsn, user=Login.GRAFANA_BUSINESS)
        with psycopg.connect(dsn) as connection:
            cursor = connection.execute(text.encode())
            names = [column.name for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor]

    return rows


def by(key: str, value: str) -> Callable[[Rows], Values]:
    """One column by another, those without a value left out."""
    return lambda rows: {_key(row[key]): row[value] for row in rows if row[value] is not None}


def single(value: str) -> Callable[[Rows], Values]:
    return lambda rows: {"": rows[0][value]}


def pairs(first: str, second: str, value: str) -> Callable[[Rows], Values]:
    """One column by two others."""
    return lambda rows: {(_key(row[first]), _key(row[second])): row[value] for row in rows if row[value] is not None}


def spaced(figures: Callable[[Rows], Values]) -> Callable[[Rows], Values]:
    """Words as people read them, where programs join them by a line."""
    return lambda rows: {key.replace("_", " "): value for key, value in figures(rows).items()}


def starred(figures: Callable[[Rows], Values]) -> Callable[[Rows], Values]:
    """Of ratings as a panel writes them; what nobody gave is left out."""
    return lambda rows: {int(key.split()[0]): value for key, value in figures(rows).items() if value}


def most(number: int, figures: Callable[[Rows], Values]) -> Callable[[Rows], Values]:
    """The first rows alone: a panel shows no more."""
    return lambda rows: figures(rows[:number])


def above_zero(figures: Callable[[Rows], Values]) -> Callable[[Rows], Values]:
    """What is nothing is left out, as a panel leaves it out."""
    return lambda rows: {key: value for key, value in figures(rows).items() if value}


def columns(*names: str) -> Callable[[Rows], Values]:
    """The sum of each column; those of nothing are left out, as rows are."""
    return lambda rows: {name: found for name in names if (found := sum(row[name] for row in rows))}


def outcomes(rows: Rows) -> Values:
    """Conversations of an agent that it solved, of a panel that tells shares of each environment."""
    found: Values = {}
    for row in rows:
        found[row["agent"]] = found.get(row["agent"], 0) + row["ended"] * row["solved"]
    return found


def _key(value: Any) -> Any:
    return datetime.fromisoformat(value) if isinstance(value, str) and value[:2] == "20" and "T" in value else value


def grouped(key: str, value: str) -> Callable[[Rows], Values]:
    """A column added up by another."""

    def added(rows: Rows) -> Values:
        found: Values = {}
        for row in rows:
            found[row[key]] = found.get(row[key], 0) + row[value]
        return found

    return added


def of(name: str, value: str) -> Callable[[Rows], Values]:
    """The value of the row that is called so."""
    return lambda rows: {"": next(row[value] for row in rows if name in row.values())}


def total(value: str) -> Callable[[Rows], Values]:
    return lambda rows: {"": sum(row[value] for row in rows)}


def in_order(value: str) -> Callable[[Rows], Values]:
    """A column's values, one after the other."""
    return lambda rows: dict(enumerate(row[value] for row in rows if row[value] is not None))


def writing(value: str) -> Callable[[Rows], Values]:
    """A figure by model, of the models that write: the ranking leaves out those that only embed."""
    return lambda rows: {row["model"]: row[value] for row in rows if row["output_tokens"]}


EQUAL: list[tuple[str, Callable[[Rows], Values], str, str, Callable[[Rows], Values]]] = [
    ("users/growth", by("time", "new users"), f"{V1}/users/stats", "users.days", by("day", "users_created")),
    ("users/conversations_mean", single("mean"), f"{V1}/conversations/stats", "conversations.per_user", single("mean")),
    ("users/conversations_mean", single("90 % at most"), f"{V1}/conversations/stats", "conversations.per_user", single("p90")),
    ("users/messages_mean", single("median"), f"{V1}/conversations/stats", "conversations.length", single("median")),
    ("users/messages_mean", single("mean"), f"{V1}/conversations/stats", "conversations.length", single("mean")),
    ("users/most_active", by("User", "Messages"), f"{PLAIN}/users", "users.most_active", by("user_key", "messages")),
    ("tickets/opened_and_resolved", by("time", "opened"), f"{V1}/tickets/stats", "tickets.days", by("day", "created")),
    ("tickets/opened_and_resolved", by("time", "resolved"), f"{V1}/tickets/stats", "tickets.days", by("day", "resolved")),
    (
        "tickets/resolved_in_time", of("this range", "value"),
        f"{V1}/tickets/stats", "tickets.promises", of("resolution", "attainment"),
    ),
    (
        "tickets/answered_in_time", of("this range", "value"),
        f"{V1}/tickets/stats", "tickets.promises", of("first response", "attainment"),
    ),
    (
        "tickets/resolution_table", grouped("priority", "tickets"),
        f"{V1}/tickets/stats", "tickets.resolution", by("priority", "tickets"),
    ),
    (
        "knowledge/by_type", by("file_type", "documents"),
        f"{V1}/documents/stats", "documents.uploads", by("file_type", "uploaded"),
    ),
    ("knowledge/found", by("time", "found nothing"), f"{V1}/documents/stats", "documents.searches", by("day", "empty")),
    ("feedback/response_now", single("Response rate"), f"{V1}/feedback/stats", "feedback.response", single("response_rate")),
    (
        "feedback/evaluations", grouped("Score", "Scores"),
        f"{V1}/langfuse/trace-stats", "traces.scores", grouped("name", "scores"),
    ),
    ("cost/tokens", by("time", "input"), f"{V1}/langfuse/token-usage", "tokens.days", by("day", "input_tokens")),
    ("cost/tokens", by("time", "output"), f"{V1}/langfuse/token-usage", "tokens.days", by("day", "output_tokens")),
    ("cost/by_department", by("name", "cost"), f"{PLAIN}/costs", "costs.groups", grouped("department", "cost_usd")),
    ("cost/agents", by("agent", "cost"), f"{PLAIN}/costs", "costs.agents", by("agent", "cost_usd")),
    ("cost/agents", by("agent", "conversation"), f"{PLAIN}/costs", "costs.agents", by("agent", "cost_per_conversation")),
    ("cost/agents", by("agent", "query"), f"{PLAIN}/costs", "costs.agents", by("agent", "cost_per_execution")),
    ("cost/per_success", single("this range"), f"{PLAIN}/costs", "costs.totals", single("cost_per_success")),
    ("cost/token_efficiency", single("this range"), f"{V1}/langfuse/token-usage", "tokens.totals", single("token_efficiency")),
    ("cost/by_model", total("cost"), f"{V1}/langfuse/cost-estimation", "costs.models", total("cost_usd")),
    ("cost/tools", by("tool", "calls"), f"{PLAIN}/tools/usage", "tools.compared", by("tool", "calls")),
    ("users/features", grouped("metric", "value"), f"{PLAIN}/usage", "usage.features", by("feature", "uses")),
    (
        "executions/workflows", by("type", "runs"),
        f"{PLAIN}/workflows/performance", "workflows.compared", by("workflow_type", "runs"),
    ),
    ("models/ranking", by("model", "p95"), f"{V1}/langfuse/model-performance", "models.compared", writing("p95")),
    ("models/ranking", by("model", "errors"), f"{PLAIN}/models", "models.compared", writing("call_error_ratio")),
    ("agents/compared", by("agent", "queries"), f"{PLAIN}/agents/usage", "agents.compared", by("agent", "executions")),
    ("agents/compared", by("agent", "success"), f"{PLAIN}/agents/usage", "agents.compared", by("agent", "success_ratio")),
    ("agents/compared", by("agent", "p95"), f"{PLAIN}/agents/usage", "agents.compared", by("agent", "p95")),
    ("agents/compared", by("agent", "handoffs"), f"{PLAIN}/agents/usage", "agents.compared", by("agent", "handoff_ratio")),
    ("executions/errors_by_kind", by("kind", "failed"), f"{PLAIN}/errors/summary", "errors.kinds", by("error_type", "failed")),
    ("users/active_users_ahead", in_order("expected"), f"{PLAIN}/forecasts", "forecasts.days", in_order("value")),
    ("users/active_users_ahead", in_order("high"), f"{PLAIN}/forecasts", "forecasts.days", in_order("high")),
    ("cost/advised", by("id", "effect"), f"{PLAIN}/advice", "advice.savings", by("id", "effect")),
    ("performance/advised", by("id", "high"), f"{PLAIN}/advice", "advice.waiting", by("id", "high")),
    ("agents/success", single("this range"), f"{V1}/conversations/stats", "conversations.totals", single("success_ratio")),
    (
        "agents/success_by_day", by("time", "success"),
        f"{V1}/conversations/stats", "conversations.days", by("day", "success_ratio"),
    ),
    ("agents/success_by_day", by("time", "handed over"), f"{PLAIN}/usage", "usage.days", by("day", "handoff_ratio")),
    ("agents/success", single("this range"), f"{PLAIN}/summary", "usage.totals", single("success_ratio")),
    ("tickets/contained", outcomes, f"{V1}/conversations/stats", "conversations.outcomes", by("agent", "solved")),
    (
        "tickets/handoff_reasons", grouped("metric", "value"),
        f"{V1}/conversations/stats", "conversations.handoffs", spaced(by("reason", "handoffs")),
    ),
    ("agents/intents", by("Intent", "goal reached"), f"{PLAIN}/usage", "usage.intents", most(12, by("intent", "achieved"))),
    (
        "performance/parity", by("environment", "errors"),
        f"{PLAIN}/usage", "usage.environments", by("environment", "error_ratio"),
    ),
    ("tickets/balance", single("resolved"), f"{V1}/tickets/stats", "tickets.totals", single("resolved")),
    ("tickets/reopened", of("this range", "value"), f"{V1}/tickets/stats", "tickets.totals", single("reopened_share")),
    (
        "tickets/resolution_table", grouped("priority", "tickets"),
        f"{V1}/tickets/stats", "tickets.priorities", by("priority", "resolved"),
    ),
    (
        "tickets/backlog_age", columns("low", "normal", "high", "urgent"),
        f"{V1}/tickets/stats", "tickets.backlog", by("priority", "open"),
    ),
    (
        "knowledge/by_type", by("file_type", "documents"),
        f"{V1}/documents/stats", "documents.statuses", grouped("file_type", "documents"),
    ),
    ("knowledge/uploads", grouped("time", "value"), f"{V1}/documents/stats", "documents.days", by("day", "uploaded")),
    ("feedback/thumbs_now", single("Thumbs up"), f"{V1}/feedback/stats", "feedback.totals", single("thumbs_up_share")),
    ("agents/nps", single("NPS"), f"{V1}/feedback/stats", "feedback.totals", single("nps")),
    ("agents/rating", single("stars"), f"{V1}/feedback/stats", "feedback.totals", single("mean_stars")),
    ("feedback/average", by("time", "average"), f"{V1}/feedback/stats", "feedback.days", by("day", "mean_stars")),
    ("agents/thumbs", by("agent", "thumbs up"), f"{V1}/feedback/stats", "feedback.agents", by("agent", "thumbs_up_share")),
    (
        "feedback/distribution", starred(by("Stars", "Answers")),
        f"{V1}/feedback/stats", "feedback.stars", by("stars", "ratings"),
    ),
    ("agents/model_calls", grouped("metric", "value"), f"{V1}/langfuse/token-usage", "tokens.models", by("model", "calls")),
    ("cost/volume", by("time", "cost"), f"{V1}/langfuse/cost-estimation", "costs.days", by("day", "cost_usd")),
    (
        "cost/prices", pairs("kind", "valid_from", "price"),
        f"{V1}/langfuse/cost-estimation", "costs.prices", pairs("kind", "valid_from", "usd_per_million"),
    ),
    (
        "models/latency_by_day", pairs("time", "metric", "value"),
        f"{V1}/langfuse/model-performance", "models.days", pairs("day", "model", "p95"),
    ),
    (
        "agents/model_calls", pairs("time", "metric", "value"),
        f"{V1}/langfuse/cost-estimation", "costs.model_days", pairs("day", "model", "calls"),
    ),
    (
        "models/prompt_versions", pairs("prompt_name", "prompt_version", "p95"),
        f"{PLAIN}/models", "models.prompts", pairs("prompt_name", "prompt_version", "p95"),
    ),
    ("cost/volume", by("time", "queries"), f"{V1}/langfuse/trace-stats", "traces.days", by("day", "executions")),
    ("agents/tool_success", by("tool", "p95"), f"{PLAIN}/tools/usage", "tools.compared", by("tool", "p95")),
    ("agents/compared", by("agent", "queries"), f"{PLAIN}/agents/usage", "agents.days", grouped("agent", "executions")),
    ("cost/tools", by("tool", "calls"), f"{PLAIN}/tools/usage", "tools.days", grouped("tool", "calls")),
    (
        "executions/workflows", by("type", "runs"),
        f"{PLAIN}/workflows/performance", "workflows.days", grouped("workflow_type", "runs"),
    ),
    ("executions/errors_by_kind", total("failed"), f"{PLAIN}/errors/summary", "errors.totals", total("failed")),
    ("executions/errors_by_kind", total("failed"), f"{PLAIN}/errors/summary", "errors.hours", total("failed")),
    (
        "performance/failing", grouped("agent", "failed"),
        f"{PLAIN}/errors/summary", "errors.agents", above_zero(grouped("agent", "failed")),
    ),
    (
        "overview/latest_failures", by("trace_id", "seconds"),
        f"{PLAIN}/errors/summary", "errors.latest", by("trace_id", "seconds"),
    ),
    ("executions/sessions_per_hour", total("sessions"), f"{PLAIN}/sessions/activity", "sessions.totals", single("started")),
    (
        "executions/latest_sessions", by("session", "seconds"),
        f"{PLAIN}/sessions/activity", "sessions.latest", most(100, by("session_id", "seconds")),
    ),
    ("users/growth", total("new users"), f"{V1}/users/stats", "users.totals", single("new")),
    (
        "executions/sessions_per_hour", by("time", "sessions"),
        f"{PLAIN}/sessions/activity", "sessions.hours", by("hour", "started"),
    ),
]  # fmt: skip
"""A panel and what of it, then an address, its part, and what of that."""


RANGED = {one.path for one in ENDPOINTS if one.ranged}


@pytest.mark.parametrize(
    ("key", "of_panel", "path", "part", "of_part"),
    EQUAL,
    ids=[f"{one[0]} {one[3]} {number}" for number, one in enumerate(EQUAL)],
)
def test_the_figure_is_that_of_the_panel(
    served: Served,
    shown: Callable[[str], Rows],
    key: str,
    of_panel: Callable[[Rows], Values],
    path: str,
    part: str,
    of_part: Callable[[Rows], Values],
) -> None:
    range_ = {"start_date": SINCE, "end_date": UNTIL} if path in RANGED else {}
    answer = served.get(path, **range_, part=part, page_size=1000).json()
    of_api, panel_ = of_part(answer["parts"][part]["rows"]), of_panel(shown(key))
    assert of_api.keys() == panel_.keys() != set()
    assert of_api == pytest.approx(panel_, rel=1e-9)
    assert any(panel_.values())


OF_NO_PANEL = {
    "users.active": "Prometheus draws it: the exporter's gauge of the same windows",
    "users.retention": "a panel shows the weeks of all cohorts, from before the range too",
    "tickets.statuses": "of all tickets as they stand now; panels show those of a moment",
    "documents.chunks": "no panel counts tokens of chunks",
    "models.first_tokens": "the panel has all models together",
    "forecasts.trials": "the panel names methods in words of its own",
}
"""Parts that no panel shows as rows, and why."""


def test_every_part_of_all_is_held_against_a_panel() -> None:
    """Those about one row have no range and no sum to compare; those about a person are the person's alone."""
    held = {part for _, _, _, part, _ in EQUAL}
    parts = {query.key for one in ENDPOINTS for query in one.every if not query.needs and not query.key.startswith("own.")}
    assert parts - held == OF_NO_PANEL.keys()

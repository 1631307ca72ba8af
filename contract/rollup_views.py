"""Views over the roll-ups by hour and day: which facts each adds up, by which labels. Durations are seconds, money is USD.

A label that a fact does not have is "" in its rows. Quantiles lie within the bucket of the exact ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

NANO, MICRO = 1e-9, 1e-6


@dataclass(frozen=True)
class Measure:
    """A column: the number of a fact's rows (`n`) or one of its sums, times `scale`; only of rows with the labels `where`."""

    column: str
    fact: str
    of: str = "n"
    scale: float = 1.0
    where: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class RollupView:
    """One row a bucket of the tier and set of labels. `quantiles_of` is the fact whose histogram gives `shares`."""

    name: str
    tier: Literal["hour", "day"]
    labels: tuple[str, ...]
    measures: tuple[Measure, ...]
    quantiles_of: str = ""
    shares: tuple[int, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        quantiles = tuple(f"p{share}" for share in self.shares)
        histogram = ("histogram",) if self.quantiles_of else ()
        return (self.tier, *self.labels, *(measure.column for measure in self.measures), *quantiles, *histogram)


_FAILED = {"status": ("error", "timeout")}
_SUCCEEDED = {"status": ("success",)}
_PLACE = ("agent", "version", "environment")
_ALL = (50, 75, 90, 95, 99)
_FEW = (50, 95, 99)
_TOKENS = ("input", "output", "cache_read", "cache_write", "reasoning")

_VIEWS = (
    RollupView(
        "latency_hourly",
        "hour",
        _PLACE,
        (Measure("n", "executions_ended"), Measure("failed", "executions_ended", where=_FAILED)),
        "executions_ended",
        _ALL,
    ),
    RollupView(
        "trace_metrics_hourly",
        "hour",
        _PLACE,
        (
            Measure("executions", "executions_ended"),
            Measure("failed", "executions_ended", where=_FAILED),
            Measure("retries", "executions_ended", "retries"),
            Measure("tool_calls", "executions_ended", "tool_calls"),
            Measure("model_calls", "llm_agents"),
            Measure("model_calls_failed", "llm_agents", "failed"),
            Measure("tokens", "llm_agents", "tokens"),
            Measure("cost_usd", "llm_agents", "cost_nano", NANO),
        ),
    ),
    RollupView(
        "session_hourly",
        "hour",
        ("environment",),
        (
            Measure("started", "sessions_started"),
            Measure("ended", "sessions_ended"),
            Measure("queries", "sessions_ended", "queries"),
            Measure("successful_queries", "sessions_ended", "successful"),
            Measure("failed_queries", "sessions_ended", "failed"),
            Measure("tokens", "sessions_ended", "tokens"),
        ),
        "sessions_ended",
        _FEW,
    ),
    RollupView(
        "usage_analytics_daily",
        "day",
        ("environment",),
        (
            Measure("conversations_started", "conversations_started"),
            Measure("conversations_ended", "conversations_ended"),
            Measure("goals_achieved", "conversations_ended", where={"goal": ("achieved",)}),
            Measure("goals_missed", "conversations_ended", where={"goal": ("missed",)}),
            Measure("handoffs", "handoffs"),
            Measure("messages", "messages"),
            Measure("answers", "messages", where={"role": ("assistant",)}),
            Measure("executions", "executions_ended"),
            Measure("executions_failed", "executions_ended", where=_FAILED),
            Measure("tokens", "executions_ended", "tokens"),
        ),
    ),
    RollupView(
        "model_usage_statistics",
        "day",
        ("model", "environment"),
        (
            Measure("calls", "llm_calls"),
            Measure("failed", "llm_calls", where=_FAILED),
            Measure("unpriced", "llm_unpriced"),
            *(Measure(f"{kind}_tokens", "llm_calls", kind) for kind in _TOKENS),
            Measure("cost_usd", "llm_calls", "cost_nano", NANO),
            Measure("failed_cost_usd", "llm_calls", "cost_nano", NANO, where=_FAILED),
            Measure("duration_seconds", "llm_durations", "duration_us", MICRO),
        ),
        "llm_durations",
        _ALL,
    ),
    RollupView(
        "model_usage_hourly",
        "hour",
        ("model", "environment"),
        (
            Measure("calls", "llm_calls"),
            Measure("failed", "llm_calls", where=_FAILED),
            *(Measure(f"{kind}_tokens", "llm_calls", kind) for kind in _TOKENS),
            Measure("cost_usd", "llm_calls", "cost_nano", NANO),
        ),
    ),
    RollupView(
        "first_token_daily",
        "day",
        ("model", "environment"),
        (
            Measure("streamed", "llm_first_tokens"),
            Measure("wait_seconds", "llm_first_tokens", "duration_us", MICRO),
        ),
        "llm_first_tokens",
        _FEW,
    ),
    RollupView(
        "user_group_costs",
        "day",
        ("department", "role", "environment"),
        (
            Measure("calls", "llm_users"),
            Measure("failed", "llm_users", "failed"),
            Measure("tokens", "llm_users", "tokens"),
            Measure("cost_usd", "llm_users", "cost_nano", NANO),
        ),
    ),
    RollupView(
        "cost_analysis_summary",
        "day",
        _PLACE,
        (
            Measure("calls", "llm_agents"),
            Measure("tokens", "llm_agents", "tokens"),
            Measure("cost_usd", "llm_agents", "cost_nano", NANO),
            Measure("conversation_calls", "llm_agents", "conversation_calls"),
            Measure("conversation_cost_usd", "llm_agents", "conversation_cost_nano", NANO),
            Measure("executions", "executions_ended"),
            Measure("executions_succeeded", "executions_ended", where=_SUCCEEDED),
            Measure("conversations", "conversations_started"),
            Measure("goals_achieved", "conversations_ended", where={"goal": ("achieved",)}),
        ),
    ),
    RollupView(
        "agent_daily",
        "day",
        ("agent", "environment"),
        (
            Measure("executions", "executions_ended"),
            Measure("failed", "executions_ended", where=_FAILED),
            Measure("execution_seconds", "executions_ended", "duration_us", MICRO),
            Measure("conversations", "conversations_started"),
            Measure("ended", "conversations_ended"),
            Measure("goals_achieved", "conversations_ended", where={"goal": ("achieved",)}),
            Measure("goals_missed", "conversations_ended", where={"goal": ("missed",)}),
            Measure("handoffs", "handoffs"),
            Measure("positive", "feedback_thumbs", where={"sentiment": ("positive",)}),
            Measure("negative", "feedback_thumbs", where={"sentiment": ("negative",)}),
            Measure("calls", "llm_agents"),
            Measure("tokens", "llm_agents", "tokens"),
            Measure("cost_usd", "llm_agents", "cost_nano", NANO),
            Measure("conversation_cost_usd", "llm_agents", "conversation_cost_nano", NANO),
        ),
        "executions_ended",
        _FEW,
    ),
    RollupView(
        "prompt_performance_trends",
        "day",
        ("prompt_name", "prompt_version", "model", "environment"),
        (
            Measure("calls", "llm_prompts"),
            Measure("failed", "llm_prompts", "failed"),
            Measure("input_tokens", "llm_prompts", "input"),
            Measure("output_tokens", "llm_prompts", "output"),
            Measure("cost_usd", "llm_prompts", "cost_nano", NANO),
            Measure("duration_seconds", "llm_prompts", "duration_us", MICRO),
        ),
        "llm_prompts",
        _FEW,
    ),
    RollupView(
        "tool_daily",
        "day",
        ("tool", "environment"),
        (
            Measure("calls", "tool_calls_ended"),
            Measure("succeeded", "tool_calls_ended", where=_SUCCEEDED),
            Measure("failed", "tool_calls_ended", where=_FAILED),
            Measure("duration_seconds", "tool_calls_ended", "duration_us", MICRO),
        ),
        "tool_calls_ended",
        _FEW,
    ),
    RollupView(
        "workflow_daily",
        "day",
        ("workflow_type", "environment"),
        (
            Measure("runs", "workflows_ended"),
            Measure("succeeded", "workflows_ended", where=_SUCCEEDED),
            Measure("failed", "workflows_ended", where=_FAILED),
            Measure("agents", "workflows_ended", "agents"),
            Measure("tool_calls", "workflows_ended", "tool_calls"),
            Measure("api_calls", "workflows_ended", "api_calls"),
            Measure("tokens", "workflows_ended", "tokens"),
            Measure("duration_seconds", "workflows_ended", "duration_us", MICRO),
        ),
        "workflows_ended",
        _FEW,
    ),
    RollupView(
        "conversation_daily",
        "day",
        ("agent", "environment"),
        (
            Measure("ended", "conversations_ended"),
            *(
                Measure(column, "conversations_ended", where={"outcome": (outcome,)})
                for column, outcome in (
                    ("solved", "resolved"),
                    ("handed_over", "handoff"),
                    ("abandoned", "abandoned"),
                    ("failed", "failed"),
                )
            ),
        ),
    ),
    RollupView("handoff_daily", "day", ("agent", "environment", "reason"), (Measure("handoffs", "handoffs"),)),
    RollupView(
        "ticket_daily",
        "day",
        ("priority",),
        (
            Measure("created", "tickets_created"),
            Measure("responded", "tickets_responded"),
            Measure("resolved", "tickets_resolved"),
            Measure("resolved_reopened", "tickets_resolved", where={"reopened": ("yes",)}),
            Measure("first_response_met", "ticket_sla_responses", where={"result": ("met",)}),
            Measure("first_response_breached", "ticket_sla_responses", where={"result": ("breached",)}),
            Measure("resolution_met", "ticket_sla_resolutions", where={"result": ("met",)}),
            Measure("resolution_breached", "ticket_sla_resolutions", where={"result": ("breached",)}),
            Measure("resolution_seconds", "tickets_resolved", "duration_us", MICRO),
        ),
        "tickets_resolved",
        _FEW,
    ),
    RollupView(
        "document_daily",
        "day",
        ("file_type",),
        (
            Measure("uploaded", "documents_uploaded"),
            Measure("bytes", "documents_uploaded", "bytes"),
            Measure("done", "documents_processed", where={"status": ("done",)}),
            Measure("failed", "documents_processed", where={"status": ("failed",)}),
        ),
    ),
    RollupView(
        "feedback_daily",
        "day",
        ("agent", "environment"),
        (
            Measure("positive", "feedback_thumbs", where={"sentiment": ("positive",)}),
            Measure("negative", "feedback_thumbs", where={"sentiment": ("negative",)}),
            Measure("ratings", "feedback_ratings"),
            Measure("stars", "feedback_ratings", "stars"),
            Measure("promoters", "nps_answers", where={"group": ("promoter",)}),
            Measure("passives", "nps_answers", where={"group": ("passive",)}),
            Measure("detractors", "nps_answers", where={"group": ("detractor",)}),
        ),
    ),
    RollupView(
        "intent_daily",
        "day",
        ("intent", "environment"),
        (
            Measure("conversations", "conversation_intents"),
            Measure("achieved", "conversation_intents", where={"goal": ("achieved",)}),
            Measure("missed", "conversation_intents", where={"goal": ("missed",)}),
        ),
    ),
    RollupView("feature_daily", "day", ("feature",), (Measure("uses", "feature_uses"),)),
    RollupView(
        "user_activity_metrics",
        "day",
        (),
        (
            Measure("users_created", "users_created"),
            Measure("messages", "messages", where={"role": ("user",)}),
            Measure("logins", "logins", where={"result": ("success",)}),
            Measure("logins_failed", "logins", where={"result": ("failure",)}),
            Measure("feature_uses", "feature_uses"),
        ),
    ),
)
ROLLUP_VIEWS: dict[str, RollupView] = {view.name: view for view in _VIEWS}

RETENTION_COLUMNS = ("cohort", "week", "weeks", "cohort_size", "users", "retention")
"""Of `retention_weekly`: Mondays (UTC) of joining and of activity, weeks between them, users of the cohort and active ones."""

USER_WEEK_COLUMNS = ("week", "at", "user_key")
"""Of `user_weekly`, a row for each user and week (a Monday, UTC) with an own message; `at` is the time of one of these."""

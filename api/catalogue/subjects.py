"""Subjects that can be asked freely: the roll-ups with their measures, ratios and quantiles, by their labels and by time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from api.catalogue.model import DAY_RANGE, FROM_LEDGER, FROM_PLATFORM, HOUR_RANGE, Column, Query, count, number, text, time
from contract import buckets
from contract.definitions import DEFINITIONS
from contract.rollup_views import ROLLUP_VIEWS, RollupView

TIMES = ("hour", "day", "week", "month")
"""Widths of time, the finest first. A roll-up by day has no hours."""


@dataclass(frozen=True)
class Ratio:
    """Sums of columns / sums of columns, times `scale`. A column with a minus is taken away."""

    name: str
    over: tuple[str, ...]
    under: tuple[str, ...]
    unit: str
    words: str
    scale: float = 1.0

    @property
    def sql(self) -> str:
        scale = f"{self.scale:g} * " if self.scale != 1 else ""
        return f"{scale}{_added(self.over)}::float8 / nullif({_added(self.under)}, 0)::float8"


def _sum(name: str) -> str:
    """A column added up exactly: a sum of floats would depend on the order in which rows happen to be read."""
    return f"sum({name}::numeric)" if _column(name).kind == "number" else f"sum({name})"


def _added(columns: Iterable[str]) -> str:
    parts = [f"- {_sum(name[1:])}" if name.startswith("-") else f"+ {_sum(name)}" for name in columns]
    return f"({' '.join(parts).removeprefix('+ ')})"


def _defined(key: str, over: str, under: str, scale: float = 1.0) -> Ratio:
    definition = DEFINITIONS[key]
    return Ratio(key, tuple(over.split()), tuple(under.split()), definition.unit, definition.formula, scale)


def _mean(name: str, over: str, under: str, unit: str, words: str) -> Ratio:
    return Ratio(name, tuple(over.split()), tuple(under.split()), unit, words)


@dataclass(frozen=True)
class Subject:
    """A roll-up by a name of the field. `bounds` are those of its histogram, in seconds."""

    name: str
    view: RollupView
    words: str
    ratios: tuple[Ratio, ...] = ()
    bounds: tuple[float, ...] = ()
    ttl: int = FROM_PLATFORM
    named_only: str = ""
    """A label whose empty value is not shown: rows that belong to none."""

    @property
    def dimensions(self) -> tuple[str, ...]:
        return (*TIMES[TIMES.index(self.view.tier) :], *self.view.labels)

    @property
    def measures(self) -> dict[str, Column]:
        """Every figure that can be asked of it, by its name."""
        sums = (_column(measure.column) for measure in self.view.measures)
        ratios = (number(ratio.name, ratio.words, ratio.unit) for ratio in self.ratios)
        shares = (number(f"p{share}", f"{share} % took no longer, within their bucket", "s") for share in self.shares)
        return {column.name: column for column in (*sums, *ratios, *shares)}

    @property
    def shares(self) -> tuple[int, ...]:
        return self.view.shares if self.bounds else ()

    def _expression(self, measure: str) -> str:
        ratios = {ratio.name: ratio.sql for ratio in self.ratios}
        if measure in ratios:
            return ratios[measure]
        if self.bounds and measure in {f"p{share}" for share in self.shares}:
            counts = ", ".join(f"sum(histogram[{place}])" for place in range(1, len(self.bounds) + 2))
            listed = ", ".join(f"{bound:g}" for bound in self.bounds)
            return f"analytics.quantile({int(measure[1:]) / 100:g}, ARRAY[{counts}]::bigint[], ARRAY[{listed}]::float8[])"
        return f"{_sum(measure)}::{'bigint' if self.measures[measure].kind == 'integer' else 'float8'}"

    def query(self, key: str, words: str, by: Iterable[str], measures: Iterable[str], order: str = "") -> Query:
        """The measures by these dimensions. Names are those of `dimensions` and `measures`, else it is a KeyError."""
        by, measures = tuple(by), tuple(measures)
        columns, selected = [], []
        for name in by:
            if name in TIMES:
                columns.append(time(name, f"Begin of the {name} (UTC)"))
                selected.append(f"date_trunc('{name}', {self.view.tier}, 'UTC') AS {name}")
            elif name in self.view.labels:
                columns.append(text(name, f"The {name.replace('_', ' ')}"))
                selected.append(name)
            else:
                raise KeyError(name)
        for name in measures:
            columns.append(self.measures[name])
            selected.append(f"{self._expression(name)} AS {name}")
        range_ = (DAY_RANGE if self.view.tier == "day" else HOUR_RANGE).format(self.view.tier)
        only = f" AND {self.named_only} <> ''" if self.named_only in by else ""
        grouped = f"\nGROUP BY {', '.join(str(place) for place in range(1, len(by) + 1))}" if by else "\nHAVING count(*) > 0"
        sql = f"SELECT {', '.join(selected)}\nFROM analytics.{self.view.name}\nWHERE {range_} AND {{chosen}}{only}{grouped}"
        filters = {label: label for label in self.view.labels}
        return Query(key, words, tuple(columns), sql, order or ", ".join(by) or "1", filters, self.ttl)


def _column(name: str) -> Column:
    words = name.replace("_usd", "").replace("_seconds", "").replace("_", " ").capitalize()
    if name.endswith("_usd"):
        return number(name, words, "currencyUSD")
    if name.endswith("_seconds"):
        return number(name, f"{words}, added up", "s")
    return count(name, words, "bytes" if name == "bytes" else "short")


_SUCCESS = _defined("success_ratio", "goals_achieved", "goals_achieved goals_missed")
_COST_OF_CALL = _mean("cost_per_call", "cost_usd", "calls", "currencyUSD", "cost of model calls / model calls")
_ERRORS_OF_CALLS = _mean("call_error_ratio", "failed", "calls", "percentunit", "model calls that failed / model calls")
_MODEL_RATIOS = (
    _ERRORS_OF_CALLS,
    _COST_OF_CALL,
    _defined("token_efficiency", "output_tokens", "input_tokens"),
)

_ALL = (
    Subject(
        "usage",
        ROLLUP_VIEWS["usage_analytics_daily"],
        "Conversations, messages and executions",
        (
            _SUCCESS,
            _defined("handoff_ratio", "handoffs", "conversations_ended"),
            _defined("error_ratio", "executions_failed", "executions"),
        ),
    ),
    Subject(
        "agents",
        ROLLUP_VIEWS["agent_daily"],
        "What agents did, and what it cost",
        (
            _SUCCESS,
            _defined("error_ratio", "failed", "executions"),
            _defined("handoff_ratio", "handoffs", "ended"),
            _mean("mean_seconds", "execution_seconds", "executions", "s", "time of executions / executions"),
            _defined("cost_per_conversation", "conversation_cost_usd", "conversations"),
        ),
        buckets.AGENT,
        named_only="agent",
    ),
    Subject(
        "executions",
        ROLLUP_VIEWS["trace_metrics_hourly"],
        "Executions by hour, with their model and tool calls",
        (_defined("error_ratio", "failed", "executions"),),
    ),
    Subject(
        "models",
        ROLLUP_VIEWS["model_usage_statistics"],
        "Calls of models by day: tokens, cost, time",
        (*_MODEL_RATIOS, _mean("mean_seconds", "duration_seconds", "calls", "s", "time of calls / calls")),
        buckets.LLM,
        FROM_LEDGER,
    ),
    Subject("model_hours", ROLLUP_VIEWS["model_usage_hourly"], "Calls of models by hour", _MODEL_RATIOS, ttl=FROM_LEDGER),
    Subject(
        "first_tokens",
        ROLLUP_VIEWS["first_token_daily"],
        "How long streamed answers took to begin",
        (_mean("mean_seconds", "wait_seconds", "streamed", "s", "waits / streamed answers"),),
        buckets.LLM,
        FROM_LEDGER,
    ),
    Subject(
        "costs",
        ROLLUP_VIEWS["cost_analysis_summary"],
        "What agents and their versions cost",
        (
            _defined("cost_per_conversation", "conversation_cost_usd", "conversations"),
            _mean("cost_per_execution", "cost_usd", "executions", "currencyUSD", "cost of model calls / executions"),
            _mean(
                "cost_per_success", "conversation_cost_usd", "goals_achieved", "currencyUSD",
                "cost of model calls with a conversation / conversations that reached their goal",
            ),
        ),
        ttl=FROM_LEDGER,
    ),
    Subject(
        "user_groups",
        ROLLUP_VIEWS["user_group_costs"],
        "Model calls by department and role of who asked",
        (_ERRORS_OF_CALLS, _COST_OF_CALL),
        ttl=FROM_LEDGER,
    ),
    Subject(
        "prompts",
        ROLLUP_VIEWS["prompt_performance_trends"],
        "Model calls by prompt and its version",
        (_ERRORS_OF_CALLS, _COST_OF_CALL),
        buckets.LLM,
        FROM_LEDGER,
    ),
    Subject(
        "tools",
        ROLLUP_VIEWS["tool_daily"],
        "Calls of tools",
        (
            _mean("success_share", "succeeded", "calls", "percentunit", "tool calls that succeeded / tool calls"),
            _mean("mean_seconds", "duration_seconds", "calls", "s", "time of tool calls / tool calls"),
        ),
        buckets.TOOL,
    ),
    Subject(
        "workflows",
        ROLLUP_VIEWS["workflow_daily"],
        "Runs of workflows",
        (
            _mean("success_share", "succeeded", "runs", "percentunit", "runs that succeeded / runs"),
            _mean("mean_seconds", "duration_seconds", "runs", "s", "time of runs / runs"),
            _mean("agents_each", "agents", "runs", "short", "agents of runs / runs"),
        ),
        buckets.WORKFLOW,
    ),
    Subject(
        "sessions",
        ROLLUP_VIEWS["session_hourly"],
        "Sessions of users by hour",
        (
            _mean("queries_each", "queries", "ended", "short", "queries of ended sessions / ended sessions"),
            _mean("query_success_share", "successful_queries", "queries", "percentunit", "queries that succeeded / queries"),
        ),
        buckets.SESSION,
    ),
    Subject("conversations", ROLLUP_VIEWS["conversation_daily"], "How conversations ended"),
    Subject("handoffs", ROLLUP_VIEWS["handoff_daily"], "Conversations handed over to a person, by reason"),
    Subject(
        "tickets",
        ROLLUP_VIEWS["ticket_daily"],
        "Tickets created, answered and resolved, by priority",
        (
            _mean(
                "first_response_in_time", "first_response_met", "first_response_met first_response_breached", "percentunit",
                "first responses before due / first responses with a due time",
            ),
            _mean(
                "resolution_in_time", "resolution_met", "resolution_met resolution_breached", "percentunit",
                "resolutions before due / resolutions with a due time",
            ),
            _mean("mean_seconds", "resolution_seconds", "resolved", "s", "times to the resolution / tickets resolved"),
            _mean("reopened_share", "resolved_reopened", "resolved", "percentunit", "resolved tickets opened again / resolved"),
        ),
        buckets.TICKET,
    ),
    Subject("documents", ROLLUP_VIEWS["document_daily"], "Documents uploaded and processed, by type of file"),
    Subject(
        "feedback",
        ROLLUP_VIEWS["feedback_daily"],
        "Thumbs, stars and answers about recommending",
        (
            _mean("mean_stars", "stars", "ratings", "short", "stars / ratings"),
            _mean("thumbs_up_share", "positive", "positive negative", "percentunit", "thumbs up / thumbs"),
            _defined("nps", "promoters -detractors", "promoters passives detractors", 100),
        ),
    ),
    Subject(
        "intents",
        ROLLUP_VIEWS["intent_daily"],
        "Conversations by what users wanted",
        (_mean("goal_share", "achieved", "achieved missed", "percentunit", "goals reached / goals known"),),
    ),
    Subject("features", ROLLUP_VIEWS["feature_daily"], "Uses of features"),
    Subject(
        "users",
        ROLLUP_VIEWS["user_activity_metrics"],
        "New users, their messages and logins",
        (_defined("login_success", "logins", "logins logins_failed"),),
    ),
)  # fmt: skip
SUBJECTS: dict[str, Subject] = {subject.name: subject for subject in _ALL}

"""Signals: questions about metrics, asked once and rendered wherever they are needed.

A signal knows its metrics, its unit and what it means. It renders itself as PromQL for any grouping, window and filter:
a panel asks with `$__rate_interval`, a rule with a fixed window. `recording_rules.registry` renders the same signal from
recorded series where they fit; authors never choose.

Ratios follow `sum(rate(part)) / (sum(rate(all)) > 0)`, where a part that has no series yet counts as zero and a whole without
traffic gives no value at all, so that silence is never mistaken for success or failure.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace

from contract.catalogue import metric, series_catalogue
from contract.labels import LABELS
from contract.metrics import Metric, MetricType, Source
from contract.status import FAILED


@dataclass(frozen=True, order=True)
class Match:
    """One label matcher, printed as PromQL. `value` is PromQL text: a regular expression, or a Grafana variable."""

    label: str
    operator: str
    value: str

    def __str__(self) -> str:
        return f'{self.label}{self.operator}"{self.value}"'


Matches = tuple[Match, ...]


def equal(label: str, value: str) -> Match:
    return Match(label, "=", value)


def like(label: str, pattern: str) -> Match:
    return Match(label, "=~", pattern)


def selector(name: str, matches: Matches) -> str:
    """`name{label="value",…}` with the matchers sorted, so that equal questions are equal texts."""
    inner = ",".join(str(match) for match in sorted(set(matches)))
    return f"{name}{{{inner}}}" if inner else name


def aggregate(operator: str, by: tuple[str, ...], inner: str) -> str:
    return f"{operator} by ({', '.join(by)}) ({inner})" if by else f"{operator}({inner})"


@dataclass(frozen=True)
class Leaf:
    """The rate of one series family: what recording rules precompute and signals are made of."""

    series: str
    matches: Matches = ()

    @property
    def metric(self) -> Metric:
        return series_catalogue()[self.series]

    def raw(self, by: tuple[str, ...], window: str, where: Matches, function: str = "rate") -> str:
        """Per-second rate (or, with `increase`, growth) over `window`, summed by `by`, from the scraped series.

        All replicas of our exporter export the same totals, so replicas are merged by their maximum, after the rate.
        """
        rate = f"{function}({selector(self.series, self.matches + where)}[{window}])"
        if self.metric.source not in (Source.PLATFORM, Source.FOREIGN):
            rate = f"max without (instance) ({rate})"
        return aggregate("sum", by, rate)


Resolve = Callable[[Leaf, tuple[str, ...], str, Matches], str]


def raw_leaf(leaf: Leaf, by: tuple[str, ...], window: str, where: Matches) -> str:
    """The resolver that never uses a recorded series."""
    return leaf.raw(by, window, where)


@dataclass(frozen=True)
class Signal(ABC):
    """What all signals have. `unit` is a Grafana unit id; `labels` are what it may be grouped and filtered by."""

    key: str
    title: str
    description: str
    unit: str

    @property
    @abstractmethod
    def leaves(self) -> tuple[Leaf, ...]:
        """The series that it is made of."""

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics it reads."""
        return tuple(dict.fromkeys(leaf.metric.name for leaf in self.leaves))

    @abstractmethod
    def expression(self, by: tuple[str, ...] = (), window: str = "5m", where: Matches = (), resolve: Resolve = raw_leaf) -> str:
        """PromQL of the signal, one series per combination of `by`."""


@dataclass(frozen=True)
class Rate(Signal):
    """Events per second of a counter, or of a histogram's count."""

    metric_name: str
    matches: Matches = ()

    @property
    def leaf(self) -> Leaf:
        declared = metric(self.metric_name)
        return Leaf(declared.name + ("_count" if declared.type is MetricType.HISTOGRAM else ""), self.matches)

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        return (self.leaf,)

    def expression(self, by: tuple[str, ...] = (), window: str = "5m", where: Matches = (), resolve: Resolve = raw_leaf) -> str:
        return resolve(self.leaf, by, window, where)

    def increase(self, by: tuple[str, ...] = (), window: str = "$__range", where: Matches = ()) -> str:
        """How many events there were in `window`."""
        return self.leaf.raw(by, window, where, "increase")


@dataclass(frozen=True)
class Ratio(Signal):
    """Part of a whole. A part without series is zero; a whole without traffic gives nothing."""

    part: Rate
    whole: Rate

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        return (self.part.leaf, self.whole.leaf)

    def expression(self, by: tuple[str, ...] = (), window: str = "5m", where: Matches = (), resolve: Resolve = raw_leaf) -> str:
        part = self.part.expression(by, window, where, resolve)
        whole = self.whole.expression(by, window, where, resolve)
        return f"({part} or 0 * {whole}) / ({whole} > 0)"


@dataclass(frozen=True)
class Quantile(Signal):
    """A quantile of a histogram (0 < quantile < 1), in the histogram's unit."""

    metric_name: str
    quantile: float
    matches: Matches = ()

    @property
    def leaf(self) -> Leaf:
        return Leaf(f"{self.metric_name}_bucket", self.matches)

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        return (self.leaf,)

    def at(self, quantile: float) -> Quantile:
        """The same signal at another quantile."""
        key = f"{self.key.rsplit('_p', 1)[0]}_p{quantile * 100:g}"
        return replace(self, key=key, quantile=quantile, title=f"p{quantile * 100:g}")

    def expression(self, by: tuple[str, ...] = (), window: str = "5m", where: Matches = (), resolve: Resolve = raw_leaf) -> str:
        return f"histogram_quantile({self.quantile:g}, {resolve(self.leaf, ('le', *by), window, where)})"


@dataclass(frozen=True)
class Mean(Signal):
    """Mean of what a histogram observed, in its unit."""

    metric_name: str
    matches: Matches = ()

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        return (Leaf(f"{self.metric_name}_sum", self.matches), Leaf(f"{self.metric_name}_count", self.matches))

    def expression(self, by: tuple[str, ...] = (), window: str = "5m", where: Matches = (), resolve: Resolve = raw_leaf) -> str:
        total, count = (resolve(leaf, by, window, where) for leaf in self.leaves)
        return f"{total} / ({count} > 0)"


@dataclass(frozen=True)
class Level(Signal):
    """A gauge as it stands. `operator` says how series are merged: sum, max, min or avg; the window plays no part."""

    metric_name: str
    matches: Matches = ()
    operator: str = "sum"

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        return (Leaf(self.metric_name, self.matches),)

    def expression(self, by: tuple[str, ...] = (), window: str = "", where: Matches = (), resolve: Resolve = raw_leaf) -> str:  # noqa: ARG002
        inner = selector(self.metric_name, self.matches + where)
        if metric(self.metric_name).source not in (Source.PLATFORM, Source.FOREIGN):
            inner = f"max without (instance) ({inner})"
        return aggregate(self.operator, by, inner)


@dataclass(frozen=True)
class Quotient(Signal):
    """One gauge divided by another, where the other is above zero; the window plays no part."""

    part: Level
    whole: Level

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        return self.part.leaves + self.whole.leaves

    def expression(self, by: tuple[str, ...] = (), window: str = "", where: Matches = (), resolve: Resolve = raw_leaf) -> str:
        part = self.part.expression(by, window, where, resolve)
        whole = self.whole.expression(by, window, where, resolve)
        return f"{part} / ({whole} > 0)"


def _check(signal: Signal) -> Signal:
    for leaf in signal.leaves:
        for match in leaf.matches:
            if match.label not in leaf.metric.all_labels:
                raise ValueError(f"signal {signal.key}: {leaf.metric.name} has no label {match.label}")
            values = LABELS[match.label].values
            if match.operator == "=" and values and match.value not in values:
                raise ValueError(f"signal {signal.key}: {match.label} is never {match.value}; it is one of {', '.join(values)}")
    return signal


FAILED_STATUS = like("status", "|".join(FAILED))

HTTP_REQUESTS = Rate("http_requests", "Request rate", "HTTP requests answered per second", "reqps", "http_requests_total")
HTTP_SERVER_ERRORS = Rate(
    "http_server_errors",
    "Server errors",
    "HTTP answers of the 5xx class per second",
    "reqps",
    "http_requests_total",
    (like("status", "5.."),),
)
HTTP_SERVER_ERROR_RATIO = Ratio(
    "http_server_error_ratio",
    "Server error share",
    "HTTP answers of the 5xx class / HTTP answers",
    "percentunit",
    HTTP_SERVER_ERRORS,
    HTTP_REQUESTS,
)
HTTP_LATENCY = Quantile(
    "http_latency_p95",
    "p95",
    "95th percentile of the time to answer an HTTP request",
    "s",
    "http_request_duration_seconds",
    0.95,
)

AGENT_QUERIES = Rate("agent_queries", "Agent queries", "Agent queries finished per second", "reqps", "agent_queries_total")
AGENT_FAILURES = Rate(
    "agent_failures",
    "Failed agent queries",
    "Agent queries that failed or timed out, per second",
    "reqps",
    "agent_queries_total",
    (FAILED_STATUS,),
)
AGENT_ERROR_RATIO = Ratio(
    "agent_error_ratio",
    "Error ratio",
    "Agent queries that failed or timed out / agent queries",
    "percentunit",
    AGENT_FAILURES,
    AGENT_QUERIES,
)
AGENT_LATENCY = Quantile(
    "agent_latency_p95", "p95", "95th percentile of the time from query to answer", "s", "agent_query_duration_seconds", 0.95
)

AGENT_ERRORS = Rate("agent_errors", "Errors of agents", "Errors of agents per second", "ops", "agent_errors_total")
DEPENDENCY_LATENCY = Quantile(
    "dependency_latency_p95",
    "p95",
    "95th percentile of the time that a query waits for one dependency",
    "s",
    "agent_dependency_duration_seconds",
    0.95,
)

CONVERSATIONS_STARTED = Rate(
    "conversations_started",
    "Conversations started",
    "Conversations started per second",
    "ops",
    "platform_conversations_started_total",
)
CONVERSATIONS_ENDED = Rate(
    "conversations_ended",
    "Conversations ended",
    "Conversations ended with a known goal, per second",
    "ops",
    "platform_conversations_ended_total",
    (like("goal", "achieved|missed"),),
)
CONVERSATIONS_ACHIEVED = Rate(
    "conversations_achieved",
    "Goals achieved",
    "Conversations ended with the goal achieved, per second",
    "ops",
    "platform_conversations_ended_total",
    (equal("goal", "achieved"),),
)
SUCCESS_RATIO = Ratio(
    "success_ratio",
    "Success rate",
    "Ended conversations with the goal achieved / those with a known goal",
    "percentunit",
    CONVERSATIONS_ACHIEVED,
    CONVERSATIONS_ENDED,
)

HANDOFFS = Rate("handoffs", "Handoffs", "Conversations handed over to a person, per second", "ops", "platform_handoffs_total")

MODEL_CALLS = Rate("model_calls", "Model calls", "Model calls in the ledger per second", "ops", "langfuse_generations_total")
MODEL_TOKENS = Rate("model_tokens", "Tokens", "Tokens of model calls per second", "ops", "langfuse_tokens_total")
MODEL_COST = Rate("model_cost", "Model cost", "Cost of model calls, USD per second", "currencyUSD", "langfuse_cost_usd_total")

BUDGET_SPENT = Level(
    "budget_spent",
    "Budget spent",
    "Spent of the current month / budget",
    "percentunit",
    "platform_budget_spent_ratio",
    operator="max",
)
BUDGET_FORECAST = Level(
    "budget_forecast",
    "Spend at month end",
    "Expected spend at the end of the month",
    "currencyUSD",
    "platform_budget_forecast_usd",
    operator="max",
)
BUDGET_LIMIT = Level(
    "budget_limit", "Budget", "Budget of the current month", "currencyUSD", "platform_budget_limit_usd", operator="max"
)
BUDGET_FORECAST_RATIO = Quotient(
    "budget_forecast_ratio",
    "Forecast against budget",
    "Expected spend at the end of the month / budget",
    "percentunit",
    BUDGET_FORECAST,
    BUDGET_LIMIT,
)

SIGNALS: dict[str, Signal] = {
    signal.key: _check(signal)
    for signal in (
        HTTP_REQUESTS, HTTP_SERVER_ERRORS, HTTP_SERVER_ERROR_RATIO, HTTP_LATENCY,
        AGENT_QUERIES, AGENT_FAILURES, AGENT_ERROR_RATIO, AGENT_LATENCY, AGENT_ERRORS, DEPENDENCY_LATENCY,
        CONVERSATIONS_STARTED, CONVERSATIONS_ENDED, CONVERSATIONS_ACHIEVED, SUCCESS_RATIO,
        HANDOFFS, MODEL_CALLS, MODEL_TOKENS, MODEL_COST,
        BUDGET_SPENT, BUDGET_FORECAST, BUDGET_LIMIT, BUDGET_FORECAST_RATIO,
    )
}  # fmt: skip
"""Every signal that rules and alerts use, by key."""

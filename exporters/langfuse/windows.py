"""Windows of model calls, and what they cost against the budgets, from Langfuse's aggregates.

Every window ends 30 s before now, because Langfuse needs a while to make a call readable. Model calls are observations of the
types GENERATION and EMBEDDING: agents and chains may repeat the usage of the calls inside them. Money is summed over all calls,
whatever their environment; a call of a model without a price costs nothing that is known.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

from contract.labels import LABELS
from contract.metrics import Source
from contract.settings import Settings
from contract.values import duration_seconds
from exporters.journal import Answer, Journal, QueryFailed, SourceDown
from exporters.langfuse.client import ROW_LIMIT, LangfuseClient, number
from exporters.langfuse.month_end import HISTORY_DAYS, forecast, month_start
from exporters.snapshot import Sample, Snapshot, sample

SETTLE_SECONDS = 30.0
API = "langfuse"
_RUN_SECONDS, _HISTORY_SECONDS = 180.0, 3600.0
_QUERIES = frozenset({"cost_per_day", "usage_mtd", "usage_24h", "latency_24h", "latency_mtd"})
_CALLS = {"column": "type", "type": "stringOptions", "operator": "any of", "value": ["GENERATION", "EMBEDDING"]}


def _instant(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _query(begin: datetime, end: datetime, dimensions: str, measures: str, order: str, **more: Any) -> dict[str, Any]:
    """A metrics query over `[begin, end]`; `measures` as `aggregation_measure`, ordered so that a cut leaves the greatest."""
    pairs = [measure.split("_", 1) for measure in measures.split()]
    return {
        "view": "observations",
        "dimensions": [{"field": field} for field in dimensions.split()],
        "metrics": [{"measure": measure, "aggregation": aggregation} for aggregation, measure in pairs],
        "filters": [_CALLS],
        "fromTimestamp": _instant(begin),
        "toTimestamp": _instant(end),
        "orderBy": [{"field": order, "direction": "desc"}],
        "config": {"row_limit": ROW_LIMIT},
        **more,
    }


def usage_query(begin: datetime, end: datetime) -> dict[str, Any]:
    measures = "count_count sum_inputTokens sum_outputTokens sum_totalCost"
    return _query(begin, end, "providedModelName environment level", measures, "count_count")


def latency_query(begin: datetime, end: datetime) -> dict[str, Any]:
    return _query(begin, end, "providedModelName environment", "count_count p95_latency", "count_count")


def daily_query(midnight: datetime) -> dict[str, Any]:
    """Cost of each of the whole days before `midnight`, by environment."""
    begin, end = midnight - timedelta(days=HISTORY_DAYS), midnight - timedelta(milliseconds=1)
    axis = {"timeDimension": {"granularity": "day"}}
    return _query(begin, end, "environment", "sum_totalCost", "time_dimension", **axis)


def _model(row: dict[str, Any]) -> tuple[str, str]:
    """Model and environment of a row. Calls that failed before their model was known have none."""
    return str(row.get("providedModelName") or "unknown"), _environment(row)


def _environment(row: dict[str, Any]) -> str:
    return str(row.get("environment") or "default")


def usage_samples(rows: Iterable[dict[str, Any]], window: str) -> Iterator[Sample]:
    """Calls, errors, tokens and cost. Input tokens include the cached ones. No cost where Langfuse knows no price."""
    sums: defaultdict[tuple[str, str], defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
    for row in rows:
        of_model, calls = sums[_model(row)], number(row, "count_count") or 0.0
        of_model["calls"] += calls
        of_model["errors"] += calls if row.get("level") == "ERROR" else 0.0
        for kind in ("input", "output"):
            of_model[kind] += number(row, f"sum_{kind}Tokens") or 0.0
        if (cost := number(row, "sum_totalCost")) is not None:
            of_model["cost"] += cost
    for (model, environment), of_model in sums.items():
        labels = (model, environment, window)
        yield sample("langfuse_window_calls", *labels, value=of_model["calls"])
        yield sample("langfuse_window_errors", *labels, value=of_model["errors"])
        for kind in ("input", "output"):
            yield sample("langfuse_window_tokens", *labels, kind, value=of_model[kind])
        if "cost" in of_model:
            yield sample("langfuse_window_cost_usd", *labels, value=of_model["cost"])


def latency_samples(rows: Iterable[dict[str, Any]], window: str) -> Iterator[Sample]:
    """95th percentiles, in seconds; none where no call has ended."""
    for row in rows:
        if (milliseconds := number(row, "p95_latency")) is not None:
            yield sample("langfuse_window_latency_seconds", *_model(row), window, value=milliseconds / 1000)


def cost_by_scope(rows: Iterable[dict[str, Any]], environments: Iterable[str]) -> dict[str, float]:
    """USD of `all` and of each environment; the expected ones are there even when they cost nothing."""
    costs = dict.fromkeys(("all", *environments), 0.0)
    for row in rows:
        cost = number(row, "sum_totalCost") or 0.0
        costs["all"] += cost
        costs[_environment(row)] = costs.get(_environment(row), 0.0) + cost
    return costs


def cost_by_day(rows: Iterable[dict[str, Any]]) -> dict[str, dict[date, float]]:
    """USD of each day, for `all` and each environment. The day comes as a date, or as an instant at midnight."""
    days: defaultdict[str, defaultdict[date, float]] = defaultdict(lambda: defaultdict(float))
    for row in rows:
        try:
            day = date.fromisoformat(str(row.get("time_dimension"))[:10])
        except ValueError:
            raise QueryFailed(f"time_dimension is {row.get('time_dimension')!r} in an answer, not a day") from None
        for scope in ("all", _environment(row)):
            days[scope][day] += number(row, "sum_totalCost") or 0.0
    return {scope: dict(costs) for scope, costs in days.items()}


class LangfuseCollector:
    """Asks five questions an interval, fewer when the plan does not allow as many."""

    name = "langfuse"

    def __init__(self, settings: Settings, client: LangfuseClient) -> None:
        self._settings, self._client = settings, client
        self.interval = client.budget.interval(duration_seconds(settings.exporter.intervals.langfuse), len(_QUERIES))
        self.timeout = 2 * _RUN_SECONDS
        self.max_age = max(duration_seconds(settings.exporter.max_age), 2 * self.interval + SETTLE_SECONDS)
        self.snapshot: Snapshot | None = None
        self._journal = Journal(self.name, Source.LANGFUSE, _QUERIES, client.without_secrets)
        self._history: dict[str, dict[date, float]] = {}
        self._history_until: datetime | None = None
        self._history_at = 0.0

    def collect(self, now: float) -> None:
        end = datetime.fromtimestamp(now - SETTLE_SECONDS, UTC)
        if end == month_start(end):  # a window must not be empty
            end -= timedelta(milliseconds=1)
        midnight = end.replace(hour=0, minute=0, second=0, microsecond=0)
        needed = self._history_until != midnight or now - self._history_at >= _HISTORY_SECONDS
        questions = {
            "cost_per_day": partial(self._cost_per_day, midnight, now),
            "usage_mtd": partial(self._usage, month_start(end), end, "mtd"),
            "usage_24h": partial(self._usage, end - timedelta(hours=24), end, "24h"),
            "latency_24h": partial(self._latency, end - timedelta(hours=24), end, "24h"),
            "latency_mtd": partial(self._latency, month_start(end), end, "mtd"),
        }
        if not needed:
            del questions["cost_per_day"]
        up = False
        self._journal.begin(keep=_QUERIES - questions.keys())
        try:
            self._ask_all(questions, end.timestamp())
            up = True
        finally:
            self.snapshot = self._journal.snapshot(up, self._standing_samples())

    def _ask_all(self, questions: Mapping[str, Callable[[], Answer]], as_of: float) -> None:
        deadline, asked = time.monotonic() + _RUN_SECONDS, []
        for name, question in questions.items():
            asked.append(time.monotonic() < deadline and self._journal.ask(name, as_of, question))
        if not any(asked):
            raise SourceDown(f"Langfuse did not answer one query: {self._journal.last_failure}")

    def _usage(self, begin: datetime, end: datetime, window: str) -> Answer:
        rows, truncated = self._client.metrics(usage_query(begin, end))
        samples = list(usage_samples(rows, window))
        if window == "mtd":
            samples.extend(self._budget_samples(cost_by_scope(rows, self._settings.environments), end))
        return Answer(tuple(samples), len(rows), truncated)

    def _latency(self, begin: datetime, end: datetime, window: str) -> Answer:
        rows, truncated = self._client.metrics(latency_query(begin, end))
        return Answer(tuple(latency_samples(rows, window)), len(rows), truncated)

    def _cost_per_day(self, midnight: datetime, now: float) -> Answer:
        rows, truncated = self._client.metrics(daily_query(midnight))
        self._history, self._history_until, self._history_at = cost_by_day(rows), midnight, now
        return Answer((), len(rows), truncated)

    def _budget_samples(self, spent: dict[str, float], end: datetime) -> Iterator[Sample]:
        for scope, cost in spent.items():
            yield sample("platform_cost_usd", scope, "mtd", value=cost)
        fresh = self._history_until is not None and self._history_until.date() == end.date()
        for budget in self._settings.budgets:
            cost = spent[budget.scope]
            yield sample("platform_budget_spent_ratio", budget.scope, value=cost / budget.monthly_usd)
            expected = forecast(cost, self._history.get(budget.scope, {}), end) if fresh else None
            if expected is not None:
                yield sample("platform_budget_forecast_usd", budget.scope, value=expected)

    def _standing_samples(self) -> Iterator[Sample]:
        """What is known without an answer: the limits, and how much was asked."""
        for budget in self._settings.budgets:
            yield sample("platform_budget_limit_usd", budget.scope, value=budget.monthly_usd)
        for code in LABELS["code"].values:
            yield sample("exporter_api_requests_total", API, code, value=self._client.requests_by_code[code])
        if (remaining := self._client.budget.remaining()) is not None:
            yield sample("exporter_api_budget_remaining", API, value=remaining)

    def abort(self) -> None:
        """Nothing to cut: every request has a deadline of its own, and a run asks no further after its time."""

    def without_secrets(self, text: str) -> str:
        return self._client.without_secrets(text)

    def close(self) -> None:
        self._client.close()

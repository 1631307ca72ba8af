"""Questions to Langfuse's aggregates, and the figures that their rows become.

Model calls are observations of the types GENERATION and EMBEDDING. Money is summed over all calls, whatever their environment;
a call of a model without a price costs nothing that is known.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from typing import Any

from exporters.journal import QueryFailed
from exporters.langfuse.client import CALL_TYPES, ROW_LIMIT, instant, number
from exporters.langfuse.month_end import HISTORY_DAYS
from exporters.langfuse.prices import PriceList
from exporters.langfuse.usage import types_of
from exporters.snapshot import Sample, sample

_CALLS = {"column": "type", "type": "stringOptions", "operator": "any of", "value": list(CALL_TYPES)}
_IN_SESSIONS = {"column": "sessionId", "type": "null", "operator": "is not null", "value": ""}


def _query(begin: datetime, end: datetime, dimensions: str, measures: str, order: str, **more: Any) -> dict[str, Any]:
    """A metrics query over `[begin, end]`; `measures` as `aggregation_measure`, ordered so that a cut leaves the greatest."""
    pairs = [measure.split("_", 1) for measure in measures.split()]
    return {
        "view": "observations",
        "dimensions": [{"field": field} for field in dimensions.split()],
        "metrics": [{"measure": measure, "aggregation": aggregation} for aggregation, measure in pairs],
        "filters": [_CALLS],
        "fromTimestamp": instant(begin),
        "toTimestamp": instant(end),
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


def totals_query(begin: datetime, end: datetime) -> dict[str, Any]:
    """All calls of `[begin, end]` in one row."""
    return _query(begin, end, "", "count_count sum_inputTokens sum_outputTokens sum_totalCost", "count_count")


def token_types_query(begin: datetime, end: datetime) -> dict[str, Any]:
    """Tokens by model and key of usage. Only the newer interface knows it."""
    return _query(begin, end, "providedModelName environment usageType", "sum_usageByType", "sum_usageByType")


def conversations_query(begin: datetime, end: datetime) -> dict[str, Any]:
    """Cost and number of sessions, which are Langfuse's conversations, by name of the trace. Only in the newer interface."""
    more = {"filters": [_CALLS, _IN_SESSIONS]}
    return _query(begin, end, "traceName environment", "sum_totalCost uniq_uniqueSessionIds", "sum_totalCost", **more)


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


def part_samples(rows: Iterable[dict[str, Any]], window: str) -> Iterator[Sample]:
    """Tokens that are parts of a side: read from a cache, written into one, spent on reasoning."""
    for (model, environment, part), tokens in _parts(rows).items():
        yield sample("langfuse_window_tokens", model, environment, window, part, value=tokens)


def cache_savings(rows: Iterable[dict[str, Any]], prices: PriceList, at: datetime) -> float:
    """USD less than without prompt caches, by the prices of a time."""
    parts = _parts(rows)
    return sum(
        tokens * prices.saved_per_cached_token(model, at) for (model, _, part), tokens in parts.items() if part == "cache_read"
    )


def _parts(rows: Iterable[dict[str, Any]]) -> dict[tuple[str, str, str], float]:
    sums: defaultdict[tuple[str, str, str], float] = defaultdict(float)
    for row in rows:
        for part in types_of(str(row.get("usageType"))):
            if part not in ("input", "output"):
                sums[*_model(row), part] += number(row, "sum_usageByType") or 0.0
    return sums


def conversation_samples(rows: Iterable[dict[str, Any]], window: str) -> Iterator[Sample]:
    """Cost of the calls of conversations for each of them; none where there was no conversation."""
    for row in rows:
        conversations = number(row, "uniq_uniqueSessionIds") or 0.0
        if conversations > 0:
            labels = (str(row.get("traceName") or "unknown"), _environment(row), window)
            cost = (number(row, "sum_totalCost") or 0.0) / conversations
            yield sample("platform_cost_per_conversation_usd", *labels, value=cost)

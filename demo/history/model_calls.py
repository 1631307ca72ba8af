"""What the exporter's Langfuse collector would have said at any time of the past, read from the stand-in's rows once."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import NamedTuple

from contract.settings import Settings
from demo.history.steps import Changes, Key, read
from demo.langfuse.rows import USD
from demo.langfuse.store import Store
from demo.langfuse.times import from_seconds
from demo.platform.registry import Number
from exporters.langfuse.month_end import HISTORY_DAYS, forecast, month_start
from exporters.langfuse.windows import SETTLE_SECONDS

DAY = 86400.0
EVERYTHING = "all"
LATENCY_EVERY_SECONDS = 300
"""Percentiles are read every five minutes and held in between; a sorted window is dear to keep for every minute."""
_LEVEL = 0.95
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Call(NamedTuple):
    """A model call. It is seen from `seen` on: it has ended, and the collector leaves out the last SETTLE_SECONDS."""

    started: float
    seen: float
    model: str
    environment: str
    failed: bool
    read: int
    written: int
    cost: int  # in 1e-12 USD; a model without a price costs nothing that is known
    seconds: float  # between whole milliseconds, as Langfuse subtracts them


def calls(path: Path, since: float, until: float) -> list[Call]:
    """The calls that began in [since, until], from the stand-in's storage, in order of their beginning."""
    store = Store(path)
    try:
        rows = store.select(
            "SELECT started, ended, model, environment, level = 'ERROR' AS failed, input_tokens, output_tokens, total_cost "
            "FROM observations WHERE type IN ('GENERATION', 'EMBEDDING') AND copy = 0 AND ended IS NOT NULL "
            "AND started BETWEEN :since AND :until ORDER BY started",
            {"since": from_seconds(since), "until": from_seconds(until)},
        )
    finally:
        store.close()
    return [
        Call(
            started / 1e6, max(started / 1e6 + SETTLE_SECONDS, ended / 1e6), model or "unknown", environment, bool(failed),
            received, produced, cost or 0, (ended // 1000 - started // 1000) / 1000,
        )
        for started, ended, model, environment, failed, received, produced, cost in rows
    ]  # fmt: skip


def series(path: Path, times: Sequence[float], settings: Settings) -> Iterator[tuple[Key, Sequence[Number]]]:
    """Every series with its values at `times` (rising)."""
    first_month = month_start(datetime.fromtimestamp(times[0] - SETTLE_SECONDS, UTC)).timestamp()
    found = calls(path, min(first_month, times[0] - (HISTORY_DAYS + 2) * DAY), times[-1])
    yield from _usage(found, times)
    yield from _latency(found, times)
    yield from _money(found, times, settings)


def _usage(found: list[Call], times: Sequence[float]) -> Iterator[tuple[Key, Sequence[Number]]]:
    """Calls, errors, tokens and cost of the last 24 hours, and the cost of the month, by model and environment.

    A series has values where there were calls in its window.
    """
    day: defaultdict[tuple[str, str], defaultdict[str, Changes]] = defaultdict(lambda: defaultdict(list))
    month: defaultdict[tuple[str, str], tuple[Changes, Changes]] = defaultdict(lambda: ([], []))
    for call in found:
        labels = (call.model, call.environment)
        ends = _month_end(int(call.started // DAY))
        if ends > times[0]:
            calls_, costs = month[labels]
            calls_ += ((call.seen, 1), (ends, -1))
            costs += ((call.seen, call.cost), (ends, -call.cost))
        gone = call.started + SETTLE_SECONDS + DAY
        if gone > times[0]:
            amounts = {"calls": 1, "errors": int(call.failed), "input": call.read, "output": call.written, "cost": call.cost}
            for measure, amount in amounts.items():
                day[labels][measure] += ((call.seen, amount), (gone, -amount))
    for labels, measures in day.items():
        alive = read(measures["calls"], times)
        for measure, changes in measures.items():
            shown: list[Number] = [value if calls_ else None for value, calls_ in zip(read(changes, times), alive, strict=True)]
            if measure in ("input", "output"):
                yield ("langfuse_window_tokens", (*labels, "24h", measure)), shown
            elif measure == "cost":
                yield (
                    ("langfuse_window_cost_usd", (*labels, "24h")),
                    [None if value is None else value / USD for value in shown],
                )
            else:
                yield (f"langfuse_window_{measure}", (*labels, "24h")), shown
    for labels, (calls_, costs) in month.items():
        pairs = zip(read(costs, times), read(calls_, times), strict=True)
        yield ("langfuse_window_cost_usd", (*labels, "mtd")), [cost / USD if alive else None for cost, alive in pairs]


@cache
def _month_end(day: int) -> float:
    """When a call of a day (counted from the epoch) leaves the month to date."""
    begin = month_start(_EPOCH + timedelta(days=day))
    return month_start(begin + timedelta(days=32)).timestamp() + SETTLE_SECONDS


def _latency(found: list[Call], times: Sequence[float]) -> Iterator[tuple[Key, Sequence[Number]]]:
    by_model: defaultdict[tuple[str, str], list[tuple[float, bool, float]]] = defaultdict(list)
    for call in found:
        if call.started + SETTLE_SECONDS + DAY >= times[0]:
            gone = call.started + SETTLE_SECONDS + DAY
            by_model[call.model, call.environment] += ((call.seen, True, call.seconds), (gone, False, call.seconds))
    for labels, changes in by_model.items():
        yield ("langfuse_window_latency_seconds", (*labels, "24h")), _percentiles(sorted(changes), times)


def _percentiles(changes: list[tuple[float, bool, float]], times: Sequence[float]) -> list[Number]:
    values: list[float] = []
    shown: list[Number] = []
    place = 0
    for number, at in enumerate(times):
        if number and at % LATENCY_EVERY_SECONDS and number < len(times) - 1:
            shown.append(shown[-1])
            continue
        while place < len(changes) and changes[place][0] <= at:
            _, comes, seconds = changes[place]
            place += 1
            if comes:
                insort(values, seconds)
            else:
                del values[bisect_left(values, seconds)]
        shown.append(_percentile(values) if values else None)
    return shown


def _percentile(values: list[float]) -> float:
    """Linear interpolation between order statistics, as the stand-in does."""
    place = (len(values) - 1) * _LEVEL
    below = int(place)
    above = min(below + 1, len(values) - 1)
    return values[below] + (values[above] - values[below]) * (place - below)


def _money(found: list[Call], times: Sequence[float], settings: Settings) -> Iterator[tuple[Key, Sequence[Number]]]:
    """Cost of the month by scope, and how it stands against the budgets."""
    month: defaultdict[str, Changes] = defaultdict(list, {scope: [] for scope in (EVERYTHING, *settings.environments)})
    daily: defaultdict[str, Counter[int]] = defaultdict(Counter)
    for call in found:
        day = int(call.started // DAY)
        for scope in (EVERYTHING, call.environment):
            month[scope] += ((call.seen, call.cost), (_month_end(day), -call.cost))
            daily[scope][day] += call.cost
    spent = {scope: [value / USD for value in read(changes, times)] for scope, changes in month.items()}
    for scope, values in spent.items():
        yield ("platform_cost_usd", (scope, "mtd")), values
    for budget in settings.budgets:
        scope, limit = budget.scope, budget.monthly_usd
        known = {(_EPOCH + timedelta(days=day)).date(): cost / USD for day, cost in daily[scope].items()}
        yield ("platform_budget_limit_usd", (scope,)), [limit] * len(times)
        yield ("platform_budget_spent_ratio", (scope,)), [value / limit for value in spent[scope]]
        yield (
            ("platform_budget_forecast_usd", (scope,)),
            [
                forecast(value, known, datetime.fromtimestamp(at - SETTLE_SECONDS, UTC))
                for value, at in zip(spent[scope], times, strict=True)
            ],
        )

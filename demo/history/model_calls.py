"""What the exporter would have said of model calls in trailing windows, as of every full hour, worked back from the ledger.

The ledger keeps hours for long and minutes for a day only, so the past is told by the hour, and held in between.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import chain, repeat

import psycopg
from psycopg import sql

from contract.settings import Settings
from demo.history.steps import Key
from demo.platform.registry import Number
from exporters.langfuse.calls import NANO
from exporters.langfuse.cost import cost_by_scope
from exporters.langfuse.counting import BOUNDS, CALLS, DURATIONS, FACTS, UNPRICED
from exporters.langfuse.figures import Cells, Counted, window_samples
from exporters.langfuse.spending import budget_samples, cost_samples, limit_samples
from exporters.langfuse.storage import complete_since
from exporters.rollups.model import HISTOGRAM_COLUMNS, SUM_COLUMNS
from exporters.snapshot import Figure, Sample
from exporters.windows import Window, windows

_HOUR = 3600
_LONGEST = timedelta(days=31)
_COST = FACTS[CALLS].sums.index("cost_nano")
_COLUMNS = ("n", *SUM_COLUMNS, *HISTOGRAM_COLUMNS[: len(BOUNDS) + 1])

_Sums = tuple[int, ...]


def series(dsn: str, times: Sequence[int], settings: Settings) -> Iterator[tuple[Key, Sequence[Number]]]:
    """Every series with its values at `times` (rising); None before the ledger has the whole window. Raises psycopg.Error."""
    hours = range(times[0] // _HOUR * _HOUR, times[-1] + 1, _HOUR)
    ledger = _Ledger(dsn, datetime.fromtimestamp(hours[0], UTC) - _LONGEST)
    found: defaultdict[Key, dict[int, float]] = defaultdict(dict)
    for hour in hours:
        for item in ledger.figures(datetime.fromtimestamp(hour, UTC), settings):
            assert isinstance(item, Sample)
            found[item.metric.name, item.labels][hour] = item.value
    moments = Counter(at // _HOUR * _HOUR for at in times)
    for key, by_hour in found.items():
        yield key, [*chain.from_iterable(repeat(by_hour.get(hour), moments[hour]) for hour in hours)]


class _Ledger:
    """The ledger's counts, summed up hour by hour from `since` on."""

    def __init__(self, dsn: str, since: datetime) -> None:
        query = sql.SQL(
            "SELECT fact, labels, bucket, {} FROM analytics.hours WHERE fact = ANY (%s) AND bucket >= %s"
            " GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
        ).format(sql.SQL(", ").join(sql.SQL("coalesce(analytics.total({}), 0)").format(sql.Identifier(c)) for c in _COLUMNS))
        self._cells: dict[tuple[str, tuple[str, ...]], tuple[list[datetime], list[_Sums]]] = {}
        with psycopg.connect(dsn) as connection:
            self._complete = complete_since(connection)
            for fact, labels, bucket, *counts in connection.execute(query, ([CALLS, UNPRICED, DURATIONS], since)):
                buckets, sums = self._cells.setdefault((fact, tuple(labels)), ([], [(0,) * len(_COLUMNS)]))
                buckets.append(bucket)
                sums.append(tuple([a + b for a, b in zip(sums[-1], map(int, counts), strict=True)]))

    def figures(self, hour: datetime, settings: Settings) -> Iterator[Figure]:
        """What the exporter's collectors of the ledger and of money say at a full hour."""
        yield from limit_samples(settings.budgets)
        for window in windows(hour):
            if self._complete is None or window.start < self._complete:
                continue
            cells = self._between(window, hour)
            costs = cost_by_scope(cells, settings.environments)
            yield from window_samples(cells, window.name)
            yield from cost_samples(costs, window.name)
            if window.name == "mtd":
                yield from budget_samples(settings.budgets, costs, self._by_day(hour), hour)

    def _between(self, window: Window, hour: datetime) -> Cells:
        found: Cells = defaultdict(list)
        sums_end = 1 + len(SUM_COLUMNS)
        for (fact, labels), (buckets, sums) in self._cells.items():
            before, until = sums[bisect_left(buckets, window.start)], sums[bisect_left(buckets, hour)]
            counts = [b - a for a, b in zip(before, until, strict=True)]
            if any(counts):
                found[fact].append(Counted(labels, counts[0], tuple(counts[1:sums_end]), tuple(counts[sums_end:])))
        return found

    def _by_day(self, hour: datetime) -> dict[str, dict[date, float]]:
        """USD of the whole days of the last four weeks before the day of `hour`, by scope."""
        midnight = hour.replace(hour=0)
        found: defaultdict[str, defaultdict[date, float]] = defaultdict(lambda: defaultdict(float))
        for back in range(1, 29):
            begin = midnight - timedelta(days=back)
            if self._complete is None or begin < self._complete:
                break
            for (fact, labels), (buckets, sums) in self._cells.items():
                before, until = (sums[bisect_left(buckets, at)] for at in (begin, begin + timedelta(days=1)))
                if fact == CALLS and before[0] < until[0]:  # a scope is known from the first day on that it has calls of
                    for scope in ("all", labels[1]):
                        found[scope][begin.date()] += (until[1 + _COST] - before[1 + _COST]) / NANO
        return {scope: dict(costs) for scope, costs in found.items()}

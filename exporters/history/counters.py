"""Counters and histograms at one moment after the other, at the cost of what changed in between."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator

from contract.metrics import MetricType
from exporters.business import counted
from exporters.business.counted import Series
from exporters.business.expected import Expected
from exporters.history.counts import Counts, Key, more
from exporters.langfuse.counting import BOUNDS
from exporters.langfuse.counting import FACTS as LEDGER_FACTS
from exporters.langfuse.figures import Counted, counter_samples
from exporters.rollups.model import SUM_COLUMNS
from exporters.rollups.read import Cell
from exporters.rollups.sources import AMENDS, FACTS
from exporters.snapshot import Figure

_SUMS_END = 1 + len(SUM_COLUMNS)
_COUNTERS = FACTS | AMENDS


class Counters:
    """Those of the platform and of the ledger, but for the metrics `without`, from all cells as they were at the first moment.

    A cell below zero was counted later than it happened: what the ledger filled in of the past is in no total. Amends have no
    time, and stand from the first moment on.
    """

    def __init__(self, cells: dict[Key, Counts], expected: Expected, without: Collection[str]) -> None:
        self._cells, self._without = cells, without
        self._keys: defaultdict[Series, list[Key]] = defaultdict(list)
        self._series: dict[Key, list[Series]] = {}
        for key in cells:
            if key[0] in _COUNTERS:
                self._series[key] = [series for series in counted.series_of(*key) if series[0] not in without]
                for series in self._series[key]:
                    self._keys[series].append(key)
        self._of_ledger = [key for key in cells if key[0] in LEDGER_FACTS and LEDGER_FACTS[key[0]].counter]
        self._changed = set(self._keys)
        self._ledger_changed = True
        self._ledger: dict[Series, Figure] = {}
        self._besides: list[Figure] = [*self._expected(expected)]

    def add(self, happened: dict[Key, Counts]) -> None:
        """What happened up to the next moment."""
        more(self._cells, happened)
        for key in happened:
            self._changed.update(self._series.get(key, ()))
            self._ledger_changed = self._ledger_changed or key[0] in LEDGER_FACTS

    def changed(self) -> Iterator[Figure]:
        """The figures that are new, or others than when this was asked before."""
        yield from self._besides
        for series in self._changed:
            cells = [
                _cell(key, self._cells[key]) for key in self._keys[series] if key[0] in AMENDS or self._cells[key][0] >= 0
            ]
            if item := counted.figure(series, cells):
                yield item
        if self._ledger_changed:
            yield from self._of_the_ledger()
        self._besides.clear()
        self._changed.clear()
        self._ledger_changed = False

    def _expected(self, expected: Expected) -> Iterator[Figure]:
        found: defaultdict[str, set[tuple[str, ...]]] = defaultdict(set)
        for name, labels in self._keys:
            found[name].add(labels)
        yield from filter(self._is_told, counted.expected_besides(expected, found))

    def _of_the_ledger(self) -> Iterator[Figure]:
        cells: dict[str, list[Counted]] = {}
        for fact, labels in self._of_ledger:
            n, *figures = self._cells[fact, labels]
            if n >= 0:
                sums, buckets = figures[: _SUMS_END - 1], figures[_SUMS_END - 1 :]
                cells.setdefault(fact, []).append(Counted(labels, n, tuple(sums), tuple(buckets[: len(BOUNDS) + 1])))
        for item in filter(self._is_told, counter_samples(cells)):
            key = item.metric.name, item.labels
            if self._ledger.get(key) != item:
                self._ledger[key] = item
                yield item

    def _is_told(self, item: Figure) -> bool:
        return item.metric.type is not MetricType.GAUGE and item.metric.name not in self._without


def _cell(key: Key, counts: Counts) -> Cell:
    fact, labels = key
    declared, buckets = _COUNTERS[fact], counts[_SUMS_END:]
    histogram = buckets[: len(declared.bounds) + 1] if declared.bounds else ()
    return Cell(fact, labels, counts[0], counts[1 : 1 + len(declared.sums)], histogram)

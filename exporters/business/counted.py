"""What was counted, as the samples that its declarations say it is: counters, histograms and stocks.

Everything is added up in whole numbers and scaled at the end, so that equal counts give equal figures on every replica.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from contract.catalogue import metric
from contract.metrics import Metric
from exporters.business.expected import Expected, LabelSet
from exporters.rollups.model import Fact, Stock, Yield
from exporters.rollups.read import Cell
from exporters.rollups.sources import AMENDS, FACTS, STOCKS
from exporters.snapshot import Distribution, Figure, Sample

_Counts = tuple[int, ...]
"""The buckets of a histogram, if it is one, and then the sum or the count."""


@dataclass(frozen=True)
class _Part:
    """What the cells of one fact give to one metric. `places` are those of the metric's labels among the fact's; `sum` is the
    place of what is added up, None for the count."""

    metric: Metric
    places: tuple[int, ...]
    sum: int | None
    histogram: bool
    scale: float

    @classmethod
    def of(cls, declared: Fact | Stock, wanted: Yield) -> _Part:
        given, names = metric(wanted.metric), list(declared.labels)
        sums = list(declared.sums) if isinstance(declared, Fact) else []
        place = None if wanted.of == "n" else sums.index("duration_us" if wanted.of == "histogram" else wanted.of)
        return cls(given, tuple(map(names.index, given.labels)), place, wanted.of == "histogram", wanted.scale)

    def counts(self, cell: Cell) -> _Counts:
        amount = cell.n if self.sum is None else cell.sums[self.sum]
        return (*cell.histogram, amount) if self.histogram else (amount,)

    def figure(self, labels: LabelSet, counts: _Counts) -> Figure:
        if self.metric.buckets:
            return Distribution(self.metric, labels, counts[:-1], counts[-1] * self.scale)
        return Sample(self.metric, labels, counts[-1] * self.scale)


_PARTS = {
    name: [_Part.of(declared, wanted) for wanted in declared.yields]
    for name, declared in (FACTS | AMENDS | STOCKS).items()
}
_BY_METRIC = {part.metric.name: part for parts in _PARTS.values() for part in parts}
YIELDS = tuple(_BY_METRIC)
"""The metrics that are given."""

Series = tuple[str, LabelSet]
"""Name of a metric, and labels in its order."""


def series_of(fact: str, labels: LabelSet) -> Iterator[Series]:
    """What a cell of these labels has part in. Cells of facts that are not ours have part in nothing."""
    for part in _PARTS.get(fact, ()):
        found = tuple([labels[place] for place in part.places])
        if "" not in found:
            yield part.metric.name, found


def figure(series: Series, cells: Iterable[Cell]) -> Figure | None:
    """The figure of one series from all cells that have part in it; None where there is no cell."""
    name, labels = series
    counts: _Counts | None = None
    for cell in cells:
        for part in _PARTS[cell.fact]:
            if part.metric.name == name:
                added = part.counts(cell)
                counts = added if counts is None else tuple([a + b for a, b in zip(counts, added, strict=True)])
    return None if counts is None else _BY_METRIC[name].figure(labels, counts)


def expected_besides(expected: Expected, found: Mapping[str, Collection[LabelSet]]) -> Iterator[Figure]:
    """What is expected beside the label sets that were `found` by metric; it starts at 0."""
    for name, part in _BY_METRIC.items():
        nothing = (0,) * (len(part.metric.buckets) + 2 if part.metric.buckets else 1)
        for labels in dict.fromkeys(expected.label_sets(part.metric, tuple(found[name]))):
            if labels not in found[name]:
                yield part.figure(labels, nothing)


def figures(cells: Iterable[Cell], expected: Expected) -> Iterator[Figure]:
    """All figures of all facts and stocks, in the order of the cells; then what is expected besides, which starts at 0.

    Cells of facts that are not ours are left alone.
    """
    found: dict[str, dict[LabelSet, _Counts]] = {name: {} for name in YIELDS}
    order: list[tuple[str, LabelSet]] = []
    for cell in cells:
        for part in _PARTS.get(cell.fact, ()):
            labels = tuple([cell.labels[place] for place in part.places])
            if "" in labels:
                continue
            series, counts = found[part.metric.name], part.counts(cell)
            known = series.get(labels)
            if known is None:
                order.append((part.metric.name, labels))
            series[labels] = counts if known is None else tuple([a + b for a, b in zip(known, counts, strict=True)])
    for name, labels in order:
        yield _BY_METRIC[name].figure(labels, found[name][labels])
    yield from expected_besides(expected, found)

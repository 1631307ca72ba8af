"""What was counted, as the samples that its declarations say it is: counters, histograms and stocks.

Everything is added up in whole numbers and scaled at the end, so that equal counts give equal figures on every replica.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from contract.catalogue import metric
from contract.metrics import Metric
from exporters.business.expected import Expected, LabelSet
from exporters.rollups.model import Fact, Stock, Yield
from exporters.rollups.read import Cell
from exporters.rollups.sources import FACTS, STOCKS
from exporters.snapshot import Distribution, Figure, Sample

_Counts = tuple[int, ...]
"""The buckets of a histogram, if it is one, and then the sum or the count."""

_GIVEN = tuple((name, declared, wanted) for name, declared in (FACTS | STOCKS).items() for wanted in declared.yields)
YIELDS = tuple(dict.fromkeys(wanted.metric for _, _, wanted in _GIVEN))
"""The metrics that are given."""


def figures(cells: Iterable[Cell], expected: Expected) -> Iterator[Figure]:
    """All figures of all facts and stocks; what is expected starts at 0. Cells of facts that are not ours are left alone."""
    by_fact: defaultdict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        by_fact[cell.fact].append(cell)
    found: defaultdict[str, dict[LabelSet, _Counts]] = defaultdict(dict)
    scales: dict[str, float] = {}
    for name, declared, wanted in _GIVEN:
        series, scales[wanted.metric] = found[wanted.metric], wanted.scale
        for labels, counts in _counts(declared, wanted, by_fact[name]):
            known = series.get(labels)
            series[labels] = counts if known is None else tuple([a + b for a, b in zip(known, counts, strict=True)])
    for name, series in found.items():
        given = metric(name)
        nothing = (0,) * (len(given.buckets) + 2 if given.buckets else 1)
        for labels in expected.label_sets(given, tuple(series)):
            series.setdefault(labels, nothing)
        for labels, counts in series.items():
            yield _figure(given, labels, counts, scales[name])


def _counts(declared: Fact | Stock, wanted: Yield, cells: Sequence[Cell]) -> Iterator[tuple[LabelSet, _Counts]]:
    """Label set and counts of each cell that has part in a metric."""
    names = list(declared.labels)
    places = [names.index(label) for label in metric(wanted.metric).labels]
    sums = list(declared.sums) if isinstance(declared, Fact) else []
    place = None if wanted.of == "n" else sums.index("duration_us" if wanted.of == "histogram" else wanted.of)
    for cell in cells:
        labels = tuple([cell.labels[place] for place in places])
        if "" in labels:
            continue
        amount = cell.n if place is None else cell.sums[place]
        yield labels, (*cell.histogram, amount) if wanted.of == "histogram" else (amount,)


def _figure(given: Metric, labels: LabelSet, counts: _Counts, scale: float) -> Figure:
    if given.buckets:
        return Distribution(given, labels, counts[:-1], counts[-1] * scale)
    return Sample(given, labels, counts[-1] * scale)

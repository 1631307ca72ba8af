"""The series of one scrape target: declared in the contract, held as one flat list of numbers.

A flat list is copied in microseconds, which is what makes seven days of history affordable.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

from contract.catalogue import metric
from contract.metrics import Metric, MetricType

LabelPairs = tuple[tuple[str, str], ...]
Number = float | int | None


class Series(NamedTuple):
    """Name and labels of one series as a scrape sees it, without the labels of the target."""

    name: str
    labels: LabelPairs


@cache
def bound_text(bound: float) -> str:
    """A bucket bound as prometheus-client writes it: `5.0`, `0.1`, `+Inf`."""
    return "+Inf" if math.isinf(bound) else repr(float(bound))


def series_of(declared: Metric, values: tuple[str, ...]) -> list[Series]:
    """The series that one label set of a metric yields; a label without a value is left out.

    Raises ValueError when the number of values is not that of the metric's labels.
    """
    if len(values) != len(declared.labels):
        raise ValueError(f"{declared.name} has the labels {', '.join(declared.labels)}; got the values {values}")
    pairs = tuple(pair for pair in zip(declared.labels, values, strict=True) if pair[1])
    if declared.type is not MetricType.HISTOGRAM:
        return [Series(declared.name, pairs)]
    bounds = (*declared.buckets, math.inf)
    buckets = [Series(f"{declared.name}_bucket", (*pairs, ("le", bound_text(bound)))) for bound in bounds]
    return [*buckets, Series(f"{declared.name}_sum", pairs), Series(f"{declared.name}_count", pairs)]


class Registry:
    """Counters, gauges and histograms by metric name and label values (in the contract's order).

    `series[i]` and `values[i]` belong together and never move; a value of None is a series that is no longer exposed.
    Counts are whole numbers, sums and gauges may be floats.
    """

    def __init__(self) -> None:
        self.series: list[Series] = []
        self.values: list[Number] = []
        self.sets: dict[tuple[str, tuple[str, ...]], int] = {}

    def declare(self, name: str, *values: str) -> int:
        """Index of the label set's first series; a new one starts at zero. Raises KeyError for a metric of no contract."""
        key = (name, values)
        found = self.sets.get(key)
        if found is None:
            found = self.sets[key] = len(self.series)
            new = series_of(metric(name), values)
            self.series.extend(new)
            self.values.extend([0] * len(new))
        return found

    def add(self, name: str, *values: str, amount: float = 1) -> None:
        """Raise (or, for a gauge, with a negative amount, lower) a value."""
        index = self.declare(name, *values)
        self.values[index] = (self.values[index] or 0) + amount

    def set(self, name: str, *values: str, to: Number) -> None:
        """Put a gauge to a value; None withdraws the series."""
        self.values[self.declare(name, *values)] = to

    def observe(self, name: str, *values: str, amount: float) -> None:
        """Put one observation into a histogram."""
        first = self.declare(name, *values)
        bounds = metric(name).buckets
        held = self.values
        for index in range(first + bisect_left(bounds, amount), first + len(bounds) + 1):
            held[index] += 1  # type: ignore[operator]  # only gauges are ever withdrawn
        held[first + len(bounds) + 1] += amount  # type: ignore[operator]
        held[first + len(bounds) + 2] += 1  # type: ignore[operator]

    def fill(self, name: str, *values: str, cumulated: Sequence[int], total: float) -> None:
        """Put many observations into a histogram: how many within each bound, the infinite one last, and their sum."""
        first = self.declare(name, *values)
        held = self.values
        for index, count in enumerate(cumulated, first):
            held[index] += count  # type: ignore[operator]  # only gauges are ever withdrawn
        held[first + len(cumulated)] += total  # type: ignore[operator]
        held[first + len(cumulated) + 1] += cumulated[-1]  # type: ignore[operator]

    def samples(self) -> list[tuple[str, LabelPairs, float]]:
        """Name, labels and value of every exposed series."""
        return [(s.name, s.labels, v) for s, v in zip(self.series, self.values, strict=True) if v is not None]

    def spans(self) -> list[tuple[tuple[str, tuple[str, ...]], int, int]]:
        """Every label set as (metric name, label values), with the index of its first series and the one after its last."""
        ends = [*list(self.sets.values())[1:], len(self.values)]
        return [(key, first, end) for (key, first), end in zip(self.sets.items(), ends, strict=True)]

    def state(self) -> list[list[Any]]:
        """All label sets with their values, for JSON, in order of their names. Floats survive exactly."""
        return sorted([name, list(values), self.values[first:end]] for (name, values), first, end in self.spans())

    def load(self, state: list[list[Any]]) -> None:
        """Take the values of `state`, label set by label set; sets that are new since stay at zero."""
        for name, values, numbers in state:
            first = self.declare(name, *values)
            self.values[first : first + len(numbers)] = numbers

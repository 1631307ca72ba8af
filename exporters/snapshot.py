"""Figures of declared metrics, what may be wrong with them, and what one collector knows."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from contract.catalogue import catalogue, metric
from contract.metrics import Metric, MetricType, Source


class Sample(NamedTuple):
    """One value of a counter or a gauge. `labels` are the values in the order in which the metric declares its labels."""

    metric: Metric
    labels: tuple[str, ...]
    value: float


class Distribution(NamedTuple):
    """One label set of a histogram: how many observations fell into each bucket, and their sum in the metric's unit.

    `buckets` has a count for each bound of the metric and one for what lies beyond the last; they are not cumulated.
    """

    metric: Metric
    labels: tuple[str, ...]
    buckets: tuple[int, ...]
    sum: float


Figure = Sample | Distribution
"""What stands on a page."""


def sample(name: str, *labels: str, value: float) -> Sample:
    """A sample of the metric called `name`. Raises KeyError when the contract has no such metric."""
    return Sample(metric(name), labels, float(value))


def distribution(name: str, *labels: str, buckets: Iterable[int], total: float) -> Distribution:
    """A label set of the histogram called `name`; `total` is the sum of what was observed. Raises KeyError like `sample`."""
    return Distribution(metric(name), labels, tuple(buckets), float(total))


@dataclass(frozen=True)
class Reading:
    """What one query gave. `as_of` (seconds since the epoch) is the time that the values stand for."""

    query: str
    as_of: float
    samples: tuple[Figure, ...]


@dataclass(frozen=True)
class Snapshot:
    """All that one collector knows, swapped whole after every run. `about` are its samples about itself: they have no age."""

    source: str
    readings: tuple[Reading, ...]
    about: tuple[Figure, ...]

    def served(self, now: float, max_age: float) -> tuple[Reading, ...]:
        """The readings that may be served at `now`: nothing that is older than `max_age` seconds."""
        return tuple(reading for reading in self.readings if reading.samples and now - reading.as_of <= max_age)

    def samples(self, now: float, max_age: float) -> Iterable[Figure]:
        """What the page shows at `now`.

        The time that the figures stand for is that of the oldest one served; when none is, that of the last one there was,
        so that the age of a source that is gone keeps growing.
        """
        yield from self.about
        served = self.served(now, max_age)
        for reading in served:
            yield from reading.samples
        known = [reading.as_of for reading in self.readings if reading.samples]
        if known:
            as_of = min((reading.as_of for reading in served), default=max(known))
            yield sample("exporter_source_data_timestamp_seconds", self.source, value=as_of)


def problem(item: Figure, source: Source) -> str:
    """What is wrong with a sample that a collector of `source` yields, or "" when nothing is."""
    declared = item.metric
    if catalogue().get(declared.name) is not declared:
        return f"{declared.name} is not declared in the contract"
    if declared.source is not source:
        return f"{declared.name} belongs to {declared.source}, not to {source}"
    if (declared.type is MetricType.HISTOGRAM) != isinstance(item, Distribution):
        return f"{declared.name} is a {declared.type}, and is given as a {type(item).__name__.lower()}"
    if len(item.labels) != len(declared.labels):
        return f"{declared.name} has the labels ({', '.join(declared.labels)}), got ({', '.join(map(str, item.labels))})"
    if isinstance(item, Distribution):
        return _wrong_buckets(item)
    if not math.isfinite(item.value):
        return f"{declared.name}{item.labels} is {item.value}"
    if declared.type is MetricType.COUNTER and item.value < 0:
        return f"{declared.name}{item.labels} is a counter below zero: {item.value:g}"
    return ""


def _wrong_buckets(item: Distribution) -> str:
    declared = item.metric
    if len(item.buckets) != len(declared.buckets) + 1:
        return f"{declared.name} has {len(declared.buckets)} bounds and wants one bucket more, got {len(item.buckets)}"
    if min(item.buckets) < 0 or not 0 <= item.sum < math.inf:
        return f"{declared.name}{item.labels} has a bucket or a sum that cannot be: {item.buckets}, {item.sum:g}"
    return ""


def sift(samples: Iterable[Figure], source: Source) -> tuple[list[Figure], list[str]]:
    """The samples that keep the contract, and one line for each that does not."""
    good: list[Figure] = []
    seen: defaultdict[str, set[tuple[str, ...]]] = defaultdict(set)
    problems = []
    for item in samples:
        wrong, of_metric = problem(item, source), seen[item.metric.name]
        if not wrong and item.labels in of_metric:
            wrong = f"{item.metric.name}{item.labels} is given twice"
        if wrong:
            problems.append(wrong)
        else:
            of_metric.add(item.labels)
            good.append(item)
    return good, problems

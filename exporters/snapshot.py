"""Samples of declared metrics, what may be wrong with them, and the limits of their labels."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from contract.catalogue import catalogue, metric
from contract.labels import LABELS, OVERFLOW
from contract.metrics import Metric, MetricType, Source


class Sample(NamedTuple):
    """One value of a series. `labels` are the values in the order in which the metric declares its labels."""

    metric: Metric
    labels: tuple[str, ...]
    value: float


def sample(name: str, *labels: str, value: float) -> Sample:
    """A sample of the metric called `name`. Raises KeyError when the contract has no such metric."""
    return Sample(metric(name), labels, float(value))


@dataclass(frozen=True)
class Reading:
    """What one query gave. `as_of` (seconds since the epoch) is the time that the values stand for."""

    query: str
    as_of: float
    samples: tuple[Sample, ...]


@dataclass(frozen=True)
class Snapshot:
    """All that one collector knows, swapped whole after every run. `about` are its samples about itself: they have no age."""

    source: str
    readings: tuple[Reading, ...]
    about: tuple[Sample, ...]

    def samples(self, now: float, max_age: float) -> Iterable[Sample]:
        """What may be served at `now`: nothing that is older than `max_age` seconds.

        The time that the figures stand for is that of the oldest one served; when none is, that of the last one there was,
        so that the age of a source that is gone keeps growing.
        """
        yield from self.about
        figures = [reading for reading in self.readings if reading.samples]
        served = [reading for reading in figures if now - reading.as_of <= max_age]
        for reading in served:
            yield from reading.samples
        if figures:
            as_of = min((reading.as_of for reading in served), default=max(reading.as_of for reading in figures))
            yield sample("exporter_source_data_timestamp_seconds", self.source, value=as_of)


def problem(item: Sample, source: Source) -> str:
    """What is wrong with a sample that a collector of `source` yields, or "" when nothing is."""
    declared = item.metric
    if catalogue().get(declared.name) is not declared:
        return f"{declared.name} is not declared in the contract"
    if declared.source is not source:
        return f"{declared.name} belongs to {declared.source}, not to {source}"
    if declared.type is MetricType.HISTOGRAM:
        return f"{declared.name} is a histogram, and a sample is one number"
    if len(item.labels) != len(declared.labels):
        return f"{declared.name} has the labels ({', '.join(declared.labels)}), got ({', '.join(map(str, item.labels))})"
    if not math.isfinite(item.value):
        return f"{declared.name}{item.labels} is {item.value}"
    if declared.type is MetricType.COUNTER and item.value < 0:
        return f"{declared.name}{item.labels} is a counter below zero: {item.value:g}"
    return ""


def sift(samples: Iterable[Sample], source: Source) -> tuple[list[Sample], list[str]]:
    """The samples that keep the contract, and one line for each that does not."""
    good: dict[tuple[str, tuple[str, ...]], Sample] = {}
    problems = []
    for item in samples:
        wrong = problem(item, source)
        key = (item.metric.name, item.labels)
        if not wrong and key in good:
            wrong = f"{item.metric.name}{item.labels} is given twice"
        if wrong:
            problems.append(wrong)
        else:
            good[key] = item
    return list(good.values()), problems


def additive(declared: Metric) -> bool:
    """Whether values of different label sets may be added. Ratios, means, times and percentiles may not."""
    if declared.type is MetricType.COUNTER:
        return True
    return declared.unit not in ("seconds", "ratio") and not declared.name.endswith("_average")


class LabelLimits:
    """Holds every label under its cap, query by query: the greatest values keep their name, the rest becomes `OVERFLOW`.

    A value that has its name keeps it for as long as it appears, so that a counter never changes between its own series and
    the overflow. Values outside a closed list go the same way. What may not be added is left out of the overflow.
    """

    def __init__(self) -> None:
        self._admitted: dict[tuple[str, str], frozenset[str]] = {}

    def apply(self, query: str, samples: Sequence[Sample]) -> tuple[list[Sample], int]:
        """The samples within the limits, and how many of them went into the overflow."""
        names = dict.fromkeys(label for item in samples for label in item.metric.labels)
        admitted = {label: self._admit(query, label, samples) for label in names}
        kept: list[Sample] = []
        merged: defaultdict[tuple[Metric, tuple[str, ...]], float] = defaultdict(float)
        overflowed = 0
        for item in samples:
            labels = tuple(
                value if value in admitted[label] else OVERFLOW
                for label, value in zip(item.metric.labels, item.labels, strict=True)
            )
            if labels == item.labels and OVERFLOW not in labels:
                kept.append(item)
                continue
            overflowed += labels != item.labels
            if additive(item.metric):
                merged[item.metric, labels] += item.value
            elif labels == item.labels:
                kept.append(item)
        kept.extend(Sample(declared, labels, value) for (declared, labels), value in merged.items())
        return kept, overflowed

    def _admit(self, query: str, label: str, samples: Sequence[Sample]) -> frozenset[str]:
        declared = LABELS[label]
        if declared.values:
            return frozenset(declared.values)
        weights: defaultdict[str, float] = defaultdict(float)
        first = next(item.metric for item in samples if label in item.metric.labels)
        for item in samples:
            if label in item.metric.labels:
                value = item.labels[item.metric.labels.index(label)]
                weights[value] += item.value if item.metric is first else 0.0
        old = self._admitted.get((query, label), frozenset()) & weights.keys()
        newcomers = sorted(weights.keys() - old - {OVERFLOW}, key=lambda value: (-weights[value], value))
        admitted = old | frozenset(newcomers[: max(0, declared.cap - len(old))])
        self._admitted[query, label] = admitted
        return admitted

"""Limits of what one metric may show: how many values of a label, how many series. The rest is counted together as `other`."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from itertools import islice
from typing import TypeVar

from contract.labels import LABELS, OVERFLOW
from contract.metrics import Metric, MetricType
from exporters.snapshot import Distribution, Figure, Sample

_T = TypeVar("_T", str, tuple[str, ...])

Weights = Iterable[tuple[_T, float]]
"""Those who want a name, each as often as it appears, with what it counts there."""


def additive(declared: Metric) -> bool:
    """Whether values of different label sets may be added. Ratios, means, times and percentiles may not."""
    if declared.type is not MetricType.GAUGE:
        return True
    return declared.unit not in ("seconds", "ratio") and not declared.name.endswith("_average")


def _weight(item: Figure) -> float:
    """How much a figure counts when not all can keep their names: its value, or how much was observed."""
    return item.value if isinstance(item, Sample) else sum(item.buckets)


def _sum(items: Sequence[Figure]) -> Figure:
    """One figure of the sums, under the labels of the first."""
    first = items[0]
    if isinstance(first, Sample):
        return first._replace(value=sum(item.value for item in items if isinstance(item, Sample)))
    parts = [item for item in items if isinstance(item, Distribution)]
    return first._replace(
        buckets=tuple(map(sum, zip(*(part.buckets for part in parts), strict=True))), sum=sum(part.sum for part in parts)
    )


class Limits:
    """Holds every label under its cap and every metric under `series` series, query by query.

    The greatest keep their names, or the first ones where figures come in the order in which they were first counted. What has
    its name keeps it for as long as it appears and is not nothing, so that a counter never changes between its own series and
    the overflow. Values outside a closed list, and those that are not `presentable`, go into the overflow too. What may not be
    added is left out of it.
    """

    def __init__(self, series: int, presentable: Callable[[str], bool] = lambda _: True) -> None:
        self._series, self._presentable = series, presentable
        self._admitted: dict[Hashable, frozenset[str] | frozenset[tuple[str, ...]]] = {}

    def apply(self, query: str, figures: Sequence[Figure], in_order: bool = False) -> tuple[list[Figure], int]:
        """The figures within the limits, and how many of them went into the overflow.

        `in_order`: they are given in the order in which they were first counted, the same for every process, so that every
        process gives the same names. What was not counted yet has no place in that order and comes after the rest.
        """
        kept, beyond_labels = self._within_labels(query, figures, in_order)
        kept, beyond_series = self._within_series(query, kept, in_order)
        return kept, beyond_labels + beyond_series

    def _within_labels(self, query: str, figures: Sequence[Figure], in_order: bool) -> tuple[list[Figure], int]:
        present: defaultdict[str, set[str]] = defaultdict(set)
        for items in _by_metric(figures):
            for label, values in zip(items[0].metric.labels, zip(*(item.labels for item in items), strict=True), strict=True):
                present[label].update(values)
        admitted = {label: self._admit_values(query, label, values, figures, in_order) for label, values in present.items()}
        if all(values <= admitted[label] for label, values in present.items()):
            return list(figures), 0

        def within(item: Figure) -> tuple[str, ...]:
            pairs = zip(item.metric.labels, item.labels, strict=True)
            return tuple([value if value in admitted[label] else OVERFLOW for label, value in pairs])

        return _merged((within(item), item) for item in figures)

    def _admit_values(
        self, query: str, label: str, present: set[str], figures: Sequence[Figure], in_order: bool
    ) -> frozenset[str]:
        declared = LABELS[label]
        if declared.values:
            return frozenset((*declared.values, OVERFLOW))

        def weights() -> Weights[str]:
            items = [item for item in figures if label in item.metric.labels]
            if in_order:  # a gauge may come and go, and must not take a place from a counter
                items = [item for item in items if item.metric.type is not MetricType.GAUGE]
            else:
                items = [item for item in items if item.metric is items[0].metric]
            return ((item.labels[item.metric.labels.index(label)], _weight(item)) for item in items)

        room, key = declared.cap, (query, label)
        return self._admit(key, present - {OVERFLOW}, room, weights, in_order, self._presentable) | {OVERFLOW}

    def _within_series(self, query: str, figures: list[Figure], in_order: bool) -> tuple[list[Figure], int]:
        within: list[Figure] = []
        beyond: list[tuple[tuple[str, ...], Figure]] = []
        for items in _by_metric(figures):
            declared = items[0].metric
            room = max(0, self._series // (len(declared.buckets) + 3 if declared.buckets else 1) - 1)  # one for the rest
            rest = (OVERFLOW,) * len(declared.labels)

            def weights(items: list[Figure] = items) -> Weights[tuple[str, ...]]:
                return ((item.labels, _weight(item)) for item in items)

            key, present = (query, declared.name), frozenset(item.labels for item in items)
            if len(present) <= room or not declared.labels:
                self._admitted[key] = present
                within.extend(items)
            else:
                admitted = self._admit(key, set(present - {rest}), room, weights, in_order)
                beyond.extend((item.labels if item.labels in admitted else rest, item) for item in items)
        kept, moved = _merged(beyond)
        return within + kept, moved

    def _admit(
        self,
        key: Hashable,
        present: set[_T],
        room: int,
        weights: Callable[[], Weights[_T]],
        in_order: bool,
        presentable: Callable[[_T], bool] = lambda _: True,
    ) -> frozenset[_T]:
        """Who keeps a name: those who had it, then the heaviest or the first newcomers, at most `room`."""
        held = frozenset(present & self._admitted.get(key, frozenset()))
        newcomers: Iterable[_T] = present - held
        if len(present) > room and newcomers:
            ranks = _in_order(weights()) if in_order else _by_weight(weights())
            if in_order:
                held &= ranks.keys()
            newcomers = sorted(present - held, key=lambda one: (ranks.get(one, math.inf), one))
        admitted = held | frozenset(islice(filter(presentable, newcomers), max(0, room - len(held))))
        self._admitted[key] = admitted
        return admitted


def _in_order(weights: Weights[_T]) -> dict[_T, float]:
    """The place of each among those that weigh anything."""
    return {one: place for place, one in enumerate(dict.fromkeys(one for one, weight in weights if weight))}


def _by_weight(weights: Weights[_T]) -> dict[_T, float]:
    """The heaviest is the first."""
    ranks: defaultdict[_T, float] = defaultdict(float)
    for one, weight in weights:
        ranks[one] -= weight
    return ranks


def _by_metric(figures: Iterable[Figure]) -> Iterable[list[Figure]]:
    found: defaultdict[str, list[Figure]] = defaultdict(list)
    for item in figures:
        found[item.metric.name].append(item)
    return found.values()


def _merged(placed: Iterable[tuple[tuple[str, ...], Figure]]) -> tuple[list[Figure], int]:
    """The figures under the labels they were given, those of equal labels added up, and how many have got other labels."""
    found: dict[tuple[str, tuple[str, ...]], list[Figure]] = {}
    moved = 0
    for labels, item in placed:
        if labels != item.labels:
            moved += 1
            if not additive(item.metric):
                continue
            item = item._replace(labels=labels)
        found.setdefault((item.metric.name, labels), []).append(item)
    return [items[0] if len(items) == 1 else _sum(items) for items in found.values()], moved

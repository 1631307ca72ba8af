"""Figures that change at moments, read off at regular times."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from contract.catalogue import metric
from demo.history.samples import Column
from demo.platform.registry import Number

Key = tuple[str, tuple[str, ...]]
"""Metric name and label values in the contract's order."""

Changes = list[tuple[float, int]]
"""Moments (seconds since the epoch) and by how much a figure changes then."""


def column(key: Key, values: Sequence[Number], target: tuple[tuple[str, str], ...]) -> Column:
    """The values of a series with the labels of its scrape target."""
    name, labels = key
    return Column(name, (*zip(metric(name).labels, labels, strict=True), *target), values)


class Steps:
    """Whole numbers by series. Every change has a moment (seconds since the epoch); a change counts from its moment on."""

    def __init__(self) -> None:
        self._changes: defaultdict[Key, Changes] = defaultdict(list)

    def expect(self, name: str, label_sets: Iterable[tuple[str, ...]]) -> None:
        """Series that are zero where nothing changes them."""
        for labels in label_sets:
            self._changes[name, labels]

    def change(self, name: str, *labels: str, at: float, by: int = 1) -> None:
        self._changes[name, labels].append((at, by))

    def read(self, times: Sequence[float]) -> Iterator[tuple[Key, list[int]]]:
        """The values of every series at `times`, which must rise."""
        for key, changes in self._changes.items():
            yield key, read(changes, times)


def read(changes: Changes, times: Sequence[float]) -> list[int]:
    """The sum of all changes up to and including each of `times`, which must rise. Sorts `changes`."""
    changes.sort()
    found, total, place, end = [], 0, 0, len(changes)
    for at in times:
        while place < end and changes[place][0] <= at:
            total += changes[place][1]
            place += 1
        found.append(total)
    return found

"""Aggregate functions that SQLite does not have."""

from __future__ import annotations

import json
from bisect import insort
from itertools import pairwise
from sqlite3 import Connection
from typing import Any


class Quantile:
    """`quantile(value, level)`: linear interpolation between order statistics; NULL without values."""

    def __init__(self) -> None:
        self.values: list[float] = []
        self.level = 0.5

    def step(self, value: float | None, level: float) -> None:
        if value is not None:
            self.values.append(value)
            self.level = level

    def finalize(self) -> float | None:
        if not self.values:
            return None
        self.values.sort()
        place = (len(self.values) - 1) * self.level
        below = int(place)
        above = min(below + 1, len(self.values) - 1)
        low, high = self.values[below], self.values[above]
        return low + (high - low) * (place - below)


class Histogram:
    """`histogram(value, bins)`: JSON `[[lower, upper, height], ...]` with bins where the values are.

    The streaming histogram of Ben-Haim and Tom-Tov (2010): every value is a point of weight one, the two closest points are
    merged while there are too many.
    """

    def __init__(self) -> None:
        self.points: list[tuple[float, float]] = []
        self.low = self.high = 0.0
        self.bins = 1

    def step(self, value: float | None, bins: int) -> None:
        if value is None:
            return
        self.low = min(value, self.low) if self.points else value
        self.high = max(value, self.high) if self.points else value
        self.bins = bins
        insort(self.points, (value, 1.0))
        if len(self.points) > 4 * bins:
            self._merge(2 * bins)

    def _merge(self, limit: int) -> None:
        while len(self.points) > limit:
            gaps = [right[0] - left[0] for left, right in pairwise(self.points)]
            at = gaps.index(min(gaps))
            (a, wa), (b, wb) = self.points[at : at + 2]
            self.points[at : at + 2] = [((a * wa + b * wb) / (wa + wb), wa + wb)]

    def finalize(self) -> str:
        self._merge(self.bins)
        centres = [point for point, _ in self.points]
        middles = [(left + right) / 2 for left, right in pairwise(centres)]
        bounds = [self.low, *middles, self.high]
        return json.dumps([[bounds[i], bounds[i + 1], weight] for i, (_, weight) in enumerate(self.points)])


def register(connection: Connection) -> None:
    functions: dict[str, Any] = {"quantile": Quantile, "histogram": Histogram}
    for name, function in functions.items():
        connection.create_aggregate(name, 2, function)

"""Totals that are older than what was published are not published: a counter never seems to fall.

They can be older where a server that lags behind answers, after a failover for instance. What was published stays until it is
too old to be served; then whatever is there is taken, for the database was probably restored.
"""

from __future__ import annotations

from collections.abc import Sequence

from contract.metrics import MetricType
from exporters.journal import QueryFailed
from exporters.snapshot import Distribution, Figure

_Series = tuple[str, tuple[str, ...]]


class Newest:
    """What was published last. `max_age` is how long it is served, in seconds."""

    def __init__(self, max_age: float) -> None:
        self._max_age = max_age
        self._published: dict[_Series, float] = {}
        self._at = 0.0

    def of(self, figures: Sequence[Figure], now: float) -> tuple[Figure, ...]:
        """These figures, to be published at `now` (seconds since the epoch). Raises QueryFailed when they are older."""
        counts = {(item.metric.name, item.labels): _count(item) for item in figures if item.metric.type is not MetricType.GAUGE}
        if now - self._at <= self._max_age:
            for series, published in self._published.items():
                if counts.get(series, 0.0) < published:
                    name, labels = series
                    raise QueryFailed(
                        f"{name}({', '.join(labels)}) is {counts.get(series, 0.0):g} and was {published:g}: the server that"
                        " answered is behind, or was restored; what was published stays until it is too old"
                    )
        self._published, self._at = counts, now
        return tuple(figures)


def _count(item: Figure) -> float:
    return float(sum(item.buckets)) if isinstance(item, Distribution) else item.value

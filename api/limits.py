"""How much each caller may ask: a bucket of requests that fills steadily."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

_MOST_BUCKETS = 10_000


def share(most: int) -> int:
    """The most that one caller takes of what all share: whoever floods leaves a third to the others."""
    return most - most // 3


@dataclass
class _Bucket:
    left: float
    at: float


class Rates:
    """Lets each key through `per_minute` times a minute, and `burst` times at once. `clock` gives seconds."""

    def __init__(self, per_minute: float, burst: int, clock: Callable[[], float]) -> None:
        self._per_second, self._burst, self._clock = per_minute / 60, burst, clock
        self._buckets: dict[str, _Bucket] = {}

    def wait(self, key: str) -> float:
        """Takes one request; 0 when there was one to take, else the seconds until there will be."""
        now = self._clock()
        bucket = self._buckets.get(key)
        if bucket is None:
            self._forget(now)
            bucket = self._buckets[key] = _Bucket(self._burst, now)
        bucket.left = min(self._burst, bucket.left + (now - bucket.at) * self._per_second)
        bucket.at = now
        if bucket.left < 1:
            return (1 - bucket.left) / self._per_second
        bucket.left -= 1
        return 0.0

    def _forget(self, now: float) -> None:
        """Buckets that are full again need not be kept, so strangers cannot fill the memory."""
        if len(self._buckets) >= _MOST_BUCKETS:
            full = self._burst / self._per_second
            self._buckets = {key: bucket for key, bucket in self._buckets.items() if now - bucket.at < full}
        if len(self._buckets) >= _MOST_BUCKETS:
            self._buckets.clear()

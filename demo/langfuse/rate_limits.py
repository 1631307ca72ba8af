"""How many requests Langfuse Cloud takes from an organisation: fixed windows that begin with their first request.

A request is counted before it is looked at, and refused when nothing is left after it. The last request of a window is
therefore refused already: of a limit of 100, 99 are answered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import Lock
from typing import Literal, NamedTuple

from demo.langfuse.errors import RateLimited

Plan = Literal["hobby", "core", "pro"]
Bucket = Literal["metrics", "general", "ingestion"]


class Limit(NamedTuple):
    requests: int
    seconds: float


LIMITS: Mapping[str, Mapping[Bucket, Limit]] = {
    "hobby": {"metrics": Limit(100, 86400.0), "general": Limit(30, 60.0), "ingestion": Limit(1000, 60.0)},
    "core": {"metrics": Limit(100, 3600.0), "general": Limit(1000, 60.0), "ingestion": Limit(20000, 60.0)},
    "pro": {"metrics": Limit(500, 3600.0), "general": Limit(1000, 60.0), "ingestion": Limit(20000, 60.0)},
}
"""By plan and bucket. The old endpoints had buckets of their own; they are gone from Cloud."""


class _Window(NamedTuple):
    begun: float
    used: int


class RateLimits:
    """Counts the requests of one organisation on a plan. `clock` gives seconds since the epoch."""

    def __init__(self, plan: str, clock: Callable[[], float]) -> None:
        self._limits, self._clock = LIMITS[plan], clock
        self._lock = Lock()
        self._windows: dict[Bucket, _Window] = {}

    def spend(self, bucket: Bucket) -> None:
        """Counts a request. Raises RateLimited when it is one too many."""
        limit, now = self._limits[bucket], self._clock()
        with self._lock:
            window = self._windows.get(bucket)
            if window is None or now - window.begun >= limit.seconds:
                window = _Window(now, 0)
            window = self._windows[bucket] = window._replace(used=window.used + 1)
        if window.used >= limit.requests:
            raise RateLimited(limit.requests, window.begun + limit.seconds - now, now)

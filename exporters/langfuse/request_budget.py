"""How many requests a Langfuse plan allows, and an interval that keeps within it.

Langfuse Cloud counts per organisation and kind of endpoint, in a window that begins with the first request. The last request of
a window is refused already, so a limit of 100 gives 99. Self-hosted servers have no limit.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC
from email.utils import parsedate_to_datetime

from exporters.journal import LONGEST_WAIT, SourceDown

METRICS, GENERAL = "langfuse_metrics", "langfuse_general"
"""The two kinds of endpoints that are counted apart: aggregates, and lists of rows. Also the `api` label of our own metrics."""

PLANS: dict[str, dict[str, tuple[int, float]]] = {
    "hobby": {METRICS: (100, 86400.0), GENERAL: (30, 60.0)},
    "core": {METRICS: (100, 3600.0), GENERAL: (100, 60.0)},
    "pro": {METRICS: (500, 3600.0), GENERAL: (1000, 60.0)},
}
"""Requests and seconds of each plan that has a limit."""

PLANNED_SHARE = 0.9
"""The rest is for repeated requests and for people who use the same organisation."""

BACKGROUND_SHARE = 0.5
"""Work that can wait leaves at least this share of a period's requests to what is due now."""

_UNSAID_WAIT = 60.0


def seconds_to_wait(retry_after: str, now: float) -> float:
    """What a `Retry-After` header asks for, as seconds or as an HTTP date: 1 s to a day, and a minute for nonsense.

    `now`: seconds since the epoch.
    """
    try:
        if retry_after.isascii() and retry_after.isdigit():
            wait = float(retry_after)
        else:
            until = parsedate_to_datetime(retry_after)
            wait = (until if until.tzinfo else until.replace(tzinfo=UTC)).timestamp() - now
    except (ValueError, TypeError, IndexError, OverflowError):
        return _UNSAID_WAIT
    return min(max(1.0, wait), LONGEST_WAIT)


class _Bucket:
    """Requests of one kind in the current period. Without a limit nothing is counted."""

    def __init__(self, limit: int, period: float) -> None:
        self.limit, self.period = limit, period
        self.used, self.opened = 0, 0.0


class RequestBudget:
    """Counts requests against a plan. `timer` gives seconds that never jump."""

    def __init__(self, plan: str, timer: Callable[[], float] = time.monotonic) -> None:
        self._plan, self._timer = plan, timer
        self._buckets = {api: _Bucket(*allowed) for api, allowed in PLANS.get(plan, {}).items()}

    def interval(self, api: str, wanted: float, requests: int) -> float:
        """Seconds between runs of `requests` requests each: the wanted ones, or more where the plan needs it."""
        bucket = self._buckets.get(api)
        return wanted if bucket is None else max(wanted, requests * bucket.period / (bucket.limit * PLANNED_SHARE))

    def limit(self, api: str) -> int | None:
        """Requests in a period that are answered; None without a limit."""
        bucket = self._buckets.get(api)
        return None if bucket is None else bucket.limit - 1

    def remaining(self, api: str) -> int | None:
        """Requests left in the current period; None without a limit."""
        bucket = self._buckets.get(api)
        if bucket is None:
            return None
        if bucket.used and self._timer() - bucket.opened >= bucket.period:
            bucket.used = 0
        return max(0, bucket.limit - 1 - bucket.used)

    def spare(self, api: str) -> int | None:
        """Requests that work which can wait may take now; None without a limit."""
        bucket, remaining = self._buckets.get(api), self.remaining(api)
        return None if bucket is None or remaining is None else max(0, remaining - round(bucket.limit * BACKGROUND_SHARE))

    def spend(self, api: str) -> None:
        """Takes one request. Raises SourceDown, with the time to wait, when none is left."""
        remaining, bucket = self.remaining(api), self._buckets.get(api)
        if remaining is None or bucket is None:
            return
        if remaining <= 0:
            wait = bucket.opened + bucket.period - self._timer()
            raise SourceDown(f"the {bucket.limit - 1} requests of the {self._plan} plan are spent; next in {wait:.0f} s", wait)
        if not bucket.used:
            bucket.opened = self._timer()
        bucket.used += 1

    def heard(self, api: str, remaining: str) -> None:
        """What an answer's header says is left counts when it is less: others may ask for the same organisation."""
        bucket = self._buckets.get(api)
        if bucket is not None and remaining.isascii() and remaining.isdigit():
            bucket.used = max(bucket.used, min(bucket.limit - int(remaining), bucket.limit - 1))

    def refused(self, api: str, retry_after: float) -> None:
        """The server says that nothing is left for `retry_after` seconds, whatever was counted here."""
        bucket = self._buckets.get(api)
        if bucket is not None:
            bucket.used = bucket.limit - 1
            bucket.opened = self._timer() - bucket.period + retry_after

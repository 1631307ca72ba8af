"""How many requests a Langfuse plan allows, and an interval that keeps within it.

The limits are those of the v2 metrics endpoint on Langfuse Cloud, per organisation, in a window that begins with the first
request. The last request of a window is refused already, so a limit of 100 gives 99. Self-hosted servers have no limit.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC
from email.utils import parsedate_to_datetime

from exporters.journal import LONGEST_WAIT, SourceDown

PLANS: dict[str, tuple[int, float]] = {"hobby": (100, 86400.0), "core": (100, 3600.0), "pro": (500, 3600.0)}
"""Requests and seconds of each plan that has a limit."""

PLANNED_SHARE = 0.9
"""The rest is for repeated requests and for people who use the same organisation."""

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


class RequestBudget:
    """Counts requests against a plan. `timer` gives seconds that never jump."""

    def __init__(self, plan: str, timer: Callable[[], float] = time.monotonic) -> None:
        self._limit, self._period = PLANS.get(plan, (0, 0.0))
        self._plan, self._timer = plan, timer
        self._used, self._opened = 0, 0.0

    def interval(self, wanted: float, requests: int) -> float:
        """Seconds between runs of `requests` requests each: the wanted ones, or more where the plan needs it."""
        if not self._limit:
            return wanted
        return max(wanted, requests * self._period / (self._limit * PLANNED_SHARE))

    def remaining(self) -> int | None:
        """Requests left in the current period; None without a limit."""
        if not self._limit:
            return None
        if self._used and self._timer() - self._opened >= self._period:
            self._used = 0
        return self._limit - 1 - self._used

    def spend(self) -> None:
        """Takes one request. Raises SourceDown, with the time to wait, when none is left."""
        remaining = self.remaining()
        if remaining is None:
            return
        if remaining <= 0:
            wait = self._opened + self._period - self._timer()
            raise SourceDown(f"the {self._limit - 1} requests of the {self._plan} plan are spent; next in {wait:.0f} s", wait)
        if not self._used:
            self._opened = self._timer()
        self._used += 1

    def refused(self, retry_after: float) -> None:
        """The server says that nothing is left for `retry_after` seconds, whatever was counted here."""
        if self._limit:
            self._used = self._limit - 1
            self._opened = self._timer() - self._period + retry_after

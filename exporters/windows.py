"""The trailing windows of figures. They begin at a full minute or hour, so that roll-ups answer them exactly.

The middle of a window is read from the next coarser tier: a month is some thirty days, and hours only at its edges.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from contract.labels import WINDOWS

Tier = Literal["minute", "hour", "day"]

_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
_COARSER: dict[Tier, tuple[Tier, timedelta]] = {"minute": ("hour", _HOUR), "hour": ("day", _DAY)}
_LENGTHS = {"1h": _HOUR, "24h": 24 * _HOUR, "7d": timedelta(days=7), "30d": timedelta(days=30)}
_LONGEST_BY_MINUTE = timedelta(hours=24)
"""Longer windows are read by the hour: a minute more or less is nothing to them, and the minutes are kept for a day only."""


@dataclass(frozen=True)
class Span:
    """A part of a window, `[start, end)`, in whole buckets of a roll-up tier."""

    tier: Tier
    start: datetime
    end: datetime


@dataclass(frozen=True)
class Window:
    """One window as of a moment: what happened in `[start, end)`, read from the roll-up `tier`. Times are UTC.

    `end` is the end of the minute or hour that is going on: what a fast clock dates later is not counted before its time.
    """

    name: str
    tier: Tier
    start: datetime
    end: datetime

    def spans(self) -> tuple[Span, ...]:
        """Its edges from its own tier, and what lies between from the coarser one.

        >>> [(span.tier, span.end - span.start) for span in window("1h", datetime(2026, 3, 15, 12, 34, tzinfo=UTC)).spans()]
        [('minute', datetime.timedelta(seconds=1560)), ('minute', datetime.timedelta(seconds=2100))]
        """
        tier, width = _COARSER[self.tier]
        first, last = _floor(self.start + width - _MINUTE, width), _floor(self.end - _MINUTE, width)
        parts = (Span(self.tier, self.start, first), Span(tier, first, last), Span(self.tier, last, self.end))
        return tuple(part for part in parts if part.start < part.end)


def _floor(at: datetime, width: timedelta) -> datetime:
    """The begin of the hour or day (UTC) that `at` lies in."""
    return at.replace(minute=0) if width == _HOUR else at.replace(hour=0, minute=0)


def window(name: str, now: datetime) -> Window:
    """The window called `name` (of `contract.labels.WINDOWS`) as of `now`.

    >>> window("24h", datetime(2026, 3, 15, 12, 34, 56, tzinfo=UTC)).start.isoformat()
    '2026-03-14T12:34:00+00:00'
    """
    now = now.astimezone(UTC)
    hour = now.replace(minute=0, second=0, microsecond=0)
    if name == "mtd":
        return Window(name, "hour", hour.replace(day=1, hour=0), hour + _HOUR)
    length = _LENGTHS[name]
    if length > _LONGEST_BY_MINUTE:
        return Window(name, "hour", hour - length, hour + _HOUR)
    minute = now.replace(second=0, microsecond=0)
    return Window(name, "minute", minute - length, minute + _MINUTE)


def windows(now: datetime) -> tuple[Window, ...]:
    """All windows as of `now`, in the contract's order."""
    return tuple(window(name, now) for name in WINDOWS)


def before(of: Window) -> Window:
    """The window that ends where this one starts, of the length in its name. Not for `mtd`, which has none."""
    return Window(of.name, of.tier, of.start - _LENGTHS[of.name], of.start)

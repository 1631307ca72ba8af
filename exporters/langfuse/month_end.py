"""What a month will have cost at its end, and when a budget is used up, from what it cost so far and how weekdays differ."""

from __future__ import annotations

import calendar
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from statistics import median

HISTORY_DAYS = 28
"""Whole weeks, so that every weekday counts equally often."""


def month_start(at: datetime) -> datetime:
    """The first moment of the month of `at`, in UTC."""
    return at.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def forecast(spent: float, daily: Mapping[date, float], at: datetime) -> float | None:
    """Expected cost of the whole month of `at` (UTC), in the unit of `spent`; None without one whole day of history.

    The rest of today and every day after it cost the median of their weekday in the last 28 whole days: one odd day must
    not bend a month. `daily` has the cost of whole days; a day after the first one that has no entry cost nothing. A weekday
    that the history does not reach costs the median of all days.
    """
    to_come = _days_to_come(daily, at)
    return None if to_come is None else spent + sum(cost for _, _, cost in to_come)


def exhaustion(spent: float, limit: float, daily: Mapping[date, float], at: datetime) -> datetime | None:
    """When the costs of the month of `at` reach `limit` at the pace of `forecast`; `at` itself when they have.

    None when they stay below it until the month ends, which is when a budget begins anew, or without history.
    """
    if spent >= limit:
        return at
    for begin, end, cost in _days_to_come(daily, at) or ():
        if spent + cost >= limit:
            return begin + (end - begin) * ((limit - spent) / cost)
        spent += cost
    return None


def _days_to_come(daily: Mapping[date, float], at: datetime) -> list[tuple[datetime, datetime, float]] | None:
    """What is left of today, and every further day of the month: begin, end and expected cost. None without history."""
    at = at.astimezone(UTC)
    today = at.date()
    days = [today - timedelta(days=n) for n in range(1, HISTORY_DAYS + 1)]
    first = min((day for day in days if day in daily), default=None)
    if first is None:
        return None
    known = {day: daily.get(day, 0.0) for day in days if day >= first}
    overall = median(known.values())
    by_weekday = [median([cost for day, cost in known.items() if day.weekday() == n] or [overall]) for n in range(7)]
    midnight = datetime(today.year, today.month, today.day, tzinfo=UTC)
    whole = timedelta(days=1)
    found = [(at, midnight + whole, (1.0 - (at - midnight) / whole) * by_weekday[today.weekday()])]
    last = calendar.monthrange(today.year, today.month)[1]
    for n in range(1, last - today.day + 1):
        begin = midnight + n * whole
        found.append((begin, begin + whole, by_weekday[begin.weekday()]))
    return found

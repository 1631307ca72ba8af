"""What the independent side of the comparison reckons with: shares of rows, quantiles, days.

Of nothing there is no mean, no percentile and no ratio, as in PostgreSQL: just after midnight a day may hold none of them.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest

from tests.integration.moment import Moment

EDGE = timedelta(minutes=1)
"""As far from the ends of an hour that is counted from scrapes may a row lie that is counted or not."""

_COUNTED = 'max(last_over_time(exporter_source_data_timestamp_seconds{source="rollups"}[1h]))'
"""Until when the exporter had counted, in seconds since the epoch. While a stack starts nobody says."""


class Hour(NamedTuple):
    """An hour as a rate over it knows it: what is after `begin` may be in it, from `first` to `last` it is, later it may be."""

    begin: datetime
    first: datetime
    last: datetime

    def holds(self, at: datetime) -> bool:
        return self.first <= at <= self.last


def told_hour(moment: Moment, *recorded: str) -> Hour:
    """Of which hour the moment shows a rate: of names of series, each recorded of the one before, the last is shown.

    On a slow machine rules are late: their samples say when they were recorded, and the exporter's until when it had counted.
    Of an hour in which nothing happened a ratio is not recorded, nor when that was found: within the minutes before, then.
    """
    early = late = moment.at
    for name in reversed(recorded):
        told = [at for then in (early, late) for _, at in moment.stack.query(f"max(timestamp({name}))", then)]
        early, late = (min(told), max(told)) if told else (early - 2 * EDGE.total_seconds(), late)
    counted = moment.stack.value(_COUNTED, early)
    started = moment.stack.value('max(process_start_time_seconds{job="prometheus"})', moment.at)
    if counted < started + EDGE.total_seconds():  # what happened while a stack started is written once its platform lives
        counted = moment.stack.value(_COUNTED, started)
    begin, first = (datetime.fromtimestamp(at - 3600, UTC) for at in (early, late))
    return Hour(begin - EDGE, first + EDGE, datetime.fromtimestamp(counted, UTC) - EDGE)


def percentile(share: float, values: Iterable[float]) -> float | None:
    """Between the two neighbours that the share falls between."""
    ordered = sorted(values)
    if not ordered:
        return None
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    return ordered[low] + (ordered[min(low + 1, len(ordered) - 1)] - ordered[low]) * (place - low)


def mean(values: Iterable[float]) -> float | None:
    found = list(values)
    return ratio(math.fsum(found), len(found))


def ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def close(expected: Any) -> Any:
    """What equals a figure to nine digits, or each of a list, a tuple, a dictionary. Nothing (None) equals itself alone."""
    if isinstance(expected, dict):
        return {key: close(value) for key, value in expected.items()}
    if isinstance(expected, list | tuple):
        return type(expected)(map(close, expected))
    return None if expected is None else pytest.approx(expected, rel=1e-9, abs=1e-9)


def grouped(rows: Iterable[Any], key: Callable[[Any], Hashable]) -> dict[Any, list[Any]]:
    found: dict[Any, list[Any]] = defaultdict(list)
    for row in rows:
        found[key(row)].append(row)
    return found


def utc(at: datetime) -> datetime:
    return at.astimezone(UTC)


def midnight(at: datetime) -> datetime:
    """Where the day (UTC) of a moment begins."""
    return utc(at).replace(hour=0, minute=0, second=0, microsecond=0)


def ends(moment: Moment, seconds: float) -> tuple[datetime, datetime]:
    """Where a range that ends at the moment begins and ends."""
    return datetime.fromtimestamp(moment.at - seconds, UTC), datetime.fromtimestamp(moment.at, UTC)


def within(at: datetime | None, since: datetime, until: datetime) -> bool:
    return at is not None and since <= at <= until


def keys(moment: Moment) -> dict[str, str]:
    """What stands for a user where people see it."""
    return dict(moment.sql("SELECT user_id, user_key FROM analytics.user_keys"))


def words(name: str) -> str:
    return name.replace("_", " ")

"""Times of the stand-in: integers of microseconds since the epoch inside, ISO 8601 text outside."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import formatdate

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WEEK = 7 * DAY
_FIRST_MONDAY = 4 * DAY  # 5 January 1970; the epoch itself was a Thursday

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})")


def from_seconds(seconds: float) -> int:
    return round(seconds * SECOND)


def from_iso(text: str) -> int:
    """Microseconds of an ISO time with zone, cut to milliseconds as the real server's clock type does.

    Raises ValueError for anything else, also for a time without zone.
    """
    if not _ISO.fullmatch(text):
        raise ValueError(f"not an ISO time with zone: {text}")
    return (datetime.fromisoformat(text) - _EPOCH) // timedelta(milliseconds=1) * 1000


def instant(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)


def to_iso(micros: int) -> str:
    """`2026-11-20T10:00:00.100Z`: what rows carry."""
    return instant(micros).strftime("%Y-%m-%dT%H:%M:%S.") + f"{micros // 1000 % 1000:03d}Z"


def to_javascript(seconds: float) -> str:
    """A date as JavaScript prints it, `Fri Nov 20 2026 12:01:30 GMT+0000 (Coordinated Universal Time)`."""
    day, date, month, year, clock, _ = formatdate(seconds, usegmt=True).split()
    return f"{day.rstrip(',')} {month} {date} {year} {clock} GMT+0000 (Coordinated Universal Time)"


def bucket_text(micros: int, granularity: str) -> str:
    """Start of a bucket: with the time of day for minutes and hours, a plain date for longer ones."""
    return instant(micros).strftime("%Y-%m-%dT%H:%M:%SZ" if granularity in ("minute", "hour") else "%Y-%m-%d")


_LENGTHS = {"minute": MINUTE, "hour": HOUR, "day": DAY}


def bucket_start(micros: int, granularity: str) -> int:
    """Start of the UTC bucket that holds a time; weeks begin on Monday."""
    if granularity == "month":
        return (instant(micros).replace(day=1, hour=0, minute=0, second=0, microsecond=0) - _EPOCH) // timedelta(microseconds=1)
    if granularity == "week":
        return (micros - _FIRST_MONDAY) // WEEK * WEEK + _FIRST_MONDAY
    return micros // _LENGTHS[granularity] * _LENGTHS[granularity]


def bucket_sql(column: str, granularity: str) -> str:
    """The same as `bucket_start`, as an SQL expression over a column of microseconds."""
    if granularity == "month":
        return f"CAST(strftime('%s', {column} / {SECOND}, 'unixepoch', 'start of month') AS INTEGER) * {SECOND}"
    if granularity == "week":
        return f"({column} - {_FIRST_MONDAY}) / {WEEK} * {WEEK} + {_FIRST_MONDAY}"
    return f"{column} / {_LENGTHS[granularity]} * {_LENGTHS[granularity]}"


def buckets(start: int, end: int, granularity: str) -> list[int]:
    """Starts of all buckets from the one of `start` up to, not with, the one of `end`."""
    found, bucket, last = [], bucket_start(start, granularity), bucket_start(end, granularity)
    while bucket < last:
        found.append(bucket)
        step = 31 * DAY if granularity == "month" else _LENGTHS.get(granularity, WEEK)
        bucket = bucket_start(bucket + step, granularity)
    return found


def granularity_for(start: int, end: int) -> str:
    """What `auto` means for a window."""
    hours = (end - start) / HOUR
    for limit, granularity in ((2, "minute"), (72, "hour"), (60 * 24, "day"), (365 * 24, "week")):
        if hours < limit:
            return granularity
    return "month"

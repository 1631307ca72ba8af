"""Deleting what is older than the configuration wants to keep, a few rows at a time: buckets, and memories that none needs.

Memories are the keys of things that count once, and when users were last seen. They are kept for as long as the tier that is
kept longest: what comes back after that is counted as if it were new, in a time of which nothing else is known any more.
"""

# ruff: noqa: S608 -- every text that is put into SQL here is a constant of ours

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

from contract.durations import duration_seconds
from exporters.rollups.sources.talk import MESSAGES
from exporters.rollups.state import Connection, lock

if TYPE_CHECKING:
    from contract.data_plane import Retention

Aged = Literal["minute", "hour", "day", "firsts", "user_seen"]
"""What has a retention: the three tiers and the two memories."""

STEP_ROWS = 5_000

_TABLES: dict[Aged, tuple[str, str]] = {
    "minute": ("rollup_minute", "bucket"),
    "hour": ("rollup_hour", "bucket"),
    "day": ("rollup_day", "bucket"),
    "firsts": ("firsts", "at"),
    "user_seen": ("user_seen", "last_at"),
}


def table(aged: Aged) -> str:
    """Its name in schema `analytics`."""
    return _TABLES[aged][0]


def time(aged: Aged) -> str:
    """The column that says how old a row is."""
    return _TABLES[aged][1]


def kept(retention: Retention, aged: Aged) -> str:
    """For how long it is kept, as the configuration says it."""
    if aged in ("firsts", "user_seen"):
        return max(retention.hour, retention.day, key=duration_seconds)
    return str(getattr(retention, aged))


def horizons(retention: Retention, now: datetime) -> dict[Aged, datetime]:
    """From when on each is kept. For tiers these are begins of buckets, for one that is kept in part is kept."""
    found = {aged: now.astimezone(UTC) - timedelta(seconds=duration_seconds(kept(retention, aged))) for aged in _TABLES}
    return {aged: _begin(aged, at) for aged, at in found.items()}


def _begin(aged: Aged, at: datetime) -> datetime:
    minute = at.replace(second=0, microsecond=0)
    if aged == "minute":
        return minute
    return minute.replace(minute=0) if aged == "hour" else minute.replace(hour=0, minute=0)


def step(connection: Connection, aged: Aged, before: datetime, rows: int = STEP_ROWS) -> int:
    """Deletes at most `rows` rows from before a time; how many, 0 when none are left.

    Runs inside a transaction of the caller. When somebody is counting the messages, users are left to the next time.
    """
    if aged == "user_seen" and lock(connection, MESSAGES.name) is None:
        return 0
    name, time = _TABLES[aged]
    old = f"SELECT ctid FROM analytics.{name} WHERE {time} < %(before)s"
    if aged == "user_seen":  # there is no index on the time itself
        old += " AND month <= date_trunc('month', %(before)s AT TIME ZONE 'UTC')::date"
    old += " LIMIT %(rows)s"
    if name.startswith("rollup_"):  # series by series, along the primary key: no index on the time alone is needed
        old = (
            "SELECT found.ctid FROM analytics.totals AS t"
            f" CROSS JOIN LATERAL (SELECT r.ctid FROM analytics.{name} AS r WHERE r.series = t.series"
            " AND r.bucket < %(before)s LIMIT %(rows)s) AS found LIMIT %(rows)s"
        )
    found = connection.execute(
        f"WITH old AS ({old}), gone AS"
        f" (DELETE FROM analytics.{name} WHERE ctid = ANY (ARRAY(SELECT ctid FROM old)) RETURNING 1)"
        " SELECT count(*) FROM gone".encode(),
        {"before": before, "rows": rows},
    ).fetchone()
    return found[0] if found else 0

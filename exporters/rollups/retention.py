"""Deleting buckets that are older than the configuration wants to keep, a few at a time."""

# ruff: noqa: S608 -- every text that is put into SQL here is a constant of ours

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal

from contract.data_plane import Retention
from contract.values import duration_seconds
from exporters.rollups.state import Connection

Tier = Literal["minute", "hour", "day"]

STEP_ROWS = 5_000


def horizons(retention: Retention, now: datetime) -> dict[Tier, datetime]:
    """From when on the buckets of each tier are kept: begins of buckets, for one that is kept in part is kept."""
    minute, hour, day = (
        now.astimezone(UTC) - timedelta(seconds=duration_seconds(length))
        for length in (retention.minute, retention.hour, retention.day)
    )
    return {
        "minute": minute.replace(second=0, microsecond=0),
        "hour": hour.replace(minute=0, second=0, microsecond=0),
        "day": day.replace(hour=0, minute=0, second=0, microsecond=0),
    }


def step(connection: Connection, tier: Tier, before: datetime, rows: int = STEP_ROWS) -> int:
    """Deletes at most `rows` buckets of a tier that began before a time; how many, 0 when none are left.

    Runs inside a transaction of the caller. Series by series, along the primary key: no index on the time alone is needed.
    """
    found = connection.execute(
        "WITH old AS (SELECT found.ctid FROM analytics.totals AS t"
        f" CROSS JOIN LATERAL (SELECT r.ctid FROM analytics.rollup_{tier} AS r WHERE r.series = t.series"
        " AND r.bucket < %(before)s LIMIT %(rows)s) AS found LIMIT %(rows)s),"
        f" gone AS (DELETE FROM analytics.rollup_{tier} WHERE ctid = ANY (ARRAY(SELECT ctid FROM old)) RETURNING 1)"
        " SELECT count(*) FROM gone",
        {"before": before, "rows": rows},
    ).fetchone()
    return found[0] if found else 0


def count(connection: Connection, tier: Tier, before: datetime) -> int:
    """How many buckets of a tier began before a time."""
    row = connection.execute(f"SELECT count(*) FROM analytics.rollup_{tier} WHERE bucket < %s", (before,)).fetchone()
    return row[0] if row else 0

"""Moving what was counted lately into the totals and the tiers.

Steps only append to `analytics.fresh`. A fold takes all of it away and adds it to the totals, the minutes, the hours and the
days, in one statement: whoever reads tables and `fresh` in one statement sees each count exactly once, before and after.
"""

# ruff: noqa: S608 -- every text that is put into SQL here is a constant of ours

from __future__ import annotations

from exporters.rollups.model import FIGURES
from exporters.rollups.state import Connection
from exporters.rollups.statement import quoted

_LOCK = 0x0B5E_F01D
"""Key of the advisory lock under which one process folds."""


def fold(connection: Connection, minutes: str = "26 hours") -> int | None:
    """Folds everything that is there; the number of rows of `fresh` it took, None when somebody else is folding.

    Runs inside a transaction of the caller. Minutes older than the interval `minutes` are not kept as minutes.
    """
    mine = connection.execute("SELECT pg_try_advisory_xact_lock(%s)", (_LOCK,)).fetchone()
    if mine is None or not mine[0]:
        return None
    row = connection.execute(_statement(minutes).encode()).fetchone()
    return row[0] if row else 0


def _statement(minutes: str) -> str:
    sums = ", ".join(f"sum(gone.{column})::bigint" for column in FIGURES)
    columns = ", ".join(FIGURES)
    kept = f"WHERE gone.at >= now() - interval {quoted(minutes)}"
    return (
        "WITH gone AS MATERIALIZED (DELETE FROM analytics.fresh RETURNING *),"
        f" total AS (INSERT INTO analytics.totals AS t (fact, labels, {columns})"
        f" SELECT gone.fact, gone.labels, {sums} FROM gone GROUP BY gone.fact, gone.labels ORDER BY gone.fact, gone.labels"
        f" ON CONFLICT (fact, labels) DO UPDATE SET {_added()} RETURNING t.series, t.fact, t.labels),"
        f" minute AS ({_tier('rollup_minute', '1 minute', kept)}),"
        f" hour AS ({_tier('rollup_hour', '1 hour', 'WHERE gone.at IS NOT NULL')}),"
        f" day AS ({_tier('rollup_day', '1 day', 'WHERE gone.at IS NOT NULL')})"
        " SELECT count(*) FROM gone"
    )


def _tier(table: str, width: str, kept: str) -> str:
    columns = ", ".join(FIGURES)
    sums = ", ".join(f"sum(gone.{column})::bigint" for column in FIGURES)
    return (
        f"INSERT INTO analytics.{table} AS t (series, bucket, {columns})"
        f" SELECT total.series, date_bin('{width}', gone.at, 'epoch'), {sums} FROM gone JOIN total USING (fact, labels) {kept}"
        f" GROUP BY 1, 2 ORDER BY 1, 2 ON CONFLICT (series, bucket) DO UPDATE SET {_added()}"
    )


def _added() -> str:
    """A NULL is a 0 that takes no space."""
    return ", ".join(
        f"{column} = coalesce(t.{column} + excluded.{column}, t.{column}, excluded.{column})" for column in FIGURES
    )

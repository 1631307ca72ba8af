"""Moving what was counted lately into the totals and the tiers.

Steps only append to `analytics.fresh`. A fold takes all of it away and adds it to the totals, the minutes, the hours and the
days, in one statement: whoever reads tables and `fresh` in one statement sees each count exactly once, before and after.
"""

# ruff: noqa: S608 -- every text that is put into SQL here is a constant of ours

from __future__ import annotations

from exporters.rollups.model import FIGURES, quoted
from exporters.rollups.state import Connection

LOCK = 0x0B5E_F01D
"""Key of the advisory lock under which one process folds."""

ADDED_UP = ", ".join(f"analytics.total({column}) AS {column}" for column in FIGURES)
"""The figures of cells that are added up."""

PLANNING = "SELECT set_config('enable_mergejoin', 'off', true), set_config('work_mem', '64MB', true)"
"""The planner cannot know how many rows wait in `fresh`; sorting them by their labels would be the slow way to join them."""


def fold(connection: Connection, minutes: str = "26 hours") -> int | None:
    """Folds everything that is there; the number of rows of `fresh` it took, None when somebody else is folding.

    Runs inside a transaction of the caller. Minutes older than the interval `minutes` are not kept as minutes.
    """
    mine = connection.execute("SELECT pg_try_advisory_xact_lock(%s)", (LOCK,)).fetchone()
    if mine is None or not mine[0]:
        return None
    connection.execute(PLANNING)
    first = "min(stamp::text::bigint)"  # there is no min() of an xid8 everywhere
    parts = ["gone AS MATERIALIZED (DELETE FROM analytics.fresh RETURNING *)", *placing(minutes, ADDED_UP, first)]
    row = connection.execute(f"WITH {', '.join(parts)} SELECT count(*) FROM gone".encode()).fetchone()
    return row[0] if row else 0


def placing(minutes: str, figures: str, first: str = "0") -> list[str]:
    """CTEs that add the rows of a CTE `gone` to the totals and the tiers: fact, time, labels, and what `figures` adds up.

    Whatever else changes the totals has to count up `analytics.folds` as well. `first` is an aggregate over `gone`: new series
    get their numbers in its order, which is that in which they were first counted, as far as it is known. Hours come first, and
    the rest is made of them where it can be: they are far fewer than the rows.
    """
    columns = ", ".join(FIGURES)
    hour, day = "date_bin('1 hour', at, 'epoch')", "date_bin('1 day', moment, 'epoch')"
    minute = (
        f"SELECT series, at, {figures} FROM gone JOIN total USING (fact, labels)"
        f" WHERE at >= now() - interval {quoted(minutes)} GROUP BY 1, 2"
    )
    return [
        f"hours AS MATERIALIZED (SELECT fact, labels, {hour} AS moment, {first} AS first, {figures}"
        " FROM gone GROUP BY 1, 2, 3)",
        f"total AS (INSERT INTO analytics.totals AS t (fact, labels, {columns})"
        f" SELECT fact, string_to_array(labels, E'\\x1f'), {ADDED_UP} FROM hours"
        " GROUP BY fact, labels ORDER BY min(first), fact, labels"
        f" ON CONFLICT (fact, labels) DO UPDATE SET {_added()}"
        " RETURNING t.series, t.fact, array_to_string(t.labels, E'\\x1f') AS labels)",
        f"placed AS MATERIALIZED (SELECT series, moment, {columns} FROM hours JOIN total USING (fact, labels)"
        " WHERE moment IS NOT NULL)",
        f"minute AS ({_tier('rollup_minute', minute)})",
        f"hour AS ({_tier('rollup_hour', 'SELECT * FROM placed')})",
        "folded AS (UPDATE analytics.folds SET n = n + 1)",
        f"day AS ({_tier('rollup_day', f'SELECT series, {day}, {ADDED_UP} FROM placed GROUP BY 1, 2')})",
    ]


def _tier(table: str, rows: str) -> str:
    return (
        f"INSERT INTO analytics.{table} AS t (series, bucket, {', '.join(FIGURES)}) {rows} ORDER BY 1, 2"
        f" ON CONFLICT (series, bucket) DO UPDATE SET {_added()}"
    )


def _added() -> str:
    """A NULL is a 0 that takes no space."""
    return ", ".join(
        f"{column} = coalesce(t.{column} + excluded.{column}, t.{column}, excluded.{column})" for column in FIGURES
    )

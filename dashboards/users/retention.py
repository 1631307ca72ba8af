"""Who stays: cohorts week by week, and who came, came back or went quiet."""

from __future__ import annotations

from contract.definitions import DEFINITIONS
from dashboards.lib import colours
from dashboards.lib.field import Override, named, painted
from dashboards.lib.panel import Panel
from dashboards.lib.queries import SqlQuery
from dashboards.lib.shares import BarChart
from dashboards.lib.tables import COLOURED_CELL, Table

WEEKS = 12
"""Weeks after the one of joining that are shown, and cohorts."""

END = "($__timeTo()::timestamptz AT TIME ZONE 'UTC')"
_OVER = f"r.cohort + 7 * {{week}} + 7 <= {END}::date"
_SHARES = ",\n       ".join(
    f"CASE WHEN {_OVER.format(week=week)}\n"
    f'            THEN coalesce(max(r.retention) FILTER (WHERE r.weeks = {week}), 0) END AS "W{week}"'
    for week in range(WEEKS + 1)
)
COHORTS = f"""
SELECT to_char(r.cohort, 'YYYY-MM-DD') AS "Joined", max(r.cohort_size)::float8 AS "Users",
       {_SHARES}
FROM analytics.retention_weekly r
WHERE r.cohort >= date_trunc('week', {END})::date - 7 * {WEEKS} AND r.cohort + 7 <= {END}::date
GROUP BY r.cohort
ORDER BY r.cohort DESC
LIMIT {WEEKS + 1}
""".strip()

HEAT = Override(
    "byRegexp",
    r"/^W\d+$/",
    (
        ("unit", "percentunit"),
        ("decimals", 0),
        ("min", 0),
        ("max", 1),
        ("color", {"mode": "continuous-blues"}),
        ("custom.cellOptions", COLOURED_CELL),
        ("custom.align", "center"),
        ("custom.minWidth", 56),
        ("custom.filterable", False),
        ("noValue", " "),
    ),
)


def cohorts() -> Panel:
    return Table(
        name="cohorts",
        title="Which share of each week's new users comes back?",
        description=(
            f"{DEFINITIONS['retention'].formula}. A row is the users who joined in a week (Monday, UTC), a column the weeks "
            "after it, W0 the week of joining; active means a message of one's own. Read down a column: getting lighter means "
            "that newer users stay less. Read along a row: a step tells after which week people give up."
        ),
        targets=(SqlQuery(sql=COHORTS),),
        no_value="nobody joined in the last twelve weeks",
        overrides=(
            named("Joined", custom_width=110),
            named("Users", unit="locale", decimals=0, custom_width=70),
            HEAT,
        ),
    )


LIFECYCLE = f"""
WITH active AS (
  SELECT w.week, w.week - 7 = lag(w.week) OVER (PARTITION BY w.user_key ORDER BY w.week) AS stayed,
         (u.created_at AT TIME ZONE 'UTC')::date >= w.week AS joined
  FROM analytics.user_weekly w JOIN analytics.users u ON u.user_key = w.user_key
  WHERE w.at >= (date_trunc('week', $__timeFrom()::timestamptz AT TIME ZONE 'UTC') - interval '7 days') AT TIME ZONE 'UTC'
    AND w.at < date_trunc('week', {END}) AT TIME ZONE 'UTC'
), weeks AS (
  SELECT a.week, count(*) AS users, count(*) FILTER (WHERE a.joined) AS joined,
         count(*) FILTER (WHERE a.stayed AND NOT a.joined) AS stayed
  FROM active a GROUP BY a.week
), compared AS (
  SELECT *, CASE WHEN lag(week) OVER (ORDER BY week) = week - 7 THEN lag(users) OVER (ORDER BY week) ELSE 0 END AS before
  FROM weeks
)
SELECT to_char(week, 'DD Mon') AS "Week", joined::float8 AS new, stayed::float8 AS returning,
       (users - joined - stayed)::float8 AS resurrected, (stayed - before)::float8 AS "gone quiet"
FROM compared
WHERE week >= date_trunc('week', $__timeFrom()::timestamptz AT TIME ZONE 'UTC')::date
ORDER BY week
LIMIT 60
""".strip()

LIFECYCLE_COLOURS = {
    "new": colours.SKY,
    "returning": colours.BLUE,
    "resurrected": colours.GREEN,
    "gone quiet": colours.AMBER,
}


def lifecycle() -> Panel:
    return BarChart(
        name="lifecycle",
        title="Who came, stayed, came back, went quiet?",
        description=(
            f"{DEFINITIONS['lifecycle'].formula}; full weeks (Mondays, UTC). Below zero: who went quiet. When the bars below "
            "outgrow new and resurrected together, use is shrinking; ask those who went quiet, not those who stayed."
        ),
        targets=(SqlQuery(sql=LIFECYCLE),),
        width=13,
        unit="locale",
        decimals=0,
        no_value="no full week in range",
        x="Week",
        direction="vertical",
        stacking="normal",
        values_shown="never",
        overrides=painted(LIFECYCLE_COLOURS),
    )

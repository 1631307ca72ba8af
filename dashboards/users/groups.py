"""Users by how they come: power, regular, new or back, at risk, dormant; and that by role, department or country."""

from __future__ import annotations

from contract.definitions import DEFINITIONS
from contract.settings import Settings
from dashboards.lib import colours
from dashboards.lib.field import Override, fixed, named
from dashboards.lib.figures import BarGauge
from dashboards.lib.panel import Panel
from dashboards.lib.queries import SqlQuery
from dashboards.lib.tables import BAR_CELL, Table
from dashboards.lib.variables import SwitchVariable, Variable
from dashboards.users.retention import END

GROUPS = {"role": "Role", "department": "Department", "country": "Country"}


NARROW = Override("byType", "number", (("custom.width", 110),))


def choices(_settings: Settings) -> tuple[Variable, ...]:
    """What users are grouped by."""
    return (
        SwitchVariable(
            name="group_by", label="Users by", values=GROUPS, description="What 'Groups of users' puts into one row."
        ),
    )


_MONDAY = f"date_trunc('week', {END})"
SEGMENTED = f"""
WITH seen AS (
  SELECT w.user_key, count(*) FILTER (WHERE w.week < {_MONDAY}::date) AS full_weeks,
         bool_or(w.week >= {_MONDAY}::date - 7) AS lately
  FROM analytics.user_weekly w
  WHERE w.at >= ({_MONDAY} - interval '28 days') AT TIME ZONE 'UTC' AND w.at <= $__timeTo()::timestamptz
  GROUP BY w.user_key
), segmented AS (
  SELECT u.role, u.department, u.country_code,
         CASE WHEN s.full_weeks = 4 THEN 'power' WHEN s.full_weeks > 0 AND s.lately THEN 'regular'
              WHEN s.full_weeks > 0 THEN 'at risk' WHEN s.lately THEN 'new or back' ELSE 'dormant' END AS segment
  FROM analytics.users u LEFT JOIN seen s ON s.user_key = u.user_key
  WHERE u.created_at <= $__timeTo()::timestamptz
)
""".strip()

SEGMENTS = f"""
{SEGMENTED}
SELECT segment AS "Segment", count(*)::float8 AS "Users"
FROM segmented
GROUP BY segment
ORDER BY array_position(ARRAY['power', 'regular', 'new or back', 'at risk', 'dormant'], segment)
LIMIT 5
""".strip()


def segments() -> Panel:
    return BarGauge(
        name="segments",
        title="Power users, regulars, at risk, dormant",
        description=(
            f"{DEFINITIONS['segments'].formula}. As of the end of the range. Users at risk were regulars a few weeks ago and "
            "can still be asked why; power users tell what the platform is good for."
        ),
        targets=(SqlQuery(sql=SEGMENTS),),
        unit="locale",
        decimals=0,
        no_value="no user known",
        every_row=True,
    )


_COLUMNS = ",\n       ".join(
    f"""count(*) FILTER (WHERE segment = '{segment}')::float8 AS "{segment.capitalize()}\""""
    for segment in ("power", "regular", "new or back", "at risk", "dormant")
)
BY_CHOICE = f"""
{SEGMENTED}
SELECT coalesce(CASE ${{group_by:sqlstring}} WHEN 'department' THEN department WHEN 'country' THEN country_code
                ELSE role END, 'none') AS "Group",
       count(*)::float8 AS "Users", count(*) FILTER (WHERE segment <> 'dormant')::float8 / count(*) AS "Not dormant",
       {_COLUMNS}
FROM segmented
GROUP BY 1
ORDER BY 2 DESC, 1
LIMIT 100
""".strip()


def by_choice() -> Panel:
    share = named(
        "Not dormant", unit="percentunit", decimals=0, min=0, max=1, custom_cellOptions=BAR_CELL, custom_width=150,
        color=fixed(colours.NEUTRAL),
    )  # fmt: skip
    return Table(
        name="groups",
        title="Which group of users comes, which stays away?",
        description=(
            f"{DEFINITIONS['segments'].formula}. By role, department or country, as chosen above. A group with a small share "
            "that is not dormant has been given access, but no reason to come."
        ),
        targets=(SqlQuery(sql=BY_CHOICE),),
        unit="locale",
        decimals=0,
        no_value="no user known",
        overrides=(NARROW, share, named("Group", custom_minWidth=120)),
        paged=True,
    )

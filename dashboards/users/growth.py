"""How the number of users grows, and what they are."""

from __future__ import annotations

from contract.signals.users import USERS
from dashboards.lib import colours
from dashboards.lib.field import fixed, named
from dashboards.lib.graphs import TimeSeries
from dashboards.lib.panel import Panel
from dashboards.lib.queries import SqlQuery, in_range, series
from dashboards.lib.shares import PieChart

GROWTH = f"""
SELECT g.day AS "time", g.users_created::float8 AS "new users", g.users::float8 AS "all users"
FROM (SELECT d.day, d.users_created, sum(d.users_created) OVER (ORDER BY d.day) AS users
      FROM analytics.user_activity_metrics d) g
WHERE {in_range("g.day")}
ORDER BY g.day
LIMIT 1200
""".strip()


def users() -> Panel:
    return TimeSeries(
        name="growth",
        title="New users per day, and all there are",
        description=(
            "Users by the day (UTC) on which they were created, and the sum of all days. Days without new users in working "
            "weeks: registration is broken, see the errors of the API. A jump: an import, or robots."
        ),
        targets=(SqlQuery(sql=GROWTH, format="time_series"),),
        width=15,
        unit="locale",
        decimals=0,
        minimum=0,
        no_value="no day of counting in range",
        style="bars",
        calculations=("lastNotNull", "max"),
        overrides=(
            named("new users", color=fixed(colours.NEUTRAL)),
            named(
                "all users",
                color=fixed(colours.AMBER),
                custom_drawStyle="line",
                custom_fillOpacity=0,
                custom_lineWidth=2,
                custom_axisPlacement="right",
                custom_axisLabel="all users",
            ),
        ),
    )


def roles() -> Panel:
    return PieChart(
        name="roles",
        title="Users by role",
        description=(
            "All users by role, whether they come or not. Many administrators are a risk: review who needs it. 'Groups of "
            "users' shows what becomes of them by role, department or country."
        ),
        targets=(series(USERS, ("role",), instant=True),),
        unit="locale",
        decimals=0,
        no_value="not counted yet",
    )

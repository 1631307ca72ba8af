"""Who uses it: how much users do, who asks most, and which tools make agents call models again."""

from __future__ import annotations

from dashboards.lib import colours
from dashboards.lib.field import fixed, named
from dashboards.lib.figures import BarGauge
from dashboards.lib.filters import chosen_all
from dashboards.lib.panel import Panel
from dashboards.lib.queries import SqlQuery
from dashboards.lib.shares import BarChart
from dashboards.lib.spending import DAYS, FIRST_DAY, TO
from dashboards.lib.tables import NARROW, Table, columns

RECENT_DAYS, POWER_CONVERSATIONS = 28, 8
"""Who has had so many conversations in so many days is a power user: two a week."""


def segments() -> Panel:
    filters_ = chosen_all(environment="c.environment")
    sql = f"""
WITH begun AS (
  SELECT c.user_key, count(*) FILTER (WHERE c.created_at > {TO} - interval '{RECENT_DAYS} days') AS recent
  FROM analytics.conversations c
  WHERE c.created_at > {TO} - interval '{2 * RECENT_DAYS} days' AND c.created_at <= {TO} AND {filters_}
  GROUP BY c.user_key
)
SELECT segment, count(*) FILTER (WHERE u.place = s.place)::float8 AS users
FROM (VALUES (1, 'power'), (2, 'regular'), (3, 'at risk'), (4, 'dormant')) s (place, segment)
CROSS JOIN (SELECT CASE WHEN b.recent >= {POWER_CONVERSATIONS} THEN 1 WHEN b.recent > 0 THEN 2
                        WHEN b.recent = 0 THEN 3 ELSE 4 END AS place
            FROM analytics.users u LEFT JOIN begun b USING (user_key) WHERE u.created_at <= {TO}) u
GROUP BY s.place, segment
ORDER BY s.place
""".strip()
    return BarChart(
        name="segments",
        title="Users by activity",
        description=(
            f"Power: {POWER_CONVERSATIONS} or more conversations in the {RECENT_DAYS} days before the end of the range; "
            "regular: "
            f"fewer; at risk: none, but some in the {RECENT_DAYS} days before; dormant: none in both. At risk grows: something "
            "drives people away; see their feedback."
        ),
        targets=(SqlQuery(sql=sql),),
        width=6,
        x="segment",
        direction="vertical",
        unit="locale",
        decimals=0,
        minimum=0,
        no_value="no users known",
        with_legend=False,
        colour=fixed(colours.BLUE),
    )


def queries_per_user() -> Panel:
    filters_ = chosen_all(environment="e.environment", agent="e.agent_name")
    sql = f"""
SELECT e.user_key, u.role, u.department, e.queries, e.tokens
FROM (SELECT e.user_key, count(*)::float8 AS queries, sum(e.tokens_used)::float8 AS tokens FROM analytics.agent_executions e
      WHERE e.start_time BETWEEN {FIRST_DAY} AND {TO} AND e.user_key IS NOT NULL AND {filters_}
      GROUP BY e.user_key ORDER BY queries DESC, e.user_key LIMIT 100) e
JOIN analytics.users u USING (user_key)
ORDER BY e.queries DESC, e.user_key
""".strip()
    headings = {"user_key": "User", "role": "Role", "department": "Department", "queries": "Queries", "tokens": "Tokens"}
    return Table(
        name="queries_per_user",
        title="Queries by user",
        description=(
            "The hundred users with most queries to agents in the range, for charging back (the menu of the panel gives it as "
            "CSV under Inspect). Users are keyed hashes. One far ahead of all others is a script or a shared login."
        ),
        targets=(SqlQuery(sql=sql),),
        width=10,
        no_value="no queries in range",
        transformations=columns(headings),
        paged=True,
        overrides=(
            NARROW,
            named("User", custom_width=160),
            named("Queries", unit="locale", decimals=0, custom_width=90),
            named("Tokens", unit="short", decimals=1, custom_width=90),
        ),
    )


def tools() -> Panel:
    sql = f"""
SELECT tool, sum(calls)::float8 AS calls FROM analytics.tool_daily
WHERE {DAYS} AND {chosen_all(environment="environment")}
GROUP BY tool
ORDER BY calls DESC, tool
LIMIT 12
""".strip()
    return BarGauge(
        name="tools",
        title="Tools that lead to model calls",
        description=(
            "Calls of each tool in the range. An agent reads what a tool gave with one more model call, and pays for the whole "
            "context again: a tool that leads here is worth a shorter answer, or calls side by side."
        ),
        targets=(SqlQuery(sql=sql),),
        width=8,
        unit="locale",
        decimals=0,
        minimum=0,
        no_value="no tool calls in range",
        every_row=True,
    )

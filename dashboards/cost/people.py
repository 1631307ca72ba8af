"""Who uses it: who asks most, and which tools make agents call models again."""

from __future__ import annotations

from dashboards.lib.field import named
from dashboards.lib.figures import BarGauge
from dashboards.lib.filters import chosen_all
from dashboards.lib.panel import Panel
from dashboards.lib.queries import SqlQuery
from dashboards.lib.spending import DAYS, FIRST_DAY, TO
from dashboards.lib.tables import NARROW, Table, columns


def queries_per_user() -> Panel:
    # Summed before it is chosen (OFFSET keeps it so): the filters' patterns are held against few rows then.
    sql = f"""
WITH asked AS (
  SELECT e.user_key, e.environment, e.agent_name, count(*) AS queries, sum(e.tokens_used) AS tokens
  FROM analytics.agent_executions e
  WHERE e.start_time BETWEEN {FIRST_DAY} AND {TO} AND e.user_key IS NOT NULL
  GROUP BY e.user_key, e.environment, e.agent_name OFFSET 0
), most AS (
  SELECT a.user_key, sum(a.queries)::float8 AS queries, sum(a.tokens)::float8 AS tokens FROM asked a
  WHERE {chosen_all(environment="a.environment", agent="a.agent_name")}
  GROUP BY a.user_key ORDER BY queries DESC, a.user_key LIMIT 100
)
SELECT m.user_key, u.role, u.department, m.queries, m.tokens
FROM most m JOIN analytics.users u USING (user_key)
ORDER BY m.queries DESC, m.user_key
""".strip()
    headings = {"user_key": "User", "role": "Role", "department": "Department", "queries": "Queries", "tokens": "Tokens"}
    return Table(
        name="queries_per_user",
        title="Queries by user",
        description=(
            "The hundred users with most queries to agents in the range, for charging back (the menu of the panel gives it "
            "as CSV under Inspect). Users are keyed hashes. One far ahead of all others is a script or a shared login."
        ),
        targets=(SqlQuery(sql=sql),),
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
            "Calls of each tool in the range. An agent reads what a tool gave with one more model call, and pays for the "
            "whole context again: a tool that leads here is worth a shorter answer, or calls side by side."
        ),
        targets=(SqlQuery(sql=sql),),
        width=10,
        unit="locale",
        decimals=0,
        minimum=0,
        no_value="no tool calls in range",
        every_row=True,
    )

"""The same by day, and by agent. Days are days in UTC."""

from __future__ import annotations

from contract.status import FAILED, sql_normalise
from dashboards.lib.field import named
from dashboards.lib.graphs import TimeSeries
from dashboards.lib.panel import Panel
from dashboards.lib.queries import SqlQuery
from dashboards.lib.tables import BAR_CELL, Table

MOST_AGENTS = 50
STATUS = sql_normalise("t.status")
_FAILED = ", ".join(f"'{status}'" for status in FAILED)


def _day(column: str) -> str:
    return f"date_trunc('day', t.{column} AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'"


def _by_day(figure: str, title: str, view: str, column: str) -> str:
    return (
        f'SELECT {_day(column)} AS time, {figure}::float8 AS "{title}" FROM analytics.{view} t '
        f"WHERE $__timeFilter(t.{column}) GROUP BY 1 ORDER BY 1"
    )


def activity() -> Panel:
    return TimeSeries(
        name="activity",
        title="Conversations and agent runs",
        description="What you did each day (UTC). Many runs for few conversations: agents had to try again, or hand over.",
        targets=(
            SqlQuery(sql=_by_day("count(*)", "Conversations", "my_conversations", "created_at"), format="time_series"),
            SqlQuery(sql=_by_day("count(*)", "Agent runs", "my_agent_executions", "start_time"), format="time_series"),
        ),
        unit="locale",
        decimals=0,
        minimum=0,
        no_value="nothing in range",
        calculations=("sum",),
    )


def tokens() -> Panel:
    return TimeSeries(
        name="tokens_by_day",
        title="Tokens by day",
        description="Tokens that models read and wrote for you each day (UTC). A high day: look which agents you used on it.",
        targets=(SqlQuery(sql=_by_day("sum(t.total_tokens)", "Tokens", "my_llm_calls", "started_at"), format="time_series"),),
        unit="short",
        minimum=0,
        no_value="no model call in range",
        style="bars",
        calculations=("sum",),
    )


def cost() -> Panel:
    asked = _by_day("coalesce(sum(t.total_cost_usd), 0)", "Cost", "my_llm_calls", "started_at")
    return TimeSeries(
        name="cost_by_day",
        title="Cost by day",
        description="Money for the model calls made for you each day (UTC). Calls without a price cost nothing here.",
        targets=(SqlQuery(sql=asked, format="time_series"),),
        unit="currencyUSD",
        minimum=0,
        no_value="no model call in range",
        style="bars",
        calculations=("sum",),
    )


def agents() -> Panel:
    asked = f"""
SELECT t.agent_name AS "Agent", count(*)::float8 AS "Runs",
       (avg(({STATUS} IN ({_FAILED}))::int) FILTER (WHERE t.duration_ms IS NOT NULL))::float8 AS "Failed",
       (avg(t.duration_ms) / 1000)::float8 AS "Mean time", max(t.start_time) AS "Last used"
FROM analytics.my_agent_executions t WHERE $__timeFilter(t.start_time)
GROUP BY t.agent_name ORDER BY 2 DESC, 1 LIMIT {MOST_AGENTS}
""".strip()
    return Table(
        name="agents",
        title="Agents that worked for you",
        description=(
            "The agents that you used most in the range. Failed: the share of their finished runs that ended with an error or "
            "a timeout. High: say in your feedback what went wrong, or ask another agent."
        ),
        targets=(SqlQuery(sql=asked),),
        no_value="no agent worked for you in range",
        sorted_by="Runs",
        overrides=(
            named("Runs", unit="locale", decimals=0, min=0, fieldMinMax=True, custom_cellOptions=BAR_CELL, custom_width=220),
            named("Failed", unit="percentunit", decimals=1, custom_width=110),
            named("Mean time", unit="s", custom_width=110),
            named("Last used", unit="dateTimeFromNow", custom_width=140),
        ),
        paged=True,
    )

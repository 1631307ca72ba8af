"""Agents beside each other: who is slow, who fails, who is full, and how that went within a week."""

from __future__ import annotations

from contract.settings import Settings
from contract.signals.agents import AGENT_ERROR_RATIO, AGENT_LATENCY, AGENT_QUERIES, CAPACITY_USED
from dashboards.lib import colours
from dashboards.lib.agent_bars import AgentBars
from dashboards.lib.executions import ALL_FILTERS, ended
from dashboards.lib.field import Json, lines, named
from dashboards.lib.figures import BarGauge
from dashboards.lib.filters import acting
from dashboards.lib.panel import Panel
from dashboards.lib.queries import PromQuery, SqlQuery, ask
from dashboards.lib.tables import MERGED, NARROW, Table, columns
from dashboards.performance.fleet import BY_AGENTS, HOUR, NO_TRAFFIC, NOW
from dashboards.performance.places import one_agent

TRENDS: Json = {"id": "timeSeriesTable", "options": {}}
"""Each series of a range as one cell with a small graph."""
SPARKLINE: Json = {"type": "sparkline", "drawStyle": "line", "lineWidth": 1, "hideValue": False}
MOST = 15


def compared(settings: Settings) -> Panel:
    limits = settings.thresholds
    with acting(("environment", "agent")):
        failing = ask(AGENT_ERROR_RATIO, BY_AGENTS, HOUR)
        asked = (
            ask(AGENT_LATENCY, BY_AGENTS, HOUR),
            f"60 * {ask(AGENT_QUERIES, BY_AGENTS, HOUR)}",
            failing,
            ask(CAPACITY_USED, BY_AGENTS, NOW),
        )
    headings = {
        "agent": "Agent", "environment": "Environment", "Trend #E": "Errors now", "Trend #A": "p95", "Trend #B": "Per minute",
        "Trend #C": "Error ratio", "Trend #D": "Capacity",
    }  # fmt: skip
    return Table(
        name="agents",
        title="How the agents compare, hour by hour in a week",
        description=(
            "Errors of the hour up to now, then each agent in the last whole hour (capacity: its last five minutes), with "
            "its course in the last seven days. "
            f"Alerts begin at a p95 of {limits.response_seconds:g} s, an error ratio of {limits.error_ratio:.0%}, and "
            f"{limits.capacity_ratio:.0%} of the capacity. A click on a heading sorts; a click on an agent opens it. p95 "
            "rises and queries do not: the agent has changed, look at its versions; both rise: it is full."
        ),
        targets=(
            *(PromQuery(expr=f"max by (agent, environment) ({expr})", step="1h") for expr in asked),
            PromQuery(expr=f"max by (agent, environment) ({failing})", instant=True),  # a course of one point
        ),
        width=15,
        no_value=NO_TRAFFIC,
        transformations=(TRENDS, MERGED, *columns(headings)),
        overrides=(
            NARROW,
            named("Agent", custom_width=96, links=[one_agent("${__value.raw}")]),
            named("Environment", custom_width=98),
            named("Errors now", unit="percentunit", decimals=1, custom_width=68, custom_cellOptions=SPARKLINE),
            named("p95", unit="s", custom_cellOptions=SPARKLINE),
            named("Per minute", unit="none", decimals=2, custom_cellOptions=SPARKLINE),
            named("Error ratio", unit="percentunit", decimals=1, custom_cellOptions=SPARKLINE),
            named("Capacity", unit="percentunit", decimals=2, custom_cellOptions=SPARKLINE),
        ),
        sorted_by="Errors now",
        paged=True,
        always_last="7d",
    )


def slowest(settings: Settings) -> Panel:
    limit = settings.thresholds.response_seconds
    with acting(("environment", "agent")):
        slow = f"topk({MOST}, {ask(AGENT_LATENCY, BY_AGENTS, HOUR)} >= 0)"
    named_ = f'sort_desc(label_join({slow}, "name", " · ", "agent", "environment"))'
    return AgentBars(
        name="slowest_agents",
        title="p95 by agent, last hour",
        description=(
            f"95th percentile of the time from query to answer, over one hour, of the {MOST} slowest; from the line on, at "
            f"{limit:g} s, the alert begins. An agent without queries in the hour is not there."
        ),
        targets=(PromQuery(expr=named_, format="table", instant=True),),
        width=9,
        x="name",
        unit="s",
        minimum=0,
        no_value=NO_TRAFFIC,
        limits=lines((limit, colours.DEGRADED)),
        soft_maximum=limit * 1.15,
        transformations=columns({"name": "name", "agent": "agent", "Value": "p95"}),
        data_links=(one_agent("${__data.fields.agent}"),),
    )


BUSIEST = """
WITH x AS (
  {executions}
)
SELECT x.agent, count(*)::float8 AS executions FROM x GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {most}
""".strip()


def busiest() -> Panel:
    sql = BUSIEST.format(executions=ended("e.agent_name AS agent"), most=MOST)
    return BarGauge(
        name="busiest_agents",
        title="Who has most to do",
        description=(
            f"Executions of the range by agent, the {MOST} with most. After a click on a peak: of the hour around it. One "
            f"agent alone has grown: ask who calls it. {ALL_FILTERS}"
        ),
        targets=(SqlQuery(sql=sql),),
        width=6,
        unit="locale",
        decimals=0,
        minimum=0,
        no_value=NO_TRAFFIC,
        every_row=True,
        of_agents=True,
        data_links=(one_agent("${__data.fields.agent}"),),
    )

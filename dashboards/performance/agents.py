"""Agents beside each other: who is slow, who fails, who is full, and how that went within a week."""

from __future__ import annotations

from contract.settings import Settings
from contract.signals.agents import AGENT_ERROR_RATIO, AGENT_LATENCY, AGENT_QUERIES, CAPACITY_USED
from dashboards.lib.field import Json, at_most, named
from dashboards.lib.figures import BarGauge
from dashboards.lib.filters import acting
from dashboards.lib.panel import Panel
from dashboards.lib.queries import PromQuery, SqlQuery, ask
from dashboards.lib.tables import BAR_CELL, COLOURED_TEXT, MERGED, Table, columns
from dashboards.performance.executions import ALL_FILTERS, ended
from dashboards.performance.fleet import BY_AGENTS, HOUR, NO_TRAFFIC, NOW
from dashboards.performance.places import one_agent

TRENDS: Json = {"id": "timeSeriesTable", "options": {}}
"""Each series of a range as one cell with a small graph."""
MOST = 15


def compared(settings: Settings) -> Panel:
    limits = settings.thresholds
    with acting(("environment", "agent")):
        slow = ask(AGENT_LATENCY, BY_AGENTS, HOUR)
        asked = (
            slow,
            f"60 * {ask(AGENT_QUERIES, BY_AGENTS, HOUR)}",
            ask(AGENT_ERROR_RATIO, BY_AGENTS, HOUR),
            ask(CAPACITY_USED, BY_AGENTS, NOW),
        )
    headings = {
        "agent": "Agent", "environment": "Environment", "Value #B": "p95, last hour", "Trend #A": "p95, 7 days",
        "Value #C": "Queries per minute", "Value #D": "Error ratio", "Value #E": "Capacity used",
    }  # fmt: skip
    errors = at_most(limits.error_ratio, limits.error_ratio_critical).to_json_data()
    return Table(
        name="agents",
        title="How the agents compare",
        description=(
            "Each agent in the last hour, the slowest first, and the course of its p95 in a week. p95 is red from "
            f"{limits.response_seconds:g} s, errors from {limits.error_ratio:.0%}, capacity from {limits.capacity_ratio:.0%}, "
            "where the alerts begin. A click on a heading sorts; a click on an agent opens it. One with a rising line and a "
            "steady number of queries has changed: look at its versions."
        ),
        targets=(
            PromQuery(expr=slow, step="2h"),
            *(PromQuery(expr=expr, format="table", instant=True) for expr in asked),
        ),
        no_value=NO_TRAFFIC,
        transformations=(TRENDS, MERGED, *columns(headings)),
        overrides=(
            named("Agent", custom_width=140, links=[one_agent("${__value.raw}")]),
            named("Environment", custom_width=120),
            named("p95, last hour", unit="s", decimals=2, min=0, thresholds=at_most(limits.response_seconds).to_json_data(),
                  custom_cellOptions=BAR_CELL),
            named("p95, 7 days", unit="s", decimals=2, custom_cellOptions={"type": "sparkline", "drawStyle": "line", "lineWidth": 1}),
            named("Queries per minute", unit="none", decimals=2, custom_width=130),
            named("Error ratio", unit="percentunit", decimals=2, thresholds=errors, custom_cellOptions=COLOURED_TEXT,
                  custom_width=110),
            named("Capacity used", unit="percentunit", decimals=1, custom_width=120, custom_cellOptions=COLOURED_TEXT,
                  thresholds=at_most(limits.capacity_ratio, limits.capacity_ratio_critical).to_json_data()),
        ),
        sorted_by="p95, last hour",
        paged=True,
        always_last="7d",
    )  # fmt: skip


def slowest(settings: Settings) -> Panel:
    limit = settings.thresholds.response_seconds
    with acting(("environment", "agent")):
        expression = f"sort_desc(topk({MOST}, {ask(AGENT_LATENCY, BY_AGENTS, HOUR)}))"
    return BarGauge(
        name="slowest_agents",
        title=f"p95 by agent, last hour (the {MOST} slowest)",
        description=(
            f"95th percentile of the time from query to answer, over one hour; red from {limit:g} s, where the alert begins. "
            "An agent without queries in the hour is not there."
        ),
        targets=(PromQuery(expr=expression, legend="{{agent}} · {{environment}}", instant=True),),
        width=8,
        unit="s",
        decimals=2,
        minimum=0,
        no_value=NO_TRAFFIC,
        limits=at_most(limit),
        data_links=(one_agent("${__field.labels.agent}"),),
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
        data_links=(one_agent("${__data.fields.agent}"),),
    )

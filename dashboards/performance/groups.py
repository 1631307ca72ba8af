"""The same figures by who owns the agents, and by what users want."""

from __future__ import annotations

from contract.settings import Settings
from dashboards.lib import colours
from dashboards.lib.executions import (
    ALL_FILTERS,
    ERROR_SHARE,
    FAILED_ROW,
    SECONDS,
    ended,
    in_time_share,
    percentile,
)
from dashboards.lib.field import at_most, fixed, named, painted
from dashboards.lib.panel import Panel
from dashboards.lib.queries import SqlQuery
from dashboards.lib.shares import BarChart
from dashboards.lib.tables import COLOURED_TEXT, Table, columns
from dashboards.performance.fleet import NO_TRAFFIC
from dashboards.performance.service_levels import WELL

_OWNERS = "LEFT JOIN analytics.agents a ON a.id = e.agent_id LEFT JOIN analytics.departments d ON d.id = a.department_id"
DEPARTMENTS = """
WITH x AS (
  {executions}
)
SELECT x.department, max(x.team) AS team, count(DISTINCT x.agent)::float8 AS agents, count(*)::float8 AS executions,
  {p50} AS p50, {p95} AS p95, {in_time} AS within, {errors} AS errors
FROM x GROUP BY 1 ORDER BY p95 DESC, 1 LIMIT 50
""".strip()


def departments(settings: Settings) -> Panel:
    limits = settings.thresholds
    executions = ended(
        "coalesce(d.name, 'none') AS department", "d.team", "e.agent_name AS agent", SECONDS, FAILED_ROW, joins=_OWNERS
    )
    text = DEPARTMENTS.format(
        executions=executions, p50=percentile(0.5), p95=percentile(0.95), in_time=in_time_share(settings), errors=ERROR_SHARE
    )
    within = f"Within {limits.response_seconds:g} s"
    headings = {
        "department": "Department", "team": "Team", "agents": "Agents", "executions": "Executions", "p50": "p50", "p95": "p95",
        "within": within, "errors": "Error share",
    }  # fmt: skip
    return Table(
        name="departments",
        title="How the departments compare",
        description=(
            "Executions of the range by the department that owns the agent, the slowest first. A department is slow: choose it "
            f"above, and the whole tab is about its agents. {ALL_FILTERS}"
        ),
        targets=(SqlQuery(sql=text),),
        no_value=NO_TRAFFIC,
        transformations=columns(headings),
        overrides=(
            named("Agents", decimals=0, custom_width=80),
            named("Executions", unit="locale", decimals=0, custom_width=110),
            named("p50", unit="s", custom_width=90),
            named("p95", unit="s", custom_width=90, custom_cellOptions=COLOURED_TEXT,
                  thresholds=at_most(limits.response_seconds).to_json_data()),
            named(within, unit="percentunit", decimals=1, custom_width=110, custom_cellOptions=COLOURED_TEXT,
                  thresholds=WELL.to_json_data()),
            named("Error share", unit="percentunit", decimals=2, custom_width=110, custom_cellOptions=COLOURED_TEXT,
                  thresholds=at_most(limits.error_ratio, limits.error_ratio_critical).to_json_data()),
        ),
        paged=True,
    )  # fmt: skip


INTENTS = """
WITH x AS (
  {executions}
)
SELECT x.intent, {columns} FROM x GROUP BY 1 HAVING count(*) > 0 ORDER BY count(*) DESC, 1 LIMIT 12
""".strip()
_INTENT = "coalesce(e.intent, 'unknown') AS intent"


def intent_latency() -> Panel:
    shown = f"{percentile(0.5)} AS p50, {percentile(0.95)} AS p95"
    return BarChart(
        name="intent_latency",
        title="Response time by intent (the twelve most frequent)",
        description=(
            "Exact percentiles of executions by what the user wanted. One intent is slow for all agents: its tools or its "
            f"prompt; for one agent: that agent's. {ALL_FILTERS}"
        ),
        targets=(SqlQuery(sql=INTENTS.format(executions=ended(_INTENT, SECONDS), columns=shown)),),
        unit="s",
        no_value=NO_TRAFFIC,
        x="intent",
        direction="horizontal",
        values_shown="always",
        value_size=10,
        with_scale=False,
        overrides=painted({"p50": colours.LOW, "p95": colours.MIDDLE}),
    )


def intent_errors(settings: Settings) -> Panel:
    limits = settings.thresholds
    return BarChart(
        name="intent_errors",
        title="Error share by intent",
        description=(
            f"Failed executions / executions of the same intents in the same order; alerts on agents begin at "
            f"{limits.error_ratio:.0%}. High for one intent alone: the tool that serves it. {ALL_FILTERS}"
        ),
        targets=(SqlQuery(sql=INTENTS.format(executions=ended(_INTENT, FAILED_ROW), columns=f"{ERROR_SHARE} AS errors")),),
        unit="percentunit",
        decimals=1,
        minimum=0,
        no_value=NO_TRAFFIC,
        x="intent",
        direction="horizontal",
        values_shown="always",
        value_size=10,
        with_scale=False,
        with_legend=False,
        overrides=(named("errors", displayName="error share", color=fixed(colours.RED)),),
    )

"""Executions: how many, how they end, how long they take, by agent."""

from __future__ import annotations

from contract.settings import Settings
from contract.status import STATUSES
from dashboards.executions.live import NO_TRAFFIC
from dashboards.lib import colours
from dashboards.lib.executions import ALL_FILTERS, ERROR_SHARE, FAILED_ROW, SECONDS, STATUS, TIME_BUCKET, ended, percentile
from dashboards.lib.field import at_least, fixed, lines, named, narrowing_link, painted
from dashboards.lib.graphs import TimeSeries
from dashboards.lib.panel import Panel
from dashboards.lib.queries import SqlQuery
from dashboards.lib.shares import PieChart
from dashboards.lib.tables import COLOURED_TEXT, Table, columns

STATUS_COLOURS = dict(zip(STATUSES, (colours.GREEN, colours.RED, colours.AMBER, colours.GREY), strict=True))
_SLICES, OTHERS = 6, "others"
AGENT_LINK = narrowing_link("This agent in detail", "one-agent", "agent", "${__value.raw}", ("environment",)).to_json_data()


def by_status() -> Panel:
    executions = ended(f"{STATUS} AS status", "e.start_time AS at")
    return TimeSeries(
        name="executions",
        title="Executions by status",
        description=(
            "Executions by when they began and how they ended, a forty-eighth of the range each. Errors beside fewer "
            f"successes: something broke; errors on top: something new is asked. {ALL_FILTERS}"
        ),
        targets=(
            SqlQuery(
                sql=f"""
WITH x AS (
  {executions}
)
SELECT {TIME_BUCKET} AS "time", x.status AS metric, count(*)::float8 AS value
FROM x
GROUP BY 1, 2
ORDER BY 1, 2
""".strip(),
                format="time_series",
            ),
        ),
        unit="locale",
        decimals=0,
        minimum=0,
        no_value=NO_TRAFFIC,
        style="bars",
        stacked=True,
        calculations=("sum",),
        overrides=painted(STATUS_COLOURS),
    )


def durations(settings: Settings) -> Panel:
    limit = settings.thresholds.response_seconds
    parts = ", ".join(f'{percentile(share)}::float8 AS "p{share * 100:g}"' for share in (0.5, 0.95, 0.99))
    return TimeSeries(
        name="durations",
        title=f"Duration (alert at p95 {limit:g} s)",
        description=(
            "Half, 95 % and 99 % of the executions that began then took at most so long: exact, from the rows. All three rise: "
            f"something that all need is slow; only p99: few requests, look at the slow ones. {ALL_FILTERS}"
        ),
        targets=(
            SqlQuery(
                sql=f"""
WITH x AS (
  {ended(SECONDS, "e.start_time AS at")}
)
SELECT {TIME_BUCKET} AS "time", {parts}
FROM x
GROUP BY 1
ORDER BY 1
""".strip(),
                format="time_series",
            ),
        ),
        unit="s",
        minimum=0,
        no_value=NO_TRAFFIC,
        limits=lines((limit, colours.DOWN)),
        drawn="dashed",
        calculations=("mean", "max"),
        overrides=painted({"p50": colours.LOW, "p95": colours.MIDDLE, "p99": colours.HIGH}),
    )


def shares() -> Panel:
    return PieChart(
        name="agent_shares",
        title="Who executes most?",
        description=(
            f"Share of each agent in the executions of the range; the {_SLICES - 1} busiest, all others as one. {ALL_FILTERS}"
        ),
        targets=(
            SqlQuery(
                sql=f"""
WITH x AS (
  {ended("e.agent_name AS agent")}
), ranked AS (
  SELECT x.agent, count(*) AS n, row_number() OVER (ORDER BY count(*) DESC, x.agent) AS place FROM x GROUP BY 1
)
SELECT CASE WHEN r.place < {_SLICES} THEN r.agent ELSE '{OTHERS}' END AS agent, sum(r.n)::float8 AS executions
FROM ranked r
GROUP BY 1
ORDER BY 2 DESC, 1
""".strip(),
            ),
        ),
        width=9,
        unit="locale",
        decimals=0,
        no_value=NO_TRAFFIC,
        every_row=True,
        of_agents=True,
        overrides=(named(OTHERS, color=fixed(colours.GREY)),),
    )


def agents(settings: Settings) -> Panel:
    target = at_least(1 - settings.thresholds.error_ratio).to_json_data()
    executions = ended(
        "e.agent_name AS agent",
        SECONDS,
        FAILED_ROW,
        "e.retry_count AS retries",
        "e.tool_count AS tools",
        "coalesce(e.tokens_used, 0) AS tokens",
    )
    headings = {
        "agent": "Agent", "executions": "Executions", "success": "Success", "p50": "p50", "p95": "p95", "p99": "p99",
        "tokens": "Tokens", "retries": "Retries", "tools": "Tools",
    }  # fmt: skip
    return Table(
        name="agents",
        title="How each agent is used",
        description=(
            "Executions of the range by agent: how many, the share that did not fail, exact percentiles of their duration, and "
            f"tokens, retries and tool calls for one execution. A click opens the agent. {ALL_FILTERS}"
        ),
        targets=(
            SqlQuery(
                sql=f"""
WITH x AS (
  {executions}
)
SELECT x.agent, count(*)::float8 AS executions, 1 - {ERROR_SHARE} AS success,
       {percentile(0.5)}::float8 AS p50, {percentile(0.95)}::float8 AS p95, {percentile(0.99)}::float8 AS p99,
       avg(x.tokens)::float8 AS tokens, avg(x.retries)::float8 AS retries, avg(x.tools)::float8 AS tools
FROM x
GROUP BY 1
ORDER BY 2 DESC, 1
LIMIT 200
""".strip(),
            ),
        ),
        no_value=NO_TRAFFIC,
        transformations=columns(headings),
        paged=True,
        overrides=(
            named("Agent", custom_minWidth=140, links=[AGENT_LINK]),
            named("Executions", unit="locale", decimals=0, custom_width=110),
            named("Success", unit="percentunit", decimals=1, thresholds=target, custom_cellOptions=COLOURED_TEXT,
                  custom_width=95),
            *(named(name, unit="s", custom_width=90) for name in ("p50", "p95", "p99")),
            named("Tokens", unit="locale", decimals=0, custom_width=90),
            *(named(name, unit="none", decimals=2, custom_width=85) for name in ("Retries", "Tools")),
        ),
    )  # fmt: skip

"""What fails: by kind, by agent, by tool."""

from __future__ import annotations

from contract.settings import Settings
from contract.status import sql_failed
from dashboards.executions.detail import FILTERS
from dashboards.executions.runs import AGENT_LINK
from dashboards.lib.executions import ALL_FILTERS, HAS_FAILED, ended
from dashboards.lib.field import named
from dashboards.lib.figures import BarGauge
from dashboards.lib.panel import Panel
from dashboards.lib.queries import SqlQuery
from dashboards.lib.requests import trace_links
from dashboards.lib.spoken import CELLS
from dashboards.lib.tables import BAR_CELL, Table, columns, moment, shortened

KIND = "coalesce(e.error_type, 'other')"
NONE_FAILED = "no failed execution in range"


def by_kind() -> Panel:
    return BarGauge(
        name="errors_by_kind",
        title="Kinds of errors",
        description=(
            "Failed executions of the range by what went wrong. `llm` and `rate limit` are the model provider, `tool` a tool, "
            f"`timeout` something slow, `validation` and `auth` the caller. {ALL_FILTERS}"
        ),
        targets=(
            SqlQuery(
                sql=f"""
WITH x AS (
  {ended(f"{KIND} AS kind", where=HAS_FAILED)}
)
SELECT x.kind, count(*)::float8 AS failed FROM x GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 20
""".strip()
            ),
        ),
        width=7,
        unit="locale",
        decimals=0,
        minimum=0,
        no_value=NONE_FAILED,
        every_row=True,
        overrides=(named("kind", mappings=CELLS),),
    )


def table(settings: Settings) -> Panel:
    headings = {
        "agent": "Agent", "tool": "Tool", "kind": "Kind of error", "failed": "Failed", "last": "Last", "trace": "A request",
    }  # fmt: skip
    executions = ended(
        "e.agent_name AS agent",
        "coalesce(u.tool_name, '') AS tool",
        f"{KIND} AS kind",
        "e.start_time AS at",
        "e.trace_id AS trace",
        joins=f"LEFT JOIN analytics.tool_usage_metrics u ON u.execution_id = e.execution_id AND {sql_failed('u.status')} "
        "AND u.start_time BETWEEN $__timeFrom() AND $__timeTo()::timestamptz + interval '1 hour'",
        where=HAS_FAILED,
    )
    return Table(
        name="errors",
        title="Who fails, with which tool, and how?",
        description=(
            "Failed executions of the range by agent, the tool that failed in them, and kind of error, the most frequent "
            "first. An execution in which two tools failed counts for both. The last column leads to one of them. "
            f"{ALL_FILTERS}"
        ),
        targets=(
            SqlQuery(
                sql=f"""
WITH x AS (
  {executions}
)
SELECT x.agent, x.tool, x.kind, count(*)::float8 AS failed, max(x.at) AS "last", max(x.trace) AS trace
FROM x
GROUP BY 1, 2, 3
ORDER BY failed DESC, 1, 2, 3
LIMIT 100
""".strip()
            ),
        ),
        no_value=NONE_FAILED,
        transformations=columns(headings),
        paged=True,
        overrides=(
            named("Agent", custom_width=95, links=[AGENT_LINK]),
            named("Tool", custom_width=120),
            named("Kind of error", custom_width=126),
            named("Failed", unit="locale", decimals=0, min=0, fieldMinMax=True, custom_cellOptions=BAR_CELL, custom_width=100),
            moment("Last"),
            shortened("A request", links=[link.to_json_data() for link in trace_links(settings, "${__value.raw}", FILTERS)]),
        ),
    )

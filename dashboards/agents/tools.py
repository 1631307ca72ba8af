"""Tools that agents call: how often, and how well they work."""

from __future__ import annotations

from contract.settings import Settings
from dashboards.lib.field import at_least, named, tab_link
from dashboards.lib.figures import BarGauge
from dashboards.lib.filters import chosen_all
from dashboards.lib.panel import Panel
from dashboards.lib.queries import SqlQuery
from dashboards.lib.spending import DAYS, quantiles
from dashboards.lib.tables import COLOURED_TEXT, Table, columns

NO_CALLS = "no tool call in range"
MOST = 15
MORE = (tab_link("All about tools", "executions"),)


def _where() -> str:
    return f"{DAYS} AND {chosen_all(environment='environment')}"


def calls() -> Panel:
    sql = f"""
SELECT tool, sum(calls)::float8 AS calls FROM analytics.tool_daily WHERE {_where()}
GROUP BY tool HAVING sum(calls) > 0 ORDER BY 2 DESC, 1 LIMIT {MOST}
""".strip()
    return BarGauge(
        name="tool_calls",
        title=f"Tool calls ({MOST} most called)",
        description=(
            "Calls of each tool on the days of the range, all agents. A tool that nobody calls can go; one that leads should "
            "be quick. By agent and with what failed: the tab Executions, tools, workflows."
        ),
        targets=(SqlQuery(sql=sql),),
        width=9,
        unit="locale",
        decimals=0,
        minimum=0,
        no_value=NO_CALLS,
        links=MORE,
        every_row=True,
    )


def success(settings: Settings) -> Panel:
    limit = settings.thresholds.tool_error_ratio
    sql = f"""
SELECT tool, calls, success, failed, p50, p95
FROM (SELECT tool, sum(calls)::float8 AS calls, sum(failed)::float8 AS failed,
             sum(succeeded)::float8 / nullif(sum(calls), 0) AS success
      FROM analytics.tool_daily WHERE {_where()} GROUP BY tool HAVING sum(calls) > 0) used
JOIN ({quantiles("tool_daily", "tool", (50, 95), _where())}) quick USING (tool)
ORDER BY success, calls DESC, tool
LIMIT 100
""".strip()
    headings = {"tool": "Tool", "calls": "Calls", "success": "Success", "failed": "Failed", "p50": "p50", "p95": "p95"}
    return Table(
        name="tool_success",
        title="Which tools fail?",
        description=(
            "Calls of each tool on the days of the range, the least successful first: the share that succeeded, and how long "
            f"half and 95 % of them took at most. The alert begins at {limit:.0%} failed within a quarter of an hour. Slow and "
            "failing: what is behind the tool; quick and failing: what the agent sends."
        ),
        targets=(SqlQuery(sql=sql),),
        no_value=NO_CALLS,
        transformations=columns(headings),
        paged=True,
        links=MORE,
        overrides=(
            *(named(name, unit="locale", decimals=0, custom_width=85) for name in ("Calls", "Failed")),
            named("Success", unit="percentunit", decimals=1, thresholds=at_least(1 - limit).to_json_data(),
                  custom_cellOptions=COLOURED_TEXT, custom_width=95),
            *(named(name, unit="s", custom_width=85) for name in ("p50", "p95")),
        ),
    )  # fmt: skip

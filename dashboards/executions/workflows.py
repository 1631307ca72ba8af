"""Workflows: how they end, how long they take, what users say of them, and which agents hand over to which."""

from __future__ import annotations

from contract.settings import Settings
from contract.status import SUCCESS, sql_normalise
from dashboards.executions.runs import STATUS_COLOURS
from dashboards.lib.executions import MINUTE, TIME_BUCKET
from dashboards.lib.field import at_least, named, painted
from dashboards.lib.filters import chosen_all
from dashboards.lib.graphs import TimeSeries
from dashboards.lib.panel import Panel
from dashboards.lib.queries import SqlQuery
from dashboards.lib.shares import BarChart
from dashboards.lib.tables import COLOURED_TEXT, Table, columns
from dashboards.lib.traces import NodeGraph

NO_WORKFLOWS = "no workflow in range"
_STATUS = sql_normalise("w.status")
_ENVIRONMENT = "Environment and status act; workflows have many agents and no version."


def run(*columns_: str) -> str:
    """SELECT of `columns_` (of `w`, a workflow) of the workflows that began in the range and have ended."""
    filters = chosen_all(environment="w.environment", status=_STATUS)
    return (
        f"SELECT {', '.join(columns_)}\n  FROM analytics.workflow_metrics w\n"
        f"  WHERE $__timeFilter(w.start_time) AND w.duration_ms IS NOT NULL AND {filters}"
    )


def table(settings: Settings) -> Panel:
    target = at_least(1 - settings.thresholds.workflow_error_ratio).to_json_data()
    rows = run(
        "w.workflow_type AS type", f"{_STATUS} = '{SUCCESS}' AS well", "w.duration_ms / 1000 AS seconds",
        "w.agent_count AS agents", "w.total_tool_calls AS tools", "w.total_tokens_used AS tokens",
        "w.user_satisfaction_score AS score", "w.task_completion_rate AS completed",
    )  # fmt: skip
    headings = {
        "type": "Workflow", "runs": "Runs", "success": "Success", "p50": "p50", "p95": "p95", "agents": "Agents",
        "tools": "Tool calls", "tokens": "Tokens", "completed": "Completed", "score": "Liked",
    }  # fmt: skip
    return Table(
        name="workflows",
        title="How well do workflows work?",
        description=(
            "Workflows of the range by type: the share that succeeded, exact percentiles of their duration, agents, tool calls "
            "and tokens of one, the mean share of the task that was completed, and what users say (1 to 5). Completed but "
            f"disliked: the result is not what they wanted. {_ENVIRONMENT}"
        ),
        targets=(
            SqlQuery(
                sql=f"""
WITH x AS (
  {rows}
)
SELECT x.type, count(*)::float8 AS runs, avg(x.well::int)::float8 AS success,
       (percentile_cont(0.5) WITHIN GROUP (ORDER BY x.seconds))::float8 AS p50,
       (percentile_cont(0.95) WITHIN GROUP (ORDER BY x.seconds))::float8 AS p95,
       avg(x.agents)::float8 AS agents, avg(x.tools)::float8 AS tools, avg(x.tokens)::float8 AS tokens,
       avg(x.completed)::float8 AS completed, avg(x.score)::float8 AS score
FROM x
GROUP BY 1
ORDER BY 2 DESC, 1
LIMIT 100
""".strip()
            ),
        ),
        no_value=NO_WORKFLOWS,
        transformations=columns(headings),
        paged=True,
        overrides=(
            named("Workflow", custom_minWidth=150),
            named("Runs", unit="locale", decimals=0, custom_width=70),
            named("Success", unit="percentunit", decimals=1, thresholds=target, custom_cellOptions=COLOURED_TEXT,
                  custom_width=95),
            *(named(name, unit="s", decimals=0, custom_width=90) for name in ("p50", "p95")),
            *(named(name, unit="none", decimals=1, custom_width=85) for name in ("Agents", "Tool calls", "Liked")),
            named("Tokens", unit="locale", decimals=0, custom_width=90),
            named("Completed", unit="percentunit", decimals=0, custom_width=105),
        ),
    )  # fmt: skip


def outcomes() -> Panel:
    return TimeSeries(
        name="workflow_outcomes",
        title="Workflows by status",
        description=f"Workflows by when they began and how they ended, a forty-eighth of the range each. {_ENVIRONMENT}",
        targets=(
            SqlQuery(
                sql=f"""
WITH x AS (
  {run(f"{_STATUS} AS status", "w.start_time AS at")}
)
SELECT {TIME_BUCKET} AS "time", x.status AS metric, count(*)::float8 AS value FROM x GROUP BY 1, 2 ORDER BY 1, 2
""".strip(),
                format="time_series",
            ),
        ),
        unit="locale",
        decimals=0,
        minimum=0,
        no_value=NO_WORKFLOWS,
        style="bars",
        stacked=True,
        calculations=("sum",),
        overrides=painted(STATUS_COLOURS),
    )


def durations() -> Panel:
    return TimeSeries(
        name="workflow_durations",
        title="Median duration of workflows",
        description=(
            f"The median time of each type by when it began. One type rises: one of its agents or tools is slow. {_ENVIRONMENT}"
        ),
        targets=(
            SqlQuery(
                sql=f"""
WITH x AS (
  {run("w.workflow_type AS type", f"w.duration_ms / {MINUTE} AS minutes", "w.start_time AS at")}
)
SELECT {TIME_BUCKET} AS "time", x.type AS metric,
       (percentile_cont(0.5) WITHIN GROUP (ORDER BY x.minutes))::float8 AS value
FROM x
GROUP BY 1, 2
ORDER BY 1, 2
""".strip(),
                format="time_series",
            ),
        ),
        unit="m",
        minimum=0,
        no_value=NO_WORKFLOWS,
        bridged=True,
        calculations=("max",),
    )


def satisfaction() -> Panel:
    return BarChart(
        name="workflow_satisfaction",
        title="Completed and liked",
        description=(
            "Mean share of the task that was completed, and what users say as a share of the best score (5). Far apart: the "
            f"workflow does what it should, and that is not what people want. {_ENVIRONMENT}"
        ),
        targets=(
            SqlQuery(
                sql=f"""
WITH x AS (
  {run("w.workflow_type AS type", "w.user_satisfaction_score AS score", "w.task_completion_rate AS completed")}
)
SELECT x.type AS "Workflow", avg(x.completed)::float8 AS "completed", (avg(x.score) / 5)::float8 AS "satisfaction"
FROM x
GROUP BY 1
ORDER BY 1
LIMIT 20
""".strip()
            ),
        ),
        unit="percentunit",
        decimals=0,
        minimum=0,
        maximum=1.25,  # room for what stands behind the longest
        width=9,
        no_value=NO_WORKFLOWS,
        direction="horizontal",
        x="Workflow",
        values_shown="always",
        with_scale=False,
    )


_STEPS = """
WITH x AS (
  {runs}
), steps AS (
  SELECT a.name AS agent, lead(a.name) OVER (PARTITION BY x.id ORDER BY a.place) AS next
  FROM x CROSS JOIN LATERAL jsonb_array_elements_text(x.agents) WITH ORDINALITY AS a (name, place)
)
""".strip()


def handovers() -> Panel:
    steps = _STEPS.format(runs=run("w.workflow_id AS id", "w.agents_involved AS agents"))
    nodes = f"""
{steps}
SELECT s.agent AS id, s.agent AS title, count(*)::float8 AS mainstat FROM steps s GROUP BY 1 ORDER BY 1 LIMIT 100
""".strip()
    edges = f"""
{steps}
SELECT s.agent || ' to ' || s.next AS id, s.agent AS source, s.next AS target, count(*)::float8 AS mainstat
FROM steps s
WHERE s.next IS NOT NULL
GROUP BY 1, 2, 3
ORDER BY 1
LIMIT 200
""".strip()
    return NodeGraph(
        name="handovers",
        title="Which agent hands over to which?",
        description=(
            "Agents in the workflows of the range, and how often one's part was followed by another's. An edge that should "
            f"not be there: the routing sends people the long way. {_ENVIRONMENT}"
        ),
        targets=(SqlQuery(sql=nodes), SqlQuery(sql=edges)),
        unit="locale",
        edge_unit="locale",
        no_value=NO_WORKFLOWS,
    )

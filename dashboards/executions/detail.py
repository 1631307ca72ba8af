"""One execution with its tools, and one session with its executions. Links or hands put their ids above the tab."""

from __future__ import annotations

from contract.keys import dashboard_uid
from contract.settings import Settings
from contract.status import sql_normalise
from dashboards.lib.executions import ALL_FILTERS, STATUS, ended
from dashboards.lib.field import Json, Link, named
from dashboards.lib.paging import ACTS, PAGE, one_page
from dashboards.lib.panel import Panel
from dashboards.lib.queries import SqlQuery
from dashboards.lib.requests import LONG_NAMES, OFFSET, lasted, status_column, trace_links
from dashboards.lib.shares import BarChart
from dashboards.lib.tables import NARROW, Table, columns, moment, shortened
from dashboards.lib.variables import TextVariable

FILTERS = ("environment", "agent", "version", "status")
EXECUTION = TextVariable(
    name="execution", label="Execution", description="Id of one execution; the newest that called tools when it is empty."
)
SESSION = TextVariable(name="session", label="Session", description="Id of one session; the newest when it is empty.")


def _link(title: str, variable: str) -> Json:
    """To this tab with an id set, everything else kept."""
    kept = "".join(f"&${{{name}:queryparam}}" for name in (*FILTERS, PAGE.name))
    address = f"/d/{dashboard_uid('executions')}?${{__url_time_range}}&var-{variable}=${{__value.raw}}{kept}"
    return Link(title, address).to_json_data()


EXECUTION_LINK, SESSION_LINK = _link("Its tools", "execution"), _link("What was executed in it", "session")
_ONE_EXECUTION = """
one AS (
  SELECT e.* FROM analytics.agent_executions e
  WHERE $__timeFilter(e.start_time)
    AND (${execution:sqlstring} = '' AND e.tool_count > 0 OR e.execution_id::text = ${execution:sqlstring})
  ORDER BY e.start_time DESC
  LIMIT 1
)""".strip()
_ONE_SESSION = """
one AS (
  SELECT s.* FROM analytics.session_metrics s
  WHERE $__timeFilter(s.start_time) AND (${session:sqlstring} = '' OR s.session_id::text = ${session:sqlstring})
  ORDER BY s.start_time DESC
  LIMIT 1
)""".strip()
_NOT_THERE = "not in this range; choose a wider one or another id"
_HEADINGS = {
    "time": "Began", "agent": "Agent", "version": "Version", "status": "Ended", "kind": "Kind of error", "seconds": "Took",
    "tools": "Tools", "retries": "Retries", "tokens": "Tokens", "trace": "Request", "execution": "Execution",
}  # fmt: skip
_APART: Json = {"type": "regex", "options": {"pattern": "/_/g", "result": {"text": " ", "index": 0}}}
"""Words that underscores join, apart, so that a narrow column can break them."""
_COUNTED = {"Tools": 52, "Retries": 62, "API calls": 54}
_COLUMNS = (
    'e.start_time AS "time"', "e.agent_name AS agent", "e.version", f"{STATUS} AS status", "e.error_type AS kind",
    "(e.duration_ms / 1000)::float8 AS seconds", "e.tool_count::float8 AS tools", "e.retry_count::float8 AS retries",
    "e.tokens_used::float8 AS tokens", "e.trace_id AS trace", "e.execution_id::text AS execution",
)  # fmt: skip


def _executions(name: str, title: str, description: str, sql: str, settings: Settings, no_value: str) -> Panel:
    """A table of executions, each with the way to its request and to its tools."""
    return Table(
        name=name,
        title=title,
        description=description,
        targets=(SqlQuery(sql=sql),),
        no_value=no_value,
        transformations=columns(_HEADINGS),
        paged=True,
        overrides=(
            NARROW,
            moment("Began"),
            named("Agent", custom_width=100),
            named("Version", custom_width=80),
            status_column("Ended", 80),
            named("Kind of error", custom_width=115),
            named("Took", unit="s", custom_width=80),
            *(named(column, unit="none", decimals=0, custom_width=70) for column in ("Tools", "Retries")),
            named("Tokens", unit="locale", decimals=0, custom_width=75),
            shortened("Request", links=[link.to_json_data() for link in trace_links(settings, "${__value.raw}", FILTERS)]),
            shortened("Execution", links=[EXECUTION_LINK]),
        ),
    )


def latest(settings: Settings) -> Panel:
    description = (
        f"The newest executions of the range. {ACTS} A click on an execution shows its tools, one on the request every step. "
        f"{ALL_FILTERS}"
    )
    sql = f"{ended(*_COLUMNS)}\n{one_page('e.start_time DESC', 'e.execution_id')}"
    return _executions("latest_executions", "Latest executions", description, sql, settings, "no execution, or no more of them")


def execution() -> Panel:
    headings = {key: heading for key, heading in _HEADINGS.items() if key != "trace"} | {
        "intent": "Intent", "calls": "API calls", "environment": "Environment",
    }  # fmt: skip
    chosen = ", ".join((*_COLUMNS, "e.intent", "e.api_calls_count::float8 AS calls", "e.environment"))
    return Table(
        name="execution",
        title="The execution",
        description="The execution whose id stands above; without one the newest of the range that called tools.",
        targets=(SqlQuery(sql=f"WITH {_ONE_EXECUTION}\nSELECT {chosen} FROM one e"),),
        no_value=_NOT_THERE,
        transformations=columns(headings),
        overrides=(
            NARROW,
            moment("Began"),
            *(named(name, custom_width=width) for name, width in {"Agent": 92, "Version": 64, "Environment": 94}.items()),
            status_column("Ended", 76),
            named("Kind of error", custom_width=76),
            shortened("Execution", custom_width=90),
            named("Intent", mappings=[_APART], custom_wrapText=True),
            named("Took", unit="s", custom_width=62),
            *(named(name, unit="none", decimals=0, custom_width=width) for name, width in _COUNTED.items()),
            named("Tokens", unit="locale", decimals=0, custom_width=64),
        ),
        two_lines=True,
    )


def tools_of_it() -> Panel:
    status = sql_normalise("u.status")
    return BarChart(
        name="tools_of_execution",
        title="Its tools, one after the other",
        description=(
            "When each tool call of the execution began and how long it took. Long bars one below the other could run side by "
            "side; a bar that ends with the execution's time limit hung."
        ),
        targets=(
            SqlQuery(
                sql=f"""
WITH {_ONE_EXECUTION}
SELECT row_number() OVER (ORDER BY u.start_time, u.usage_id) || '. ' || u.tool_name
         || CASE {status} WHEN 'success' THEN '' ELSE ' (' || {status} || ')' END || ' ' || {lasted("u.duration_ms")} AS "Tool",
       extract(epoch FROM u.start_time - e.start_time)::float8 AS "before", (u.duration_ms / 1000)::float8 AS "took"
FROM one e JOIN analytics.tool_usage_metrics u ON u.execution_id = e.execution_id
WHERE u.duration_ms IS NOT NULL AND u.start_time BETWEEN e.start_time AND e.start_time + interval '1 hour'
ORDER BY u.start_time, u.usage_id
LIMIT 50
""".strip()
            ),
        ),
        unit="s",
        minimum=0,
        no_value="this execution called no tool",
        direction="horizontal",
        stacking="normal",
        x="Tool",
        values_shown="never",
        with_legend=False,
        with_scale=False,
        name_letters=LONG_NAMES,
        overrides=(OFFSET,),
    )


def session() -> Panel:
    headings = {
        "time": "Began", "user_key": "User", "environment": "Environment", "seconds": "Lasted", "queries": "Queries",
        "succeeded": "Succeeded", "failed": "Failed", "agents": "Agents", "response": "Mean response", "tokens": "Tokens",
    }  # fmt: skip
    return Table(
        name="session",
        title="The session",
        description="The session whose id stands above; without one the newest of the range. What was executed in it is below.",
        targets=(
            SqlQuery(
                sql=f"""
WITH {_ONE_SESSION}
SELECT s.start_time AS "time", s.user_key, s.environment, (s.duration_ms / 1000)::float8 AS seconds,
       s.total_queries::float8 AS queries, s.successful_queries::float8 AS succeeded, s.failed_queries::float8 AS failed,
       (SELECT string_agg(a.name, ', ') FROM jsonb_array_elements_text(s.agents_used) AS a (name)) AS agents,
       (s.average_response_time_ms / 1000)::float8 AS response, s.total_tokens_used::float8 AS tokens
FROM one s
""".strip()
            ),
        ),
        no_value=_NOT_THERE,
        transformations=columns(headings),
        overrides=(
            moment("Began"),
            NARROW,
            named("User", custom_width=145),
            named("Environment", custom_width=104),
            named("Agents", custom_minWidth=85, custom_wrapText=True),
            named("Lasted", unit="s", decimals=0, custom_width=80),
            *(named(column, unit="none", decimals=0, custom_width=90) for column in ("Queries", "Succeeded", "Failed")),
            named("Mean response", unit="s", custom_width=84),
            named("Tokens", unit="locale", decimals=0, custom_width=70),
        ),
    )


def executions_of_session(settings: Settings) -> Panel:
    sql = f"""
WITH {_ONE_SESSION}
SELECT {", ".join(_COLUMNS)}
FROM one s CROSS JOIN LATERAL (
  SELECT t.* FROM analytics.agent_executions t
  WHERE t.start_time BETWEEN s.start_time AND coalesce(s.end_time, s.start_time + interval '1 day')
    AND t.session_id = s.session_id OFFSET 0
) e
ORDER BY e.start_time
LIMIT 100
""".strip()
    description = (
        "Executions of the session in their order. A click on an execution shows its tools, one on the request every step."
    )
    return _executions(
        "session_executions", "What was executed in it", description, sql, settings, "nothing was executed in it"
    )

"""Named queries about one execution, one session, and the newest of them."""

from __future__ import annotations

from api.catalogue.model import AS_IT_STANDS, Column, Query, count, seconds, text, time
from contract.status import sql_failed, sql_normalise

STATUS = sql_normalise("e.status")
FAILED = sql_failed("e.status")
_RUN = (
    text("execution_id", "Id of the execution"),
    time("started", "Begin"),
    text("agent", "Agent"),
    text("version", "Version"),
    text("environment", "Environment"),
    text("status", "success, error, timeout or cancelled"),
    text("error_type", "Kind of the error"),
    seconds("seconds", "How long it took; none while it goes on"),
    count("tools", "Calls of tools"),
    count("retries", "Tries after the first"),
    count("tokens", "Tokens"),
    text("intent", "What the user wanted"),
    text("trace_id", "The trace, in Langfuse"),
    text("session_id", "The session"),
)
_RUN_SQL = (
    f"e.execution_id::text AS execution_id, e.start_time AS started, e.agent_name AS agent, e.version, e.environment, {STATUS} "
    "AS status, e.error_type, (e.duration_ms / 1000)::float8 AS seconds, e.tool_count::bigint AS tools, e.retry_count::bigint "
    "AS retries, e.tokens_used::bigint AS tokens, e.intent, e.trace_id, e.session_id::text AS session_id"
)
_OF_RUN = {"environment": "e.environment", "agent": "e.agent_name", "version": "e.version"}
_SESSION = (
    text("session_id", "Id of the session"),
    time("started", "Begin"),
    seconds("seconds", "How long it lasted; none while it goes on"),
    text("environment", "Environment"),
    count("queries", "Queries"),
    count("succeeded", "Queries that succeeded"),
    count("failed", "Queries that failed"),
    seconds("response", "Mean time of an answer"),
    count("tokens", "Tokens"),
)
_SESSION_SQL = (
    "s.session_id::text AS session_id, s.start_time AS started, (s.duration_ms / 1000)::float8 AS seconds, s.environment, "
    "s.total_queries::bigint AS queries, s.successful_queries::bigint AS succeeded, s.failed_queries::bigint AS failed, "
    "(s.average_response_time_ms / 1000)::float8 AS response, s.total_tokens_used::bigint AS tokens"
)
_KEY = Column("user_key", "text", "", "Stands for the user")


def execution(view: str = "agent_executions", key: str = "execution.execution") -> Query:
    """One execution of a view, by the parameter `execution_id`."""
    own = view != "agent_executions"
    return Query(
        key,
        "The execution",
        (*_RUN, *(() if own else (_KEY,))),
        f"SELECT {_RUN_SQL}{'' if own else ', e.user_key'}\n"
        f"FROM analytics.{view} e WHERE e.execution_id = %(execution_id)s::uuid",
        "1",
        ttl=AS_IT_STANDS,
        needs=("execution_id",),
    )


EXECUTION = execution()
EXECUTION_TOOLS = Query(
    "execution.tools",
    "The tools that it called, in their order",
    (
        text("tool", "Tool"),
        time("started", "Begin"),
        seconds("seconds", "How long it took"),
        text("status", "success, error, timeout or cancelled"),
        text("external_api", "What it called outside"),
        seconds("external_seconds", "How long that took"),
        count("external_status", "Status that it answered", "none"),
    ),
    f"""
SELECT u.tool_name AS tool, u.start_time AS started, (u.duration_ms / 1000)::float8 AS seconds,
       {sql_normalise("u.status")} AS status, u.external_api_called AS external_api,
       (u.api_response_time_ms / 1000)::float8 AS external_seconds, u.api_status_code::bigint AS external_status
FROM analytics.agent_executions e JOIN analytics.tool_usage_metrics u ON u.execution_id = e.execution_id
WHERE e.execution_id = %(execution_id)s::uuid AND u.start_time BETWEEN e.start_time AND e.start_time + interval '1 hour'
""".strip(),
    "started, tool",
    ttl=AS_IT_STANDS,
    needs=("execution_id",),
)


def session(view: str = "session_metrics", key: str = "session.session") -> Query:
    """One session of a view, by the parameter `session_id`."""
    own = view != "session_metrics"
    return Query(
        key,
        "The session",
        (*_SESSION, *(() if own else (_KEY,))),
        f"SELECT {_SESSION_SQL}{'' if own else ', s.user_key'}\n"
        f"FROM analytics.{view} s WHERE s.session_id = %(session_id)s::uuid",
        "1",
        ttl=AS_IT_STANDS,
        needs=("session_id",),
    )


def session_executions(
    sessions: str = "session_metrics", executions: str = "agent_executions", key: str = "session.executions"
) -> Query:
    """The executions of one session."""
    return Query(
        key,
        "What was executed in it",
        _RUN,
        f"""
SELECT {_RUN_SQL}
FROM analytics.{sessions} s CROSS JOIN LATERAL (
  SELECT t.* FROM analytics.{executions} t
  WHERE t.start_time BETWEEN s.start_time AND coalesce(s.end_time, s.start_time + interval '1 day')
    AND t.session_id = s.session_id OFFSET 0
) e
WHERE s.session_id = %(session_id)s::uuid
""".strip(),
        "started, execution_id",
        ttl=AS_IT_STANDS,
        needs=("session_id",),
    )


SESSION, SESSION_EXECUTIONS = session(), session_executions()

LATEST_SESSIONS = Query(
    "sessions.latest",
    "Sessions that began in the range, the newest first",
    (*_SESSION, _KEY),
    f"""
SELECT {_SESSION_SQL}, s.user_key FROM analytics.session_metrics s
WHERE s.start_time BETWEEN %(since)s AND %(until)s AND {{chosen}}
""".strip(),
    "started DESC, session_id",
    {"environment": "s.environment"},
    AS_IT_STANDS,
)

ERROR_KINDS = Query(
    "errors.kinds",
    "Executions of the range that failed, by kind of error",
    (text("error_type", "Kind of the error"), count("failed", "Executions"), time("last", "The latest of them")),
    f"""
SELECT coalesce(e.error_type, 'other') AS error_type, count(*) AS failed, max(e.start_time) AS last
FROM analytics.agent_executions e
WHERE e.start_time BETWEEN %(since)s AND %(until)s AND e.duration_ms IS NOT NULL AND {FAILED} AND {{chosen}} GROUP BY 1
""".strip(),
    "failed DESC, error_type",
    _OF_RUN,
)

LATEST_ERRORS = Query(
    "errors.latest",
    "Executions of the range that failed, the newest first",
    _RUN,
    f"""
SELECT {_RUN_SQL} FROM analytics.agent_executions e
WHERE e.start_time BETWEEN %(since)s AND %(until)s AND e.duration_ms IS NOT NULL AND {FAILED} AND {{chosen}}
""".strip(),
    "started DESC, execution_id",
    _OF_RUN,
    AS_IT_STANDS,
)

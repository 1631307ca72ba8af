"""Every figure from PostgreSQL asked in plain SQL of the platform's tables: written for these tests, shared with nothing.

Each query gives the values of the labels in the order of the metric, then the value. Queries of windows are asked once for each
window, with its bounds as `%(start)s` and `%(end)s` and its name as the last label; `%(now)s` is the time of asking.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import psycopg

from contract.labels import WINDOWS
from exporters.windows import Window, window
from tests.business.figures import Figures

STATUS = """CASE WHEN lower({0}) IN ('success', 'succeeded', 'ok', 'completed', 'done') THEN 'success'
                 WHEN lower({0}) IN ('timeout', 'timed_out', 'deadline_exceeded') THEN 'timeout'
                 WHEN lower({0}) IN ('cancelled', 'canceled', 'aborted') THEN 'cancelled' ELSE 'error' END"""


def _within(column: str) -> str:
    return f"{column} >= %(start)s AND {column} < %(end)s"


_FEEDBACK = (
    """app.feedback f LEFT JOIN app.conversations c ON c.id = f.conversation_id LEFT JOIN app.agents a ON a.id = c.agent_id"""
)
_OPEN = "status IN ('open', 'in_progress', 'waiting')"
_LEVELS = """(SELECT 'first_response', status, priority, first_response_at, sla_first_response_due_at FROM app.tickets
              UNION ALL SELECT 'resolution', status, priority, resolved_at, sla_resolution_due_at FROM app.tickets)
             AS levels (kind, status, priority, served, due)"""
_PRIORITY = "CASE WHEN priority = 'odd' THEN 'other' ELSE priority END"

WINDOWED = {
    "platform_users_active": f"""SELECT %(window)s, count(DISTINCT user_id) FROM app.messages
        WHERE role = 'user' AND {_within("created_at")}""",
    "platform_users_new": f"SELECT %(window)s, count(*) FROM app.users WHERE {_within('created_at')}",
    "platform_window_conversations": f"""SELECT environment, %(window)s, count(*) FILTER (WHERE {_within("created_at")})
        FROM app.conversations GROUP BY environment""",
    "platform_goal_success_ratio": f"""SELECT a.name, c.environment, %(window)s, avg(goal_achieved::int)
        FROM app.conversations c JOIN app.agents a ON a.id = agent_id
        WHERE goal_achieved IS NOT NULL AND {_within("ended_at")} GROUP BY 1, 2""",
    "platform_handoff_ratio": f"""SELECT a.name, c.environment, %(window)s,
            (SELECT count(*) FROM app.handoffs h JOIN app.conversations k ON k.id = h.conversation_id
             WHERE k.agent_id = a.id AND k.environment = c.environment AND {_within("at")})::float8 / count(*)
        FROM app.conversations c JOIN app.agents a ON a.id = agent_id
        WHERE {_within("ended_at")} GROUP BY a.id, a.name, c.environment""",
    "platform_nps_points": f"""SELECT %(window)s, 100 * avg(CASE WHEN nps >= 9 THEN 1 WHEN nps <= 6 THEN -1 ELSE 0 END)
        FROM app.feedback WHERE nps IS NOT NULL AND {_within("created_at")} HAVING count(*) > 0""",
    "platform_window_nps_answers": f"SELECT %(window)s, count(nps) FROM app.feedback WHERE {_within('created_at')}",
    "platform_feedback_rating_average": f"""SELECT coalesce(c.environment, 'unknown'), %(window)s, avg(rating)
        FROM {_FEEDBACK} WHERE rating IS NOT NULL AND {_within("f.created_at")} GROUP BY 1""",
    "platform_feedback_positive_ratio": f"""SELECT coalesce(a.name, 'unknown'), coalesce(c.environment, 'unknown'), %(window)s,
            avg((thumbs > 0)::int)
        FROM {_FEEDBACK} WHERE thumbs IN (-1, 1) AND {_within("f.created_at")} GROUP BY 1, 2""",
    "platform_ticket_reopen_ratio": f"""SELECT %(window)s, avg((reopened_count > 0)::int)
        FROM app.tickets WHERE {_within("resolved_at")} HAVING count(*) > 0""",
    "platform_ticket_sla_attainment_ratio": """
        SELECT kind, %(window)s, count(*) FILTER (WHERE served <= due)::float8 / count(*)
        FROM (SELECT 'first_response', first_response_at, sla_first_response_due_at, status FROM app.tickets
              UNION ALL SELECT 'resolution', resolved_at, sla_resolution_due_at, status FROM app.tickets)
             AS levels (kind, served, due, status)
        WHERE due IS NOT NULL AND (served >= %(start)s AND served < %(end)s
              OR served IS NULL AND status IN ('open', 'in_progress', 'waiting')
                 AND due >= %(start)s AND due < least(%(end)s, %(now)s))
        GROUP BY kind""",
}

_RESPONSE = """SELECT environment, %(window)s, (SELECT count(*) FROM ({given}) AS given WHERE given.environment = c.environment)
        ::float8 / count(*) FROM app.conversations c WHERE ended_at >= %(start)s AND ended_at < %(end)s GROUP BY environment"""
FEEDBACK_RESPONSE_FIRST = _RESPONSE.format(
    given="""SELECT k.environment, min(f.created_at) AS first FROM app.feedback f JOIN app.conversations k
        ON k.id = f.conversation_id GROUP BY k.id, k.environment
        HAVING min(f.created_at) >= %(start)s AND min(f.created_at) < %(end)s"""
)
FEEDBACK_RESPONSE_ANY = _RESPONSE.format(
    given="""SELECT DISTINCT k.id, k.environment FROM app.feedback f JOIN app.conversations k ON k.id = f.conversation_id
        WHERE f.created_at >= %(start)s AND f.created_at < %(end)s"""
)
"""Conversations with their first feedback in the window, as it is counted; and with any, as it is asked without roll-ups."""

ACTIVE_BEFORE = f"""SELECT %(window)s, count(DISTINCT user_id) FROM app.messages
    WHERE role = 'user' AND {_within("created_at")}"""

STANDING = {
    "platform_users": "SELECT coalesce(nullif(role, ''), 'unknown'), count(*) FROM app.users GROUP BY 1",
    "platform_tickets": f"SELECT status, {_PRIORITY}, count(*) FROM app.tickets GROUP BY 1, 2",
    "platform_tickets_unassigned": f"""SELECT {_PRIORITY}, count(*) FROM app.tickets WHERE {_OPEN} AND assignee_id IS NULL
        GROUP BY 1""",
    "platform_ticket_oldest_open_age_seconds": f"""SELECT {_PRIORITY}, max(extract(epoch FROM %(now)s - created_at))
        FROM app.tickets WHERE {_OPEN} AND created_at <= %(now)s GROUP BY 1""",
    "platform_tickets_sla_at_risk": f"""SELECT kind, {_PRIORITY}, count(*) FROM {_LEVELS}
        WHERE {_OPEN} AND served IS NULL AND due BETWEEN %(now)s AND %(now)s + interval '59:59.999999' GROUP BY 1, 2""",
    "platform_tickets_overdue": f"""SELECT kind, {_PRIORITY}, count(*) FROM {_LEVELS}
        WHERE {_OPEN} AND served IS NULL AND %(now)s > due GROUP BY 1, 2""",
    "platform_documents": "SELECT status, count(*) FROM app.documents GROUP BY 1",
    "platform_queue_messages": "SELECT queue, count(*) FROM app.offline_queue WHERE status = 'waiting' GROUP BY 1",
    "platform_conversations": "SELECT environment, count(*) FROM app.conversations GROUP BY 1",
    "platform_document_chunks": "SELECT count(*) FROM app.chunks",
    "platform_executions_in_progress": """SELECT agent_name, environment, count(*) FROM app.agent_executions
        WHERE status = 'in_progress' GROUP BY 1, 2""",
    "platform_sessions_active": "SELECT environment, count(*) FROM app.session_metrics WHERE is_active GROUP BY 1",
}
RECENT = {
    "platform_executions_in_progress": """SELECT agent_name, environment, count(*) FROM app.agent_executions
        WHERE status = 'in_progress' AND start_time >= %(now)s - interval '24 hours' GROUP BY 1, 2""",
    "platform_sessions_active": """SELECT environment, count(*) FROM app.session_metrics
        WHERE is_active AND start_time >= %(now)s - interval '24 hours' GROUP BY 1""",
}
"""The same without roll-ups: what has begun within a day."""


_RUNNING = "lower(status) IN ('in_progress', 'running', 'pending', 'queued', 'started', 'processing')"
_VERSION = "coalesce(version, 'unknown')"
_STATUS = STATUS.format("status")
_ERROR_TYPE = f"""CASE WHEN error_type IN ('timeout', 'validation', 'llm', 'tool', 'rate_limit', 'auth', 'internal', 'other')
        THEN error_type WHEN {_STATUS} = 'timeout' THEN 'timeout' ELSE 'other' END"""

COUNTERS = {
    "platform_conversations_started_total": """SELECT a.name, c.environment, count(*)
        FROM app.conversations c JOIN app.agents a ON a.id = agent_id GROUP BY 1, 2""",
    "platform_conversations_ended_total": """SELECT a.name, c.environment,
            CASE goal_achieved WHEN true THEN 'achieved' WHEN false THEN 'missed' ELSE 'unknown' END, count(*)
        FROM app.conversations c JOIN app.agents a ON a.id = agent_id WHERE ended_at IS NOT NULL GROUP BY 1, 2, 3""",
    "platform_handoffs_total": """SELECT a.name, c.environment, reason, count(*) FROM app.handoffs
        JOIN app.conversations c ON c.id = conversation_id JOIN app.agents a ON a.id = c.agent_id GROUP BY 1, 2, 3""",
    "platform_users_created_total": "SELECT coalesce(nullif(role, ''), 'unknown'), count(*) FROM app.users GROUP BY 1",
    "platform_executions_started_total": f"""SELECT agent_name, {_VERSION}, environment, count(*)
        FROM app.agent_executions GROUP BY 1, 2, 3""",
    "platform_executions_total": f"""SELECT agent_name, {_VERSION}, environment, {_STATUS}, count(*)
        FROM app.agent_executions WHERE NOT {_RUNNING} GROUP BY 1, 2, 3, 4""",
    "platform_execution_errors_total": f"""SELECT agent_name, environment, {_ERROR_TYPE}, count(*)
        FROM app.agent_executions WHERE NOT {_RUNNING} AND {_STATUS} IN ('error', 'timeout') GROUP BY 1, 2, 3""",
    "platform_execution_tokens_total": f"""SELECT agent_name, environment, sum(coalesce(tokens_used, 0))
        FROM app.agent_executions WHERE NOT {_RUNNING} GROUP BY 1, 2""",
    "platform_execution_retries_total": f"""SELECT agent_name, environment, sum(retry_count)
        FROM app.agent_executions WHERE NOT {_RUNNING} GROUP BY 1, 2""",
    "platform_tool_calls_total": f"""SELECT tool_name, coalesce(e.environment, 'unknown'), {STATUS.format("t.status")}, count(*)
        FROM app.tool_usage_metrics t LEFT JOIN app.agent_executions e USING (execution_id)
        WHERE t.status <> 'in_progress' GROUP BY 1, 2, 3""",
    "platform_workflow_runs_total": f"""SELECT workflow_type, coalesce(environment, 'unknown'), {_STATUS}, count(*)
        FROM app.workflow_metrics WHERE NOT {_RUNNING} GROUP BY 1, 2, 3""",
    "platform_sessions_started_total": "SELECT environment, count(*) FROM app.session_metrics GROUP BY 1",
    "platform_sessions_ended_total": "SELECT environment, count(*) FROM app.session_metrics WHERE NOT is_active GROUP BY 1",
    "platform_messages_total": """SELECT c.environment, m.role, count(*)
        FROM app.messages m JOIN app.conversations c ON c.id = conversation_id GROUP BY 1, 2""",
    "platform_message_tokens_total": """SELECT c.environment, m.role, sum(coalesce(tokens, 0))
        FROM app.messages m JOIN app.conversations c ON c.id = conversation_id GROUP BY 1, 2""",
    "platform_feedback_total": f"""SELECT coalesce(a.name, 'unknown'), coalesce(c.environment, 'unknown'),
            CASE thumbs WHEN 1 THEN 'positive' ELSE 'negative' END, count(*)
        FROM {_FEEDBACK} WHERE thumbs IN (1, -1) GROUP BY 1, 2, 3""",
    "platform_feedback_ratings_total": f"""SELECT coalesce(c.environment, 'unknown'), rating, count(*)
        FROM {_FEEDBACK} WHERE rating IS NOT NULL GROUP BY 1, 2""",
    "platform_nps_answers_total": """SELECT CASE WHEN nps > 8 THEN 'promoter' WHEN nps > 6 THEN 'passive' ELSE 'detractor' END,
            count(*) FROM app.feedback WHERE nps IS NOT NULL GROUP BY 1""",
    "platform_tickets_created_total": f"SELECT {_PRIORITY}, count(*) FROM app.tickets GROUP BY 1",
    "platform_tickets_resolved_total": f"SELECT {_PRIORITY}, count(resolved_at) FROM app.tickets GROUP BY 1",
    "platform_ticket_sla_total": """SELECT kind, CASE WHEN served <= due THEN 'met' ELSE 'breached' END, count(*)
        FROM (SELECT 'first_response', first_response_at, sla_first_response_due_at FROM app.tickets
              UNION ALL SELECT 'resolution', resolved_at, sla_resolution_due_at FROM app.tickets) AS levels (kind, served, due)
        WHERE served IS NOT NULL AND due IS NOT NULL GROUP BY 1, 2""",
    "platform_ticket_reopens_total": f"SELECT {_PRIORITY}, sum(reopened_count) FROM app.tickets GROUP BY 1",
    "platform_documents_uploaded_total": "SELECT file_type, count(*) FROM app.documents GROUP BY 1",
    "platform_documents_processed_total": """SELECT file_type, status, count(*) FROM app.documents
        WHERE status IN ('done', 'failed') GROUP BY 1, 2""",
    "platform_document_chunks_made_total": "SELECT count(*) FROM app.chunks",
    "platform_kb_searches_total": """SELECT CASE result_count WHEN 0 THEN 'empty' ELSE 'found' END, count(*)
        FROM app.kb_searches GROUP BY 1""",
    "platform_logins_total": """SELECT CASE WHEN result = 'failure' THEN 'failure' ELSE 'success' END, count(*)
        FROM app.login_events GROUP BY 1""",
    "platform_feature_uses_total": "SELECT feature, count(*) FROM app.feature_usage_events GROUP BY 1",
}

_SPAN = "extract(epoch FROM {1} - {0})::float8"
DURATIONS = {
    "platform_execution_duration_seconds": f"""SELECT agent_name, {_VERSION}, environment,
            CASE {_STATUS} WHEN 'success' THEN 'success' ELSE 'failed' END, duration_ms / 1000
        FROM app.agent_executions WHERE NOT {_RUNNING} AND {_STATUS} <> 'cancelled'""",
    "platform_tool_call_duration_seconds": """SELECT tool_name, coalesce(e.environment, 'unknown'), t.duration_ms / 1000
        FROM app.tool_usage_metrics t LEFT JOIN app.agent_executions e USING (execution_id) WHERE t.status <> 'in_progress'""",
    "platform_workflow_duration_seconds": f"""SELECT workflow_type, coalesce(environment, 'unknown'),
            {_SPAN.format("start_time", "end_time")} FROM app.workflow_metrics WHERE NOT {_RUNNING}""",
    "platform_session_duration_seconds": f"""SELECT environment, {_SPAN.format("start_time", "end_time")}
        FROM app.session_metrics WHERE NOT is_active""",
    "platform_ticket_first_response_seconds": f"""SELECT {_PRIORITY}, {_SPAN.format("created_at", "first_response_at")}
        FROM app.tickets WHERE first_response_at IS NOT NULL""",
    "platform_ticket_resolution_seconds": f"""SELECT {_PRIORITY}, {_SPAN.format("created_at", "resolved_at")}
        FROM app.tickets WHERE resolved_at IS NOT NULL""",
    "platform_kb_search_duration_seconds": "SELECT duration_ms / 1000 FROM app.kb_searches",
}
"""Label values and one duration in seconds for each observation: the test sorts them into buckets by itself."""


def answer(dsn: str, query: str, now: datetime, window: Window | None = None) -> Figures:
    """What PostgreSQL says: value by label values."""
    parameters = {"now": now, "window": window and window.name, "start": window and window.start, "end": window and window.end}
    with psycopg.connect(dsn) as connection:
        rows = connection.execute(query.encode(), parameters).fetchall()
    return {tuple(map(str, row[:-1])): float(row[-1]) for row in rows}


def windowed(dsn: str, query: str, now: datetime, names: Sequence[str] = WINDOWS, looked: datetime | None = None) -> Figures:
    """The same for several windows; each names itself in the last label. `looked`: when open tickets were looked at last."""
    found: Figures = {}
    for name in names:
        found |= answer(dsn, query, looked or now, window(name, now))
    return found


def observations(dsn: str, query: str) -> dict[tuple[str, ...], list[float]]:
    """The durations (seconds) that a query of `DURATIONS` gives, by label values."""
    found: dict[tuple[str, ...], list[float]] = {}
    with psycopg.connect(dsn) as connection:
        for *labels, seconds in connection.execute(query.encode()):
            found.setdefault(tuple(map(str, labels)), []).append(float(seconds))
    return found

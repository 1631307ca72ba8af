"""Named queries for a person's own figures: the views `own_…` hold the rows of whom the transaction names, and nobody else's.

Whoever asks, these are the only ones that the login behind them may run.
"""

from __future__ import annotations

from api.catalogue.model import AS_IT_STANDS, Query, count, number, seconds, share, text, time, usd
from api.catalogue.single import STATUS, execution, session, session_executions
from contract.status import SUCCESS

_ENDED = "e.start_time BETWEEN %(since)s AND %(until)s AND e.duration_ms IS NOT NULL AND {chosen}"
_OF_RUN = {"environment": "e.environment", "agent": "e.agent_name"}

USAGE = Query(
    "own.usage",
    "Your conversations of the range",
    (
        count("conversations", "Conversations that you began"),
        count("goals_achieved", "Of these, with the goal achieved"),
    ),
    """
SELECT count(*) AS conversations, count(*) FILTER (WHERE c.goal_achieved) AS goals_achieved
FROM analytics.own_conversations c WHERE c.created_at BETWEEN %(since)s AND %(until)s AND {chosen}
""".strip(),
    "1",
    {"environment": "c.environment"},
)

TICKETS = Query(
    "own.tickets",
    "Your tickets of the range",
    (count("tickets", "Tickets that you opened"), count("open_tickets", "Of these, not resolved")),
    """
SELECT count(*) AS tickets, count(*) FILTER (WHERE t.resolved_at IS NULL AND t.closed_at IS NULL) AS open_tickets
FROM analytics.own_tickets t WHERE t.created_at BETWEEN %(since)s AND %(until)s AND {chosen}
""".strip(),
    "1",
)

AGENTS = Query(
    "own.agents",
    "Agents that you asked in the range",
    (
        text("agent", "Agent"),
        count("executions", "Your queries that ended"),
        share("success", "Of these, answered well"),
        seconds("p50", "Half took no longer"),
        seconds("p95", "95 % took no longer"),
        count("tokens", "Tokens"),
    ),
    f"""
SELECT e.agent_name AS agent, count(*) AS executions, avg(({STATUS} = '{SUCCESS}')::int)::float8 AS success,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY e.duration_ms / 1000)::float8 AS p50,
       percentile_cont(0.95) WITHIN GROUP (ORDER BY e.duration_ms / 1000)::float8 AS p95,
       coalesce(sum(e.tokens_used), 0)::bigint AS tokens
FROM analytics.own_agent_executions e WHERE {_ENDED} GROUP BY 1
""".strip(),
    "executions DESC, agent",
    _OF_RUN,
)

DAYS = Query(
    "own.days",
    "Your queries by day",
    (time("day", "Begin of the day (UTC)"), count("executions", "Queries that ended"), count("tokens", "Tokens")),
    f"""
SELECT date_trunc('day', e.start_time, 'UTC') AS day, count(*) AS executions, coalesce(sum(e.tokens_used), 0)::bigint AS tokens
FROM analytics.own_agent_executions e WHERE {_ENDED} GROUP BY 1
""".strip(),
    "day",
    _OF_RUN,
)

_CALLS = "l.started_at BETWEEN %(since)s AND %(until)s AND l.type = 'GENERATION' AND {chosen}"
_OF_CALL = {"environment": "l.environment", "agent": "l.agent", "model": "l.model"}

MODELS = Query(
    "own.models",
    "Models that worked for you in the range",
    (
        text("model", "Model"),
        count("calls", "Calls"),
        number("input_tokens", "Tokens read", "short"),
        number("output_tokens", "Tokens written", "short"),
        usd("cost_usd", "Cost"),
    ),
    f"""
SELECT l.model, count(*) AS calls, sum(l.input_tokens)::float8 AS input_tokens, sum(l.output_tokens)::float8 AS output_tokens,
       coalesce(sum(l.total_cost_usd), 0)::float8 AS cost_usd
FROM analytics.own_llm_calls l WHERE {_CALLS} GROUP BY 1
""".strip(),
    "cost_usd DESC, model",
    _OF_CALL,
)

COST_DAYS = Query(
    "own.cost_days",
    "What models cost for you, by day",
    (time("day", "Begin of the day (UTC)"), count("calls", "Calls"), usd("cost_usd", "Cost")),
    f"""
SELECT date_trunc('day', l.started_at, 'UTC') AS day, count(*) AS calls, coalesce(sum(l.total_cost_usd), 0)::float8 AS cost_usd
FROM analytics.own_llm_calls l WHERE {_CALLS} GROUP BY 1
""".strip(),
    "day",
    _OF_CALL,
)

SESSIONS = Query(
    "own.sessions",
    "Your sessions of the range, the newest first",
    (
        text("session_id", "Id of the session"),
        time("started", "Begin"),
        seconds("seconds", "How long it lasted; none while it goes on"),
        count("queries", "Queries"),
        count("failed", "Queries that failed"),
        count("tokens", "Tokens"),
    ),
    """
SELECT s.session_id::text AS session_id, s.start_time AS started, (s.duration_ms / 1000)::float8 AS seconds,
       s.total_queries::bigint AS queries, s.failed_queries::bigint AS failed, s.total_tokens_used::bigint AS tokens
FROM analytics.own_session_metrics s WHERE s.start_time BETWEEN %(since)s AND %(until)s AND {chosen}
""".strip(),
    "started DESC, session_id",
    {"environment": "s.environment"},
    AS_IT_STANDS,
)

EXECUTION = execution("own_agent_executions", "own.execution")
SESSION = session("own_session_metrics", "own.session")
SESSION_EXECUTIONS = session_executions("own_session_metrics", "own_agent_executions", "own.executions")

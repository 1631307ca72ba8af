"""The synthetic platform does what people ask of it by commands: it profiles an agent for as long as it was asked to.

It times all its requests in detail anyway, so profiling is to gather what they waited for while it ran.
"""

from __future__ import annotations

from typing import Any

import psycopg

_THERE = "SELECT to_regclass('analytics.profiling_sessions') IS NOT NULL"
_OVER = "scheduled_at + (params->>'seconds')::double precision * interval '1 second' <= now()"
_BEGIN = """
UPDATE analytics.profiling_sessions SET state = 'running', started_at = now()
WHERE state = 'scheduled' AND NOT {over}
"""
_END = """
UPDATE analytics.profiling_sessions p
SET state = CASE WHEN started_at IS NULL THEN 'cancelled' ELSE 'done' END,
    ended_at = CASE WHEN started_at IS NOT NULL THEN greatest(started_at, now()) END,
    result = (
        SELECT jsonb_build_object('requests', max(requests), 'seconds_by_phase', jsonb_object_agg(phase, seconds))
        FROM (
            SELECT s.phase, count(DISTINCT t.trace_id) AS requests, round(sum(s.duration_ms)::numeric / 1000, 3) AS seconds
            FROM app.traces t JOIN app.agents a ON a.id = t.agent_id JOIN app.trace_spans s ON s.trace_id = t.trace_id
            WHERE a.name = p.scope AND t.environment = p.params->>'environment' AND t.started_at >= p.started_at
              AND s.kind = 'phase' AND s.phase IS NOT NULL  -- the root of a trace has none
            GROUP BY s.phase
        ) AS phases
    )
WHERE state IN ('scheduled', 'running') AND {over}
"""


def act(connection: psycopg.Connection[Any]) -> None:
    """Takes up what was asked, and ends what is over. A database without schema `analytics` asks nothing."""
    row = connection.execute(_THERE).fetchone()
    if row and row[0]:
        connection.execute(_BEGIN.replace("{over}", _OVER).encode())
        connection.execute(_END.replace("{over}", _OVER).encode())

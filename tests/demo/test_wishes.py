"""The synthetic platform profiles an agent when it is asked to, and says what took the time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from demo.database import wishes

TRACES = """
INSERT INTO app.agents (id, name, type, environment, is_active) VALUES
    (1, 'billing', 'x', 'production', true), (2, 'other', 'x', 'production', true);
INSERT INTO app.traces (trace_id, agent_id, environment, started_at, status) VALUES
    ('old', 1, 'production', now() - interval '2 hours', 'success'), ('one', 1, 'production', now(), 'success'),
    ('two', 1, 'production', now(), 'success'), ('elsewhere', 1, 'staging', now(), 'success'),
    ('others', 2, 'production', now(), 'success');
INSERT INTO app.trace_spans (trace_id, span_id, parent_span_id, name, kind, phase, started_at, duration_ms, status)
SELECT trace_id, span_id, parent, name, kind, phase, now(), milliseconds, 'success'
FROM app.traces, (VALUES ('0', NULL, 'billing', 'phase', NULL, 2000), ('1', '0', 'llm', 'phase', 'llm', 1500),
                         ('2', '1', 'openai', 'dependency', 'llm', 1400), ('3', '0', 'tool', 'phase', 'tool', 250))
     AS s (span_id, parent, name, kind, phase, milliseconds);
"""
ASK = """
INSERT INTO analytics.profiling_sessions (scope, params, scheduled_at)
VALUES ('billing', '{"environment": "production", "seconds": 3600}', now())
"""


@pytest.fixture
def platform(installed_database: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(installed_database, autocommit=True) as connection:
        connection.execute(TRACES.encode())
        yield connection


def sessions(connection: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
    asked = "SELECT state, started_at IS NOT NULL, ended_at IS NOT NULL, result FROM analytics.profiling_sessions"
    return connection.execute(asked).fetchall()


def passes(connection: psycopg.Connection[Any], hours: float) -> None:
    connection.execute(
        "UPDATE analytics.profiling_sessions SET scheduled_at = scheduled_at - %s * interval '1 hour', "
        "started_at = started_at - %s * interval '1 hour'",
        (hours, hours),
    )


def test_taken_up_and_ended_with_what_was_found(platform: psycopg.Connection[Any]) -> None:
    platform.execute(ASK.encode())
    wishes.act(platform)
    assert sessions(platform) == [("running", True, False, None)]
    passes(platform, 0.5)
    wishes.act(platform)
    assert sessions(platform) == [("running", True, False, None)]
    passes(platform, 0.6)
    wishes.act(platform)
    found = {"requests": 2, "seconds_by_phase": {"llm": 3.0, "tool": 0.5}}
    assert sessions(platform) == [("done", True, True, found)]


def test_nobody_looked_in_time(platform: psycopg.Connection[Any]) -> None:
    platform.execute(ASK.encode())
    passes(platform, 2)
    wishes.act(platform)
    [(state, started, ended, _)] = sessions(platform)
    assert (state, started, ended) == ("cancelled", False, False)


def test_without_the_schema_nothing_is_asked(platform_database: str) -> None:
    with psycopg.connect(platform_database, autocommit=True) as connection:
        wishes.act(connection)

"""What the exporter's PostgreSQL collector would have said at any time of the past, read from the platform's tables once.

Counted differently from the collector: it asks for windows at one moment, this follows every change. A test holds them
against each other. The life of tickets and documents comes from when they changed, so the past is told as it was.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import psycopg

from contract.definitions import DOCUMENT_STATUSES, TICKET_STATUSES
from contract.labels import LABELS, PRIORITIES
from demo.history.steps import Changes, Key, Steps, read
from demo.platform.registry import Number

DAY = 86400.0
WINDOWS = {"24h": DAY, "7d": 7 * DAY, "30d": 30 * DAY}
BEFORE = ("7d", "30d")
"""Windows whose predecessor is told too."""
_FETCH = 20_000


def series(dsn: str, times: Sequence[float], environments: Sequence[str]) -> Iterator[tuple[Key, Sequence[Number]]]:
    """Every series with its values at `times` (rising). Raises psycopg.Error when the tables cannot be read."""
    steps = Steps()
    with psycopg.connect(dsn) as connection:
        agents = [name for (name,) in connection.execute("SELECT DISTINCT name FROM app.agents ORDER BY name")]
        _users(steps, connection, times[-1])
        _conversations(steps, connection, times[-1], agents, environments)
        _tickets(steps, connection)
        _documents(steps, connection)
        active = _active(connection, times[0], times[-1])
    yield from steps.read(times)
    for window, changes in active.items():
        yield ("platform_users_active", (window,)), read(changes, times)
    for window in BEFORE:
        earlier = [at - WINDOWS[window] for at in times]
        yield ("platform_users_active_before", (window,)), read(active[window], earlier)


Connection = psycopg.Connection[Any]


def _rows(connection: Connection, sql: str, parameters: dict[str, object] | None = None) -> Iterator[tuple[Any, ...]]:
    """The rows of a query, a part at a time. Times are selected as seconds since the epoch."""
    with connection.cursor(name="history") as cursor:
        cursor.itersize = _FETCH
        yield from cursor.execute(sql.encode(), parameters)


def _users(steps: Steps, connection: Connection, until: float) -> None:
    sql = "SELECT role, extract(epoch FROM created_at)::float8 FROM app.users WHERE created_at <= to_timestamp(%(until)s)"
    for role, created in _rows(connection, sql, {"until": until}):
        steps.change("platform_users", role, at=created)
        for window, seconds in WINDOWS.items():
            steps.pass_through("platform_users_new", window, at=created, window=seconds)


def _conversations(
    steps: Steps, connection: Connection, until: float, agents: Sequence[str], environments: Sequence[str]
) -> None:
    steps.expect("platform_conversations", product(environments))
    steps.expect("platform_window_conversations", product(environments, WINDOWS))
    steps.expect("platform_conversations_started_total", product(agents, environments))
    steps.expect("platform_conversations_ended_total", product(agents, environments, LABELS["goal"].values))
    sql = """
        SELECT agents.name, conversations.environment,
               extract(epoch FROM created_at)::float8, extract(epoch FROM ended_at)::float8,
               CASE WHEN goal_achieved THEN 'achieved' WHEN NOT goal_achieved THEN 'missed' ELSE 'unknown' END
        FROM app.conversations JOIN app.agents ON agents.id = conversations.agent_id
        WHERE created_at <= to_timestamp(%(until)s)
    """
    for agent, environment, created, ended, goal in _rows(connection, sql, {"until": until}):
        steps.change("platform_conversations", environment, at=created)
        steps.change("platform_conversations_started_total", agent, environment, at=created)
        for window, seconds in WINDOWS.items():
            steps.pass_through("platform_window_conversations", environment, window, at=created, window=seconds)
        if ended is not None:
            steps.change("platform_conversations_ended_total", agent, environment, goal, at=ended)


def _tickets(steps: Steps, connection: Connection) -> None:
    steps.expect("platform_tickets", product(TICKET_STATUSES, PRIORITIES))
    sql = """
        SELECT priority, extract(epoch FROM at)::float8, from_status, to_status
        FROM app.ticket_events JOIN app.tickets ON tickets.id = ticket_events.ticket_id
    """
    for priority, at, before, after in _rows(connection, sql):
        if before is not None:
            steps.change("platform_tickets", before, priority, at=at, by=-1)
        steps.change("platform_tickets", after, priority, at=at)


def _documents(steps: Steps, connection: Connection) -> None:
    steps.expect("platform_documents", product(DOCUMENT_STATUSES))
    sql = "SELECT status, extract(epoch FROM created_at)::float8, extract(epoch FROM updated_at)::float8 FROM app.documents"
    for status, created, updated in _rows(connection, sql):
        steps.change("platform_documents", "processing", at=created)
        if status != "processing":
            steps.change("platform_documents", "processing", at=updated, by=-1)
            steps.change("platform_documents", status, at=updated)


def _active(connection: Connection, since: float, until: float) -> dict[str, Changes]:
    """Changes of the number of distinct active users, by window: a user is active for a window after each own message."""
    sql = """
        SELECT user_id, extract(epoch FROM created_at)::float8 FROM app.messages
        WHERE role = 'user' AND user_id IS NOT NULL
          AND created_at > to_timestamp(%(since)s) AND created_at <= to_timestamp(%(until)s)
        ORDER BY created_at
    """
    latest: dict[str, dict[int, float]] = {window: {} for window in WINDOWS}
    changes: dict[str, Changes] = {window: [] for window in WINDOWS}
    for user, at in _rows(connection, sql, {"since": since - 2 * max(WINDOWS.values()), "until": until}):
        for window, seconds in WINDOWS.items():
            ends = latest[window].get(user, float("-inf")) + seconds
            if ends <= at:
                changes[window] += ((ends, -1), (at, 1)) if ends > float("-inf") else ((at, 1),)
            latest[window][user] = at
    for window, seconds in WINDOWS.items():
        changes[window] += ((at + seconds, -1) for at in latest[window].values())
    return changes

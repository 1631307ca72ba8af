"""What stood in the platform's tables at any time of the past, and who was active then: roll-ups tell only what happened.

Counted differently from the exporter: it asks at one moment, this follows every change. A test holds them against each other.
The life of tickets and documents comes from when they changed, so the past is told as it was.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from math import inf
from typing import Any

import psycopg

from contract.definitions import DOCUMENT_STATUSES, TICKET_OPEN_STATUSES, TICKET_STATUSES
from contract.labels import PRIORITIES
from demo.history.active import COMPARED, changes
from demo.history.steps import Key, Steps, read
from demo.platform.registry import Number
from exporters.business.open_tickets import SOON

_FETCH = 20_000
_AT_RISK, _OVERDUE = "platform_tickets_sla_at_risk", "platform_tickets_overdue"


def series(dsn: str, times: Sequence[float], environments: Sequence[str]) -> Iterator[tuple[Key, Sequence[Number]]]:
    """Every series with its values at `times` (rising). Raises psycopg.Error when the tables cannot be read."""
    steps = Steps()
    with psycopg.connect(dsn) as connection:
        _users(steps, connection, times[-1])
        _conversations(steps, connection, times[-1], environments)
        _tickets(steps, connection)
        _deadlines(steps, connection)
        _documents(steps, connection)
        active = changes(connection, times[0], times[-1])
    yield from steps.read(times)
    for window, changed in active.items():
        yield ("platform_users_active", (window,)), read(changed, times)
    for window, seconds in COMPARED.items():
        yield ("platform_users_active_before", (window,)), read(active[window], [at - seconds for at in times])


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


def _conversations(steps: Steps, connection: Connection, until: float, environments: Sequence[str]) -> None:
    steps.expect("platform_conversations", product(environments))
    sql = """
        SELECT environment, extract(epoch FROM created_at)::float8 FROM app.conversations
        WHERE created_at <= to_timestamp(%(until)s)
    """
    for environment, created in _rows(connection, sql, {"until": until}):
        steps.change("platform_conversations", environment, at=created)


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


def _deadlines(steps: Steps, connection: Connection) -> None:
    """A first response is owed until it is given, a resolution for as long as the ticket is open."""
    for name in (_AT_RISK, _OVERDUE):
        steps.expect(name, product(("first_response", "resolution"), PRIORITIES))
    sql = """
        SELECT 'first_response', priority, extract(epoch FROM sla_first_response_due_at)::float8,
               extract(epoch FROM created_at)::float8, extract(epoch FROM first_response_at)::float8
        FROM app.tickets WHERE sla_first_response_due_at IS NOT NULL
        UNION ALL
        SELECT 'resolution', priority, extract(epoch FROM sla_resolution_due_at)::float8,
               extract(epoch FROM since)::float8, extract(epoch FROM until)::float8
        FROM app.tickets JOIN (
            SELECT ticket_id, to_status, at AS since, lead(at) OVER (PARTITION BY ticket_id ORDER BY at) AS until
            FROM app.ticket_events
        ) AS stood ON stood.ticket_id = tickets.id
        WHERE sla_resolution_due_at IS NOT NULL AND to_status = ANY (%(open)s)
    """
    for kind, priority, due, since, until in _rows(connection, sql, {"open": list(TICKET_OPEN_STATUSES)}):
        for name, begin, end in ((_AT_RISK, due - SOON.total_seconds(), due), (_OVERDUE, due, inf)):
            first, last = max(since, begin), min(inf if until is None else until, end)
            if first < last:
                steps.change(name, kind, priority, at=first)
                steps.change(name, kind, priority, at=last, by=-1)


def _documents(steps: Steps, connection: Connection) -> None:
    steps.expect("platform_documents", product(DOCUMENT_STATUSES))
    sql = "SELECT status, extract(epoch FROM created_at)::float8, extract(epoch FROM updated_at)::float8 FROM app.documents"
    for status, created, updated in _rows(connection, sql):
        steps.change("platform_documents", "processing", at=created)
        if status != "processing":
            steps.change("platform_documents", "processing", at=updated, by=-1)
            steps.change("platform_documents", status, at=updated)

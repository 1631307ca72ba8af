"""What the exporter asks PostgreSQL. Each query gives the samples of a few metrics of one concern.

The time comes as the parameter `now`; a window is `(now - length, now]` on an indexed column. Two queries count a whole table
(`conversations_started`, `conversations_ended`): their cost grows with it, about 0.2 µs a row. Counters that are counted anew
also fall when rows are deleted, which Prometheus reads as a reset. What a row says about itself (the status of a ticket, for
instance) is what it says today, whatever `now` is.
"""

# ruff: noqa: S608 -- every text that is put into SQL here is a constant of the contract or of this module

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from contract.definitions import (
    DOCUMENT_STATUSES,
    NPS_DETRACTOR_TO,
    NPS_PROMOTER_FROM,
    TICKET_OPEN_STATUSES,
    TICKET_STATUSES,
)
from contract.labels import LABELS, PRIORITIES
from exporters.snapshot import Sample, sample

Rows = Sequence[tuple[Any, ...]]

INTERVALS = {"24h": "24 hours", "7d": "7 days", "30d": "30 days"}
"""SQL intervals of the windows that are counted here."""

ASKER = "user"
"""The role of a message that a user wrote."""

HANDED_OVER = "handoff"
"""The outcome of a conversation that a person took over."""


@dataclass(frozen=True)
class Expected:
    """Names that are known to exist, and therefore start at zero."""

    agents: tuple[str, ...]
    environments: tuple[str, ...]


@dataclass(frozen=True)
class Query:
    """One question. `samples` turns its rows into samples."""

    name: str
    sql: str
    samples: Callable[[Rows, Expected], Iterable[Sample]]


def _since(column: str, window: str) -> str:
    """Condition: `column` lies in the window that ends now."""
    return f"{column} > %(now)s - interval '{INTERVALS[window]}' AND {column} <= %(now)s"


def _words(values: Iterable[str]) -> str:
    return ", ".join(f"'{value}'" for value in values)


def _with_zeros(
    name: str, expected: Iterable[tuple[str, ...]], found: Iterable[tuple[tuple[str, ...], float]]
) -> Iterator[Sample]:
    """One sample for each label set that was found or is expected."""
    for labels, value in {**dict.fromkeys(expected, 0.0), **dict(found)}.items():
        yield sample(name, *labels, value=value)


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


AGENT_NAMES = "SELECT DISTINCT name FROM app.agents ORDER BY name"


def _users(rows: Rows, _: Expected) -> Iterator[Sample]:
    for role, count, *_new in rows:
        yield sample("platform_users", role, value=count)
    for position, window in enumerate(INTERVALS, start=2):
        yield sample("platform_users_new", window, value=sum(row[position] for row in rows))


USERS = Query(
    "users",
    f"""
    SELECT role, count(*), {", ".join(f"count(*) FILTER (WHERE {_since('created_at', window)})" for window in INTERVALS)}
    FROM app.users WHERE created_at <= %(now)s GROUP BY role
    """,
    _users,
)


def _users_active(rows: Rows, _: Expected) -> Iterator[Sample]:
    day, week, month, week_before, month_before = rows[0]
    for window, count in (("24h", day), ("7d", week), ("30d", month)):
        yield sample("platform_users_active", window, value=count)
    for window, count in (("7d", week_before), ("30d", month_before)):
        yield sample("platform_users_active_before", window, value=count)


USERS_ACTIVE = Query(
    "users_active",
    f"""
    SELECT count(*) FILTER (WHERE latest > %(now)s - interval '24 hours'),
           count(*) FILTER (WHERE latest > %(now)s - interval '7 days'),
           count(*) FILTER (WHERE latest > %(now)s - interval '30 days'),
           count(*) FILTER (WHERE week_before), count(*) FILTER (WHERE month_before)
    FROM (
        SELECT user_id, max(created_at) AS latest,
               bool_or(created_at > %(now)s - interval '14 days' AND created_at <= %(now)s - interval '7 days') AS week_before,
               min(created_at) <= %(now)s - interval '30 days' AS month_before
        FROM app.messages
        WHERE role = '{ASKER}' AND user_id IS NOT NULL
          AND created_at > %(now)s - interval '60 days' AND created_at <= %(now)s
        GROUP BY user_id
    ) AS users
    """,
    _users_active,
)


def _conversations_started(rows: Rows, expected: Expected) -> Iterator[Sample]:
    yield from _with_zeros(
        "platform_conversations_started_total",
        product(expected.agents, expected.environments),
        (((agent, environment), count) for agent, environment, count in rows),
    )
    totals: Counter[tuple[str, ...]] = Counter()
    for _agent, environment, count in rows:
        totals[environment,] += count
    yield from _with_zeros("platform_conversations", product(expected.environments), totals.items())


CONVERSATIONS_STARTED = Query(
    "conversations_started",
    """
    SELECT agents.name, counted.environment, sum(counted.rows)::bigint
    FROM (
        SELECT agent_id, environment, count(*) AS rows
        FROM app.conversations WHERE created_at <= %(now)s GROUP BY agent_id, environment
    ) AS counted JOIN app.agents ON agents.id = counted.agent_id
    GROUP BY agents.name, counted.environment
    """,
    _conversations_started,
)


def _conversations_ended(rows: Rows, expected: Expected) -> Iterator[Sample]:
    return _with_zeros(
        "platform_conversations_ended_total",
        product(expected.agents, expected.environments, LABELS["goal"].values),
        (((agent, environment, goal), count) for agent, environment, goal, count in rows),
    )


CONVERSATIONS_ENDED = Query(
    "conversations_ended",
    """
    SELECT agents.name, counted.environment, counted.goal, sum(counted.rows)::bigint
    FROM (
        SELECT agent_id, environment, count(*) AS rows,
               CASE WHEN goal_achieved THEN 'achieved' WHEN NOT goal_achieved THEN 'missed' ELSE 'unknown' END AS goal
        FROM app.conversations WHERE ended_at <= %(now)s GROUP BY agent_id, environment, goal
    ) AS counted JOIN app.agents ON agents.id = counted.agent_id
    GROUP BY agents.name, counted.environment, counted.goal
    """,
    _conversations_ended,
)


def _conversations_recent(rows: Rows, expected: Expected) -> Iterator[Sample]:
    found = (((row[0], window), count) for row in rows for window, count in zip(INTERVALS, row[1:], strict=True))
    return _with_zeros("platform_window_conversations", product(expected.environments, INTERVALS), found)


CONVERSATIONS_RECENT = Query(
    "conversations_recent",
    f"""
    SELECT environment, {", ".join(f"count(*) FILTER (WHERE {_since('created_at', window)})" for window in INTERVALS)}
    FROM app.conversations WHERE {_since("created_at", "30d")} GROUP BY environment
    """,
    _conversations_recent,
)


def _outcomes(rows: Rows, _: Expected) -> Iterator[Sample]:
    for agent, environment, *counts in rows:
        for window, (achieved, known, handed_over, ended) in (("24h", counts[:4]), ("7d", counts[4:])):
            if (success := _ratio(achieved, known)) is not None:
                yield sample("platform_goal_success_ratio", agent, environment, window, value=success)
            if (handoffs := _ratio(handed_over, ended)) is not None:
                yield sample("platform_handoff_ratio", agent, environment, window, value=handoffs)


def _outcome_counts(window: str) -> str:
    recent = _since("ended_at", window)
    return f"""
           count(*) FILTER (WHERE {recent} AND goal_achieved), count(*) FILTER (WHERE {recent} AND goal_achieved IS NOT NULL),
           count(*) FILTER (WHERE {recent} AND outcome = '{HANDED_OVER}'), count(*) FILTER (WHERE {recent})"""


OUTCOMES = Query(
    "outcomes",
    f"""
    SELECT agents.name, conversations.environment, {_outcome_counts("24h")}, {_outcome_counts("7d")}
    FROM app.conversations JOIN app.agents ON agents.id = conversations.agent_id
    WHERE {_since("ended_at", "7d")} GROUP BY agents.name, conversations.environment
    """,
    _outcomes,
)


def _tickets(rows: Rows, _: Expected) -> Iterator[Sample]:
    found = (((status, priority), count) for status, priority, count in rows)
    return _with_zeros("platform_tickets", product(TICKET_STATUSES, PRIORITIES), found)


TICKETS = Query(
    "tickets",
    "SELECT status, priority, count(*) FROM app.tickets WHERE created_at <= %(now)s GROUP BY status, priority",
    _tickets,
)


def _tickets_open(rows: Rows, _: Expected) -> Iterator[Sample]:
    unassigned = (((priority,), count) for priority, count, _oldest in rows)
    yield from _with_zeros("platform_tickets_unassigned", product(PRIORITIES), unassigned)
    for priority, _count, age in rows:
        yield sample("platform_ticket_oldest_open_age_seconds", priority, value=age)


TICKETS_OPEN = Query(
    "tickets_open",
    f"""
    SELECT priority, count(*) FILTER (WHERE assignee_id IS NULL), extract(epoch FROM %(now)s - min(created_at))::float8
    FROM app.tickets WHERE status IN ({_words(TICKET_OPEN_STATUSES)}) AND created_at <= %(now)s GROUP BY priority
    """,
    _tickets_open,
)


def _documents(rows: Rows, _: Expected) -> Iterator[Sample]:
    return _with_zeros("platform_documents", product(DOCUMENT_STATUSES), (((status,), count) for status, count in rows))


DOCUMENTS = Query(
    "documents",
    "SELECT status, count(*) FROM app.documents WHERE created_at <= %(now)s GROUP BY status",
    _documents,
)


def _ratings(rows: Rows, _: Expected) -> Iterator[Sample]:
    for environment, average in rows:
        yield sample("platform_feedback_rating_average", environment, "30d", value=average)


RATINGS = Query(
    "ratings",
    f"""
    SELECT coalesce(conversations.environment, 'unknown') AS environment, avg(rating)::float8
    FROM app.feedback LEFT JOIN app.conversations ON conversations.id = feedback.conversation_id
    WHERE {_since("feedback.created_at", "30d")} AND rating IS NOT NULL GROUP BY 1
    """,
    _ratings,
)


def _nps(rows: Rows, _: Expected) -> Iterator[Sample]:
    promoters, detractors, answers = rows[0]
    yield sample("platform_window_nps_answers", "30d", value=answers)
    if answers:
        yield sample("platform_nps_points", "30d", value=100 * (promoters - detractors) / answers)


NPS = Query(
    "nps",
    f"""
    SELECT count(*) FILTER (WHERE nps >= {NPS_PROMOTER_FROM}), count(*) FILTER (WHERE nps <= {NPS_DETRACTOR_TO}), count(nps)
    FROM app.feedback WHERE {_since("created_at", "30d")}
    """,
    _nps,
)

QUERIES = (
    USERS, USERS_ACTIVE, CONVERSATIONS_STARTED, CONVERSATIONS_ENDED, CONVERSATIONS_RECENT, OUTCOMES,
    TICKETS, TICKETS_OPEN, DOCUMENTS, RATINGS, NPS,
)  # fmt: skip
"""Asked in this order, once an interval."""

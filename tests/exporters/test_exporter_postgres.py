"""Every figure from a small database whose answers were worked out by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from contract.settings import Settings
from exporters.postgres import PostgresCollector
from exporters.snapshot import Snapshot

NOW = datetime(2026, 3, 15, 12, 0, tzinfo=UTC)


def ago(**length: float) -> datetime:
    return NOW - timedelta(**length)


USERS = [  # id, created, role
    (1, ago(days=100), "customer"),
    (2, ago(days=20), "customer"),
    (3, ago(days=7), "customer"),  # on the bound of 7 d: outside
    (4, ago(hours=24) + timedelta(microseconds=1), "customer"),  # just inside 24 h
    (5, ago(days=40), "staff"),
    (6, NOW, "staff"),  # on the upper bound: inside
    (7, ago(hours=-1), "customer"),  # later than now: not there yet
]
MESSAGES = [  # user, at, role; active in 24h: 1, 7d: 1 2, 30d: 1 2 3; before 7d: 2 3, before 30d: 1 4
    (1, ago(hours=1), "user"),
    (1, ago(days=40), "user"),
    (2, ago(days=3), "user"),
    (2, ago(days=10), "user"),
    (3, ago(days=7), "user"),
    (4, ago(days=30), "user"),
    (5, ago(days=1), "assistant"),  # not an own message
    (None, ago(days=1), "user"),
    (6, ago(hours=-2), "user"),  # later
    (6, ago(days=60), "user"),  # before everything
]
CONVERSATIONS = [  # id, agent, environment, started, ended, goal, outcome
    (1, 1, "production", ago(hours=2), ago(hours=1), True, "resolved"),
    (2, 1, "production", ago(hours=5), ago(hours=4), False, "handoff"),
    (3, 1, "production", ago(days=3), ago(days=3), True, "resolved"),
    (4, 1, "production", ago(days=6), ago(days=6), None, "abandoned"),
    (5, 1, "staging", ago(days=20), ago(days=20), True, "resolved"),
    (6, 2, "production", ago(days=50), ago(days=50), False, "failed"),
    (7, 2, "production", ago(minutes=5), None, None, None),  # still going on
    (8, 2, "production", ago(minutes=5), ago(minutes=-5), True, "resolved"),  # ends later
    (9, 2, "production", ago(minutes=-5), ago(minutes=-1), True, "resolved"),  # starts later
]
TICKETS = [  # status, priority, assignee, created
    ("open", "high", None, ago(hours=3)),
    ("in_progress", "high", 9, ago(hours=10)),
    ("waiting", "low", None, ago(days=2)),
    ("resolved", "urgent", None, ago(days=9)),
    ("closed", "low", 9, ago(days=30)),
    ("open", "urgent", None, ago(hours=-1)),  # later
]
FEEDBACK = [  # conversation, rating, nps, at
    (1, 5, 10, ago(days=1)),
    (2, 2, 6, ago(days=2)),
    (5, 4, 9, ago(days=3)),
    (None, 1, 8, ago(days=4)),
    (3, None, 0, ago(days=31)),  # too old
    (3, 1, 0, ago(hours=-1)),  # later
    (3, None, 9, ago(days=29)),
]


@pytest.fixture
def filled(platform_database: str) -> str:
    with psycopg.connect(platform_database) as connection, connection.cursor() as cursor:
        for number, name in ((1, "billing"), (2, "travel"), (3, "idle")):
            cursor.execute(
                "INSERT INTO app.agents (id, name, type, environment, is_active) VALUES (%s, %s, 'chat', 'production', true)",
                (number, name),
            )
        cursor.executemany("INSERT INTO app.users (id, created_at, role, status) VALUES (%s, %s, %s, 'active')", USERS)
        cursor.executemany(
            "INSERT INTO app.conversations (id, user_id, agent_id, environment, created_at, ended_at, goal_achieved, outcome, "
            "status) VALUES (%s, 1, %s, %s, %s, %s, %s, %s, 'ended')",
            CONVERSATIONS,
        )
        cursor.executemany(
            "INSERT INTO app.messages (id, conversation_id, user_id, created_at, role) VALUES (%s, 1, %s, %s, %s)",
            [(number, *row) for number, row in enumerate(MESSAGES)],
        )
        cursor.executemany(
            "INSERT INTO app.tickets (id, user_id, status, priority, assignee_id, created_at, updated_at, reopened_count) "
            "VALUES (%s, 1, %s, %s, %s, %s, now(), 0)",
            [(number, *row) for number, row in enumerate(TICKETS)],
        )
        cursor.executemany(
            "INSERT INTO app.documents (id, status, created_at, file_name, file_type, size_bytes, updated_at) "
            "VALUES (%s, %s, %s, 'a.pdf', 'pdf', 1, now())",
            [(1, "done", ago(days=1)), (2, "done", ago(days=2)), (3, "failed", ago(days=3)), (4, "done", ago(days=-1))],
        )
        cursor.executemany(
            "INSERT INTO app.feedback (id, conversation_id, rating, nps, created_at) VALUES (%s, %s, %s, %s, %s)",
            [(number, *row) for number, row in enumerate(FEEDBACK)],
        )
    return platform_database


Figures = dict[tuple[str, ...], float]


def gather(dsn: str, at: datetime = NOW) -> Figures:
    collector = PostgresCollector(Settings(environments=("production", "staging")), lambda: dsn)
    try:
        collector.collect(at.timestamp())
    finally:
        collector.close()
    assert collector.snapshot is not None
    return figures(collector.snapshot, at)


def figures(snapshot: Snapshot, at: datetime) -> Figures:
    return {(item.metric.name, *item.labels): item.value for item in snapshot.samples(at.timestamp(), 900)}


def of(found: Figures, name: str) -> dict[tuple[str, ...], float]:
    return {labels: value for (metric, *labels_), value in found.items() if metric == name for labels in [tuple(labels_)]}


def test_users(filled: str) -> None:
    found = gather(filled)
    assert of(found, "platform_users") == {("customer",): 4, ("staff",): 2}
    assert of(found, "platform_users_new") == {("24h",): 2, ("7d",): 2, ("30d",): 4}
    assert of(found, "platform_users_active") == {("24h",): 1, ("7d",): 2, ("30d",): 3}
    assert of(found, "platform_users_active_before") == {("7d",): 2, ("30d",): 2}


def test_conversations(filled: str) -> None:
    found = gather(filled)
    assert of(found, "platform_conversations") == {("production",): 7, ("staging",): 1}
    assert of(found, "platform_window_conversations") == {
        ("production", "24h"): 4, ("production", "7d"): 6, ("production", "30d"): 6,
        ("staging", "24h"): 0, ("staging", "7d"): 0, ("staging", "30d"): 1,
    }  # fmt: skip
    assert of(found, "platform_conversations_started_total") == {
        ("billing", "production"): 4, ("billing", "staging"): 1,
        ("travel", "production"): 3, ("travel", "staging"): 0,
        ("idle", "production"): 0, ("idle", "staging"): 0,
    }  # fmt: skip
    ended = of(found, "platform_conversations_ended_total")
    assert {labels: value for labels, value in ended.items() if value} == {
        ("billing", "production", "achieved"): 2,
        ("billing", "production", "missed"): 1,
        ("billing", "production", "unknown"): 1,
        ("billing", "staging", "achieved"): 1,
        ("travel", "production", "missed"): 1,
    }
    assert len(ended) == 3 * 2 * 3, "agents x environments x goals start at zero"


def test_outcomes_have_no_value_without_a_whole(filled: str) -> None:
    found = gather(filled)
    assert of(found, "platform_goal_success_ratio") == {
        ("billing", "production", "24h"): 1 / 2,
        ("billing", "production", "7d"): 2 / 3,
    }
    assert of(found, "platform_handoff_ratio") == {
        ("billing", "production", "24h"): 1 / 2,
        ("billing", "production", "7d"): 1 / 4,
    }


def test_tickets_and_documents(filled: str) -> None:
    found = gather(filled)
    tickets = of(found, "platform_tickets")
    assert {labels: value for labels, value in tickets.items() if value} == {
        ("open", "high"): 1,
        ("in_progress", "high"): 1,
        ("waiting", "low"): 1,
        ("resolved", "urgent"): 1,
        ("closed", "low"): 1,
    }
    assert len(tickets) == 5 * 4, "statuses x priorities start at zero"
    assert of(found, "platform_tickets_unassigned") == {("low",): 1, ("normal",): 0, ("high",): 1, ("urgent",): 0}
    assert of(found, "platform_ticket_oldest_open_age_seconds") == {("high",): 36000, ("low",): 172800}
    assert of(found, "platform_documents") == {("done",): 2, ("processing",): 0, ("failed",): 1}


def test_feedback(filled: str) -> None:
    found = gather(filled)
    assert of(found, "platform_feedback_rating_average") == {
        ("production", "30d"): 3.5,
        ("staging", "30d"): 4.0,
        ("unknown", "30d"): 1.0,
    }
    assert of(found, "platform_window_nps_answers") == {("30d",): 5}
    assert of(found, "platform_nps_points") == {("30d",): pytest.approx(100 * (3 - 1) / 5)}


def test_the_same_database_as_of_another_time(filled: str) -> None:
    earlier = gather(filled, ago(days=10))
    assert of(earlier, "platform_users") == {("customer",): 2, ("staff",): 1}
    assert of(earlier, "platform_conversations") == {("production",): 1, ("staging",): 1}
    assert of(earlier, "platform_window_nps_answers") == {("30d",): 2}
    later = gather(filled, ago(days=-1))
    assert of(later, "platform_conversations_ended_total")["travel", "production", "achieved"] == 2
    assert of(later, "platform_conversations")["production",] == 8


def test_an_empty_platform_has_zeros_and_no_made_up_ratios(platform_database: str) -> None:
    found = gather(platform_database)
    assert of(found, "platform_users") == {}
    assert of(found, "platform_users_new") == {("24h",): 0, ("7d",): 0, ("30d",): 0}
    assert of(found, "platform_users_active")["30d",] == 0
    assert of(found, "platform_conversations") == {("production",): 0, ("staging",): 0}
    assert of(found, "platform_window_nps_answers") == {("30d",): 0}
    assert of(found, "platform_nps_points") == of(found, "platform_goal_success_ratio") == {}
    assert set(of(found, "exporter_query_success").values()) == {1.0}
    assert found["exporter_source_up", "postgres"] == 1
    assert found["exporter_source_data_timestamp_seconds", "postgres"] == NOW.timestamp()

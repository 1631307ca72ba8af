"""Users who were active in a window, by when they were last seen; and things that count once."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from contract.data_plane import Retention
from exporters.rollups import retention
from exporters.rollups.active_users import note
from exporters.rollups.state import lock
from tests.rollups.counted import NOON, Counted

MINUTE = NOON.replace(second=0)
AGES = (5, 70, 1500, 3000, 9000, 50_000)
"""Minutes before noon at which somebody wrote; users 0 to 3 take turns, so that some wrote in several windows."""


@pytest.fixture(autouse=True)
def _installed(counted: Counted) -> None:
    counted.install()
    for number in range(4):
        counted.insert("users", {"id": number, "created_at": NOON - timedelta(days=40), "role": "customer", "status": "active"})


def _write(counted: Counted, key: int, user: int, at: datetime, role: str = "user") -> None:
    counted.insert("messages", {"id": key, "conversation_id": 1, "user_id": user, "role": role, "created_at": at, "tokens": 5})


def _active(counted: Counted, tier: str, since: datetime) -> int:
    return counted.one(
        f"SELECT coalesce(sum(n), 0)::int FROM analytics.{tier} WHERE fact = 'users_last_seen' AND bucket >= '{since}'"
    )


def _asked(counted: Counted, since: datetime, until: datetime) -> int:
    return counted.one(
        "SELECT count(DISTINCT user_id) FROM app.messages WHERE role = 'user'"
        f" AND created_at >= '{since}' AND created_at < '{until}'"
    )


@pytest.mark.parametrize("order", [1, -1], ids=["oldest first", "newest first"])
def test_active_users_equal_a_count_of_distinct_users(counted: Counted, order: int) -> None:
    for number, age in list(enumerate(AGES))[::order]:
        _write(counted, number, number % 4, NOON - timedelta(minutes=age))
        _write(counted, 100 + number, 3, NOON - timedelta(minutes=age), "assistant")
        counted.advance()
    counted.fold()
    for tier, lengths in (("minutes", (60, 1440)), ("hours", (7 * 1440, 30 * 1440))):
        for length in lengths:
            since = MINUTE - timedelta(minutes=length)
            assert _active(counted, tier, since) == _asked(counted, since, NOON + timedelta(days=1)), (tier, length)
    assert counted.one("SELECT n FROM analytics.counters WHERE fact = 'users_last_seen'") == 4


def test_a_message_from_the_future_hides_nobody(counted: Counted) -> None:
    now = counted.one("SELECT date_trunc('minute', now())")
    _write(counted, 1, 1, now + timedelta(days=400))
    _write(counted, 2, 1, now - timedelta(minutes=90))
    counted.advance()
    counted.fold()
    assert counted.one(f"SELECT sum(n)::int FROM analytics.minutes WHERE fact = 'users_last_seen' AND bucket <= '{now}'") == 1


def test_a_noted_moment_holds_who_was_active_before_it(counted: Counted) -> None:
    for number, age in enumerate(AGES):
        _write(counted, number, number % 4, NOON - timedelta(minutes=age))
    _write(counted, 50, 0, NOON - timedelta(seconds=10))  # has written again within the minute that is noted
    counted.advance()
    _write(counted, 51, 1, NOON - timedelta(seconds=5))
    counted.advance()
    with counted.transaction() as connection:
        note(connection, NOON)
        note(connection, NOON)
    noted = dict(counted.connection.execute("SELECT window_name, n FROM analytics.users_active_history"))
    expected = {"24h": 1440, "7d": 7 * 1440, "30d": 30 * 1440}
    assert noted == {name: _asked(counted, MINUTE - timedelta(minutes=length), MINUTE) for name, length in expected.items()}


def test_a_user_counts_once_a_week(counted: Counted) -> None:
    monday = datetime.fromisoformat("2026-03-09T00:00:00+00:00")
    for key, (user, hours) in enumerate([(0, 0), (0, 1), (1, 167), (0, 168), (0, 200)]):
        _write(counted, key, user, monday + timedelta(hours=hours))
        if key % 2:
            counted.advance()
    counted.advance()
    assert counted.counters("users_active_in_week") == {("2026-02-02", "2026-03-09"): 2, ("2026-02-02", "2026-03-16"): 1}


def test_a_conversation_counts_once_however_often_it_is_judged(counted: Counted) -> None:
    counted.insert(
        "conversations",
        {"id": 1, "user_id": 1, "agent_id": 1, "created_at": NOON, "status": "active", "environment": "production"},
    )
    for key in range(3):
        counted.insert("feedback", {"id": key, "conversation_id": 1, "rating": 5, "created_at": NOON + timedelta(days=key)})
        counted.advance()
    assert counted.counters("conversations_with_feedback") == {("alpha", "production"): 1}
    assert counted.counters("feedback_ratings") == {("production", "5"): 3}


def test_memories_that_no_bucket_needs_go_in_small_steps(counted: Counted) -> None:
    for number, days in enumerate((0, 40, 41, 42)):
        _write(counted, number, number, NOON - timedelta(days=days))
    counted.advance()
    now = NOON + timedelta(days=100) - timedelta(days=39)
    horizons = retention.horizons(Retention(hour="32d", day="100d"), now)
    for aged in ("firsts", "user_seen"):
        deleted = []
        while not deleted or deleted[-1]:
            with counted.transaction() as connection:
                deleted.append(retention.step(connection, aged, horizons[aged], rows=2))
        assert deleted == [2, 1, 0], aged
        assert counted.one(f"SELECT count(*)::int FROM analytics.{aged}") == 1
    _write(counted, 5, 0, NOON + timedelta(seconds=1))
    _write(counted, 6, 1, NOON + timedelta(seconds=1))
    counted.advance()
    assert _active(counted, "minutes", MINUTE) == 2
    week = "2026-03-09"
    assert sum(n for labels, n in counted.counters("users_active_in_week").items() if labels[1] == week) == 2


def test_users_stay_while_somebody_counts_messages(counted: Counted) -> None:
    _write(counted, 1, 1, NOON)
    counted.advance()
    with counted.connect() as other, counted.transaction(other):
        lock(other, "messages")
        with counted.transaction() as connection:
            assert retention.step(connection, "user_seen", NOON + timedelta(days=1)) == 0
    with counted.transaction() as connection:
        assert retention.step(connection, "user_seen", NOON + timedelta(days=1)) == 1

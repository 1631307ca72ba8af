"""Users who were active in a window, by when they were last seen; and things that count once."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

import pytest

from contract.data_plane import Retention
from exporters.rollups import advance, retention
from exporters.rollups.active_users import note
from exporters.rollups.backfill import Chunk
from exporters.rollups.rebuild import rebuild
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


def test_whoever_is_seen_while_old_messages_are_counted_was_active_before(counted: Counted) -> None:
    minute = counted.one("SELECT date_trunc('minute', now())")
    _write(counted, 1, 1, minute - timedelta(minutes=20))
    counted.advance()
    _write(counted, 2, 1, minute + timedelta(seconds=1))
    assert counted.backfill("messages", 100) == Chunk("messages", 1, done=True)
    with counted.transaction() as connection:
        note(connection, minute + timedelta(seconds=30))
    assert counted.one("SELECT n FROM analytics.users_active_history WHERE window_name = '24h'") == 1


def test_who_wrote_just_before_messages_are_counted_anew_was_active(counted: Counted) -> None:
    minute = counted.one("SELECT date_trunc('minute', now())")
    for key, user, age in ((1, 1, 90), (2, 2, 90), (3, 1, 30), (4, 3, 20)):
        _write(counted, key, user, minute - timedelta(minutes=age))
        if key == 2:
            counted.advance()
    assert rebuild(counted.connection, counted.forms["messages"], chunk_rows=3) == 4
    assert counted.advance() == {}
    assert _active(counted, "minutes", minute - timedelta(minutes=60)) == 2
    assert _active(counted, "hours", minute - timedelta(days=1)) == 3
    with counted.transaction() as connection:
        note(connection, minute + timedelta(seconds=30))
    assert counted.one("SELECT n FROM analytics.users_active_history WHERE window_name = '24h'") == 3


def test_whoever_is_seen_again_and_again_counts_once_at_any_moment(counted: Counted) -> None:
    random, key = Random(0), 0
    minute = counted.one("SELECT date_trunc('minute', now())")
    ages = (-50, -20, 10, 30, 61, 300, 3700, 90_000, 700_000, 3_000_000)
    for _ in range(20):
        for _ in range(random.randrange(1, 5)):
            key += 1
            _write(counted, key, random.randrange(4), minute - timedelta(seconds=random.choice(ages)))
        counted.advance()
        if random.random() < 0.3:
            counted.fold()
        for tier, length in (("minutes", 60), ("minutes", 1440), ("hours", 7 * 1440), ("hours", 30 * 1440)):
            since = (minute if tier == "minutes" else minute.replace(minute=0)) - timedelta(minutes=length)
            assert _active(counted, tier, since) == _asked(counted, since, minute + timedelta(minutes=1)), (tier, length)
        counted.run("DELETE FROM analytics.users_active_history")
        with counted.transaction() as connection:
            note(connection, minute + timedelta(seconds=55))
        noted = counted.one("SELECT n FROM analytics.users_active_history WHERE window_name = '24h'")
        assert noted == _asked(counted, minute - timedelta(hours=24), minute)
    _write(counted, key + 1, 0, minute + timedelta(seconds=65))
    with counted.transaction() as connection:
        advance.advance(connection, counted.forms["messages"])
        # In place, where no index has to know of it.
        assert counted.one("SELECT pg_stat_get_xact_tuples_hot_updated('analytics.user_seen'::regclass)") > 0


def test_whoever_writes_again_within_a_minute_is_not_written_anew(counted: Counted) -> None:
    written = []
    for key, seconds in enumerate((0, 5, 65)):
        _write(counted, key, 1, MINUTE + timedelta(seconds=seconds))
        counted.advance()
        written.append(counted.one("SELECT xmin::text FROM analytics.user_seen"))
    assert written[0] == written[1] != written[2]


def test_a_user_counts_once_a_week(counted: Counted) -> None:
    monday = datetime.fromisoformat("2026-03-09T00:00:00+00:00")
    for key, (user, hours) in enumerate([(0, 0), (0, 1), (1, 167), (0, 168), (0, 200)]):
        _write(counted, key, user, monday + timedelta(hours=hours))
        if key % 2:
            counted.advance()
    counted.advance()
    assert counted.counters("users_active_in_week") == {("2026-02-02", "2026-03-09"): 2, ("2026-02-02", "2026-03-16"): 1}


def test_a_user_whose_beginning_is_known_later_counts_from_then_on(counted: Counted) -> None:
    _write(counted, 1, 9, NOON)
    counted.advance()
    assert counted.counters("users_active_in_week") == {}
    counted.insert("users", {"id": 9, "created_at": NOON - timedelta(days=40), "role": "customer", "status": "active"})
    for key, age in enumerate((-1, -2, 7 * 1440, 7 * 1440 + 1, -3), start=2):
        _write(counted, key, 9, NOON - timedelta(minutes=age))
        counted.advance()
    assert counted.counters("users_active_in_week") == {("2026-02-02", "2026-03-09"): 1, ("2026-02-02", "2026-03-02"): 1}


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

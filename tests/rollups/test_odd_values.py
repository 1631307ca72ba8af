"""Values that no platform means and every platform has some day: they are counted, and stop nothing that comes after them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from contract.data_plane import Mapped
from exporters.database.mapping import Mapping
from exporters.rollups.audit import step
from exporters.rollups.forms import form
from exporters.rollups.sources import SOURCES
from tests.rollups.counted import NOON, Counted

TIMES = ("infinity", "-infinity", "0001-01-01 BC", "4713-01-01 BC", "294275-01-01")
NUMBERS = ("NaN", "Infinity", "-Infinity", "1e300", "-1e300")


@pytest.mark.parametrize("end", [None, *TIMES, NOON])
@pytest.mark.parametrize("begin", TIMES)
def test_a_time_that_cannot_have_been_meant_counts_in_the_totals_alone(counted: Counted, begin: Any, end: Any) -> None:
    counted.install()
    counted.execution(start_time=begin, end_time=end, milliseconds=None)
    counted.advance()
    counted.fold()
    assert counted.counters("executions_started") == {("alpha", "1", "production"): 1}
    assert counted.tier("days", "executions_started") == {}
    assert counted.one("SELECT s1 FROM analytics.counters WHERE fact = 'executions_ended'") in (None, 0)


@pytest.mark.parametrize("number", NUMBERS)
def test_a_duration_that_is_none_is_taken_from_begin_and_end(counted: Counted, number: str) -> None:
    counted.install()
    counted.execution(milliseconds=number, end_time=datetime(2026, 3, 15, 12, 0, 32, tzinfo=UTC))
    counted.execution(milliseconds=number, end_time=None)
    counted.advance()
    counted.fold()
    figures = counted.one("SELECT n, s1 FROM analytics.counters WHERE fact = 'executions_ended'")
    assert figures == (2, 2_000_000)


def test_numbers_that_the_platform_may_hold_and_the_contract_not_stop_nobody(counted: Counted) -> None:
    for column in ("tokens_used", "retry_count", "duration_ms"):
        counted.run(f"ALTER TABLE app.agent_executions ALTER {column} TYPE numeric")
    counted.install()
    numbers = [*NUMBERS, "1e400", "-1e400", "99999999999999999999", "0.5"]
    for number in numbers:
        odd = {"tokens_used": number, "retry_count": number, "duration_ms": number}
        counted.execution(**odd)
        counted.execution(status="running", **odd)
    counted.advance()
    counted.run("UPDATE app.agent_executions SET status = 'success', intent = 'x'")
    counted.advance()
    rows = 2 * len(numbers)
    counted.run("UPDATE app.agent_executions SET tokens_used = 7, retry_count = 1, duration_ms = 100")
    assert counted.advance()["executions"].corrected == rows
    counted.fold()
    figures = counted.one("SELECT sum(n)::int, sum(s1)::int, sum(s2)::int FROM analytics.hours WHERE fact = 'executions_ended'")
    assert figures == (rows, 100_000 * rows, 7 * rows)
    counted.run("DELETE FROM app.agent_executions")
    assert counted.advance()["executions"].gone == rows


def test_a_key_of_a_fixed_length_is_read_whole(counted: Counted) -> None:
    counted.run("ALTER TABLE app.agent_executions ALTER COLUMN execution_id TYPE char(40)")
    counted.install()
    counted.execution()
    counted.advance()
    counted.run("UPDATE app.agent_executions SET tokens_used = 20")
    assert counted.advance()["executions"].corrected == 1
    counted.run("DELETE FROM app.agent_executions")
    assert counted.advance()["executions"].gone == 1


def test_durations_of_centuries_do_not_overflow_the_sum(counted: Counted) -> None:
    counted.install()
    for _ in range(3):
        counted.execution(milliseconds=9e15)
        counted.execution(milliseconds=None, end_time="9999-12-31")
    counted.advance()
    assert counted.fold() is not None
    assert counted.one("SELECT n, coalesce(s1, 0) FROM analytics.counters WHERE fact = 'executions_ended'") == (6, 0)


def test_a_begin_that_is_the_same_for_all_does_not_overflow_the_sum(counted: Counted) -> None:
    counted.install()
    counted.run(
        "INSERT INTO app.agent_executions (execution_id, agent_id, agent_name, version, start_time, end_time, status,"
        " tool_count, retry_count, api_calls_count, tokens_used, environment) SELECT gen_random_uuid(), 1, 'alpha', '1',"
        " '2016-06-01', '2026-03-15', 'success', 0, 0, 0, 1, 'production' FROM generate_series(1, 30000)"
    )
    assert counted.advance()["executions"].looked == 30_000
    assert counted.fold() is not None
    assert counted.one("SELECT n, coalesce(s1, 0) FROM analytics.counters WHERE fact = 'executions_ended'") == (30_000, 0)


def test_a_message_at_no_time_makes_nobody_active(counted: Counted) -> None:
    counted.install()
    for key, at in enumerate((*TIMES, NOON)):
        counted.insert("users", {"id": key, "created_at": at, "role": "member", "status": "active"})
        counted.insert("messages", {"id": key, "conversation_id": 1, "user_id": 7, "role": "user", "created_at": at})
        counted.insert("messages", {"id": 10 + key, "conversation_id": 1, "user_id": key, "role": "user", "created_at": NOON})
    counted.advance()
    counted.fold()
    assert counted.counters("messages") == {("unknown", "user"): 12}
    assert counted.tier("days", "users_last_seen") == {(): 7}
    assert counted.counters("users_active_in_week") == {("2026-03-09", "2026-03-09"): 1}


def test_an_hour_to_recount_is_found_beside_rows_at_no_time(counted: Counted) -> None:
    counted.install()
    for at in (*TIMES, NOON, "2190-01-01"):
        counted.execution(at=at)
    counted.backfill("executions", 100)
    with counted.transaction() as connection:
        found = step(connection, counted.forms["executions"], seed=1)
    assert found is not None
    assert (found.hour, found.counted, found.recounted) == (NOON.replace(minute=0, second=0), 1, 1)


def test_an_expression_with_a_percent_sign_is_recounted_too(counted: Counted) -> None:
    counted.install()
    counted.execution()
    counted.backfill("executions", 100)
    relations = counted.mapping.relations | {
        "agent_executions": Mapped(columns={"intent": "CASE WHEN status LIKE 's%' THEN 'x' END"})
    }
    with counted.transaction() as connection:
        found = step(connection, form(connection, Mapping(relations), SOURCES["executions"]), seed=1)
    assert found is not None
    assert (found.counted, found.recounted) == (1, 1)


def test_old_rows_that_stand_nowhere_in_time_are_counted_with_the_last_chunk(counted: Counted) -> None:
    counted.run("ALTER TABLE app.users ALTER created_at DROP NOT NULL")
    for key, at in enumerate((None, "infinity", "-infinity", NOON)):
        counted.insert("users", {"id": key, "created_at": at, "role": "member", "status": "active"})
    counted.install()
    while (chunk := counted.backfill("users", 1)) is not None:
        assert chunk.rows >= 1 or chunk.done
    assert counted.stocks("users") == counted.counters("users_created") == {("member",): 4}
    counted.run("DELETE FROM app.users WHERE id < 2")
    counted.advance()
    assert counted.stocks("users") == {("member",): 2}

"""Rows from before the column, counted in chunks while the platform goes on."""

from __future__ import annotations

from datetime import timedelta

import pytest

from exporters.rollups import backfill
from tests.rollups.counted import NOON, Counted

PLACE = ("alpha", "1", "production")
SUCCESS = (*PLACE, "success", "success", "")
ERROR = (*PLACE, "error", "failed", "other")


def _old(counted: Counted, rows: int = 10) -> list[str]:
    """Ids of executions from the oldest to the newest, pairwise at the same time, and the column after them."""
    keys = [counted.execution(at=NOON + timedelta(hours=number // 2)) for number in range(rows)]
    counted.install()
    return keys


def _finish(counted: Counted, rows: int = 3) -> int:
    total = 0
    while (chunk := counted.backfill("executions", rows)) is not None:
        total += chunk.rows
    return total


def test_old_rows_are_counted_in_chunks(counted: Counted) -> None:
    _old(counted)
    assert counted.advance() == {}
    chunks = [counted.backfill("executions", 4) for _ in range(4)]
    assert [(chunk.rows, chunk.done) for chunk in chunks if chunk] == [(4, False), (4, False), (2, True)]
    assert counted.counters("executions_ended") == counted.tier("hours", "executions_ended") == {SUCCESS: 10}
    assert counted.one("SELECT backfill_rows FROM analytics.sources WHERE source = 'executions'") == 10
    assert counted.one("SELECT count(DISTINCT bucket) FROM analytics.rollup_hour") == 5


def test_the_newest_rows_come_first(counted: Counted) -> None:
    _old(counted)
    counted.backfill("executions", 4)
    assert counted.one("SELECT min(bucket) FROM analytics.hours") == NOON.replace(second=0) + timedelta(hours=3)


@pytest.mark.parametrize("position", [0, 9], ids=["not yet counted", "counted"])
def test_an_old_row_that_changes_meanwhile(counted: Counted, position: int) -> None:
    keys = _old(counted)
    counted.backfill("executions", 5)
    counted.run("UPDATE app.agent_executions SET status = 'failure' WHERE execution_id = %s", keys[position])
    counted.advance()
    assert _finish(counted) == 5
    assert counted.tier("days", "executions_ended") == {SUCCESS: 9, ERROR: 1}
    assert counted.counters("executions_started") == {PLACE: 10}


@pytest.mark.parametrize("position", [0, 9], ids=["not yet counted", "counted"])
@pytest.mark.parametrize("hours", [-24, 24], ids=["earlier", "later"])
def test_an_old_row_that_gets_another_time_meanwhile(counted: Counted, position: int, hours: int) -> None:
    """The backfill goes by the time: it must neither pass the row by nor come to it a second time."""
    keys = _old(counted)
    counted.backfill("executions", 5)
    at = NOON + timedelta(hours=hours)
    counted.run("UPDATE app.agent_executions SET start_time = %s WHERE execution_id = %s", at, keys[position])
    counted.run("UPDATE app.agent_executions SET status = 'failure' WHERE execution_id = %s", keys[position])
    counted.advance()
    _finish(counted)
    assert counted.counters("executions_ended") == {SUCCESS: 9, ERROR: 1}
    assert counted.metric("platform_executions_started_total") == {PLACE: {"n": 10}}


@pytest.mark.parametrize("position", [0, 9], ids=["not yet counted", "counted"])
def test_an_old_row_that_is_deleted_meanwhile(counted: Counted, position: int) -> None:
    keys = _old(counted)
    counted.backfill("executions", 5)
    counted.run("DELETE FROM app.agent_executions WHERE execution_id = %s", keys[position])
    _finish(counted)
    assert counted.counters("executions_ended") == {SUCCESS: 9 + (position == 9)}
    assert counted.one("SELECT count(*) FROM analytics.retractions") == 0


def test_an_update_that_commits_after_its_chunk(counted: Counted) -> None:
    keys = _old(counted)
    with counted.connect() as late, late.transaction():
        late.execute("UPDATE app.agent_executions SET status = 'failure' WHERE execution_id = %s", (keys[9],))
        assert _finish(counted) == 10
    counted.advance()
    assert counted.tier("days", "executions_ended") == {SUCCESS: 9, ERROR: 1}


def test_old_rows_that_are_open_are_remembered(counted: Counted) -> None:
    key = counted.execution("in_progress", end_time=None, milliseconds=None)
    counted.install()
    _finish(counted)
    assert counted.stocks("executions_in_progress") == {("alpha", "production"): 1}
    counted.run("UPDATE app.agent_executions SET status = 'success', end_time = start_time WHERE execution_id = %s", key)
    counted.advance()
    assert counted.stocks("executions_in_progress") == {}
    assert counted.counters("executions_ended") == {SUCCESS: 1}


def test_all_sources_at_once_and_again(counted: Counted) -> None:
    for number in (1, 2, 3):
        counted.insert("users", {"id": number, "created_at": NOON, "role": "customer", "status": "active"})
    _old(counted)
    seen: list[backfill.Chunk] = []
    assert backfill.run(counted.transaction, counted.forms, seen.append) == 13
    assert all(chunk.done for chunk in seen)
    assert {chunk.source for chunk in seen} == counted.forms.keys()
    assert backfill.run(counted.transaction, counted.forms) == 0
    assert counted.counters("executions_ended") == {SUCCESS: 10}
    assert counted.counters("users_created") == {("customer",): 3}
    assert counted.advance() == {}

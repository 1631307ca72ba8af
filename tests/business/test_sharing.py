"""Several collectors on one connection."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import psycopg
import pytest

from exporters.database.sessions import DatabaseDown, Session, StatementRefused
from exporters.database.sharing import Seat, SharedSession


@pytest.fixture
def shared(database: str) -> Iterator[SharedSession]:
    session = SharedSession(Session(lambda: database, 20.0), patience=0.2)
    yield session
    session.close()


def asleep(seat: Seat, outcome: list[Exception]) -> None:
    try:
        seat.rows("SELECT pg_sleep(20)")
    except (DatabaseDown, StatementRefused) as error:
        outcome.append(error)


def wait_until_asleep(dsn: str) -> None:
    end = time.monotonic() + 60
    with psycopg.connect(dsn, autocommit=True) as connection:
        sql = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"
        while not connection.execute(sql).rowcount:
            assert time.monotonic() < end, "nobody sleeps"
            time.sleep(0.01)


def test_one_connection_serves_all_and_a_wait_has_an_end(shared: SharedSession, database: str) -> None:
    first, second = shared.seat(), shared.seat()
    first.open()
    second.open()
    assert first.rows("SELECT pg_backend_pid()") == second.rows("SELECT pg_backend_pid()")
    outcome: list[Exception] = []
    thread = threading.Thread(target=asleep, args=(first, outcome))
    thread.start()
    wait_until_asleep(database)
    with pytest.raises(StatementRefused, match=r"the connection was in use for 0\.2 s"):
        second.rows("SELECT 1")
    second.abort()
    assert shared.turn.locked(), "only who waits for the connection may cut it"
    first.abort()
    thread.join(60)
    assert [type(error) for error in outcome] == [DatabaseDown]
    assert second.rows("SELECT 1") == [(1,)], "connected anew"


def test_a_read_only_session_cannot_write(shared: SharedSession, database: str) -> None:
    with pytest.raises(StatementRefused, match="read-only"):
        shared.seat().rows("CREATE TABLE mine AS SELECT 1")
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT to_regclass('mine')").fetchone() == (None,)


def test_a_seat_that_is_given_back_waits_for_nobody_and_asks_no_more(shared: SharedSession, database: str) -> None:
    first, second, third = shared.seat(), shared.seat(), shared.seat()
    shared.patience = 20.0
    outcome: list[Exception] = []
    threads = [threading.Thread(target=asleep, args=(seat, outcome)) for seat in (first, second)]
    threads[0].start()
    wait_until_asleep(database)
    threads[1].start()  # waits for its turn, and must not take it once the first is cut
    second.close()
    first.close()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert sorted(map(str, outcome))[1] == "the connection was given back"
    assert third.rows("SELECT 1") == [(1,)], "others connect anew"
    with pytest.raises(DatabaseDown, match="given back"):
        first.rows("SELECT 1")


def test_a_connection_that_is_cut_while_it_is_opened_is_not_used(database: str) -> None:
    def dsn() -> str:
        if cutting:
            seat.abort()
        return database

    seat = SharedSession(Session(dsn, 20.0), patience=0.2).seat()
    cutting = True
    with pytest.raises(DatabaseDown, match="broken off while connecting"):
        seat.rows("SELECT 1")
    cutting = False
    assert seat.rows("SELECT 1") == [(1,)], "the next run is another one"
    seat.close()

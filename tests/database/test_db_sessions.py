"""Transactions that are one round trip keep the limits that every transaction of ours has."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg
import pytest
from psycopg import sql

from exporters.database import sessions
from exporters.database.sessions import DatabaseDown, Session, StatementRefused
from tests.conftest import name_of

_LIMITS = (
    "SELECT name, setting FROM pg_settings WHERE name IN ('statement_timeout', 'lock_timeout', 'TimeZone', 'jit') ORDER BY 1"
)
_KEPT = [("TimeZone", "UTC"), ("jit", "off"), ("lock_timeout", "500"), ("statement_timeout", "500")]


@pytest.fixture
def session(database: str) -> Iterator[Session]:
    made = Session(lambda: database, 0.5, read_only=False)
    made.open()
    yield made
    made.close()


def test_each_transaction_of_a_round_trip_has_the_limits_and_leaves_nothing_behind(session: Session, database: str) -> None:
    before = psycopg.connect(database).execute(_LIMITS).fetchall()
    first, number, second = session.answers([_LIMITS, "SELECT 1"], [_LIMITS])
    assert (list(first), number, list(second)) == (_KEPT, [(1,)], _KEPT)
    with session.transaction() as connection:
        assert connection.execute(_LIMITS).fetchall() == _KEPT
        raw = connection
    assert raw.execute(_LIMITS).fetchall() == before


def test_the_time_limit_is_each_statements_own(session: Session) -> None:
    nap = "SELECT count(pg_sleep(0.3))"
    assert session.answers([nap, nap, nap]) == [[(1,)]] * 3
    with pytest.raises(StatementRefused, match="statement timeout"):
        session.answers([nap, "SELECT pg_sleep(20)"])
    assert session.rows("SELECT 1") == [(1,)], "the connection lives"


def test_a_refused_transaction_is_undone_and_the_one_before_it_is_kept(session: Session) -> None:
    with pytest.raises(StatementRefused, match="division by zero"):
        session.answers(["CREATE TABLE kept ()"], ["CREATE TABLE gone ()", "SELECT 1 / 0", "SELECT 1"])
    assert session.rows("SELECT to_regclass('kept') IS NOT NULL, to_regclass('gone') IS NOT NULL") == [(True, False)]


def test_literals_are_not_taken_for_placeholders(session: Session) -> None:
    assert session.answers([sql.SQL("SELECT {}, {}::text[]").format("100 %s; 'x'", ["a,b", "{"])]) == [
        [("100 %s; 'x'", ["a,b", "{"])]
    ]


def test_what_a_database_prefers_does_not_change_what_is_read(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        for preferred in ("datestyle = 'German, DMY'", "client_encoding = 'LATIN1'"):
            connection.execute(f"ALTER DATABASE {name_of(database)} SET {preferred}".encode())
    reader = Session(lambda: database, 5.0)
    reader.open()
    at = datetime(2026, 11, 20, 8, tzinfo=UTC)
    assert reader.answers([sql.SQL("SELECT {}::timestamptz, {}").format(at, "€")]) == [[(at, "€")]]
    reader.close()


def test_a_reader_cannot_write_in_any_of_them(database: str) -> None:
    reader = Session(lambda: database, 5.0)
    reader.open()
    with pytest.raises(StatementRefused, match="read-only"):
        reader.answers(["SELECT 1"], ["CREATE TABLE mine ()"])
    reader.close()


@pytest.mark.parametrize("in_one_trip", [True, False])
def test_a_connection_that_was_lost_between_two_runs_is_opened_anew(session: Session, database: str, in_one_trip: bool) -> None:
    def pid() -> int:
        if in_one_trip:
            return int(session.rows("SELECT pg_backend_pid()")[0][0])
        with session.transaction() as connection:
            return connection.info.backend_pid

    def lose() -> None:
        with psycopg.connect(database, autocommit=True) as admin:
            admin.execute("SELECT pg_terminate_backend(%s, 5000)", (last,))

    last = first = pid()
    lose()
    session.open()
    last = pid()
    assert last != first
    lose()
    with pytest.raises(DatabaseDown, match="connection to PostgreSQL lost"):
        pid()  # within a run nothing is said twice


@pytest.mark.parametrize("in_one_trip", [True, False])
def test_a_server_that_hangs_is_given_up(
    session: Session, database: str, in_one_trip: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its process stands still, so that it keeps no limit; its kernel answers for it."""
    monkeypatch.setattr(sessions, "OVERDUE_SECONDS", 0.1)
    with pytest.raises(DatabaseDown, match=r"no answer within 0\.6 s: the server hangs"), session.transaction() as connection:
        pid = connection.info.backend_pid
        if in_one_trip:
            connection.rollback()
        os.kill(pid, signal.SIGSTOP)
        try:
            session.rows("SELECT 1") if in_one_trip else connection.execute("SELECT 1")
        finally:
            os.kill(pid, signal.SIGCONT)
    session.open()
    assert session.rows("SELECT pg_backend_pid()") != [(pid,)], "what it says afterwards is the answer to no other question"

"""A command's process killed while it waits for a lock that the test holds: before it does anything, or as it commits."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from typing import Any, Literal

import psycopg

from provisioning.cli import main

Point = Literal["before anything", "as it commits, which still arrives", "as it commits, which is lost"]
POINTS: tuple[Point, ...] = (
    "before anything", "as it commits, which still arrives", "as it commits, which is lost"
)  # fmt: skip
_SECONDS = 60.0
_COMMITTING = 20261122
_THEIRS = "application_name = 'observatory-actions' AND datname = current_database()"
_WAITING = f"SELECT pid FROM pg_stat_activity WHERE {_THEIRS} AND wait_event_type = 'Lock' AND wait_event = 'advisory'"
_THERE = f"SELECT pid FROM pg_stat_activity WHERE {_THEIRS}"


@contextlib.contextmanager
def unrecorded(dsn: str) -> Iterator[None]:
    """The database ends every change at its very end: as when the command is killed before its transaction was kept."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'no'; END$$;"
            "CREATE CONSTRAINT TRIGGER late AFTER INSERT ON analytics.audit_log DEFERRABLE INITIALLY DEFERRED "
            "FOR EACH ROW EXECUTE FUNCTION refuse()"
        )
        yield
        connection.execute("DROP TRIGGER late ON analytics.audit_log; DROP FUNCTION refuse()")


def killed(dsn: str, point: Point, target: str, *words: str) -> None:
    """Runs a command in a process of its own and kills it (SIGKILL) at a point; returns when its session is gone, too."""
    with psycopg.connect(dsn, autocommit=True) as connection, _held(connection, point, target) as release:
        child = os.fork()
        if child == 0:
            _act(words)
        try:
            [session] = _eventually(connection, _WAITING)
        finally:
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status), "it ended by itself"
        if point == "as it commits, which is lost":
            connection.execute("SELECT pg_terminate_backend(%s)", (session,))
        release()
        _eventually(connection, _THERE, there=False)


@contextlib.contextmanager
def _held(connection: psycopg.Connection[Any], point: Point, target: str) -> Iterator[Any]:
    """Holds the lock that the action waits for, until it is released."""
    if point == "before anything":
        connection.execute("SELECT pg_advisory_lock(hashtextextended(%s, 20261121))", (target,))
        yield lambda: connection.execute("SELECT pg_advisory_unlock_all()")
        return
    connection.execute(
        "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$BEGIN PERFORM pg_advisory_xact_lock({_COMMITTING}); RETURN NULL; END$$;"
        "CREATE CONSTRAINT TRIGGER late AFTER INSERT ON analytics.audit_log DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION wait();"
    )
    connection.execute("SELECT pg_advisory_lock(%s)", (_COMMITTING,))
    try:
        yield lambda: connection.execute("SELECT pg_advisory_unlock_all()")
    finally:
        connection.execute("SELECT pg_advisory_unlock_all()")  # whoever still waits keeps the table
        connection.execute("DROP TRIGGER late ON analytics.audit_log; DROP FUNCTION wait()")


def _act(words: tuple[str, ...]) -> None:
    """The command, in a child that never comes back."""
    try:
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 1)
        os.dup2(silent, 2)
        main(list(words))
    finally:
        os._exit(1)


def _eventually(connection: psycopg.Connection[Any], query: str, there: bool = True) -> list[int]:
    end = time.monotonic() + _SECONDS
    while True:
        found = [pid for (pid,) in connection.execute(query.encode()).fetchall()]
        if bool(found) == there:
            return found
        assert time.monotonic() < end, f"no session within {_SECONDS:g} s" if there else "its session stays"
        time.sleep(0.01)

"""What is to be done to a database, as steps that can be shown before they are taken."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import psycopg
from psycopg import sql
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

LOCK_TIMEOUT = "2s"
BEGIN, COMMIT = f"BEGIN;\nSET LOCAL lock_timeout = '{LOCK_TIMEOUT}';", "COMMIT;"
_ATTEMPTS = 8

_PASSWORD = re.compile(r"SCRAM-SHA-256\$[^']*")

Statement = sql.SQL | sql.Composed
Done = TypeVar("Done")


@dataclass(frozen=True)
class Step:
    """Statements that are done together or not at all. One that runs `alone` cannot be part of a transaction.

    `repeated` steps are taken each time, whether something is missing or not.
    """

    title: str
    statements: tuple[Statement, ...]
    alone: bool = False
    repeated: bool = False

    def as_sql(self, connection: psycopg.Connection[Any]) -> str:
        """What would be run, for people; without passwords, stored ones too."""
        lines = [f"-- {self.title}"]
        lines += [] if self.alone else [BEGIN]
        lines += [f"{statement.as_string(connection).strip().rstrip(';')};" for statement in self.statements]
        lines += [] if self.alone else [COMMIT]
        return _PASSWORD.sub("***", "\n".join(lines))


class Busy(Exception):
    """What a step changes was in use each time that it was tried. Nothing of the step was done."""


def take(connection: psycopg.Connection[Any], steps: Iterable[Step], say: Callable[[str], None]) -> int:
    """Takes the steps in order and gives how many. `connection` is in autocommit mode; `say` hears the title of each.

    Raises what the server says about the first that fails, or Busy; the steps before it stay done, and the next run goes on
    from there.
    """
    taken = 0
    for step in steps:
        patiently(connection, step.title, partial(_take, connection, step))
        say(step.title)
        taken += 1
    return taken


def patiently(connection: psycopg.Connection[Any], title: str, work: Callable[[], Done]) -> Done:
    """Does the work again while what it needs is locked: it waits for a lock only briefly, as everybody behind it waits too.

    Raises Busy.
    """
    try:
        return _patience()(work)
    except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
        raise Busy(
            f"{title}: what this changes was in use {_ATTEMPTS} times for {LOCK_TIMEOUT}, and nothing of it was done;"
            f"{_oldest(connection)} run the command again at a calmer time"
        ) from None


def briefly(connection: psycopg.Connection[Any]) -> None:
    """Lets the open transaction wait only briefly for a lock."""
    connection.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(LOCK_TIMEOUT)))


def _patience() -> Retrying:
    return Retrying(
        retry=retry_if_exception_type((psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected)),
        wait=wait_exponential_jitter(multiplier=0.2, max=5),
        stop=stop_after_attempt(_ATTEMPTS),
        reraise=True,
    )


def _take(connection: psycopg.Connection[Any], step: Step) -> None:
    if step.alone:
        for statement in step.statements:
            connection.execute(statement)
        return
    with connection.transaction():
        briefly(connection)
        for statement in step.statements:
            connection.execute(statement)


_OLDEST = """
SELECT pid, usename, round(extract(epoch FROM clock_timestamp() - xact_start)) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL ORDER BY xact_start LIMIT 1
"""


def _oldest(connection: psycopg.Connection[Any]) -> str:
    """Whose transaction is open for the longest; that is most often who is waited for."""
    if (row := connection.execute(_OLDEST).fetchone()) is None:
        return ""
    return f" the oldest open transaction is {row[1]}'s, process {row[0]}, since {row[2]:.0f} s: end it, or"

"""What is to be done to a database, as steps that can be shown before they are taken."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

LOCK_TIMEOUT = "2s"
_ATTEMPTS = 8

_PASSWORD = re.compile(r"SCRAM-SHA-256\$[^']*")

Statement = sql.SQL | sql.Composed


@dataclass(frozen=True)
class Step:
    """Statements that are done together or not at all. One that runs `alone` cannot be part of a transaction.

    `on_platform` tells that it changes a table of the platform: such a step waits for a lock only briefly, because everybody
    behind it waits too, and is tried again. `repeated` steps are taken each time, whether something is missing or not.
    """

    title: str
    statements: tuple[Statement, ...]
    alone: bool = False
    on_platform: bool = False
    repeated: bool = False

    def as_sql(self, connection: psycopg.Connection[Any]) -> str:
        """What would be run, for people; without passwords, stored ones too."""
        lines = [f"-- {self.title}"]
        if not self.alone:
            lines.append("BEGIN;")
        if self.on_platform:
            lines.append(f"SET {'LOCAL ' * (not self.alone)}lock_timeout = '{LOCK_TIMEOUT}';")
        lines += [f"{statement.as_string(connection).strip().rstrip(';')};" for statement in self.statements]
        if not self.alone:
            lines.append("COMMIT;")
        return _PASSWORD.sub("***", "\n".join(lines))


def take(connection: psycopg.Connection[Any], steps: Iterable[Step], say: Callable[[str], None]) -> int:
    """Takes the steps in order and gives how many. `connection` is in autocommit mode; `say` hears the title of each.

    Raises what the server says about the first that fails; the steps before it stay done, and the next run goes on from there.
    """
    taken = 0
    for step in steps:
        say(step.title)
        for attempt in _patiently():
            with attempt:
                _take(connection, step)
        taken += 1
    return taken


def _patiently() -> Retrying:
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
        if step.on_platform:
            connection.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(LOCK_TIMEOUT)))
        for statement in step.statements:
            connection.execute(statement)

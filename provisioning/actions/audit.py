"""Who changed what: rows of `analytics.audit_log`, written in the transaction of the change."""

from __future__ import annotations

import contextlib
import getpass
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from exporters.database.sessions import DatabaseDown, NoAddress, connect, one_line
from exporters.redaction import without_secrets
from provisioning.findings import InputError, Unreachable
from provisioning.secrets import named_dsn

VARIABLE = "OBSERVATORY_POSTGRES_ACTIONS_DSN"
ACTOR_VARIABLE = "OBSERVATORY_ACTOR"
LONGEST_ACTOR = 200
Connection = psycopg.Connection[Any]

_ADD = "INSERT INTO analytics.audit_log (actor, action, target, before, after, rollback) VALUES (%s, %s, %s, %s, %s, %s)"
_LAST = "SELECT after FROM analytics.audit_log WHERE target = %s AND NOT dry_run ORDER BY id DESC LIMIT 1"
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 20261121))"


def actor(given: str | None) -> str:
    """Who acts: as said, as the environment says, or the login of this machine. Raises InputError for what is no name."""
    who = given or os.environ.get(ACTOR_VARIABLE, "").strip() or _login()
    if not who.isprintable() or len(who) > LONGEST_ACTOR:
        raise InputError(f"error: --actor or {ACTOR_VARIABLE}: a name has at most {LONGEST_ACTOR} letters, all in one line")
    return who


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run as a number that nobody has
        raise InputError(f"error: this login has no name; say who you are with --actor or {ACTOR_VARIABLE}") from None


@contextlib.contextmanager
def recorded(file: Path | None) -> Iterator[Connection]:
    """A connection that may add to the audit log. What goes wrong inside ends the command in words."""
    dsn = named_dsn(file, VARIABLE, "what actions change and record is in PostgreSQL, and there is no connection string for it")
    try:
        with connect(dsn, "observatory-actions") as connection:
            connection.execute("SET statement_timeout = '10s'; SET lock_timeout = '5s'")
            yield connection
    except NoAddress as problem:
        raise InputError(f"error: {problem}") from None
    except DatabaseDown as problem:
        raise Unreachable(f"error: {problem}") from None
    except psycopg.errors.UndefinedTable:
        raise InputError("error: there is no audit log in this database; run `observatory db install`") from None
    except psycopg.errors.UndefinedColumn:
        raise InputError("error: schema analytics is of an older version; run `observatory db install`") from None
    except psycopg.errors.LockNotAvailable:
        raise InputError("error: somebody else is changing the same; try again when they are done") from None
    except psycopg.errors.InsufficientPrivilege as problem:
        raise InputError(
            f"error: PostgreSQL refuses: {problem.diag.message_primary}; actions need the role observatory_actions"
        ) from None
    except psycopg.Error as problem:
        said = without_secrets(problem.diag.message_primary or one_line(problem), dsn)
        if isinstance(problem, psycopg.OperationalError) and problem.sqlstate is None:
            raise Unreachable(f"error: PostgreSQL: {said}") from None
        raise InputError(f"error: PostgreSQL refuses: {said}") from None


def alone(connection: Connection, target: str) -> None:
    """Nobody else changes the target until this transaction ends."""
    connection.execute(_LOCK, (target,))


def add(connection: Connection, who: str, action: str, target: str, before: Any, after: Any, rollback: str = "") -> None:
    """One row. `before` and `after` are JSON values, None where there is nothing; `rollback` is what takes it back."""
    values = [None if value is None else Jsonb(value) for value in (before, after)]
    connection.execute(_ADD, (who, action, target, *values, rollback))


def last(connection: Connection, target: str) -> Any:
    """What the log says that the target became last; None when it was taken away, or never spoken of."""
    row = connection.execute(_LAST, (target,)).fetchone()
    return row[0] if row else None

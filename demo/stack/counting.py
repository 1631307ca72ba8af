"""Schema `analytics` beside the synthetic platform's tables, installed as a platform team installs it, and filled at once.

Everything here can be repeated, and goes on where it stopped.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import psycopg

from contract.relations import APP_SCHEMA
from contract.settings import Settings
from demo.database.load import Progress
from demo.stack.failure import StackError
from demo.world.catalogue import AGENTS
from exporters.credentials import CredentialError, secret_in
from exporters.database import migrations
from exporters.database.installation import InstallationRefused, RolesMissing
from exporters.database.mapping import Mapping, MappingError
from exporters.database.plan import Busy, take
from exporters.database.removal import RemovalRefused, removal_steps
from exporters.database.sessions import Session
from exporters.database.user_keys import UserKeyError, checked_key, fill
from exporters.rollups import backfill, functions
from exporters.rollups.advance import advance
from exporters.rollups.fold import fold
from exporters.rollups.forms import forms
from provisioning.database import installing
from provisioning.database.admin import passwords

MINUTE_HOURS = 26
MINUTES = f"{MINUTE_HOURS} hours"
"""How long before now the exporter keeps minutes."""

_STATEMENT_SECONDS = 120.0
_ACTIVE_BEFORE = (
    "INSERT INTO analytics.users_active_history (window_name, at, n) VALUES (%s, to_timestamp(%s), %s) ON CONFLICT DO NOTHING"
)
_LIMIT = "INSERT INTO analytics.capacity_limits (scope, rps, valid_from) VALUES (%s, %s, '2020-01-01Z') ON CONFLICT DO NOTHING"
_REFUSALS = (
    MappingError,
    InstallationRefused,
    RolesMissing,
    migrations.MigrationRefused,
    RemovalRefused,
    UserKeyError,
    CredentialError,
    Busy,
)


def remove(dsn: str) -> None:
    """Takes the schema away before the platform's tables go. Raises StackError when it is somebody else's, psycopg.Error."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        try:
            take(connection, list(removal_steps(connection, functions.names())), lambda _: None)
        except _REFUSALS as error:
            raise StackError(str(error), exit_code=2) from None


def install(dsn: str, settings: Settings) -> Mapping:
    """Installs what is missing, with the capacity of each agent; what the platform's tables are called. `dsn` is the owner's.

    Raises StackError and psycopg.Error.
    """
    with psycopg.connect(dsn, autocommit=True, prepare_threshold=None) as connection:
        try:
            todo = installing.prepared(connection, settings, passwords(settings))
            installing.carry_out(connection, todo, lambda _: None)
        except _REFUSALS as error:
            raise StackError(str(error), exit_code=2) from None
        connection.cursor().executemany(_LIMIT, [(agent.name, agent.capacity) for agent in AGENTS])
    return todo.mapping


def count(dsn: str, mapping: Mapping, progress: Progress, minutes: str = MINUTES) -> None:
    """Counts all rows that are there, so that every figure is whole from the first scrape.

    `minutes` is for how long before now minutes are kept: longer, where the life that is counted ended long ago.
    Raises DatabaseDown and StatementRefused.
    """
    with _session(dsn) as session:
        with session.transaction() as connection:
            expected, known = _rows(connection), forms(connection, mapping)
        counted = 0

        def tell(chunk: backfill.Chunk) -> None:
            nonlocal counted
            counted += chunk.rows
            progress("counting what is there", min(1.0, counted / max(1, expected)))

        backfill.run(session.transaction, known, tell, minutes=minutes)
        for form in known.values():
            with session.transaction() as connection:
                advance(connection, form)


def finish(
    dsn: str, settings: Settings, mapping: Mapping, active: Iterable[tuple[str, float, int]], minutes: str = MINUTES
) -> None:
    """Puts what was counted in its place and gives users their keys.

    `active` are users who were active in windows that ended at past moments: the exporter notes them minute by minute, and
    holds today's against them. Raises StackError, DatabaseDown and StatementRefused.
    """
    file = settings.database.user_key_file
    try:
        key = checked_key(secret_in(Path(file))) if file else None
    except _REFUSALS as error:
        raise StackError(str(error), exit_code=2) from None
    with _session(dsn) as session:
        with session.transaction() as connection:
            fold(connection, minutes)
        with session.transaction() as connection, connection.cursor() as cursor:
            cursor.executemany(_ACTIVE_BEFORE, list(active))
        while key is not None:
            with session.transaction() as connection:
                if not fill(connection, mapping, key):
                    break


@contextlib.contextmanager
def _session(dsn: str) -> Iterator[Session]:
    session = Session(lambda: dsn, _STATEMENT_SECONDS, read_only=False, application_name="observatory-demo")
    session.open()
    try:
        yield session
    finally:
        session.close()


def _rows(connection: psycopg.Connection[Any]) -> int:
    """All rows of the platform's tables, as PostgreSQL estimates them."""
    row = connection.execute(
        "SELECT sum(greatest(reltuples, 0))::bigint FROM pg_class WHERE relnamespace = to_regnamespace(%s) AND relkind = 'r'",
        (APP_SCHEMA,),
    ).fetchone()
    return int(row[0] or 0) if row else 0

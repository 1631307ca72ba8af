"""Schema `analytics` beside the synthetic platform's tables, installed as a platform team installs it, and filled at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg

from contract.relations import APP_SCHEMA
from contract.settings import Settings
from demo.database.load import Progress
from demo.stack.failure import StackError
from exporters.credentials import CredentialError, secret_in
from exporters.database import migrations
from exporters.database.installation import MappingRefused, RolesMissing
from exporters.database.mapping import MappingError
from exporters.database.plan import take
from exporters.database.removal import RemovalRefused, removal_steps
from exporters.database.sessions import Session
from exporters.database.user_keys import UserKeyError, checked_key, fill
from exporters.rollups import backfill
from exporters.rollups.fold import fold
from exporters.rollups.forms import forms
from provisioning.database import installing
from provisioning.database.admin import passwords

_STATEMENT_SECONDS = 120.0
_REFUSALS = (
    MappingError,
    MappingRefused,
    RolesMissing,
    migrations.MigrationRefused,
    RemovalRefused,
    UserKeyError,
    CredentialError,
)


def remove(dsn: str) -> None:
    """Takes the schema away before the platform's tables go. Raises StackError when it is somebody else's, psycopg.Error."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        try:
            take(connection, list(removal_steps(connection)), lambda _: None)
        except _REFUSALS as error:
            raise StackError(str(error), exit_code=2) from None


def install(dsn: str, settings: Settings, progress: Progress) -> None:
    """Installs what is missing and counts all rows that are there, so that every figure is whole from the first scrape.

    `dsn` belongs to the platform's owner. Raises StackError and psycopg.Error.
    """
    progress("schema analytics", 0.0)
    with psycopg.connect(dsn, autocommit=True, prepare_threshold=None) as connection:
        try:
            todo = installing.prepared(connection, settings, passwords(settings))
            installing.carry_out(connection, todo, lambda _: None)
            file = settings.database.user_key_file
            key = checked_key(secret_in(Path(file))) if file else None
        except _REFUSALS as error:
            raise StackError(str(error), exit_code=2) from None
        expected = _rows(connection)
    session = Session(lambda: dsn, _STATEMENT_SECONDS, read_only=False, application_name="observatory-demo")
    session.open()
    try:
        with session.transaction() as connection:
            known = forms(connection, todo.mapping)
        counted = 0

        def tell(chunk: backfill.Chunk) -> None:
            nonlocal counted
            counted += chunk.rows
            progress("counting what is there", min(1.0, counted / max(1, expected)))

        backfill.run(session.transaction, known, tell)
        with session.transaction() as connection:
            fold(connection)
        while key is not None:
            with session.transaction() as connection:
                if not fill(connection, todo.mapping, key):
                    break
    finally:
        session.close()


def _rows(connection: psycopg.Connection[Any]) -> int:
    """All rows of the platform's tables, as PostgreSQL estimates them."""
    row = connection.execute(
        "SELECT sum(greatest(reltuples, 0))::bigint FROM pg_class WHERE relnamespace = to_regnamespace(%s) AND relkind = 'r'",
        (APP_SCHEMA,),
    ).fetchone()
    return int(row[0] or 0) if row else 0

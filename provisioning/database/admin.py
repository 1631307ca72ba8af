"""The connection of a person who installs, and the mistakes of people in words."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg

from contract.settings import Settings
from exporters.credentials import CredentialError, secret_in
from exporters.database.installation import InstallationRefused, RolesMissing
from exporters.database.mapping import MappingError
from exporters.database.migrations import MigrationRefused, exists, pending
from exporters.database.ownership import lacking
from exporters.database.plan import Busy
from exporters.database.removal import RemovalRefused
from exporters.database.roles import Role
from exporters.database.sessions import DatabaseDown, NoAddress, connect, one_line
from exporters.redaction import without_secrets
from provisioning.findings import InputError, Unreachable
from provisioning.secrets import named_dsn

VARIABLE = "OBSERVATORY_POSTGRES_ADMIN_DSN"
_REFUSALS = (
    MappingError,
    InstallationRefused,
    MigrationRefused,
    RemovalRefused,
    Busy,
    CredentialError,
)


EXACTLY = "SELECT set_config('extra_float_digits', '1', true), set_config('intervalstyle', 'postgres', true)"
"""Lets a transaction write numbers and lengths of time so that reading them gives the same, whatever a database prefers."""

_MISSING = "no connection string of somebody who may create a schema in the platform's database"


@contextlib.contextmanager
def administration(file: Path | None) -> Iterator[psycopg.Connection[Any]]:
    """A connection as administrator, in autocommit mode. What goes wrong inside ends the command in words."""
    dsn = named_dsn(file, VARIABLE, _MISSING)
    try:
        with connect(dsn, "observatory-db") as connection, _rights_explained(connection):
            yield connection
    except NoAddress as problem:
        raise InputError(f"error: {problem}") from None
    except DatabaseDown as problem:
        raise Unreachable(f"error: {problem}") from None
    except RolesMissing as problem:
        raise InputError(f"error: {problem}; have these run by somebody who may:\n" + statements(problem)) from None
    except _REFUSALS as problem:
        raise InputError("\n".join(f"error: {line}" for line in str(problem).splitlines())) from None
    except psycopg.Error as problem:
        said = without_secrets(problem.diag.message_primary or one_line(problem), dsn)
        if isinstance(problem, psycopg.OperationalError) and problem.sqlstate is None:
            raise Unreachable(f"error: PostgreSQL: {said}") from None
        raise InputError(f"error: PostgreSQL refuses: {said}{_advice(problem)}") from None


@contextlib.contextmanager
def _rights_explained(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """Says what the login lacks, and who has it, where the server only says that it may not."""
    try:
        yield
    except psycopg.errors.InsufficientPrivilege as problem:
        said = f"error: PostgreSQL refuses: {problem.diag.message_primary}"
        if why := lacking(connection):
            raise InputError(f"{said}; {why}") from None
        raise InputError(
            f"{said}; this login is {connection.info.user}: connect as the owner of what is named here, or let the owner"
            " give it the right"
        ) from None


def owned(connection: psycopg.Connection[Any]) -> None:
    """Raises InputError, before anything is done, when this login may not make or change schema analytics."""
    if why := lacking(connection):
        raise InputError(f"error: {why}")


def installed(connection: psycopg.Connection[Any]) -> None:
    """Raises InputError when schema analytics is not there, or not of this version."""
    if not exists(connection):
        raise InputError("error: nothing is installed in this database; run `observatory db install`")
    if todo := pending(connection):
        raise InputError(f"error: schema analytics lacks {todo[0].file}; run `observatory db upgrade`")


def statements(problem: RolesMissing) -> str:
    """The statements that make missing roles, one a line."""
    return "\n".join(f"{statement.as_string(None)};" for step in problem.steps for statement in step.statements)


def _advice(problem: psycopg.Error) -> str:
    match problem:
        case psycopg.errors.ReadOnlySqlTransaction():
            return "; the server is a standby, or may not be written to: take a connection that leads to the primary"
        case psycopg.errors.LockNotAvailable():
            return "; a table was in use for too long, run the command again at a calmer time"
        case psycopg.errors.DependentObjectsStillExist():
            return f" ({problem.diag.message_detail}): drop that first, and make it again afterwards; nothing was changed"
    return ""


def passwords(settings: Settings, directory: Path = Path()) -> dict[str, str]:
    """The passwords of the configured logins and persons, by login. Raises InputError."""
    found = {}
    for role, file in settings.database.logins.items():
        if role not in set(Role):
            raise InputError(f"error: database.logins: {role!r} is no role of ours; want one of {', '.join(Role)}")
        try:
            found[role] = secret_in(directory / file)
        except CredentialError as problem:
            raise InputError(f"error: database.logins.{role}: {problem}") from None
    for person in settings.my_usage:
        try:
            found[person.login] = secret_in(directory / person.password_file)
        except CredentialError as problem:
            raise InputError(f"error: my_usage, {person.name}: {problem}") from None
    return found

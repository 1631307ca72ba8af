"""PostgreSQL as the panels see it: one read-only transaction with a time limit per query."""

from __future__ import annotations

import select
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import psycopg
from psycopg import sql

from exporters.database.sessions import OVERDUE_SECONDS, Patient
from provisioning.findings import Unreachable

CONNECT_SECONDS = 5


class SqlError(Exception):
    """The database refused a query. The text says what is wrong in words."""


@dataclass(frozen=True)
class Postgres:
    """Asks one database with one login. `address` is shown to people and holds no password."""

    dsn: str
    address: str
    name: str = "PostgreSQL"
    statement_seconds: float = 15
    _kept: list[psycopg.Connection] | None = field(default=None, repr=False, compare=False)
    """Connections that nobody asks just now, where they are kept."""

    @contextmanager
    def keeping(self) -> Iterator[Postgres]:
        """The same, with connections that are kept while the context lasts: where hundreds of questions are asked, to prove the
        password and to read the catalogue each time costs more than the answers.
        """
        kept: list[psycopg.Connection] = []
        try:
            yield replace(self, _kept=kept)
        finally:
            for connection in kept:
                connection.close()

    def ready(self) -> str:
        """The version of a server that lets us in. Raises Unreachable."""
        with self._asking() as connection:
            return str(connection.info.parameter_status("server_version"))

    def rows(self, query: str) -> int:
        """How many rows a query gives. Raises SqlError, or Unreachable."""
        with self._asking() as connection:
            return len(connection.execute(query.encode()).fetchall())

    def first_column(self, query: str) -> list[str]:
        """The first column of a query as text. Raises SqlError, or Unreachable."""
        with self._asking() as connection:
            return [str(row[0]) for row in connection.execute(query.encode()).fetchall()]

    def has_rows(self, schema: str, name: str) -> bool:
        """Whether a table has any. Raises SqlError, or Unreachable."""
        table = sql.Identifier(schema, name)
        with self._asking() as connection:
            found = connection.execute(sql.SQL("SELECT EXISTS (SELECT FROM {})").format(table)).fetchone()
        return bool(found and found[0])

    @contextmanager
    def _asking(self) -> Iterator[psycopg.Connection]:
        """A connection for one transaction. Raises SqlError where the server refuses, Unreachable where it cannot be asked."""
        connection = self._free() or self._connect()
        try:
            connection.execute(
                sql.SQL("SET LOCAL statement_timeout = {}").format(sql.Literal(round(self.statement_seconds * 1000)))
            )
            yield connection
        except psycopg.errors.QueryCanceled:
            raise SqlError(f"took longer than {self.statement_seconds:g} s") from None
        except psycopg.Error as problem:
            if connection.closed:
                raise Unreachable(f"PostgreSQL: {_refusal(problem)}") from None
            raise SqlError(_explained(problem)) from None
        finally:
            if self._kept is not None and _ended(connection):
                self._kept.append(connection)
            else:
                connection.close()

    def _free(self) -> psycopg.Connection | None:
        """One that is kept, and that the server has not closed meanwhile."""
        while self._kept:
            try:
                connection = self._kept.pop()
            except IndexError:  # another thread took the last one
                return None
            if _is_silent(connection):
                return connection
            connection.close()
        return None

    def _connect(self) -> psycopg.Connection:
        try:
            # Behind a pooler each transaction may be of another connection, which knows nothing of prepared statements.
            connection = Patient.connect(self.dsn, connect_timeout=CONNECT_SECONDS, prepare_threshold=None)
        except psycopg.Error as problem:
            raise Unreachable(f"PostgreSQL: {_refusal(problem)}") from None
        connection.read_only, connection.patience = True, self.statement_seconds + OVERDUE_SECONDS
        return connection


def _ended(connection: psycopg.Connection) -> bool:
    """Ends the transaction; whether another can begin."""
    try:
        connection.rollback()
    except psycopg.Error:  # it was lost after its last answer
        return False
    return not connection.closed


def _is_silent(connection: psycopg.Connection) -> bool:
    """Whether nothing came on a connection that was asked nothing: what comes then is its end, as a rule."""
    waiting = select.poll()
    waiting.register(connection, select.POLLIN)
    return not waiting.poll(0)


def _refusal(problem: psycopg.Error) -> str:
    """What the server or the network says, without the address, which stands beside it, and without advice."""
    said = str(problem).strip() or "no answer"
    return said.splitlines()[0].rsplit("failed: ", 1)[-1].removeprefix("FATAL:").strip()


def _explained(problem: psycopg.Error) -> str:
    said = (problem.diag.message_primary or str(problem)).strip()
    match problem:
        case psycopg.errors.UndefinedTable():
            return f"missing: {said}"
        case psycopg.errors.InsufficientPrivilege():
            return f"not allowed: {said}; grant this role SELECT"
        case psycopg.errors.ReadOnlySqlTransaction():
            return f"changes data: {said}"
    return said

"""PostgreSQL as the panels see it: one read-only transaction with a time limit per query."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
from psycopg import sql

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
    statement_seconds: int = 15

    def ready(self) -> str:
        """The version of a server that lets us in. Raises Unreachable."""
        with self._connect() as connection:
            return str(connection.info.parameter_status("server_version"))

    def rows(self, query: str) -> int:
        """How many rows a query gives. Raises SqlError, or Unreachable."""
        with self._connect() as connection:
            try:
                connection.execute(
                    sql.SQL("SET LOCAL statement_timeout = {}").format(sql.Literal(self.statement_seconds * 1000))
                )
                return len(connection.execute(query.encode()).fetchall())
            except psycopg.errors.QueryCanceled:
                raise SqlError(f"took longer than {self.statement_seconds} s") from None
            except psycopg.Error as problem:
                raise SqlError(_explained(problem)) from None

    def first_column(self, query: str) -> list[str]:
        """The first column of a query as text."""
        with self._connect() as connection:
            try:
                return [str(row[0]) for row in connection.execute(query.encode()).fetchall()]
            except psycopg.Error as problem:
                raise SqlError(_explained(problem)) from None

    def has_rows(self, schema: str, name: str) -> bool:
        table = sql.Identifier(schema, name)
        with self._connect() as connection:
            try:
                found = connection.execute(sql.SQL("SELECT EXISTS (SELECT FROM {})").format(table)).fetchone()
            except psycopg.Error as problem:
                raise SqlError(_explained(problem)) from None
        return bool(found and found[0])

    def _connect(self) -> psycopg.Connection:
        try:
            connection = psycopg.connect(self.dsn, connect_timeout=CONNECT_SECONDS)
        except psycopg.Error as problem:
            raise Unreachable(f"PostgreSQL: {_refusal(problem)}") from None
        connection.read_only = True
        return connection


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

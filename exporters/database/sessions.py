"""Connections to PostgreSQL that cannot do harm: short waits, limits that the server keeps, errors without secrets.

Limits are set per transaction (`SET LOCAL`) and nothing is prepared or kept in the session, so that a pooler may give every
transaction another server connection.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from exporters.redaction import password_hint, without_secrets

if TYPE_CHECKING:
    from psycopg.abc import PQGen

APPLICATION_NAME = "observatory-exporter"
CONNECT_SECONDS = 5
_LOCK_SECONDS = 2.0
OVERDUE_SECONDS = 5.0
"""A server that lets its own limit pass by so much hangs, and is waited for no longer."""

_MAY_NOT_WRITE = "25006"
_BEGIN_RESULTS = 2
"""A transaction begins with two results, of `BEGIN` and of the limits, and ends with one."""

Connection = psycopg.Connection[tuple[Any, ...]]
Cursor = psycopg.Cursor[tuple[Any, ...]]
Rows = Sequence[tuple[Any, ...]]
_Answer = TypeVar("_Answer")


class Patient(psycopg.Connection[tuple[Any, ...]]):
    """Waits `patience` seconds for an answer, without end where that is None, and is closed after that: limits that the server
    keeps are none while it hangs, and its kernel says that all is well."""

    patience: float | None = None

    def wait(self, gen: PQGen[_Answer], interval: float = 0.1, timeout: float | None = None) -> _Answer:
        try:
            return super().wait(gen, interval, self.patience if timeout is None else timeout)
        except psycopg.errors._WaitTimeout:  # what comes now would be taken for the answer to the next question
            self.close()
            raise psycopg.OperationalError(f"no answer within {self.patience:g} s: the server hangs") from None


class DatabaseDown(Exception):
    """No connection, or it was lost. One line without secrets."""


class NoAddress(DatabaseDown):
    """The connection string is none, so no server was asked."""


class StatementRefused(Exception):
    """The server refused one statement; the connection lives. One line without secrets; `sqlstate` is PostgreSQL's code."""

    def __init__(self, text: str, sqlstate: str = "") -> None:
        super().__init__(text)
        self.sqlstate = sqlstate


def one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def connect(dsn: str, application_name: str = APPLICATION_NAME) -> Patient:
    """A connection in autocommit mode that prepares nothing. Raises DatabaseDown."""
    try:
        given: dict[str, Any] = conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:  # its text quotes the connection string, and so perhaps the password
        reason = "the connection string of PostgreSQL is not valid: want postgresql://user@host/database"
        raise NoAddress(reason + password_hint(dsn)) from None
    keepalives = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 2, "tcp_user_timeout": 15_000}
    fixed = {"application_name": application_name, "autocommit": True, "prepare_threshold": None, "client_encoding": "utf8"}
    os.environ["PGDATESTYLE"] = "ISO"  # libpq says it as it connects: times in the form that a database prefers cannot be read
    try:
        return Patient.connect(**({"connect_timeout": CONNECT_SECONDS} | keepalives | given | fixed))
    except psycopg.Error as error:
        said = without_secrets(one_line(error), dsn) + password_hint(dsn)
        raise DatabaseDown(f"cannot connect to PostgreSQL: {said}") from None


def limits(statement_seconds: float, read_only: bool) -> sql.Composed:
    """The statement that puts a transaction under our limits; one round trip."""
    lock = min(statement_seconds, _LOCK_SECONDS)
    settings = {
        "timezone": "UTC",
        "jit": "off",
        "plan_cache_mode": "force_generic_plan",  # our functions are planned once a session, and none of them twice
        "statement_timeout": _milliseconds(statement_seconds),
        "lock_timeout": _milliseconds(lock),
        "idle_in_transaction_session_timeout": _milliseconds(statement_seconds + lock),
    } | ({"transaction_read_only": "on"} if read_only else {})
    calls = (sql.SQL("set_config({}, {}, true)").format(name, value) for name, value in settings.items())
    return sql.SQL("SELECT {}").format(sql.SQL(", ").join(calls))


def _milliseconds(seconds: float) -> str:
    return f"{max(1, round(seconds * 1000))}ms"


class Session:
    """One connection, opened when it is needed. `dsn` is asked on every opening, so that a password may change.

    A transaction is few round trips: its begin and its limits are one text, or all of it is.
    """

    def __init__(
        self,
        dsn: Callable[[], str],
        statement_seconds: float,
        read_only: bool = True,
        application_name: str = APPLICATION_NAME,
    ) -> None:
        self._dsn, self._seconds, self._read_only, self._name = dsn, statement_seconds, read_only, application_name
        self._used_dsn = ""
        self._connection: Patient | None = None
        self._may_be_lost = self._cut = False

    @property
    def connected(self) -> bool:
        return self._connection is not None and not self._connection.closed

    def open(self) -> None:
        """Connects unless there is a connection; whether that one still lives, the next transaction will tell.

        Raises DatabaseDown, and what `dsn` raises.
        """
        self._cut = False
        if self.connected:
            self._may_be_lost = True
        else:
            self._connect()

    def _connect(self) -> None:
        self._used_dsn = self._dsn()
        self._connection, self._may_be_lost = connect(self._used_dsn, self._name), False
        if self._cut:  # `abort` found no connection to cut yet
            self.close()
            raise DatabaseDown("broken off while connecting to PostgreSQL")

    @contextlib.contextmanager
    def transaction(self, statement_seconds: float | None = None) -> Iterator[Connection]:
        """A transaction under the limits; everything inside sees them. Raises DatabaseDown or StatementRefused."""
        with self._said_plainly():
            connection = self._begun(self._begin(statement_seconds), statement_seconds or self._seconds).connection
            try:
                yield connection
                connection.commit()
            except BaseException:
                _roll_back(connection)
                raise

    def answers(self, *transactions: Sequence[sql.Composable | str]) -> list[Rows]:
        """The rows of each statement. Each sequence is a transaction under the limits; all take one round trip.

        They are sent a second time when the connection turns out to have been lost since the last run. So what writes has to be
        such that it does nothing the second time. Raises DatabaseDown or StatementRefused.
        """
        each = ([sql.SQL(one) if isinstance(one, str) else one for one in statements] for statements in transactions)
        text = sql.SQL("; ").join(part for statements in each for part in (self._begin(), *statements, sql.SQL("COMMIT")))
        with self._said_plainly():
            try:
                cursor = self._begun(text, self._seconds * sum(map(len, transactions)))
            except BaseException:
                if self._connection is not None:
                    _roll_back(self._connection)
                raise
            results: list[Rows] = [cursor.fetchall() if cursor.description else []]
            while cursor.nextset():
                results.append(cursor.fetchall() if cursor.description else [])
        found: list[Rows] = []
        for statements in transactions:
            found += results[_BEGIN_RESULTS:][: len(statements)]
            results = results[_BEGIN_RESULTS + len(statements) + 1 :]
        return found

    def rows(self, question: sql.Composable | str) -> Rows:
        """All rows of one query in a transaction of its own. Raises DatabaseDown or StatementRefused."""
        return self.answers([question])[0]

    def _begin(self, statement_seconds: float | None = None) -> sql.Composed:
        return sql.SQL("BEGIN; {}").format(limits(statement_seconds or self._seconds, self._read_only))

    def _begun(self, statement: sql.Composed, seconds: float) -> Cursor:
        """Says the first words of a transaction; once more, if the connection was lost since the last run.

        No answer takes longer than `seconds` as long as the server keeps the limits.
        """
        if self._connection is None:
            raise DatabaseDown("not connected to PostgreSQL")
        again, self._may_be_lost = self._may_be_lost, False
        try:
            self._connection.patience = seconds + OVERDUE_SECONDS
            return self._connection.execute(statement)
        except psycopg.Error:
            if not again or self.connected or self._cut:
                raise
        self._connect()
        self._connection.patience = seconds + OVERDUE_SECONDS
        return self._connection.execute(statement)

    @contextlib.contextmanager
    def _said_plainly(self) -> Iterator[None]:
        """Errors of psycopg become ours."""
        try:
            yield
        except psycopg.Error as error:
            if not self.connected:
                raise DatabaseDown(f"connection to PostgreSQL lost: {self.without_secrets(one_line(error))}") from None
            said = error.diag.message_primary or one_line(error)
            if error.sqlstate == _MAY_NOT_WRITE and not self._read_only:
                said += "; the server is a standby, or may not be written to: let this connection lead to the primary"
            raise StatementRefused(self.without_secrets(said), error.sqlstate or "") from None

    def without_secrets(self, text: str) -> str:
        """A text without any part of the password that was used last."""
        return without_secrets(text, self._used_dsn)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def abort(self) -> None:
        """Cuts the connection under a waiting statement, from another thread. PostgreSQL notices by itself."""
        self._cut = True  # first, so that a connection that is being opened is given up
        connection = self._connection
        if connection is not None:
            with contextlib.suppress(psycopg.Error, OSError), socket.socket(fileno=os.dup(connection.fileno())) as wire:
                wire.shutdown(socket.SHUT_RDWR)


def _roll_back(connection: Connection) -> None:
    with contextlib.suppress(psycopg.Error):  # a connection that is lost has nothing to roll back
        connection.rollback()

"""One connection to the platform's database, and the collector that asks it.

The server itself is told the limits: read-only, a statement timeout, a short lock timeout. So nothing of ours outlives its
time, even when the exporter is killed. All queries take the time as a parameter and see the database as of that time.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from contract.metrics import Source
from contract.relations import APP_SCHEMA
from contract.settings import Settings
from contract.values import duration_seconds
from exporters.credentials import CredentialError
from exporters.journal import LONGEST_WAIT, Answer, Journal, QueryFailed, SourceDown
from exporters.postgres_queries import AGENT_NAMES, QUERIES, Expected, Query, Rows
from exporters.redaction import password_hint, without_secrets
from exporters.snapshot import Snapshot

APPLICATION_NAME = "observatory-exporter"
_CONNECT_SECONDS, _LOCK_SECONDS = 5, 2.0
_CYCLE_TIMEOUTS = 3
"""A run may take this many query timeouts; what is left then waits for the next run."""

_LIMITS = """
SELECT set_config('default_transaction_read_only', 'on', false),
       set_config('timezone', 'UTC', false), set_config('jit', 'off', false),
       set_config('statement_timeout', %(statement)s, false), set_config('lock_timeout', %(lock)s, false),
       set_config('idle_in_transaction_session_timeout', %(statement)s, false)
"""

_NO_SCHEMA = f"SELECT to_regnamespace('{APP_SCHEMA}') IS NULL, current_database() WHERE %(now)s IS NOT NULL"


def _milliseconds(seconds: float) -> str:
    return f"{max(1, round(seconds * 1000))}ms"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


class Database:
    """The connection, opened when it is needed. `dsn` is asked on every opening, so that a password may change."""

    def __init__(self, dsn: Callable[[], str], query_timeout: float) -> None:
        self._dsn, self._timeout = dsn, query_timeout
        self._used_dsn = ""
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None

    def open(self) -> None:
        """Connects unless the connection lives. Raises SourceDown with one line that never holds the password."""
        if self._connection is not None:
            try:
                self._connection.execute("SELECT")
                return
            except psycopg.Error:  # the server was restarted, or something between us forgot the connection
                self._connection.close()
        try:
            self._used_dsn = self._dsn()
            connection = psycopg.connect(**self._parameters())
            connection.execute(
                _LIMITS,
                {"statement": _milliseconds(self._timeout), "lock": _milliseconds(min(self._timeout, _LOCK_SECONDS))},
            )
        except psycopg.Error as error:
            said = self.without_secrets(_one_line(error)) + password_hint(self._used_dsn)
            raise SourceDown(f"cannot connect to PostgreSQL: {said}") from None
        except CredentialError as error:
            raise SourceDown(str(error)) from None
        self._connection = connection

    def _parameters(self) -> dict[str, Any]:
        try:
            parameters: dict[str, Any] = conninfo_to_dict(self._used_dsn)
        except psycopg.ProgrammingError:  # its text quotes the connection string, and so perhaps the password
            reason = "the connection string of PostgreSQL is not valid: want postgresql://user@host/database"
            raise SourceDown(reason + password_hint(self._used_dsn)) from None
        keepalives = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 2, "tcp_user_timeout": 15_000}
        fixed = {"application_name": APPLICATION_NAME, "autocommit": True, "prepare_threshold": None}
        return {"connect_timeout": _CONNECT_SECONDS} | keepalives | parameters | fixed

    def rows(self, sql: str, now: datetime) -> Rows:
        """All rows of a query as of `now`. Raises QueryFailed when only this query has a problem, SourceDown otherwise."""
        if self._connection is None:
            raise SourceDown("not connected to PostgreSQL")
        try:
            return self._connection.execute(sql.encode(), {"now": now}).fetchall()
        except psycopg.Error as error:
            if self._connection.closed:
                raise SourceDown(f"connection to PostgreSQL lost: {_one_line(error)}") from None
            raise QueryFailed(error.diag.message_primary or _one_line(error)) from None

    def without_secrets(self, text: str) -> str:
        """A text without any part of the password that was used last."""
        return without_secrets(text, self._used_dsn)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def abort(self) -> None:
        """Cuts the connection under a waiting query, from another thread. PostgreSQL notices by itself."""
        if self._connection is not None:
            with contextlib.suppress(psycopg.Error, OSError), socket.socket(fileno=os.dup(self._connection.fileno())) as wire:
                wire.shutdown(socket.SHUT_RDWR)


class PostgresCollector:
    """Asks every query of `postgres_queries` once an interval. One that fails does not keep the others from going on."""

    name = "postgres"

    def __init__(self, settings: Settings, dsn: Callable[[], str], queries: Sequence[Query] = QUERIES) -> None:
        exporter = settings.exporter
        self.interval = duration_seconds(exporter.intervals.business)
        self._query_timeout = min(duration_seconds(exporter.query_timeout), LONGEST_WAIT)
        self.timeout = _CONNECT_SECONDS + (_CYCLE_TIMEOUTS + 1) * self._query_timeout
        self.max_age = max(duration_seconds(exporter.max_age), 2 * self.interval)
        self.snapshot: Snapshot | None = None
        self._database = Database(dsn, self._query_timeout)
        self._queries = queries
        names = ["agents", *(query.name for query in queries)]
        self._journal = Journal(self.name, Source.POSTGRES, names, self._database.without_secrets)
        self._expected = Expected((), settings.environments)

    def collect(self, now: float) -> None:
        up = False
        self._journal.begin()
        try:
            self._database.open()
            self._ask_all(now)
            up = True
        finally:
            self.snapshot = self._journal.snapshot(up)

    def _ask_all(self, now: float) -> None:
        at = datetime.fromtimestamp(now, UTC)
        deadline = time.monotonic() + _CYCLE_TIMEOUTS * self._query_timeout
        asked = [self._journal.ask("agents", now, partial(self._agents, at))]
        for query in self._queries:
            asked.append(self._journal.ask(query.name, now, partial(self._answer, query, at, deadline)))
        if not any(asked):
            raise SourceDown(self._missing_schema(at) or f"PostgreSQL did not answer one query: {self._journal.last_failure}")

    def _missing_schema(self, at: datetime) -> str:
        """One sentence when the database has no tables of the platform at all, which is likely the wrong database; or ""."""
        try:
            ((missing, database),) = self._database.rows(_NO_SCHEMA, at)
        except QueryFailed:
            return ""
        return f"the database {database} has no schema {APP_SCHEMA}, where the platform's tables should be" if missing else ""

    def _agents(self, at: datetime) -> Answer:
        rows = self._database.rows(AGENT_NAMES, at)
        self._expected = Expected(tuple(str(name) for (name,) in rows), self._expected.environments)
        return Answer((), len(rows))

    def _answer(self, query: Query, at: datetime, deadline: float) -> Answer:
        if time.monotonic() > deadline:
            raise QueryFailed("not asked: the queries before it took too long")
        rows = self._database.rows(query.sql, at)
        return Answer(tuple(query.samples(rows, self._expected)), len(rows))

    def abort(self) -> None:
        self._database.abort()

    def without_secrets(self, text: str) -> str:
        return self._database.without_secrets(text)

    def close(self) -> None:
        self._database.close()

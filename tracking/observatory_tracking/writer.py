"""Rows on their way to the database: kept in bounded memory, written in batches by a thread of its own.

Putting a row takes a lock for microseconds, waits for nobody and raises nothing. A row that is put again before it was written
is written once, as it is then. What cannot be written is counted: rows beyond the limit, and rows that the database refuses.
While the database is away rows wait, up to the limit, and the thread tries again with growing pauses.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from observatory_tracking.names import TABLES

LOG = logging.getLogger("observatory_tracking")
Row = dict[str, Any]
Rows = dict[tuple[str, str], Row]
Connection = psycopg.Connection[Any]

_LIMITS = (
    "SELECT set_config('statement_timeout', '10s', true), set_config('lock_timeout', '5s', true),"
    " set_config('timezone', 'UTC', true)"
)
"""Of one transaction: a pooler may give the next one another session, and refuses options of a session."""
_READ_ONLY = "25006"
"""A standby that is still to take over, or a database that its host closed because the disk fills."""
_LONGEST_PAUSE_SECONDS = 30.0
_AT_EXIT_SECONDS = 3.0


class Writer:
    """`connect` opens a connection, `schema` holds the tables, `dropped(table, reason, rows)` hears of lost rows.

    At most `limit` rows wait; at most `batch` are written in one transaction; `pause` seconds lie between two looks.
    """

    def __init__(
        self,
        connect: Callable[[], Connection],
        dropped: Callable[[str, str, int], None],
        schema: str = "app",
        limit: int = 10_000,
        batch: int = 500,
        pause: float = 1.0,
    ) -> None:
        self._connect, self._dropped, self._schema = connect, dropped, schema
        self._limit, self._batch, self._pause = limit, batch, pause
        self._connection: Connection | None = None
        self._agents: set[str] = set()
        self._complaint = ""
        self._begin()
        me = weakref.ref(self)
        atexit.register(_ended, me)
        os.register_at_fork(after_in_child=lambda: _forked(me))

    def _begin(self) -> None:
        """Nothing waits and no thread runs: so it is at first, and in the child of a fork, whose parent writes what waited."""
        self._waiting: Rows = {}
        self._taken: Rows = {}
        self._lock = threading.Lock()
        self._wake = threading.Condition(self._lock)
        self._closing = self._hurry = False
        self._thread: threading.Thread | None = None

    def put(self, table: str, row: Row) -> None:
        """`row` has every column of the table; it replaces the row of the same key."""
        key = (table, str(row[TABLES[table][0]]))
        with self._lock:
            known = key in self._waiting or key in self._taken  # what was begun may end
            full = self._closing or (len(self._waiting) >= self._limit and not known)
            if not full:
                self._waiting[key] = row
                if self._thread is None:
                    thread = threading.Thread(target=self._run, name="observatory-tracking", daemon=True)
                    thread.start()  # one that the system does not give now is asked for with the next row
                    self._thread = thread
                if len(self._waiting) >= self._batch:
                    self._wake.notify_all()
        if full:
            self._dropped(table, "full", 1)

    def flush(self, seconds: float) -> bool:
        """Waits until everything that was put is written, for at most `seconds`; whether it is."""
        end = time.monotonic() + seconds
        with self._lock:
            while self._waiting or self._taken:
                self._hurry = True
                self._wake.notify_all()
                left = end - time.monotonic()
                if left <= 0:
                    return False
                self._wake.wait(min(left, 0.1))
        return True

    def close(self, seconds: float = _AT_EXIT_SECONDS) -> bool:
        """Writes what waits, for at most `seconds`, and takes no more. What is left then is dropped, and counted."""
        written = self.flush(seconds)
        with self._lock:
            self._closing = True
            left, self._waiting = {**self._taken, **self._waiting}, {}
            self._wake.notify_all()
        for table in TABLES:
            if rows := sum(1 for place, _ in left if place == table):
                self._dropped(table, "ended", rows)
        return written

    def _run(self) -> None:
        pause = self._pause
        while True:
            with self._lock:
                if not self._hurry and len(self._waiting) < self._batch and not self._closing:
                    self._wake.wait(pause)
                if self._closing:
                    break
                self._taken = dict(list(self._waiting.items())[: self._batch])
                for key in self._taken:
                    del self._waiting[key]
                self._hurry = False
            reached = not self._taken or self._written(self._taken)
            with self._lock:
                if not reached:
                    self._waiting = {**self._taken, **self._waiting}
                self._taken = {}
                self._wake.notify_all()
            pause = self._pause if reached else min(pause * 2, _LONGEST_PAUSE_SECONDS)
            if not reached:
                self._rest(pause)
        if self._connection is not None:
            self._connection.close()

    def _rest(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        with self._lock:
            while not self._closing and not self._hurry and (left := end - time.monotonic()) > 0:
                self._wake.wait(left)

    def _written(self, rows: Rows) -> bool:
        """Whether the database was there. Rows that it refuses are dropped one by one, so that they hold up no others."""
        try:
            connection = self._opened()
            try:
                self._store(connection, rows)
            except Exception as error:
                if _passes(error):
                    raise
                self._agents.clear()  # those of this transaction were not introduced
                for key, row in rows.items():
                    self._store_alone(connection, key, row)
        except (psycopg.Error, OSError) as error:
            self._lost()
            self._complain(f"the database cannot be reached, rows wait: {type(error).__name__}")
            return False
        except Exception as error:  # whatever it is, the caller's program goes on
            self._lost()
            self._complain(f"rows could not be written: {type(error).__name__}")
            return False
        return True

    def _store_alone(self, connection: Connection, key: tuple[str, str], row: Row) -> None:
        try:
            self._store(connection, {key: row})
        except Exception as error:
            if _passes(error):
                raise
            self._agents.clear()
            self._dropped(key[0], "refused", 1)
            state = f"{error.diag.sqlstate} " if isinstance(error, psycopg.Error) and error.diag.sqlstate else ""
            self._complain(f"{key[0]}: a row is refused: {state}{type(error).__name__}")

    def _store(self, connection: Connection, rows: Rows) -> None:
        with connection.transaction(), connection.cursor() as cursor:
            cursor.execute(_LIMITS)
            for table in TABLES:
                those = [row for (place, _), row in rows.items() if place == table]
                if not those:
                    continue
                if table == "agent_executions":
                    self._introduce(cursor, those)
                cursor.executemany(_upsert(self._schema, table), those)

    def _introduce(self, cursor: psycopg.Cursor[Any], executions: list[Row]) -> None:
        """Agents that have no number yet get one by their name, in the table `agents`."""
        unknown = {row["agent_name"]: row for row in executions if row["agent_id"] is None}
        for name, row in unknown.items():
            if name not in self._agents:
                cursor.execute(_introduction(self._schema), row)
        self._agents |= unknown.keys()

    def _opened(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self._connection = self._connect()
            self._agents.clear()
        return self._connection

    def _lost(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _complain(self, text: str) -> None:
        """Once for the same trouble; the texts of errors may hold what people wrote, and are not repeated."""
        if text != self._complaint:
            LOG.warning(text)
        self._complaint = text

    def forget(self) -> None:
        """In the child of a fork: the parent's rows and connection are the parent's."""
        self._connection = None
        self._begin()


def _passes(error: Exception) -> bool:
    """Whether the trouble is the database's and not the row's: no answer, no room, a lock, a restart, a deadlock, a standby."""
    if not isinstance(error, psycopg.Error):
        return isinstance(error, OSError)  # such as a text that is no UTF-8
    state = error.diag.sqlstate
    if state is None:  # not from the server: it is away, or the row cannot even be sent, as a text with a NUL
        return not isinstance(error, psycopg.DataError | psycopg.ProgrammingError)
    return state[:2] in ("08", "40", "53", "55", "57", "58") or state == _READ_ONLY


def _upsert(schema: str, table: str) -> sql.Composed:
    columns = TABLES[table]
    values: list[sql.Composable] = [sql.Placeholder(column) for column in columns]
    if table == "agent_executions":
        values[1] = sql.SQL(
            "coalesce(%(agent_id)s, (SELECT id FROM {} WHERE name = %(agent_name)s ORDER BY id LIMIT 1))"
        ).format(sql.Identifier(schema, "agents"))
    return sql.SQL("INSERT INTO {} ({}) VALUES ({}) ON CONFLICT ({}) DO UPDATE SET {}").format(
        sql.Identifier(schema, table),
        sql.SQL(", ").join(map(sql.Identifier, columns)),
        sql.SQL(", ").join(values),
        sql.Identifier(columns[0]),
        sql.SQL(", ").join(sql.SQL("{0} = EXCLUDED.{0}").format(sql.Identifier(column)) for column in columns[1:]),
    )


def _introduction(schema: str) -> sql.Composed:
    return sql.SQL(
        "INSERT INTO {0} (name, type, environment, is_active) SELECT %(agent_name)s, 'agent', %(environment)s, true "
        "WHERE NOT EXISTS (SELECT FROM {0} WHERE name = %(agent_name)s)"
    ).format(sql.Identifier(schema, "agents"))


def _ended(reference: weakref.ref[Writer]) -> None:
    if (writer := reference()) is not None:
        writer.close()


def _forked(reference: weakref.ref[Writer]) -> None:
    if (writer := reference()) is not None:
        writer.forget()


def connector(dsn: str) -> Callable[[], Connection]:
    """Opens connections that give up in time, prepare nothing, and whose sessions PostgreSQL's lists name."""

    def connect() -> Connection:
        patience = {"connect_timeout": 5, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}
        given: Mapping[str, Any] = {**patience, "tcp_user_timeout": 30_000, **conninfo_to_dict(dsn)}
        fixed = {"application_name": "observatory-tracking", "autocommit": True, "prepare_threshold": None}
        return psycopg.connect(**{**given, **fixed})

    return connect

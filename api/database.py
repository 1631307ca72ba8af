"""Where answers come from: a login for each role, few queries at a time, each in a transaction that reads and is soon over."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from api.catalogue.endpoints import Role
from api.catalogue.model import Query
from api.limits import share
from api.problems import Problem, unavailable
from api.tokens import Caller

LOG = logging.getLogger("observatory.api")
CLAIM = "observatory.user_key"
"""The setting that says to the views `own_…` whose rows they hold."""

_CONNECT_SECONDS = 5
SILENT_SECONDS = 3.0
"""How much longer than a statement may take the server is waited for: it ends statements itself, unless it fell silent."""
_LATE = "57014"
"""What PostgreSQL says when a statement took longer than it may."""

Connection = psycopg.AsyncConnection[tuple[Any, ...]]
Rows = Sequence[tuple[Any, ...]]
Dsn = Callable[[], str]


@dataclass(frozen=True)
class Bounds:
    """How many queries run at a time, how many may wait for their turn, and how long one may take."""

    queries: int
    waiting: int
    statement_seconds: float


@dataclass
class _Queue:
    """The turns of one caller, and how many questions stand or run there."""

    free: asyncio.Semaphore
    asked: int = 0


class Turns:
    """Lets a few in at a time, and of one caller no more than its share. Who would be one too many in the queue is refused at
    once."""

    def __init__(self, bounds: Bounds) -> None:
        self._free, self._most, self._waiting = asyncio.Semaphore(bounds.queries), bounds.waiting, 0
        self._each, self._most_of_each = share(bounds.queries), share(bounds.queries) + share(bounds.waiting)
        self._queues: dict[str, _Queue] = {}

    @asynccontextmanager
    async def turn(self, caller: str) -> AsyncIterator[None]:
        queue = self._queues.get(caller) or _Queue(asyncio.Semaphore(self._each))
        if self._waiting >= self._most or queue.asked >= self._most_of_each:
            raise unavailable("too many questions wait for an answer; ask again soon", 1)
        self._queues[caller] = queue
        queue.asked += 1
        try:
            async with AsyncExitStack() as held:
                self._waiting += 1
                try:
                    await held.enter_async_context(queue.free)
                    await held.enter_async_context(self._free)
                finally:
                    self._waiting -= 1
                yield
        finally:
            queue.asked -= 1
            if not queue.asked:
                del self._queues[caller]


class Database:
    """The logins by role. `dsns` are asked on every connecting, for a password may change; a role without one is refused."""

    def __init__(self, dsns: Mapping[Role, Dsn], bounds: Bounds) -> None:
        self._dsns, self._bounds, self._turns = dict(dsns), bounds, Turns(bounds)
        self._idle: dict[Role, list[Connection]] = {role: [] for role in Role}

    def serves(self, role: Role) -> bool:
        """Whether there is a login for the role."""
        return role in self._dsns

    async def rows(self, caller: Caller, query: Query, chosen: frozenset[str], parameters: Mapping[str, Any]) -> Rows:
        """The rows of a query, as the caller's role may see them. Raises Problem."""
        async with self._turns.turn(caller.name), self._connection(caller.role) as connection:
            try:
                async with (
                    hung_up_after(self._bounds.statement_seconds + SILENT_SECONDS, connection),
                    connection.transaction(),
                ):
                    await connection.execute(_limits(self._bounds.statement_seconds, caller.user_key))
                    cursor = await connection.execute(query.statement(chosen).encode(), parameters)
                    return await cursor.fetchall()
            except psycopg.Error as error:
                raise self._said(error, query.key) from None

    def _said(self, error: psycopg.Error, what: str) -> Problem:
        """What the caller hears of an error: never the server's own words, which may tell of tables and roles."""
        LOG.warning("query failed: %s: %s", what, type(error).__name__)
        if error.sqlstate == _LATE:
            seconds = f"{self._bounds.statement_seconds:g}"
            return Problem(
                HTTPStatus.GATEWAY_TIMEOUT, f"{what} took longer than {seconds} s; ask for a shorter range, or fewer values"
            )
        if error.sqlstate is None or error.sqlstate[:2] in ("08", "53", "57"):
            return unavailable("the database does not answer at the moment")
        if error.sqlstate in ("42P01", "42501", "3F000", "42703", "42883"):
            return unavailable("the database is not set up for this question; the operator runs `observatory db upgrade`", 60)
        return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, f"{what} could not be answered")

    @asynccontextmanager
    async def _connection(self, role: Role) -> AsyncIterator[Connection]:
        connection = await self._taken(role)
        try:
            yield connection
        except BaseException:
            # perhaps only a refused statement, but then a new connection is cheap
            await _closed(connection)
            raise
        self._idle[role].append(connection)

    async def _taken(self, role: Role) -> Connection:
        while self._idle[role]:
            connection = self._idle[role].pop()
            if not connection.closed and await _lives(connection):
                return connection
            await _closed(connection)
        return await self._connected(role)

    async def _connected(self, role: Role) -> Connection:
        if role not in self._dsns:
            raise Problem(HTTPStatus.FORBIDDEN, f"the role {role} is not served here: there is no login of the database for it")
        try:
            return await connected(self._dsns[role], f"observatory-api-{role}")
        except (psycopg.Error, OSError, TimeoutError, ValueError) as error:
            # the text may quote the connection string
            LOG.warning("no connection to the database for role %s: %s", role, type(error).__name__)
            raise unavailable("the database cannot be reached at the moment") from None

    async def close(self) -> None:
        """Gives back all connections that nobody uses."""
        for connections in self._idle.values():
            while connections:
                await _closed(connections.pop())


async def connected(dsn: Dsn, name: str) -> Connection:
    """A connection in autocommit mode that prepares nothing. Raises psycopg.Error, OSError, TimeoutError and ValueError."""
    given: dict[str, Any] = conninfo_to_dict(dsn())
    fixed = {"application_name": name, "autocommit": True, "prepare_threshold": None, "client_encoding": "utf8"}
    os.environ["PGDATESTYLE"] = "ISO"  # libpq says it as it connects: times in the form that a database prefers cannot be read
    async with asyncio.timeout(_CONNECT_SECONDS + 1):
        return await psycopg.AsyncConnection.connect(**({"connect_timeout": _CONNECT_SECONDS} | given | fixed))


async def _lives(connection: Connection) -> bool:
    """Whether the server still listens: what it says meanwhile can be read without waiting."""
    with suppress(psycopg.Error):
        connection.pgconn.consume_input()
        return connection.pgconn.status == psycopg.pq.ConnStatus.OK
    return False


@asynccontextmanager
async def hung_up_after(seconds: float, connection: Connection) -> AsyncIterator[None]:
    """Ends the connection when the server or the network has been silent for so long, which ends nothing by itself. The line
    is cut below psycopg, for whoever waits there would wait for the answer to a cancelling, too."""
    ending = asyncio.get_running_loop().call_later(seconds, _hang_up, connection)
    try:
        yield
    finally:
        ending.cancel()


def _hang_up(connection: Connection) -> None:
    with suppress(psycopg.Error, OSError), socket.socket(fileno=os.dup(connection.fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)


async def _closed(connection: Connection) -> None:
    with suppress(psycopg.Error, OSError):
        await connection.close()


def _limits(seconds: float, user_key: str) -> sql.Composed:
    """Puts a transaction under our limits, and says whose rows the views of own rows hold."""
    milliseconds = f"{max(1, round(seconds * 1000))}ms"
    settings = {
        "transaction_read_only": "on",
        "timezone": "UTC",
        "jit": "off",
        "statement_timeout": milliseconds,
        "lock_timeout": "1s",
        "idle_in_transaction_session_timeout": "10s",
        CLAIM: user_key,
    }
    calls = (sql.SQL("set_config({}, {}, true)").format(name, value) for name, value in settings.items())
    return sql.SQL("SELECT {}").format(sql.SQL(", ").join(calls))

"""The database of the stack: the embedded server, or the one that OBSERVATORY_POSTGRES_DSN names."""

from __future__ import annotations

import contextlib
import os
from concurrent.futures import Executor, Future
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg.conninfo import conninfo_to_dict

from demo.database import schema
from demo.database.server import EmbeddedPostgres, ServerError
from demo.stack.child import MOST_RESTARTS, Part, State
from demo.stack.effective import Server
from demo.stack.failure import StackError
from demo.stack.ports import LOOPBACK
from demo.stack.processes import Identity, identify

VARIABLE = "OBSERVATORY_POSTGRES_DSN"
_CONNECT_SECONDS = 5
_ASK_EVERY = 5.0


def named() -> str | None:
    """The connection string from the environment, given by itself or as a file. Raises StackError for an unreadable file."""
    if dsn := os.environ.get(VARIABLE):
        return dsn
    if path := os.environ.get(f"{VARIABLE}_FILE"):
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            raise StackError(f"{VARIABLE}_FILE names {path}, which cannot be read", exit_code=2) from None
    return None


def embedded(var: Path, port: int) -> EmbeddedPostgres:
    return EmbeddedPostgres(var / "postgres", port, var / "secrets" / "postgres_password")


def identity(var: Path) -> Identity | None:
    """The embedded server's process."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        return identify(int((var / "postgres" / "postmaster.pid").read_text().split()[0]))
    return None


def trouble(dsn: str) -> str:
    """Why the database cannot be used, in one line without the password; empty when it answers."""
    try:
        psycopg.connect(dsn, connect_timeout=_CONNECT_SECONDS).close()
    except psycopg.ProgrammingError:
        return "it is not a connection string; write postgresql://user:password@host:5432/database"
    except psycopg.OperationalError as error:
        return " ".join(str(error).split()).removeprefix("connection failed: ")
    return ""


def refuse_foreign(dsn: str) -> None:
    """Raises StackError when schema `app` in the database is somebody else's, or cannot be looked at."""
    try:
        with psycopg.connect(dsn, connect_timeout=_CONNECT_SECONDS) as connection:
            schema.read_mark(connection)
    except schema.ForeignSchema as error:
        raise StackError(str(error), exit_code=2) from None
    except psycopg.Error as error:
        raise StackError(f"the database cannot be used: {' '.join(str(error).split())}") from None


def server(dsn: str) -> Server:
    """Where the database is, as the roles that `observatory db install` makes reach it.

    Raises StackError when the database cannot be reached, or its login may not make roles.
    """
    if why := trouble(dsn):
        raise StackError(f"the database of {VARIABLE} cannot be used: {why}")
    with psycopg.connect(dsn, connect_timeout=_CONNECT_SECONDS) as connection:
        info = connection.info
        if info.host.startswith("/"):
            raise StackError(
                f"{VARIABLE} has to name a host and a port; dashboards cannot use the socket in {info.host}", exit_code=2
            )
        may = connection.execute("SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user").fetchone()
        if not may or not may[0]:
            raise StackError(
                f"{info.user} of {VARIABLE} may not create roles, and the stack gives each of its parts one of its own; "
                f"let an administrator run: ALTER ROLE {info.user} CREATEROLE",
                exit_code=2,
            )
        sslmode = str(conninfo_to_dict(dsn).get("sslmode") or "disable")
        known = ("require", "verify-ca", "verify-full")
        return Server(f"{info.host}:{info.port}", info.dbname, sslmode if sslmode in known else "disable")


def role_dsn(where: Server, role: str, password: str) -> str:
    """The connection string of a role."""
    return (
        f"postgresql://{role}:{quote(password, safe='')}@{where.host}/{quote(where.database, safe='')}?sslmode={where.sslmode}"
    )


class Database:
    """The database under supervision. The embedded one is started again when it dies; one that was named is only asked."""

    def __init__(self, var: Path, dsn: str, asking: Executor, server: EmbeddedPostgres | None) -> None:
        parts = conninfo_to_dict(dsn)
        address = f"postgresql://{parts.get('host', LOOPBACK)}:{parts.get('port', 5432)}/{parts.get('dbname', '')}"
        self.part = Part("postgres", "PostgreSQL (embedded)" if server else "PostgreSQL", address, "", ())
        self.state, self.reason = State.HEALTHY, ""
        self.restarts = 0
        self._var, self._dsn, self._asking, self._server = var, dsn, asking, server
        self._work: Future[str] | None = None
        self._ask_at = 0.0
        self.identity = identity(var) if server else None

    def tick(self, now: float) -> None:
        if self.state in (State.FAILED, State.ENDED):
            return
        if self._work is None:
            if self.identity is not None and not self.identity.alive:
                self._died()
            elif now >= self._ask_at:
                self._work = self._asking.submit(trouble, self._dsn)
                self._ask_at = now + _ASK_EVERY
        elif self._work.done():
            self.reason, self._work = self._work.result(), None
            self.state = State.UNHEALTHY if self.reason else State.HEALTHY

    def end(self, seconds: float) -> None:  # noqa: ARG002  the server has patience of its own
        if self._server is not None and self.state is not State.ENDED:
            self._server.stop()
        self.state = State.ENDED

    def _died(self) -> None:
        if self.restarts >= MOST_RESTARTS:
            self.state, self.reason = State.FAILED, f"{self.reason}; given up after {self.restarts} restarts"
            return
        self.restarts += 1
        self.state, self.reason = State.RESTARTING, self.reason or "its process has ended"
        self._work = self._asking.submit(self._revive)

    def _revive(self) -> str:
        assert self._server is not None
        try:
            self._server.start()
        except ServerError as error:
            return str(error)
        self.identity = identity(self._var)
        return ""

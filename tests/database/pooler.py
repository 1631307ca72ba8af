"""A real PgBouncer in front of the tests' server: transactions of many clients share very few connections."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

ROOT = Path(__file__).resolve().parents[2]
UNPACKED = ROOT / ".tools" / "pgbouncer"
POOL = 2
"""Connections to the server for each role and database."""

_SETTINGS = """
[databases]
* = host={host} port={port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {users}
pool_mode = transaction
default_pool_size = {pool}
query_wait_timeout = {patience}
server_connect_timeout = 2
server_login_retry = 1
"""

_LEFT_BEHIND = """
SELECT (SELECT count(*) FROM pg_prepared_statements), (SELECT count(*) FROM pg_cursors WHERE is_holdable),
       (SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory'),
       (SELECT count(*) FROM pg_class WHERE relnamespace = pg_my_temp_schema()),
       (SELECT count(*) FROM pg_listening_channels()),
       ARRAY(SELECT name FROM pg_settings WHERE source = 'session' AND name <> ALL (%s) ORDER BY name)
"""
_OF_THE_POOLER = ["application_name", "client_encoding", "DateStyle", "TimeZone", "standard_conforming_strings"]
"""What PgBouncer itself sets for each client."""


@dataclass(frozen=True)
class Pooler:
    """`passwords` by the roles that it lets in."""

    port: int
    passwords: Mapping[str, str]

    def dsn(self, database: str, role: str) -> str:
        """The way of a role to a database on the server behind it."""
        return f"postgresql://{role}:{self.passwords[role]}@127.0.0.1:{self.port}/{database}"

    def left_behind(self, database: str, role: str) -> list[tuple[Any, ...]]:
        """What earlier transactions left in each connection to the server: nothing, if they are good guests."""
        clients = [psycopg.connect(self.dsn(database, role), prepare_threshold=None) for _ in range(POOL)]
        try:
            found = [client.execute(_LEFT_BEHIND, (_OF_THE_POOLER,)).fetchone() for client in clients]
            backends = {client.execute("SELECT pg_backend_pid()").fetchone() for client in clients}
        finally:
            for client in clients:
                client.close()
        assert len(backends) == POOL
        return [row for row in found if row is not None and row != (0, 0, 0, 0, 0, [])]


@contextmanager
def pooler(server: str, passwords: Mapping[str, str], patience: int = 20) -> Iterator[Pooler]:
    """PgBouncer in front of the server of a DSN. It runs as the owner of the server's socket, since it refuses to be root.

    Clients wait for `patience` seconds for a turn.
    """
    program, environment = _program()
    behind = conninfo_to_dict(server)
    with tempfile.TemporaryDirectory(prefix="observatory-pooler-") as name, socket.create_server(("127.0.0.1", 0)) as held:
        folder, port = Path(name), int(held.getsockname()[1])
        users, settings, log = folder / "users", folder / "pgbouncer.ini", folder / "log"
        users.write_text("".join(f'"{role}" "{password}"\n' for role, password in passwords.items()))
        settings.write_text(
            _SETTINGS.format(
                host=behind["host"], port=behind.get("port", 5432), listen=port, users=users, pool=POOL, patience=patience
            )
        )
        owner = Path(behind["host"]).stat() if os.geteuid() == 0 else None
        if owner:
            for path in (folder, users, settings):
                os.chown(path, owner.st_uid, owner.st_gid)
        held.close()
        identity: dict[str, Any] = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []} if owner else {}
        with log.open("wb") as said:
            process = subprocess.Popen(
                [program, settings], env=environment, cwd="/", stdin=subprocess.DEVNULL, stdout=said, stderr=said, **identity
            )
        try:
            _wait(process, port, log)
            yield Pooler(port, passwords)
        finally:
            process.kill()
            process.wait()


def _program() -> tuple[str, dict[str, str]]:
    """PgBouncer and the environment that it needs."""
    search = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    named = os.environ.get("OBSERVATORY_PGBOUNCER") or shutil.which("pgbouncer", path=search)
    if named:
        return named, {}
    program = UNPACKED / "usr" / "sbin" / "pgbouncer"
    if not (UNPACKED / ".complete").exists():
        pytest.fail("there is no PgBouncer; `make test` fetches it, or install it (Debian: apt install pgbouncer)")
    return str(program), {"LD_LIBRARY_PATH": str(next(UNPACKED.glob("usr/lib/**/libcares.so.2")).parent)}


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            assert process.poll() is None and time.monotonic() < end, f"PgBouncer does not answer: {log.read_text()}"
        time.sleep(0.02)


@contextmanager
def logins(server: str, roles: Sequence[str]) -> Iterator[dict[str, str]]:
    """Lets roles of the server log in; their passwords."""
    with psycopg.connect(server, autocommit=True) as connection:
        for role in roles:
            connection.execute(sql.SQL("ALTER ROLE {} LOGIN").format(sql.Identifier(role)))
        yield {role: f"word-of-{role}" for role in roles}
        for role in roles:
            connection.execute(sql.SQL("ALTER ROLE {} NOLOGIN").format(sql.Identifier(role)))

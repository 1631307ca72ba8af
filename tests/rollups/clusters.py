"""Servers of our own that a test crashes, and standbys of them."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from demo.database.server import EmbeddedPostgres, binaries
from tests.conftest import thrown_away

DURABLE = {
    "fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "wal_level": "replica", "max_wal_senders": "4",
    "hot_standby": "on", "shared_buffers": "64MB", "max_connections": "30", "autovacuum": "off", "bgwriter_lru_maxpages": "0",
    "wal_writer_delay": "10s", "restart_after_crash": "off",
}  # fmt: skip
"""As on a platform, but nothing writes to disk by itself: what is lost in a crash is for the test to decide."""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as held:
        return int(held.getsockname()[1])


class Cluster:
    """A server on a folder, with the superuser's DSN while it runs."""

    def __init__(self, folder: Path, password: Path) -> None:
        self.folder = folder
        self.server = EmbeddedPostgres(folder, free_port(), password, DURABLE)
        self.dsn = self.server.start()

    def connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.dsn, autocommit=True, prepare_threshold=None)

    def hold_back_the_log(self) -> int:
        """From now on only a commit that waits for the disk brings the log there; the process that was stopped."""
        with self.connect() as connection:
            row = connection.execute("SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'").fetchone()
        assert row is not None
        os.kill(row[0], signal.SIGSTOP)
        return int(row[0])

    def crash(self, stopped: int) -> None:
        """As `pg_ctl stop -m immediate`: nothing is written any more. A process that was stopped is not woken for it."""
        postmaster = int((self.folder / "postmaster.pid").read_text().splitlines()[0])
        os.kill(postmaster, signal.SIGQUIT)
        os.kill(stopped, signal.SIGKILL)
        end = time.monotonic() + 60
        while (self.folder / "postmaster.pid").exists():
            assert time.monotonic() < end, "the server does not end"
            time.sleep(0.02)

    def restart(self) -> None:
        self.dsn = self.server.start()

    def stop(self) -> None:
        self.server.stop()


@contextmanager
def cluster() -> Iterator[Cluster]:
    """A running server that is gone afterwards."""
    with thrown_away("cluster") as folder:
        folder.chmod(0o711)
        primary = Cluster(folder / "data", folder / "password")
        try:
            yield primary
        finally:
            primary.stop()


@contextmanager
def standby(primary: Cluster) -> Iterator[Cluster]:
    """A server that follows another one, by streaming."""
    with thrown_away("standby") as place:
        place.chmod(0o711)
        folder, password = place / "data", place / "password"
        parameters = conninfo_to_dict(primary.dsn)
        subprocess.run(
            [binaries() / "pg_basebackup", "-D", folder, "-R", "-X", "stream", "-c", "fast", "-d", primary.dsn],
            check=True,
            capture_output=True,
            timeout=60,
        )
        if os.geteuid() == 0:
            owner = primary.folder.stat()
            for path in (folder, *folder.rglob("*")):
                os.chown(path, owner.st_uid, owner.st_gid)
        password.write_text(str(parameters["password"]))
        following = Cluster(folder, password)
        try:
            yield following
        finally:
            following.stop()
            shutil.rmtree(folder, ignore_errors=True)


def caught_up(primary: Cluster, following: Cluster) -> None:
    """Waits until the standby has replayed all that the primary has written."""
    with primary.connect() as connection, following.connect() as other:
        connection.execute("SELECT pg_switch_wal()")
        row = connection.execute("SELECT pg_current_wal_lsn()::text").fetchone()
        assert row is not None
        end = time.monotonic() + 60
        while other.execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", row).fetchone() != (True,):
            assert time.monotonic() < end, "the standby does not follow"
            time.sleep(0.02)

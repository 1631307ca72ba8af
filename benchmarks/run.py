"""One run of the benchmarks: how large, in which folder, and the database server that they share."""

from __future__ import annotations

import fcntl
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from demo.database.server import EmbeddedPostgres, ServerError

# As the measurements that the bars come from were made: data in memory, durable commits.
_TUNED = {
    "fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "wal_level": "replica", "max_wal_size": "8GB",
    "shared_buffers": "4GB", "work_mem": "64MB", "maintenance_work_mem": "512MB", "max_connections": "80",
    "max_prepared_transactions": "10", "track_io_timing": "off",
}  # fmt: skip


@dataclass(frozen=True)
class Scale:
    """How much is measured. `rows` are agent executions, `small` the tenth that growth is measured from.

    `days` is the life of the reference database, `known_days` that of the platform that is forecast. `transactions`: how many
    each client of pgbench does, if it is not to write for a time. `scenarios`: whether promtool proves those of all alerts.
    `lean`: whether rules are evaluated over agents of one environment and version only."""

    rows: int = 10_000_000
    arrivals: int = 1_000
    cycles: int = 60
    repeat: int = 5
    series: tuple[int, ...] = (10_000, 100_000)
    scrapes: int = 300
    seconds: float = 90.0
    longest: float = 25.0
    writers: int = 16
    kills: int = 100
    runs: int = 10
    minutes: float = 2.0
    agents: int = 200
    evaluated_every: float = 30.0
    world: float = 2.0
    days: int = 90
    known_days: int = 182
    transactions: int | None = None
    people: int = 50_000
    scraped_hours: int = 24
    recorded_days: int = 35
    scenarios: bool = True
    lean: bool = False

    @property
    def small(self) -> int:
        return self.rows // 10

    def plain(self) -> dict[str, Any]:
        return asdict(self)


TINY = Scale(
    rows=5_000, arrivals=100, cycles=2, repeat=1, series=(1_000,), scrapes=8, seconds=2.0, longest=1.0, writers=4, kills=3,
    runs=1, minutes=0.02, agents=3, evaluated_every=2.0, world=0.02, days=35, known_days=70,
    transactions=20, people=100, scraped_hours=1, recorded_days=1, scenarios=False, lean=True,
)  # fmt: skip


def free_port() -> int:
    """A port of 127.0.0.1 that nobody uses at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


@dataclass
class Run:
    """What a benchmark is given. Close it at the end: it stops the database server."""

    folder: Path
    scale: Scale = field(default_factory=Scale)
    shared_buffers: str = _TUNED["shared_buffers"]
    say: Callable[[str], None] = lambda _: None
    tabs: tuple[str, ...] = ()
    """Keys of the tabs that are opened; without any, all are."""
    _server: EmbeddedPostgres | None = None
    _dsn: str = ""
    _lock: IO[str] = field(init=False)

    def dsn(self) -> str:
        """The superuser's connection string; the server starts when it is first asked for."""
        if self._server is None:
            settings = {**_TUNED, "shared_buffers": self.shared_buffers}
            place, password = self.folder / "postgres", self.folder / "postgres.password"
            self._server = EmbeddedPostgres(place, free_port(), password, settings)
            self._dsn = self._server.start()
        return self._dsn

    @contextmanager
    def database_stopped(self) -> Iterator[None]:
        """The server is down inside, and back at its address afterwards."""
        assert self._server is not None
        self._server.stop()
        try:
            yield
        finally:
            self._server.start()

    def __enter__(self) -> Run:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = (self.folder / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.close()
            raise ServerError(f"another benchmark is running in {self.folder}; wait for its end") from None
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.stop()
        self._lock.close()

"""The data plane as it is installed and used: through the command, and by the calls that the exporter's collectors make."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg import sql

from benchmarks.program import Program, ProgramError, started
from benchmarks.run import free_port
from contract.settings import Settings
from exporters.business.rollups import RollupsCollector
from exporters.collectors import collectors as exporters_collectors
from exporters.credentials import Credentials
from exporters.database.mapping import STAMP, Mapping
from exporters.database.sessions import Connection, Session
from exporters.rollups import advance, backfill, fold, forms
from exporters.rollups.fresh import Latest
from exporters.rollups.statement import Form
from exporters.scheduler import Collector

OBSERVATORY = (sys.executable, "-c", "from provisioning.cli import main; main()")
_SECONDS = 60.0


def install(dsn: str) -> None:
    """`observatory db install` with the default configuration. Raises ProgramError with what it said."""
    done = subprocess.run(
        [*OBSERVATORY, "db", "install"],
        env={**os.environ, "OBSERVATORY_POSTGRES_ADMIN_DSN": dsn}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise ProgramError(f"observatory db install failed: {(done.stderr or done.stdout).strip()}")


def exporter(folder: Path, dsn: str, rollups: str = "15s") -> AbstractContextManager[Program]:
    """The exporter as it is run, with the default intervals but for that of counting, on this database. Raises ProgramError."""
    port = free_port()
    configuration = folder / "observatory.yaml"
    configuration.write_text(f"exporter:\n  listen: 127.0.0.1:{port}\n  intervals: {{rollups: {rollups}}}\n")
    command = [*OBSERVATORY, "exporter", "--config", str(configuration)]
    secrets = {"OBSERVATORY_POSTGRES_DSN": dsn, "OBSERVATORY_POSTGRES_ADVANCE_DSN": dsn}
    return started(command, f"http://127.0.0.1:{port}/metrics", folder / "exporter.log", secrets)


def remove_capture(dsn: str, table: str) -> None:
    """Takes away what finds the changes of one table: triggers, column, and with it its index. Other indexes stay."""
    with psycopg.connect(dsn) as connection:
        triggers = connection.execute(
            "SELECT tgname FROM pg_trigger WHERE tgrelid = %s::regclass AND NOT tgisinternal", (table,)
        )
        name = sql.Identifier(*table.split("."))
        for (trigger,) in triggers.fetchall():
            connection.execute(sql.SQL("DROP TRIGGER {} ON {}").format(sql.Identifier(trigger), name))
        connection.execute(sql.SQL("ALTER TABLE {} DROP COLUMN {}").format(name, sql.Identifier(STAMP)))


def collectors(dsn: str, names: Sequence[str]) -> list[Collector]:
    """The exporter's collectors of these names, which both read and write through `dsn`. Raises ProgramError without one."""
    secrets = {"OBSERVATORY_POSTGRES_DSN": dsn, "OBSERVATORY_POSTGRES_ADVANCE_DSN": dsn}
    settings = Settings()
    made = {collector.name: collector for collector in exporters_collectors(settings, Credentials(settings, environ=secrets))}
    if missing := set(names) - made.keys():
        raise ProgramError(f"the exporter has no collector called {', '.join(sorted(missing))}")
    return [made[name] for name in names]


def latest(made: Sequence[Collector]) -> Latest | None:
    """What the one of these collectors that counts has read last."""
    return next((collector.latest for collector in made if isinstance(collector, RollupsCollector)), None)


@dataclass
class Counting:
    """One process's way of counting, over one connection. `application` is its name in pg_stat_activity."""

    dsn: str
    application: str = "bench-advance"
    _session: Session = field(init=False)
    _forms: dict[str, Form] = field(init=False)

    def __post_init__(self) -> None:
        self._session = Session(lambda: self.dsn, _SECONDS, read_only=False, application_name=self.application)
        self._session.open()
        with self._session.transaction() as connection:
            self._forms = forms.forms(connection, Mapping.of(Settings()))

    def open(self) -> None:
        """Connects anew when the connection was lost."""
        self._session.open()

    def transaction(self) -> contextlib.AbstractContextManager[Connection]:
        return self._session.transaction()

    def advance(self) -> int:
        """Counts what is new in all sources; how many rows were looked at."""
        with self.transaction() as connection:
            sources = advance.news(connection, self._forms)
        looked = 0
        for source in sources:
            with self.transaction() as connection:
                step = advance.advance(connection, self._forms[source])
            looked += step.looked if step else 0
        return looked

    def fold(self) -> None:
        with self.transaction() as connection:
            fold.fold(connection)

    def backfill(self, progress: Callable[[backfill.Chunk], None] = lambda _: None) -> int:
        """Counts what was there before; how many rows."""
        return backfill.run(self.transaction, self._forms, progress)

    def close(self) -> None:
        self._session.close()


@contextlib.contextmanager
def counting(dsn: str) -> Iterator[Counting]:
    made = Counting(dsn)
    try:
        yield made
    finally:
        made.close()

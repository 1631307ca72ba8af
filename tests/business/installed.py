"""Schema `analytics` in a test's database, and the collectors on it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import yaml
from click.testing import CliRunner
from psycopg.conninfo import make_conninfo

from contract.settings import Settings
from contract.values import duration_seconds
from exporters.business.collectors import business_collectors
from exporters.database.mapping import Mapping
from exporters.database.sessions import Session
from exporters.database.sharing import SharedSession
from exporters.journal import SourceDown
from exporters.scheduler import Collector
from provisioning.cli import main
from tests.business.figures import Figures, figures
from tests.business.life import ENVIRONMENTS


def install(dsn: str, folder: Path, **configuration: Any) -> None:
    """`observatory db install` as an administrator of the database."""
    config = folder / "observatory.yaml"
    config.write_text(yaml.safe_dump(configuration))
    with patch.dict(os.environ, {"OBSERVATORY_POSTGRES_ADMIN_DSN": dsn}):
        result = CliRunner().invoke(main, ["db", "install", "--config", str(config)])
    assert result.exit_code == 0, result.output


def as_role(dsn: str, role: str) -> str:
    """A connection string whose session has the rights of a role, and no others."""
    return make_conninfo(dsn, options=f"-c role={role}")


@dataclass
class Exporter:
    """The collectors of one process: they count over one connection, and read over another."""

    reading: SharedSession
    writing: SharedSession
    collectors: tuple[Collector, ...]

    @classmethod
    def of(cls, dsn: str | Callable[[], str], user_key: str | None = None, **configuration: Any) -> Exporter:
        """An exporter that has the two roles' rights. `dsn` may change from one connection to the next."""
        settings = Settings.model_validate({"environments": ENVIRONMENTS, **configuration})
        timeout = duration_seconds(settings.exporter.query_timeout)
        now_at = dsn if callable(dsn) else lambda: dsn
        reading = SharedSession(Session(lambda: as_role(now_at(), "observatory_read"), timeout), 5.0)
        writing = SharedSession(Session(lambda: as_role(now_at(), "observatory_advance"), timeout, read_only=False), 5.0)
        collectors = business_collectors(settings, Mapping.of(settings), reading, writing, lambda: user_key)
        return cls(reading, writing, collectors)

    def collect(self, now: float) -> dict[str, str]:
        """One run of each; the collectors that were down, with the reason."""
        down = {}
        for collector in self.collectors:
            try:
                collector.collect(now)
            except SourceDown as error:
                down[collector.name] = str(error)
        return down

    def served(self, now: float) -> Figures:
        """All that may be served at `now`."""
        found: Figures = {}
        for collector in self.collectors:
            found |= figures(collector.snapshot, now, collector.max_age)
        return found

    def disconnect(self) -> None:
        """As a network that is cut: the next run connects again."""
        self.reading.close()
        self.writing.close()

    def close(self) -> None:
        for collector in self.collectors:
            collector.close()

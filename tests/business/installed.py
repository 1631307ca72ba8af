"""Schema `analytics` in a test's database, and the collectors on it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import yaml
from click.testing import CliRunner
from psycopg.conninfo import make_conninfo

from contract.settings import Settings
from exporters.business.from_rollups import FiguresCollector
from exporters.business.rollups import RollupsCollector
from exporters.database.mapping import Mapping
from exporters.database.sessions import Session
from exporters.database.sharing import SharedSession
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

    rollups: RollupsCollector
    figures: FiguresCollector

    @classmethod
    def of(cls, dsn: str, user_key: bytes | None = None, **configuration: Any) -> Exporter:
        settings = Settings.model_validate({"environments": ENVIRONMENTS, **configuration})
        mapping = Mapping.of(settings)
        advance = SharedSession(Session(lambda: as_role(dsn, "observatory_advance"), 10.0, read_only=False), 1.0)
        read = SharedSession(Session(lambda: as_role(dsn, "observatory_read"), 10.0), 1.0)
        return cls(
            RollupsCollector(settings, mapping, advance.seat(), user_key), FiguresCollector(settings, mapping, read.seat())
        )

    def collect(self, now: float) -> Figures:
        """One run of both; all that may be served then."""
        self.rollups.collect(now)
        self.figures.collect(now)
        return figures(self.rollups.snapshot, now) | figures(self.figures.snapshot, now)

    def close(self) -> None:
        self.rollups.close()
        self.figures.close()

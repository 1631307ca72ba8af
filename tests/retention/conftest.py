"""A platform whose schema `analytics` has rows of many ages, and the command on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from click.testing import CliRunner, Result

from exporters.database.sessions import connect
from provisioning.cli import main
from provisioning.database.admin import VARIABLE
from tests.business.installed import Exporter, install
from tests.business.life import Life
from tests.conftest import PostgresServer

Connection = psycopg.Connection[Any]
Observatory = Callable[..., Result]
NOW = datetime.now(UTC).replace(microsecond=0)
"""The server's clock decides what is old, so the tests live now."""

AGES = """
INSERT INTO analytics.audit_log (at, actor, action, target)
SELECT now() - (n - 0.5) * interval '1 day', 'anna', 'set', 'budget' FROM generate_series(1, 100) AS n;
INSERT INTO analytics.alert_events (fingerprint, starts_at, status, received_at, alertname, severity, environment, agent,
                                    labels, annotations)
SELECT 'f', at, 'firing', at, 'Slow, and "odd"', 'warning', 'production', '', '{"a": "b"}', '{}'
FROM generate_series(now() - interval '49.5 days', now(), interval '1 day') AS at;
INSERT INTO analytics.incidents (kind, ref, opened_at, closed_at, severity, evidence)
VALUES ('alert', 'open', now() - interval '90 days', NULL, 'warning', '{}'),
       ('alert', 'over', now() - interval '90 days', now() - interval '89 days', 'warning', '{}')
"""
CONFIGURATION = {"database": {"retention": {"audit_log": "30d", "alert_events": "32d", "findings": "60d"}}}


@pytest.fixture(scope="module")
def template(module_database: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Name of a database with a platform that was counted once, with old rows in our schema. Nobody is connected to it."""
    install(module_database, tmp_path_factory.mktemp("site"), **CONFIGURATION)
    Life(module_database, NOW).write()
    exporter = Exporter.of(module_database)
    try:
        assert exporter.collect(NOW.timestamp()) == {}
    finally:
        exporter.close()
    with connect(module_database, "test") as connection:
        connection.execute(AGES)
        return connection.info.dbname


@pytest.fixture
def copied(template: str, postgres: PostgresServer) -> Iterator[str]:
    """DSN of a copy of it: making one anew takes ten times as long."""
    dsn = postgres.create(template)
    yield dsn
    postgres.drop(dsn)


@pytest.fixture
def counted(copied: str) -> Iterator[Connection]:
    """An administrator's connection to the copy."""
    with connect(copied, "test") as connection:
        yield connection


@pytest.fixture
def observatory(counted: Connection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, copied: str) -> Observatory:
    """Runs `observatory …` on the database, with tmp_path/observatory.yaml."""
    monkeypatch.setenv(VARIABLE, copied)
    monkeypatch.setenv("OBSERVATORY_ACTOR", "anna")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "observatory.yaml").write_text(yaml.safe_dump(CONFIGURATION))

    def run(*words: str, **more: Any) -> Result:
        return CliRunner().invoke(main, list(words), **more)

    return run

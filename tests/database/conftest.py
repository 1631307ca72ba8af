"""Platforms in fresh databases, and the command on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from database_platforms import create_contract, create_supabase
from database_steps import Connection, InstalledWith, install, settings_of

from contract.settings import Settings
from exporters.database.sessions import connect
from provisioning.cli import main
from provisioning.database.admin import VARIABLE
from tests.conftest import PostgresServer, name_of

Observatory = Callable[..., Result]


@pytest.fixture
def admin(database: str) -> Iterator[Connection]:
    """An administrator's connection to an empty database."""
    with connect(database, "test") as connection:
        yield connection


@pytest.fixture
def platform(admin: Connection) -> Connection:
    """The contract's tables with a few rows."""
    create_contract(admin)
    return admin


@pytest.fixture(scope="session")
def _installations() -> dict[str, str]:
    """Databases with what was installed under settings, by the settings."""
    return {}


@pytest.fixture
def installed_with(postgres: PostgresServer, database: str, _installations: dict[str, str]) -> Iterator[InstalledWith]:
    """An administrator's connection to the contract's tables with a few rows, and to what these settings install beside them:
    a copy, for to install takes ten times as long. What is about installing itself begins with `platform`.
    """

    def original(settings: Settings) -> str:
        dsn = postgres.create()
        with connect(dsn, "test") as connection:
            create_contract(connection)
            install(connection, settings)
        return name_of(dsn)

    with ExitStack() as connections:

        def installed(settings: Settings) -> Connection:
            key = settings.model_dump_json()
            if key not in _installations:
                _installations[key] = original(settings)
            postgres.replace(database, _installations[key])
            return connections.enter_context(connect(database, "test"))

        yield installed


@pytest.fixture
def installed(installed_with: InstalledWith) -> Connection:
    """The same under the defaults."""
    return installed_with(settings_of())


@pytest.fixture
def supabase(admin: Connection) -> Connection:
    """Tables as on Supabase with a few rows."""
    create_supabase(admin)
    return admin


@pytest.fixture
def observatory(database: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Observatory:
    """Runs `observatory db …` on the database."""
    monkeypatch.setenv(VARIABLE, database)
    monkeypatch.chdir(tmp_path)

    def run(*words: str, **more: Any) -> Result:
        return CliRunner().invoke(main, ["db", *words], **more)

    return run

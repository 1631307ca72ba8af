"""Platforms in fresh databases, and the command on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from database_platforms import create_contract, create_supabase
from database_steps import Connection

from exporters.database.sessions import connect
from provisioning.cli import main
from provisioning.database.admin import VARIABLE

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

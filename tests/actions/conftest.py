"""What the tests of actions begin with: one agent lives on the platform, and nobody has done anything yet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
import yaml

from exporters.database.roles import Role
from provisioning.actions import audit
from tests.actions.cases import ADVICE, TARGET, as_role, silences
from tests.actions.platform_rows import PLATFORM
from tests.alert_rules.delivery import Delivery, running


@pytest.fixture
def platform(installed_database: str) -> str:
    """DSN of its database."""
    with psycopg.connect(installed_database) as connection:
        connection.execute(PLATFORM.encode())
    return installed_database


@pytest.fixture(scope="session")
def alertmanager(tmp_path_factory: pytest.TempPathFactory, prometheus_tools: Any) -> Iterator[Delivery]:
    with running(tmp_path_factory.mktemp("alertmanager"), prometheus_tools, {}) as found:
        yield found


@pytest.fixture
def unmuted(alertmanager: Delivery) -> Delivery:
    """A running Alertmanager in which nothing is muted."""
    for silence in silences(alertmanager.url):
        requests.delete(f"{alertmanager.url}/api/v2/silence/{silence['id']}", timeout=10).raise_for_status()
    return alertmanager


@pytest.fixture
def site(tmp_path: Path, platform: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """DSN of its database, with advice in it; a configuration with a target for load, and a person who may act."""
    with psycopg.connect(platform) as connection:
        connection.execute(ADVICE.encode())
    monkeypatch.chdir(tmp_path)
    Path("observatory.yaml").write_text(yaml.safe_dump({"load_tests": {"targets": [TARGET]}}))
    monkeypatch.setenv(audit.VARIABLE, as_role(platform, Role.ACTIONS))
    monkeypatch.setenv(audit.ACTOR_VARIABLE, "ada")
    return platform

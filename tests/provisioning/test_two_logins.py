"""Panels of the folder Administration log in to the database as somebody else, everywhere that panels are shown or asked."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from contract.analytics import READABLE, Audience
from contract.settings import Settings
from dashboards.catalogue import TABS
from provisioning import preview, servers
from provisioning.boards import Board
from provisioning.doctor.asker import Asker
from provisioning.targets.kubernetes import dashboards as in_a_cluster

CLOSED = [readable.name for readable in READABLE.values() if readable.audience is Audience.ADMINISTRATORS]
RESTRICTED = {"health", "cost", "users", "alerts", "observatory"}
"""System health, cost and the analytics of all users are not for everybody."""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    for name in ("business", "admin"):
        (tmp_path / name).write_text(f"word-of-{name}")
        (tmp_path / name).chmod(0o600)
    postgres = {
        "host": "db:5432", "user": "observatory_grafana_business", "password_file": str(tmp_path / "business"),
        "administration": {"password_file": str(tmp_path / "admin")},
    }  # fmt: skip
    return Settings.model_validate({"sources": {"postgres": postgres}})


def test_each_folder_has_its_data_source(settings: Settings) -> None:
    found = {source["uid"]: source for source in servers.datasources(settings)["datasources"]}
    assert found["postgres"]["user"] == "observatory_grafana_business"
    own = found["postgres-administration"]
    assert own["user"] == "observatory_grafana_admin" and own["secureJsonData"] != found["postgres"]["secureJsonData"]
    assert len({source["name"] for source in found.values()}) == len(found)
    assert {tab.key for tab in TABS if tab.folder == "Administration"} == RESTRICTED
    for tab in TABS:
        uid = "postgres-administration" if tab.key in RESTRICTED else "postgres"
        assert {query.source for query in _sql(tab.dashboard(settings))} <= {uid}


def test_one_login_is_enough() -> None:
    assert {query.source for tab in TABS for query in _sql(tab.dashboard(Settings()))} == {"postgres"}


def test_only_administration_asks_what_is_closed_to_others(settings: Settings) -> None:
    asking = {tab.folder for tab in TABS for query in _sql(tab.dashboard(settings)) for name in CLOSED if name in query.text}
    assert CLOSED and asking == {"Administration"}


def test_the_doctor_asks_as_the_panel_would(settings: Settings) -> None:
    asker = Asker.of(settings)
    assert [health().name for health in asker.knowing(()).health_checks()[1:3]] == [
        "PostgreSQL", "PostgreSQL (administration)",
    ]  # fmt: skip
    logins = {
        tab.key: {asker._database(query).address.partition("@")[0] for query in _sql(tab.dashboard(settings))} for tab in TABS
    }
    assert logins["overview"] == {"observatory_grafana_business"}
    assert logins["cost"] == {"observatory_grafana_admin"}


def test_the_preview_shows_them_with_both(settings: Settings) -> None:
    command, variables = preview.invocation(settings, Path("built"), None, [])
    given = [word for flag, word in pairwise(command) if flag == "--postgres"]
    assert [word.partition("@")[0] for word in given] == [
        "postgres=postgresql://observatory_grafana_business", "postgres-administration=postgresql://observatory_grafana_admin",
    ]  # fmt: skip
    assert (variables["PGPASSWORD"], variables["PGPASSWORD_POSTGRES_ADMINISTRATION"]) == ("word-of-business", "word-of-admin")
    assert "word-of" not in " ".join(command)


def test_in_a_cluster_each_password_has_a_name(settings: Settings) -> None:
    passwords = {source["uid"]: source.get("secureJsonData") for source in in_a_cluster._sources(settings)}
    assert passwords["postgres"] == {"password": "$__env{OBSERVATORY_GRAFANA_POSTGRES_PASSWORD}"}
    assert passwords["postgres-administration"] == {"password": "$__env{OBSERVATORY_GRAFANA_ADMINISTRATION_PASSWORD}"}


def _sql(board: dict[str, Any]) -> list[Any]:
    found = Board("board", json.loads(json.dumps(board)))
    return [query for query in found.queries() if query.language == "sql"]

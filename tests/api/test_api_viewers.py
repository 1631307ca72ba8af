"""Viewers are counted by what Grafana says of its accounts, and of no account anything else is shown."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from api.process import Setup
from api.viewers import FORGOTTEN_AFTER, NotSaid, Viewers
from contract import viewers
from contract.api import Api
from contract.settings import Settings
from dashboards.lib.describe import read_series
from dashboards.observatory import TAB
from provisioning import servers
from tests.api.conftest import Callers
from tests.api.conftest import serving as api_serving
from tests.grafana.server import TOKEN, GrafanaServer, Token, serving
from tests.provisioning.conftest import free_port


@pytest.fixture
def grafana() -> Iterator[GrafanaServer]:
    with serving() as server:
        yield server


def account(server: GrafanaServer, hours: float, disabled: bool = False) -> None:
    at = (server.world.now - timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")
    server.world.accounts.append({"login": "anna", "email": "anna@example.com", "lastSeenAt": at, "isDisabled": disabled})


def shown(page: str) -> dict[str, float]:
    """Samples of a page by name and window."""
    families = text_string_to_metric_families(page)
    return {f"{one.name} {one.labels.get('window', '')}".strip(): one.value for family in families for one in family.samples}


def test_those_who_were_there_are_counted(grafana: GrafanaServer) -> None:
    for hours in (1, 23.9, 24.1, 200, 90_000):
        account(grafana, hours)
    account(grafana, 1, disabled=True)
    counted = Viewers(grafana.url, TOKEN, lambda: grafana.world.now)
    assert counted.page() == ""
    counted.ask()
    assert "anna" not in counted.page()
    assert shown(counted.page()) == {
        "observatory_viewers 1d": 2, "observatory_viewers 7d": 3, "observatory_viewer_accounts": 5,
    }  # fmt: skip
    assert {name.split()[0] for name in shown(counted.page())} == {metric.name for metric in viewers.METRICS}
    grafana.world.now += timedelta(minutes=30)
    assert shown(counted.page())["observatory_viewers 1d"] == 1, "who was there is counted by the time of the page"
    grafana.world.now += FORGOTTEN_AFTER
    assert counted.page() == "", "what is an hour old says nothing"


def test_what_grafana_does_not_say_is_said_in_words(grafana: GrafanaServer) -> None:
    grafana.tokens["glsa_viewer"] = Token(rights=set())
    with pytest.raises(NotSaid, match="the token needs the role Admin"):
        Viewers(grafana.url, "glsa_viewer").ask()
    grafana.goes_wrong("GET", "/api/org/users", page="<h1>Welcome</h1>")
    with pytest.raises(NotSaid, match="no list of accounts"):
        Viewers(grafana.url, TOKEN).ask()
    with pytest.raises(NotSaid, match="ConnectionError"):
        Viewers(f"http://127.0.0.1:{free_port()}", TOKEN).ask()


def test_prometheus_reads_them_without_a_token(grafana: GrafanaServer, tmp_path: Path) -> None:
    """By the address that the built configuration names, and from a process that asks Grafana by itself."""
    account(grafana, 1)
    callers = Callers(tmp_path / "tokens", *["x"] * 4)
    counted = Viewers(grafana.url, TOKEN, lambda: grafana.world.now)
    setup = Setup(Api(viewers=True), callers.file, {}, "http://127.0.0.1:1", {}, "", viewers=counted)
    with api_serving(setup, callers) as served:
        for _ in range(400):
            if page := served.get("/metrics").text:
                break
            threading.Event().wait(0.05)
    assert shown(page)["observatory_viewers 1d"] == 1
    settings = Settings.model_validate({"api": {"viewers": True, "listen": "127.0.0.1:9999"}})
    assert servers.targets(settings)["api"] == [{"targets": ["127.0.0.1:9999"]}]
    jobs = {job["job_name"]: job for job in servers.prometheus(settings)["scrape_configs"]}
    assert jobs["api"]["file_sd_configs"][0]["files"] == ["targets/api.json"]
    assert "api" not in servers.targets(Settings())


def test_the_tab_shows_them_where_they_are_counted() -> None:
    counted = Settings.model_validate({"api": {"viewers": True}})
    added = set(TAB.panel_keys(counted)) - set(TAB.panel_keys(Settings()))
    assert added == {"observatory/viewers_now", "observatory/viewers"}
    read = read_series(query.text for panel in TAB.panels(counted) for query in panel.targets)
    assert {metric.name for metric in viewers.METRICS} <= set(read)
    assert TAB.dashboard(counted)["uid"] == TAB.uid, "within the limits of a tab"

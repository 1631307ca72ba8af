"""Viewers are counted by what Grafana says of its accounts, and of no account anything else is shown."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from api.grafana import Grafana
from api.opened import MOST_OF_A_LINE, Opened
from api.process import Setup
from api.viewers import FORGOTTEN_AFTER, NotSaid, Viewers
from contract import viewers
from contract.api import Api
from contract.keys import dashboard_uid
from contract.settings import Settings
from dashboards.lib.describe import read_series
from dashboards.observatory import TAB
from provisioning import servers
from tests.api.conftest import Callers
from tests.api.conftest import serving as api_serving
from tests.grafana.server import TOKEN, GrafanaServer, Token, serving
from tests.provisioning.conftest import free_port

TWO = {dashboard_uid("cost"): "cost", dashboard_uid("one_agent"): "one_agent"}


@pytest.fixture
def grafana() -> Iterator[GrafanaServer]:
    with serving() as server:
        yield server


def account(server: GrafanaServer, hours: float, disabled: bool = False) -> None:
    at = (server.world.now - timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")
    server.world.accounts.append({"login": "anna", "email": "anna@example.com", "lastSeenAt": at, "isDisabled": disabled})


def shown(page: str) -> dict[str, float]:
    """Samples of a page by name, tab and window."""
    samples = [one for family in text_string_to_metric_families(page) for one in family.samples]
    return {" ".join([one.name, *(value for _, value in sorted(one.labels.items()))]): one.value for one in samples}


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
    assert {name.split()[0] for name in shown(counted.page())} == {viewers.VIEWERS.name, viewers.ACCOUNTS.name}
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


def test_the_token_is_shown_whatever_login_is_kept_for_the_host(
    grafana: GrafanaServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("default login anna password hers\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    Viewers(grafana.url, TOKEN).ask()
    assert Grafana(grafana.url, TOKEN)._push("live,environment=all errors=2") == ""


def request(who: int, when: datetime, page: str, name: str = "anna@example.com") -> str:
    """A line as Grafana's router writes it."""
    at = when.isoformat().replace("+00:00", "123Z")
    return (
        f'logger=context traceID=98851e40 userId={who} orgId=1 uname={name} t={at} level=info msg="Request Completed" '
        f'method=POST path=/api/ds/query status=200 remote_addr=10.0.0.1 time_ms=8 duration=8.1ms size=2621 referer="{page}" '
        "handler=/api/ds/query status_source=server\n"
    )


def test_who_looks_at_a_tab_is_read_in_grafanas_log(tmp_path: Path) -> None:
    log, now = tmp_path / "grafana.log", datetime(2026, 11, 20, 12, 0, 0, 1, tzinfo=UTC)
    site, hour = "https://grafana.example.com/sub", timedelta(hours=1)

    def looked(who: int, hours: float, page: str) -> str:
        return request(who, now - hours * hour, f"{site}{page}")

    whole = looked(3, 25, "/d/observatory-one-agent?orgId=1") + "t=soon userId=5\n"
    log.write_text(
        looked(1, 3, "/d/observatory-cost/cost?orgId=1&from=now-6h") + looked(1, 2, "/d/observatory-cost/cost") * 3
        + looked(2, 1, "/d/observatory-cost/cost") + looked(0, 1, "/d/observatory-cost/cost") + looked(4, 1, "/d/others/x")
        + looked(4, 1, "/explore?left=/d/observatory-cost") + looked(6, 200, "/d/observatory-cost/cost") + whole[:-30]
    )  # fmt: skip
    counted = Viewers("http://127.0.0.1:1", TOKEN, lambda: now, Opened(log, TWO))
    counted.read()
    assert shown(counted.page()) == {
        "observatory_tab_viewers cost 1d": 2, "observatory_tab_viewers cost 7d": 2,
        "observatory_tab_viewers one_agent 1d": 0, "observatory_tab_viewers one_agent 7d": 0,
    }  # fmt: skip
    with log.open("a") as more:  # written further, renamed, and begun anew
        more.write(whole[-30:] + looked(8, 0, "/d/observatory-one-agent"))
    log.rename(tmp_path / "grafana.log.2026-11-20")
    with pytest.raises(NotSaid, match="No such file"):
        counted.read()
    log.write_text(looked(9, 0, "/d/observatory-one-agent"))
    counted.read()
    counted.read()
    found = shown(counted.page())
    assert (found["observatory_tab_viewers one_agent 1d"], found["observatory_tab_viewers one_agent 7d"]) == (2, 3)
    assert "anna" not in counted.page()


def test_lines_that_somebody_made_up_count_nobody_and_hold_nothing_up(tmp_path: Path) -> None:
    """What a browser asks for stands in the log, up to a megabyte of it, also of people who have not logged in."""
    log, now = tmp_path / "grafana.log", datetime(2026, 11, 20, 12, 0, 0, 1, tzinfo=UTC)
    page = "http://grafana/d/observatory-cost"
    said = rf"/d/ userId=5 t={now.isoformat()} msg=\"Request Completed\" referer={page} "
    lines = [request(0, now, said), request(0, now, said * 400), request(7, now, f"{page}?{'x' * MOST_OF_A_LINE}")]
    lines += [request(0, now, page, f'"x userId=5 referer={page} y"'), "x" * 3 * MOST_OF_A_LINE + request(8, now, page)]
    log.write_text("".join(lines) + request(9, now, page))
    opened = Opened(log, TWO)
    assert not opened.read(now)
    assert [count for _, _, count in opened.viewers(now)] == [1, 1, 0, 0]


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(pipe := tmp_path / "grafana.log")
    with pytest.raises(NotSaid, match="is no file"):
        Viewers("http://127.0.0.1:1", TOKEN, opened=Opened(pipe, TWO)).read()


def test_a_page_is_asked_for_while_the_log_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log, now = tmp_path / "grafana.log", datetime(2026, 11, 20, 12, 0, 0, 1, tzinfo=UTC)
    lines = [request(who, now, "http://grafana/d/observatory-cost") for who in (1, 2, 3)]
    log.write_text("".join(lines))
    monkeypatch.setattr("api.opened.MOST_BYTES", len(lines[0]))
    opened = Opened(log, TWO)
    counted = Viewers("http://127.0.0.1:1", TOKEN, lambda: now, opened)
    assert [(counted.read(), counted.page()) for _ in range(2)] == [(True, "")] * 2, "a part of it is no figure"
    while counted.read():
        pass
    asked = opened.viewers(now)
    first = next(asked)
    with log.open("a") as more:
        more.write(request(4, now, "http://grafana/d/observatory-one-agent"))
    counted.read()
    assert [count for _, _, count in (first, *asked)] == [3, 3, 0, 0], "of one moment"
    assert shown(counted.page())["observatory_tab_viewers one_agent 1d"] == 1


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
    assert added == {f"observatory/{name}" for name in ("viewers_now", "viewers", "viewers_by_tab")}
    asked = [query.text for panel in TAB.panels(counted) for query in panel.targets]
    assert {metric.name for metric in viewers.METRICS} <= set(read_series(asked))
    assert 'max(observatory_viewers{window="1d"}) / (max(observatory_viewer_accounts) > 0)' in asked, "the share of all"
    assert TAB.dashboard(counted)["uid"] == TAB.uid, "within the limits of a tab"

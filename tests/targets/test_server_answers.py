"""What is made of a server that answers late, wrongly, or not at all."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from contract.served import ServedFolder
from provisioning.findings import Unreachable
from provisioning.targets.server import Loaded, Server

if TYPE_CHECKING:
    from tests.scripted import Script, ScriptedServer

RULES = "/api/v1/rules"


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the client meant to wait, without waiting."""
    found: list[float] = []
    monkeypatch.setattr(time, "sleep", found.append)
    return found


def of(server: ScriptedServer) -> Server:
    return Server(server.url, "Prometheus", ServedFolder(folder="x", within="1s"))


def test_what_passes_is_tried_again_with_growing_pauses(
    server: ScriptedServer, script: type[Script], pauses: list[float]
) -> None:
    server.scripts[RULES] = [script.status(503), script.status(502), script.status(504), script.body(b'{"data": 1}')]
    assert of(server).get(RULES) == {"data": 1}
    assert pauses == [0.2, 0.4, 0.8]


def test_a_server_is_left_in_peace_as_long_as_it_asks_within_a_bound(
    server: ScriptedServer, script: type[Script], pauses: list[float]
) -> None:
    server.scripts[RULES] = [
        script.status(429, Retry_After="2"),
        script.status(429, Retry_After="86400"),
        script.status(429, Retry_After="soon"),
        script.body(b"{}"),
    ]
    assert of(server).get(RULES) == {}
    assert pauses == [2.0, 5.0, 0.8]


@pytest.mark.parametrize(("status", "tries"), [(503, 4), (401, 1), (404, 1), (500, 1)])
def test_what_stays_is_said_after_a_bound(
    server: ScriptedServer, script: type[Script], pauses: list[float], status: int, tries: int
) -> None:
    server.scripts[RULES] = [script.status(status, "so it is")]
    with pytest.raises(Unreachable, match=rf"Prometheus at {server.url} answers {status}: .*so it is"):
        of(server).get(RULES)
    assert len(server.requests) == tries
    assert len(pauses) == tries - 1


def test_what_is_no_answer_of_prometheus_is_said(server: ScriptedServer, script: type[Script]) -> None:
    server.scripts[RULES] = [script.body(b"<html>", kind="text/html")]
    with pytest.raises(Unreachable, match=f"{RULES} does not answer as Prometheus does; is it the address"):
        of(server).get(RULES)
    server.scripts[RULES] = [script.body(b"[1]")]
    with pytest.raises(Unreachable, match="does not answer as Prometheus does"):
        of(server).get(RULES, "data", "groups")
    server.scripts["/metrics"] = [script.body(b"go_goroutines 1\n", kind="text/plain")]
    with pytest.raises(Unreachable, match="does not say how Prometheus was loaded"):
        of(server).loaded()


def test_how_a_server_was_loaded(server: ScriptedServer, script: type[Script]) -> None:
    page = (
        "prometheus_config_last_reload_successful 0\nprometheus_config_last_reload_success_timestamp_seconds 1.7952583827e+09\n"
    )
    server.scripts["/metrics"] = [script.body(page.encode(), kind="text/plain")]
    assert of(server).loaded() == Loaded(well=False, at=1795258382.7)


def test_a_server_that_reloads_by_itself_is_waited_for(
    server: ScriptedServer, script: type[Script], pauses: list[float]
) -> None:
    def page(at: int, well: int = 1) -> bytes:
        name = "prometheus_config_last_reload_success"
        return f"{name}ful {well}\n{name}_timestamp_seconds {at}\n".encode()

    pages = [page(5), page(5), page(5), page(6)]
    server.scripts["/metrics"] = [script.body(one, kind="text/plain") for one in pages]
    itself = Server(server.url, "Prometheus", ServedFolder(folder="x", reload="itself", within="10m"))
    assert itself.reload() == ""
    assert pauses == [0.2, 0.2]

    server.scripts["/metrics"] = [script.body(one, kind="text/plain") for one in (page(6), page(6), page(6, well=0))]
    assert itself.reload() == "Prometheus cannot load what stands in its folder; its log says why"

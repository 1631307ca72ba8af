"""Live figures come when the advancing process has committed, to whoever may see them, and to Grafana."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import httpx
import psycopg
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

import api.live
import api.process
from api.grafana import Grafana
from api.service import Service
from benchmarks.live import running
from contract.settings import Settings
from dashboards.lib.queries import LiveQuery
from dashboards.overview import TAB as OVERVIEW
from exporters.database.mapping import Mapping
from exporters.rollups import advance
from exporters.rollups.forms import forms
from tests.api.conftest import Callers, Lived, Served, serving, setup_of
from tests.grafana.server import TOKEN
from tests.grafana.server import serving as grafana_serving

BEGUN = """
INSERT INTO app.conversations (id, user_id, agent_id, created_at, status, environment)
SELECT max(id) + 1, max(user_id), max(agent_id), now(), 'open', 'production' FROM app.conversations
"""
SECONDS = 20.0
"""Longer than anything here may take."""


def advanced(dsn: str) -> None:
    """A conversation begins, and the advancing process counts it."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("SET timezone = 'UTC'")
        connection.execute(BEGUN)
        known = forms(connection, Mapping.of(Settings()))
        with connection.transaction():
            assert advance.advance_all(connection, known)["conversations"].looked == 1


@pytest.fixture
def only_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing comes without a notification."""
    monkeypatch.setattr(api.live, "MOST_SECONDS", 3600.0)


@pytest.fixture
def told(only_told: None, lived: Lived, callers: Callers) -> Iterator[Served]:
    """A server that listens; it has nothing to say of its own accord."""
    with serving(setup_of(lived, callers, streams=2), callers) as running:
        wait_until_it_listens(lived.dsn)
        yield running


def wait_until_it_listens(dsn: str) -> None:
    question = (
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND state = 'idle' AND datname = current_database()"
    )
    with psycopg.connect(dsn, autocommit=True) as connection:
        for _ in range(int(SECONDS * 20)):
            if connection.execute(question).fetchone() != (0,):
                return
            threading.Event().wait(0.05)
    pytest.fail("nobody listens to the database")


def socket_of(served: Served, token: str) -> ClientConnection:
    address = served.url.replace("http", "ws") + "/api/analytics/stream"
    return connect(address, additional_headers=served.callers.headers(token), proxy=None)


def active(figures: str | bytes) -> int:
    return int(json.loads(figures)["total"]["active_conversations"])


@contextmanager
def events(served: Served, token: str) -> Iterator[Iterator[str]]:
    """The data of the events of a stream."""
    with (
        served.client(token) as client,
        client.stream("GET", "/api/analytics/live", headers={"Accept": "text/event-stream"}) as answer,
    ):
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.iter_lines()
        yield (line.removeprefix("data: ") for line in lines if line.startswith("data: "))


def test_a_commit_is_told_to_all_who_look(told: Served, lived: Lived) -> None:
    with socket_of(told, told.callers.admin) as socket, events(told, told.callers.business) as stream:
        before = active(socket.recv(SECONDS))
        assert active(next(stream)) == before
        advanced(lived.dsn)
        assert (
            active(next(figures for figures in iter(lambda: socket.recv(SECONDS), None) if active(figures) != before))
            == before + 1
        )
        assert active(next(figures for figures in stream if active(figures) != before)) == before + 1


def test_streams_end_whole_with_the_service(lived: Lived, callers: Callers) -> None:
    """Whoever looks on is no request that has to be waited for, and then broken off."""
    with ExitStack() as looking:
        with serving(setup_of(lived, callers), callers) as running:
            stream = looking.enter_context(events(running, callers.admin))
            assert active(next(stream)) >= 0
        assert all(map(json.loads, stream)), "the body ends as it should, or the client says so"


def test_no_commit_is_told_with_figures_that_were_kept(
    only_told: None, lived: Lived, callers: Callers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However soon it follows another one: here nothing that is kept is ever too old."""
    monkeypatch.setattr(api.process, "Service", partial(Service, clock=lambda: 0.0))
    with serving(setup_of(lived, callers), callers) as served:
        wait_until_it_listens(lived.dsn)
        with socket_of(served, callers.admin) as socket:
            before = active(socket.recv(SECONDS))
            for more in (1, 2):
                advanced(lived.dsn)
                while active(socket.recv(SECONDS)) != before + more:
                    pass


def test_what_is_measured_in_the_stream_is_its_total() -> None:
    """A commit raises the total by one, whatever environments say beside it."""
    names = api.process.FIGURES
    rows = [{"environment": name, **dict.fromkeys(names, 0), "running": count} for name, count in (("a", 2), ("b", 3))]
    event = api.process.told(datetime(2026, 11, 19, tzinfo=UTC), rows)
    assert running(io.BytesIO(b": nothing new\n\nevent: live\ndata: " + event + b"\n\n")) == 5


def test_streams_are_for_those_who_may_see_all(told: Served) -> None:
    for token, status in (("obs_unknown", 401), (told.callers.person, 403)):
        with pytest.raises(InvalidStatus) as refused:
            socket_of(told, token)
        assert refused.value.response.status_code == status
        answer = httpx.get(
            f"{told.url}/api/analytics/live", headers={**told.callers.headers(token), "Accept": "text/event-stream"}
        )
        assert answer.status_code == status


def test_there_are_only_so_many_places(told: Served) -> None:
    with socket_of(told, told.callers.admin) as first, socket_of(told, told.callers.admin) as second:
        first.recv(SECONDS)
        second.recv(SECONDS)
        with pytest.raises(InvalidStatus) as refused:
            socket_of(told, told.callers.admin)
        assert refused.value.response.status_code == 503


def test_current_figures_can_be_asked(served: Served) -> None:
    (part,) = served.get("/api/analytics/live").json()["parts"].values()
    assert all({"environment", "active_conversations", "executions_per_second", "errors"} <= row.keys() for row in part["rows"])


def test_grafana_is_told_of_each_commit(only_told: None, lived: Lived, callers: Callers) -> None:
    """On the channel and with the fields that the panels of the tab Overview follow."""
    settings = Settings.model_validate({"api": {"grafana_live": True}})
    targets = [
        query.to_json_data() for panel in OVERVIEW.panels(settings) for query in panel.targets if isinstance(query, LiveQuery)
    ]
    assert OVERVIEW.dashboard(settings)["uid"] == OVERVIEW.uid, "within the limits of a tab"
    (channel,) = {target["channel"] for target in targets}
    with grafana_serving() as grafana:

        def frames() -> list[dict[str, Any]]:
            return [one for one in grafana.world.streamed.get(channel, ()) if one["labels"] == {"environment": "all"}]

        with serving(replace(setup_of(lived, callers), grafana=Grafana(grafana.url, TOKEN)), callers):
            wait_until_it_listens(lived.dsn)
            first = waited(lambda: frames()[:1])
            advanced(lived.dsn)
            last = waited(lambda: [one for one in frames() if one["active_conversations"] > first["active_conversations"]])
    assert last["active_conversations"] == first["active_conversations"] + 1
    assert len(targets) == 3 and all(set(target["filter"]["fields"]) <= {"time", *last} for target in targets)


def test_a_grafana_that_refuses_is_said_in_the_log(lived: Lived, callers: Callers, caplog: pytest.LogCaptureFixture) -> None:
    with (
        grafana_serving() as grafana,
        serving(replace(setup_of(lived, callers), grafana=Grafana(grafana.url, "glsa_other")), callers),
    ):
        said = waited(lambda: [text for text in caplog.messages if text.startswith("Grafana")])
    assert said == "Grafana does not take live figures: it answers 401" and not grafana.world.streamed


def waited(found: Callable[[], list[Any]]) -> Any:
    """The first of what comes in time."""
    for _ in range(int(SECONDS * 20)):
        if now := found():
            return now[0]
        threading.Event().wait(0.05)
    pytest.fail("it did not come")

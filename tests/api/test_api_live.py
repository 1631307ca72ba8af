"""Live figures come when the advancing process has committed, to whoever may see them, and to Grafana."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue

import httpx
import psycopg
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

import api.live
from api.grafana import Grafana
from contract.settings import Settings
from exporters.database.mapping import Mapping
from exporters.rollups import advance
from exporters.rollups.forms import forms
from tests.api.conftest import Callers, Lived, Served, serving, setup_of

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


def test_grafana_is_told(only_told: None, lived: Lived, callers: Callers) -> None:
    pushed: Queue[tuple[str, str, str]] = Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            pushed.put((self.path, self.headers["Authorization"], body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    grafana = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=grafana.serve_forever, daemon=True).start()
    try:
        where = Grafana(f"http://127.0.0.1:{grafana.server_port}", "glsa_token")
        with serving(replace(setup_of(lived, callers), grafana=where), callers):
            path, authorization, body = pushed.get(timeout=SECONDS)
    finally:
        grafana.shutdown()
        grafana.server_close()
    assert (path, authorization) == ("/api/live/push/observatory", "Bearer glsa_token")
    assert body.splitlines()[0].startswith("live,environment=all active_conversations=")

"""Incidents are told to the site's own system, and an action does not care whether anybody listens."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from contract.actions import Webhook
from provisioning.actions import posting, webhook
from tests.actions.cases import log, run

FLAG = ("billing", "1.4.2", "--metric", "errors", "--reason", "since the new prompt")
SECRET = "Bearer gently-down-the-stream"


class System(ThreadingHTTPServer):
    """Keeps what it is told, and answers with the next of `answers`, the last one for ever."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Desk)
        self.answers = [200]
        self.told: list[tuple[str | None, dict[str, Any]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hooks/very-secret"


class Desk(BaseHTTPRequestHandler):
    server: System

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.told.append((self.headers["Authorization"], body))
        answers = self.server.answers
        self.send_response(answers.pop(0) if len(answers) > 1 else answers[0])
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Not on the screen."""


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> Iterator[System]:
    monkeypatch.setattr(posting, "_PAUSE", lambda _: 0.0)
    with System() as found:
        threading.Thread(target=found.serve_forever, daemon=True).start()
        yield found
        found.shutdown()


@pytest.fixture
def told_to(site: str, system: System) -> str:
    """The database of a site whose incidents are told."""
    Path("authorization").write_text(f"{SECRET}\n")
    place = {"url": system.url, "authorization_file": "authorization"}
    Path("observatory.yaml").write_text(yaml.safe_dump({"actions": {"incidents": {"webhook": place}}}))
    return site


def test_an_incident_is_told_when_it_is_opened_and_closed(told_to: str, system: System) -> None:
    assert run("regression", "flag", *FLAG, "--dry-run").exit_code == 0 and not system.told
    done = run("regression", "flag", *FLAG, "--yes")
    assert done.exit_code == 0 and "told 127.0.0.1" in done.stderr
    assert run("regression", "flag", *FLAG, "--yes").exit_code == 0, "again: nothing to do, and nothing to tell"
    assert run("regression", "dismiss", *FLAG, "--yes").exit_code == 0
    (first, opened), (second, closed) = system.told
    assert first == second == SECRET
    assert (opened["event"], opened["kind"], opened["actor"], opened["severity"]) == ("opened", "regression", "ada", "warning")
    assert opened["evidence"]["reason"] == "since the new prompt" and opened["evidence"]["after"]["failed"] == 4
    assert closed["event"] == "closed" and closed["ref"] == opened["ref"] == "regression billing 1.4.2 production errors"
    assert SECRET not in done.output + done.stderr and "very-secret" not in done.output + done.stderr


@pytest.mark.parametrize(
    ("answers", "times", "said"),
    [
        ([503, 500, 200], 3, "told 127.0.0.1"),
        ([503], 3, "nobody was told at 127.0.0.1: it answers HTTP 503"),
        ([403], 1, "nobody was told at 127.0.0.1: it answers HTTP 403"),
        ([302], 1, "nobody was told at 127.0.0.1: it answers HTTP 302"),
    ],
)
def test_a_system_that_refuses_takes_nothing_back(
    told_to: str, system: System, answers: list[int], times: int, said: str
) -> None:
    system.answers = answers
    done = run("regression", "flag", *FLAG, "--yes", "--format", "json")
    assert done.exit_code == 0 and said in done.stderr and len(system.told) == times
    assert json.loads(done.stdout)["after"] == {"state": "confirmed"} and len(log(told_to)) == 1
    with psycopg.connect(told_to) as connection:
        assert connection.execute("SELECT count(*) FROM analytics.incidents WHERE closed_at IS NULL").fetchone() == (1,)


@pytest.mark.parametrize("held", [b"Bearer gently\ndown-the-stream", "Bearer gently\u201cdown".encode(), b"Bearer gently\xff"])
def test_what_is_no_header_is_said_without_a_word_of_it(tmp_path: Path, held: bytes) -> None:
    file = tmp_path / "authorization"
    file.write_bytes(held)
    said = webhook.told(
        Webhook(url="http://127.0.0.1:9/hook", authorization_file=str(file)), "opened", "regression", "x", "ada", {}
    )
    assert said.startswith("nobody was told at 127.0.0.1: authorization_file: ") and str(file) in said
    assert "gently" not in said and "down" not in said


def test_the_header_is_sent_whatever_login_is_kept_for_the_host(
    system: System, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("default login anna password hers\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert posting.posted(system.url, {"Authorization": SECRET}, {}) == 200
    assert posting.posted(system.url, {}, {}) == 200
    assert [header for header, _ in system.told] == [SECRET, None]


def test_a_pipe_is_no_secret_and_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    place = Webhook(url="http://127.0.0.1:9/hook", authorization_file=str(tmp_path / "pipe"))
    assert "is no regular file" in webhook.told(place, "opened", "regression", "x", "ada", {})


def test_nobody_there_no_secret_and_no_answer_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posting, "_PAUSE", lambda _: 0.0)

    def told(place: Webhook) -> str:
        return webhook.told(place, "opened", "regression", "x", "ada", {})

    assert "Connection refused" in told(Webhook(url="http://127.0.0.1:9/hook"))
    missing = told(Webhook(url="http://127.0.0.1:9/hook", authorization_file=str(tmp_path / "none")))
    assert "none: No such file" in missing
    assert webhook.told(None, "opened", "regression", "x", "ada", {}) == ""

"""The server: modes, keys, methods, faults, and the real program read by the public SDK."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from langfuse import Langfuse
from langfuse_rows import KEYS, Desk, at, by, iso, metrics, observation, score

from demo.langfuse.faults import Fault
from demo.langfuse.server import running
from demo.langfuse.standin import MODES

NOON = at("12:00:00")
QUESTION = json.dumps(
    {
        "view": "observations", "dimensions": by("providedModelName"), "metrics": metrics("count_count", "sum_totalCost"),
        "fromTimestamp": iso("00:00:00"), "toTimestamp": iso("23:00:00"),
    }
)  # fmt: skip
LEGACY = ("metrics", "observations", "observations/a", "v2/scores", "traces", "traces/t", "sessions", "sessions/s")


def test_version_4_has_no_legacy_endpoints_and_says_so_before_it_asks_for_keys() -> None:
    desk = Desk("v4")
    for path in LEGACY:
        answer = desk.get(path, auth=None)
        assert answer.status_code == 404
        assert answer.json() == {
            "message": "This endpoint is not available on deployments running in Langfuse v4 events_only mode. "
            "Learn more about Langfuse v4 at: https://langfuse.com/docs/v4"
        }


@pytest.mark.parametrize("path", ["metrics", "observations"])
def test_version_3_has_no_new_endpoints_and_says_so_after_reading_the_question(path: str) -> None:
    desk = Desk("v3")
    assert desk.get(f"v2/{path}", auth=None).status_code == 401
    assert desk.get(f"v2/{path}", query="{}", limit="x").status_code == 400
    answer = desk.get(f"v2/{path}", query=QUESTION)
    assert answer.status_code == 404
    assert answer.json()["error"] == "LangfuseNotFoundError"
    assert answer.json()["message"].startswith(f"The {path} v2 API is only available in a Langfuse v4 write mode")


@pytest.mark.parametrize("mode", list(MODES))
def test_what_every_version_serves(mode: str) -> None:
    desk = Desk(mode)
    health = desk.get("health", auth=None)
    assert health.json() == {"status": "OK", "version": MODES[mode].version} == desk.get("ready", auth=None).json()
    (project,) = desk.rows("projects")
    assert (project["name"], project["organization"]["name"]) == ("Agent Observatory", "Synthetic Platform")
    assert desk.rows("v3/scores") == desk.rows("models") == []


def test_health_can_ask_for_recent_events() -> None:
    desk = Desk()
    assert desk.get("health", auth=None, failIfNoRecentEvents="true").status_code == 503
    desk.insert([observation("a", desk.now - 60)])
    assert desk.get("health", auth=None, failIfNoRecentEvents="true").status_code == 200


def test_the_secret_key_decides() -> None:
    desk = Desk()
    assert desk.get("projects", auth=("pk-of-somebody", KEYS.secret)).status_code == 200
    wrong = desk.get("projects", auth=(KEYS.public, "sk-wrong"))
    assert wrong.status_code == 401
    assert wrong.json() == {"message": "Invalid credentials. Confirm that you've configured the correct host."}
    missing = desk.get("projects", auth=None)
    assert (missing.status_code, missing.json()) == (401, {"message": "No authorization header"})


def test_the_public_key_alone_may_only_write_scores() -> None:
    desk = Desk()
    body = {"name": "quality", "value": 1, "traceId": "t1"}
    for key, reading, writing in ((KEYS.public, 403, 200), ("pk-wrong", 401, 401)):
        headers = {"authorization": f"Bearer {key}"}
        assert desk.send("GET", "/api/public/projects", headers=headers).status_code == reading
        assert desk.send("POST", "/api/public/scores", json=body, headers=headers).status_code == writing


@pytest.mark.parametrize("header", ["Basic ???", "Basic cGs=", "Digest x", "Basic"])
def test_a_strange_authorization_is_refused(header: str) -> None:
    assert Desk().send("GET", "/api/public/projects", headers={"authorization": header}).status_code == 401


def test_secrets_are_not_in_descriptions() -> None:
    assert KEYS.secret not in repr(Desk().standin)


def test_methods_and_routes_that_do_not_exist() -> None:
    desk = Desk("v4")
    answer = desk.send("POST", "/api/public/traces", json={})
    assert (answer.status_code, answer.json()["error"]) == (405, "MethodNotAllowedError")
    answer = desk.get("metrics/daily/x")
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")


def test_an_unexpected_failure_is_a_500_without_details() -> None:
    desk = Desk()
    desk.standin.store.close()
    answer = desk.get("v3/scores")
    assert (answer.status_code, answer.json()["message"]) == (500, "Internal Server Error")


@pytest.mark.parametrize(
    ("kind", "status", "message"),
    [
        ("timeout", 422, "Your query could not be completed. Please narrow"),
        ("error", 500, "Internal Server Error"),
        ("unavailable", 503, "Service Unavailable"),
        ("forbidden", 403, "Access denied"),
        ("rate_limited", 429, "Rate limit exceeded"),
    ],
)
def test_faults_meet_their_path_as_often_as_they_say(kind: Any, status: int, message: str) -> None:
    desk = Desk()
    desk.standin.faults.add(Fault(kind=kind, path="/api/public/v3/", times=2))
    assert desk.get("projects").status_code == 200
    for _ in range(2):
        answer = desk.get("v3/scores")
        assert answer.status_code == status
        assert answer.json()["message"].startswith(message)
    assert desk.get("v3/scores").status_code == 200


def test_a_rate_limit_names_the_time_to_wait() -> None:
    desk = Desk(now=NOON)
    desk.standin.faults.add(Fault(kind="rate_limited", times=None, seconds=90))
    for _ in range(3):
        answer = desk.get("projects")
    assert answer.headers["retry-after"] == "90"
    assert answer.headers["x-ratelimit-remaining"] == "0"
    assert answer.headers["x-ratelimit-reset"] == "Fri Nov 20 2026 12:01:30 GMT+0000 (Coordinated Universal Time)"
    assert answer.json()["code"] == "rate_limited"
    assert answer.json()["details"]["retryAfterSeconds"] == 90
    desk.standin.faults.clear()
    assert desk.get("projects").status_code == 200


def test_answers_that_are_not_json() -> None:
    desk = Desk()
    desk.standin.faults.add(Fault(kind="html"))
    desk.standin.faults.add(Fault(kind="truncated"))
    page = desk.get("projects")
    assert (page.status_code, page.text[:15]) == (404, "<!DOCTYPE html>")
    half = desk.get("projects")
    assert half.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        half.json()


def test_connections_that_break_or_take_their_time() -> None:
    desk = Desk()
    with running(desk.standin) as address:
        url, auth = f"{address}/api/public/projects", (KEYS.public, KEYS.secret)
        desk.standin.faults.add(Fault(kind="drop"))
        with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
            requests.get(url, auth=auth, timeout=10)
        desk.standin.faults.add(Fault(kind="slow", seconds=0.2))
        with pytest.raises(requests.ReadTimeout):
            requests.get(url, auth=auth, timeout=(10, 0.05))
        assert requests.get(url, auth=auth, timeout=10).status_code == 200


class Program:
    """The stand-in as a program of its own, on a free port."""

    def __init__(self, folder: Path, mode: str) -> None:
        for name, key in (("public", KEYS.public), ("secret", KEYS.secret)):
            (folder / name).write_text(f"{key}\n")
        options = ["--port", "0", "--mode", mode, "--lag", "0", "--var", str(folder)]
        keys = ["--public-key-file", str(folder / "public"), "--secret-key-file", str(folder / "secret")]
        command = [sys.executable, "-m", "demo.langfuse", *options, *keys]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+", line)
        assert found, line + self.process.stdout.read()
        self.address = found[0]

    def post(self, door: str, body: Any) -> requests.Response:
        return requests.post(f"{self.address}/standin/{door}", json=body, timeout=10)

    def stop(self) -> tuple[int, str]:
        self.process.send_signal(signal.SIGTERM)
        output, _ = self.process.communicate(timeout=20)
        return self.process.returncode, output


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    program = Program(tmp_path, "v4")
    yield program
    program.process.kill()
    program.process.communicate()


CALL = observation(
    "o1", NOON, 2.0, trace_id="t1", user_id="u1", usage={"input": 10, "output": 5}, cost={"total": 0.25}, tags=("x",)
)
OTHER = CALL._replace(id="o2", model="other", cost={}, start=NOON + 1, end=NOON + 2)


def _sent(*rows: Any) -> list[dict[str, Any]]:
    return [row._asdict() for row in rows]


def test_the_public_sdk_reads_the_program(program: Program) -> None:
    sent = {"observations": _sent(CALL, OTHER), "scores": _sent(score("s1", NOON, 0.5), score("s2", NOON, "kind"))}
    for _ in range(2):
        assert program.post("rows", sent).json() == {"observations": 2, "scores": 2, "traces": 0}
    sdk = Langfuse(public_key=KEYS.public, secret_key=KEYS.secret, base_url=program.address, tracing_enabled=False)
    assert sdk.auth_check()
    assert sdk.api.health.health().version == MODES["v4"].version
    rows = {row["providedModelName"]: row for row in sdk.api.metrics.metrics(query=QUESTION).data}
    assert {model: (row["count_count"], row["sum_totalCost"]) for model, row in rows.items()} == {
        "gpt-x": (1, 0.25), "other": (1, 0),
    }  # fmt: skip
    first = sdk.api.observations.get_many(limit=1, fields="basic,usage,metrics,trace_context")
    second = sdk.api.observations.get_many(limit=1, fields="basic,usage,metrics,trace_context", cursor=first.meta.cursor)
    (call,) = second.data
    assert [row.id for row in first.data + second.data] == ["o2", "o1"]
    assert second.meta.cursor is None
    assert (call.latency, call.total_cost, call.usage_details, call.tags) == (
        2.0,
        0.25,
        {"input": 10, "output": 5, "total": 15},
        ["x"],
    )
    values = {row.id: row.value for row in sdk.api.scores.get_many(fields="subject").data}
    assert values == {"s1": 0.5, "s2": "kind"}
    models = sdk.api.models.list(limit=100)
    assert models.meta.total_items == len(models.data) > 0
    assert all(model.input_price for model in models.data)


def test_the_program_fails_on_demand_and_stops_cleanly(program: Program) -> None:
    url = f"{program.address}/api/public/health"
    assert program.post("fault", {"kind": "error", "times": None}).status_code == 200
    assert requests.get(url, timeout=10).status_code == 500
    program.post("fault", {"kind": "none"})
    assert requests.get(url, timeout=10).status_code == 200
    assert program.post("fault", {"kind": "earthquake"}).json()["error"][0]["path"] == ["kind"]
    code, output = program.stop()
    assert (code, output) == (0, "")


def test_rows_stay_when_the_program_is_started_again(tmp_path: Path) -> None:
    for mode, path in (("v4", "v2/metrics"), ("v3", "metrics")):
        program = Program(tmp_path, mode)
        try:
            if mode == "v4":
                program.post("rows", {"observations": _sent(CALL)})
            url = f"{program.address}/api/public/{path}"
            answer = requests.get(url, params={"query": QUESTION}, auth=(KEYS.public, KEYS.secret), timeout=10)
            assert answer.json()["data"] == [{"providedModelName": "gpt-x", "count_count": 1, "sum_totalCost": 0.25}]
        finally:
            code, _ = program.stop()
        assert code == 0


def test_wrong_rows_are_refused_with_their_place(program: Program) -> None:
    broken = CALL._asdict() | {"start": "yesterday"}
    answer = program.post("rows", {"observations": [broken]})
    assert answer.status_code == 400
    assert answer.json()["error"][0]["path"] == ["observations", 0, "start"]
    assert requests.post(f"{program.address}/standin/rows", data="{}", timeout=10).status_code == 400


def _run(folder: Path, **changes: str) -> subprocess.CompletedProcess[str]:
    (folder / "key").write_text("key\n")
    options = {"--var": str(folder), "--port": "0", "--public-key-file": str(folder / "key")}
    options |= {"--secret-key-file": str(folder / "key"), **{f"--{name}": value for name, value in changes.items()}}
    command = [sys.executable, "-m", "demo.langfuse", *(part for pair in options.items() for part in pair)]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def test_mistakes_on_the_command_line_are_answered_in_words(tmp_path: Path, program: Program) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "langfuse.sqlite").write_text("not a database, but long enough to be looked at" * 40)
    for changes, words in (
        ({"mode": "v5"}, "'v5' is not one of 'v3', 'v4'"),
        ({"secret-key-file": str(tmp_path / "empty")}, "is empty; it must hold the key"),
        ({"secret-key-file": str(tmp_path / "none")}, "does not exist"),
        ({"port": program.address.rpartition(":")[2]}, "is taken"),
        ({"var": str(tmp_path / "broken")}, "cannot be opened"),
    ):
        done = _run(tmp_path, **changes)
        assert done.returncode == 2
        assert words in " ".join(done.stderr.split())
        assert "Traceback" not in done.stderr

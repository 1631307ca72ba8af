"""The server: modes, keys, methods, and faults."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
import requests
from langfuse_rows import KEYS, Desk, at, iso, metrics, observation

from demo.langfuse.app import application
from demo.langfuse.faults import Fault
from demo.langfuse.server import running
from demo.langfuse.standin import MODES

NOON = at("12:00:00")
QUESTION = json.dumps(
    {
        "view": "observations", "metrics": metrics("count_count"), "fromTimestamp": iso("00:00:00"),
        "toTimestamp": iso("23:00:00"),
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
        ("unauthorized", 401, "Invalid credentials"),
        ("not_found", 404, "Not found"),
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
    assert answer.json()["details"]["resetAt"] == "2026-11-20T12:01:30.000Z"
    desk.standin.faults.clear()
    assert desk.get("projects").status_code == 200


def test_answers_that_are_not_json() -> None:
    desk = Desk()
    desk.standin.faults.add(Fault(kind="html"))
    desk.standin.faults.add(Fault(kind="truncated"))
    page = desk.get("projects")
    assert (page.status_code, page.text[:15]) == (404, "<!DOCTYPE html>")
    desk.standin.faults.add(Fault(kind="bad_gateway"))
    half = desk.get("projects")
    assert half.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        half.json()
    proxy = desk.get("projects")
    assert (proxy.status_code, proxy.headers["content-type"].partition(";")[0]) == (502, "text/html")


def test_connections_that_break_or_take_their_time() -> None:
    desk = Desk()
    with running(desk.standin) as address:
        url, auth = f"{address}/api/public/projects", (KEYS.public, KEYS.secret)
        desk.standin.faults.add(Fault(kind="drop"))
        with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
            requests.get(url, auth=auth, timeout=10)
        desk.standin.faults.add(Fault(kind="reset"))
        with pytest.raises(requests.ConnectionError, match="Connection reset by peer"):
            requests.get(url, auth=auth, timeout=10)
        desk.standin.faults.add(Fault(kind="slow", seconds=0.2))
        with pytest.raises(requests.ReadTimeout):
            requests.get(url, auth=auth, timeout=(10, 0.05))
        answer = requests.get(url, auth=auth, timeout=10)
        assert answer.status_code == 200
        assert answer.headers["date"] == "Fri, 20 Nov 2026 20:00:00 GMT"


def test_a_silence_ends_when_nobody_waits_any_more() -> None:
    desk = Desk()
    desk.standin.faults.add(Fault(kind="slow", seconds=3600))
    said = iter([{"type": "http.request", "body": b"", "more_body": False}, {"type": "http.disconnect"}])
    scope = {
        "type": "http", "method": "GET", "path": "/api/public/health", "raw_path": b"/api/public/health", "query_string": b"",
        "headers": [], "http_version": "1.1", "scheme": "http", "server": ("standin", 80), "client": ("here", 1),
        "root_path": "",
    }  # fmt: skip

    async def receive() -> Any:
        return next(said)

    async def send(_: Any) -> None:
        return None

    async def ask() -> None:
        await asyncio.wait_for(application(desk.standin)(scope, receive, send), 10)

    asyncio.run(ask())

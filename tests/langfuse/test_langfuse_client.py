"""The Langfuse client against a server that answers by script, faults included."""

from __future__ import annotations

import base64
import json
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from contract.settings import Settings
from exporters.credentials import CredentialError, Credentials, LangfuseAccess
from exporters.journal import QueryFailed, SourceDown
from exporters.langfuse.client import LangfuseClient, number
from exporters.langfuse.request_budget import GENERAL, METRICS, RequestBudget, seconds_to_wait
from exporters.langfuse.transport import Timeouts

if TYPE_CHECKING:
    from tests.scripted import Script, ScriptedServer

V2, V1, HEALTH = "/api/public/v2/metrics", "/api/public/metrics", "/api/public/health"
QUERY: dict[str, Any] = {"view": "observations"}
SECRET = "sk-lf-very-secret"
USUAL = Timeouts(connect=30.0, answer=30.0, first_wait=0.01)
SHORT = USUAL._replace(answer=0.5)
"""How long answers are waited for: shortly only where none is to come, for on a busy machine one that comes takes its time."""


def client(url: str, plan: str = "self-hosted") -> LangfuseClient:
    return LangfuseClient(lambda: LangfuseAccess(url, "pk-lf-1", SECRET), RequestBudget(plan), USUAL)


@pytest.fixture(autouse=True)
def healthy(server: ScriptedServer, script: type[Script]) -> None:
    server.scripts[HEALTH] = [script.body(b'{"status":"OK","version":"4.16.0"}')]


def test_v2_is_asked_first_with_the_keys_and_the_query(server: ScriptedServer, script: type[Script]) -> None:
    server.scripts[V2] = [script.rows({"count_count": 3})]
    asked = client(server.url)
    assert asked.metrics(QUERY) == ([{"count_count": 3}], False)
    assert server.requests == [(HEALTH, {}), (V2, QUERY)]
    assert server.authorisations[-1] == "Basic " + base64.b64encode(f"pk-lf-1:{SECRET}".encode()).decode()
    asked.metrics(QUERY)
    assert server.paths() == [HEALTH, V2, V2]
    assert asked.requests_by_code == {(GENERAL, "2xx"): 1, (METRICS, "2xx"): 2}


def test_v1_where_v2_is_not_served_and_back_after_an_upgrade(server: ScriptedServer, script: type[Script]) -> None:
    server.scripts[V2] = [script.body(b"<html>no such page</html>", 404, "text/html"), script.rows({"n": 2})]
    server.scripts[V1] = [script.rows({"n": 1}), script.rows({"n": 1}), script.status(404)]
    asked = client(server.url)
    assert [asked.metrics(QUERY).rows[0]["n"] for _ in range(4)] == [1, 1, 2, 2]
    assert server.paths() == [HEALTH, V2, V1, V1, V1, V2, V2]


def test_an_early_version_3_fails_in_v2_and_answers_in_v1(server: ScriptedServer, script: type[Script]) -> None:
    server.scripts[HEALTH] = [script.body(b'{"status":"OK","version":"3.137.0"}')]
    server.scripts[V2] = [script.status(500)]
    server.scripts[V1] = [script.rows({"n": 1})]
    assert client(server.url).metrics(QUERY).rows == [{"n": 1}]


def test_neither_data_plane(server: ScriptedServer) -> None:
    with pytest.raises(SourceDown, match="is it Langfuse"):
        client(server.url).metrics(QUERY)


def test_unknown_keys_are_left_alone_for_longer_than_langfuse_remembers_them(
    server: ScriptedServer, script: type[Script]
) -> None:
    server.scripts[V2] = [script.status(401, "Invalid credentials.")]
    asked = client(server.url)
    with pytest.raises(SourceDown, match="Invalid credentials") as caught:
        asked.metrics(QUERY)
    assert caught.value.retry_after > 300
    assert server.paths() == [HEALTH, V2], "one attempt, and no second one with v1"
    assert asked.requests_by_code[METRICS, "401"] == 1
    assert SECRET not in str(caught.value)


def test_keys_that_may_not_read(server: ScriptedServer, script: type[Script]) -> None:
    server.scripts[V2] = [script.status(403, "Organization key")]
    with pytest.raises(SourceDown, match=r"may not read metrics \(403: Organization key\)"):
        client(server.url).metrics(QUERY)


@pytest.mark.parametrize("code", [400, 422])
def test_a_question_that_langfuse_refuses_is_only_that_question(
    server: ScriptedServer, script: type[Script], code: int
) -> None:
    server.scripts[V2] = [script.status(code, "Please narrow your query")]
    with pytest.raises(QueryFailed, match=f"refused \\({code}\\): Please narrow your query"):
        client(server.url).metrics(QUERY)
    assert server.paths() == [HEALTH, V2], "asking again is of no use"


def test_too_many_requests_waits_as_long_as_it_is_told(server: ScriptedServer, script: type[Script]) -> None:
    server.scripts[V2] = [script.status(429, "Rate limit exceeded", Retry_After="1234")]
    asked = client(server.url, plan="core")
    with pytest.raises(SourceDown) as caught:
        asked.metrics(QUERY)
    assert caught.value.retry_after == 1234
    assert asked.budget.remaining(METRICS) == 0
    with pytest.raises(SourceDown, match="are spent"):
        asked.metrics(QUERY)
    assert server.paths() == [HEALTH, V2], "no request while none is left"
    assert asked.requests_by_code == {(GENERAL, "2xx"): 1, (METRICS, "429"): 1}


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7),
        ("0", 1),
        ("99999999999", 86400),
        ("9" * 5000, 86400),
        ("Sun, 15 Mar 2026 12:05:00 GMT", 300),
        ("Sun, 15 Mar 2026 12:05:00 -0000", 300),
        ("Sun, 15 Mar 2026 11:00:00 GMT", 1),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86400),
        ("Fri, 31 Dec 99999 23:59:59 GMT", 60),
        *((nonsense, 60) for nonsense in ("", "soon", "-5", "1.5", "²", "inf", "nan", "1e9")),
    ],
)
def test_how_long_a_server_may_keep_us_away(header: str, seconds: float) -> None:
    assert seconds_to_wait(header, datetime(2026, 3, 15, 12, tzinfo=UTC).timestamp()) == seconds


def test_a_server_that_asks_to_wait_for_ever_is_asked_after_a_day(server: ScriptedServer, script: type[Script]) -> None:
    server.scripts[V2] = [script.status(429, "Rate limit exceeded", Retry_After="99999999999")]
    with pytest.raises(SourceDown, match="asked to wait 86400 s") as caught:
        client(server.url).metrics(QUERY)
    assert caught.value.retry_after == 86400


@pytest.mark.parametrize("code", [200, 400, 401, 403, 500])
def test_what_a_server_repeats_of_our_keys_is_not_shown(
    server: ScriptedServer, script: type[Script], caplog: pytest.LogCaptureFixture, code: int
) -> None:
    login = base64.b64encode(f"pk-lf-1:{SECRET}".encode()).decode()
    # the last one is where the message is cut, so that only a part of it would stay
    echo = f"{login} pk-lf-1 {SECRET} ".ljust(195, ".") + SECRET
    server.scripts[HEALTH] = [script.body(json.dumps({"version": f"4 {SECRET} {login}"}).encode())]
    server.scripts[V2] = [script.status(code, echo), script.rows()] if code != 500 else [script.status(code, echo)]
    asked = client(server.url)
    with caplog.at_level(logging.INFO, "observatory.exporter"):
        with pytest.raises((SourceDown, QueryFailed)) as caught:
            asked.metrics(QUERY)
        if code != 500:
            asked.metrics(QUERY)
    shown = str(caught.value) + str([record.__dict__["pairs"] for record in caplog.records])
    assert "***" in shown
    for secret in (SECRET[:5], "pk-lf", login):
        assert secret not in shown


def test_an_address_with_a_login_or_a_redirect_with_our_keys_is_masked(server: ScriptedServer, script: type[Script]) -> None:
    with pytest.raises(SourceDown) as caught:
        client("http://me:hunter2@127.0.0.1:9").metrics(QUERY)
    assert "hunter2" not in str(caught.value)
    server.scripts[V2] = [script.body(b"", 302, Location=f"/?key={SECRET}")]
    with pytest.raises(SourceDown, match=r"redirected \(302\) to /\?key=\*\*\*;"):
        client(server.url).metrics(QUERY)


def test_a_passing_server_error_is_asked_again(server: ScriptedServer, script: type[Script]) -> None:
    server.scripts[V2] = [script.status(500), script.body(b"<html>Bad gateway</html>", 502, "text/html"), script.rows({"n": 1})]
    asked = client(server.url)
    assert asked.metrics(QUERY).rows == [{"n": 1}]
    assert asked.requests_by_code[METRICS, "5xx"] == 2


def test_a_lasting_server_error_is_one_line(server: ScriptedServer, script: type[Script]) -> None:
    server.scripts[V2] = [script.body(b"<html>\n<h1>Bad gateway</h1></html>", 502, "text/html; charset=utf-8")]
    with pytest.raises(QueryFailed, match="server error 502: a body of text/html"):
        client(server.url).metrics(QUERY)
    assert server.paths() == [HEALTH, V2, V2, V2]


@pytest.mark.parametrize(
    "content",
    [
        b'{"data":[{"count_cou',
        b"<html>sign in</html>",
        b"[]",
        b'{"rows":[]}',
        b'{"data":{}}',
        b'{"data":[1]}',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
def test_an_answer_that_is_not_the_expected_json(server: ScriptedServer, script: type[Script], content: bytes) -> None:
    server.scripts[V2] = [script.body(content)]
    asked = client(server.url)
    with pytest.raises(QueryFailed, match="not the JSON that was expected"):
        asked.metrics(QUERY)
    assert asked.requests_by_code[METRICS, "body"] == 1
    assert asked.requests_by_code[METRICS, "2xx"] == 0


def test_a_body_that_breaks_off_is_asked_again(server: ScriptedServer, script: type[Script]) -> None:
    server.scripts[V2] = [script.body(b'{"data":[', length=5000), script.rows({"n": 1})]
    asked = client(server.url)
    assert asked.metrics(QUERY).rows == [{"n": 1}]
    assert asked.requests_by_code[METRICS, "connection"] == 1


@pytest.mark.parametrize("kind", ["silence", "trickle", "trickled_head", "trickled_line"])
def test_a_slow_answer_is_given_up(server: ScriptedServer, script: type[Script], kind: str) -> None:
    server.scripts[V2] = [script.rows(), getattr(script, kind)(server)]
    asked = client(server.url)
    asked.metrics(QUERY)
    asked._transport._timeouts = SHORT
    with pytest.raises(SourceDown, match=r"no answer from http://127\.0\.0\.1:\d+ within 0\.5 s"):
        asked.metrics(QUERY)
    assert asked.requests_by_code[METRICS, "timeout"] == 1
    assert not server.waited_out


def test_nobody_listens() -> None:
    asked = client("http://127.0.0.1:9")
    with pytest.raises(SourceDown, match=r"no connection to http://127\.0\.0\.1:9: Connection refused"):
        asked.metrics(QUERY)
    assert asked.requests_by_code == {(GENERAL, "connection"): 1, (METRICS, "connection"): 3}, (
        "the health check, three attempts"
    )


def test_proxies_of_the_environment(server: ScriptedServer, script: type[Script], monkeypatch: pytest.MonkeyPatch) -> None:
    server.scripts[V2] = [script.rows({"n": 1})]
    monkeypatch.setenv("http_proxy", server.url)
    assert client("http://langfuse.example").metrics(QUERY).rows == [{"n": 1}]
    assert {address.partition("/api")[0] for address in server.addresses} == {"http://langfuse.example"}
    monkeypatch.setenv("http_proxy", "socks5://127.0.0.1:9")
    with pytest.raises(SourceDown, match=r"cannot ask http://langfuse\.example: ProxySchemeUnknown"):
        client("http://langfuse.example").metrics(QUERY)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert client(server.url).metrics(QUERY).rows == [{"n": 1}]


def test_the_keys_do_not_follow_a_redirect(server: ScriptedServer, script: type[Script]) -> None:
    server.scripts[V2] = [script.body(b"", 302, Location=server.url + "/elsewhere")]
    with pytest.raises(SourceDown, match=r"redirected \(302\) to .*/elsewhere"):
        client(server.url).metrics(QUERY)
    assert server.paths() == [HEALTH, V2]


def test_a_full_page_is_noticed(server: ScriptedServer, script: type[Script]) -> None:
    server.scripts[V2] = [script.rows(*({"n": n} for n in range(999))), script.rows(*({"n": n} for n in range(1000)))]
    asked = client(server.url)
    assert [asked.metrics(QUERY).truncated for _ in range(2)] == [False, True]


def test_numbers_come_in_three_ways() -> None:
    row = {"a": 3, "b": "10", "c": None, "d": 1e-7, "e": "many", "f": True, "g": 10**400, "h": {}}
    assert [number(row, key) for key in "abcd"] == [3.0, 10.0, None, 1e-7]
    for key in "efghi":
        with pytest.raises(QueryFailed, match=f"{key} is "):
            number(row, key)


def test_keys_come_from_the_environment_or_from_files(tmp_path: Path) -> None:
    settings = Settings.model_validate(
        {"sources": {"langfuse": {"base_url": "http://lf", "public_key_file": "pk", "secret_key_file": "deep/sk"}}}
    )
    with pytest.raises(CredentialError, match=r"no public key of Langfuse: .*/pk: No such file.*set LANGFUSE_PUBLIC_KEY"):
        Credentials(settings, tmp_path, {}).langfuse()
    (tmp_path / "pk").write_text("pk-1\n")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/sk").write_text("\n")
    access = Credentials(settings, tmp_path, {}).langfuse
    with pytest.raises(CredentialError, match="is empty"):
        access()
    (tmp_path / "deep/sk").write_text(SECRET + "\n")
    assert access() == LangfuseAccess("http://lf", "pk-1", SECRET), "files are read anew"
    assert SECRET not in repr(access())
    environ = {"LANGFUSE_BASE_URL": "http://other/", "LANGFUSE_PUBLIC_KEY": "pk-2", "LANGFUSE_SECRET_KEY": "sk-2"}
    assert Credentials(settings, tmp_path, environ).langfuse() == LangfuseAccess("http://other", "pk-2", "sk-2")
    with pytest.raises(CredentialError, match=r"set LANGFUSE_PUBLIC_KEY, or sources\.langfuse\.public_key_file"):
        Credentials(Settings(), tmp_path, {}).langfuse()


def test_missing_keys_are_a_reason_and_no_request(server: ScriptedServer, tmp_path: Path) -> None:
    asked = LangfuseClient(Credentials(Settings(), tmp_path, {}).langfuse, RequestBudget("self-hosted"), USUAL)
    with pytest.raises(SourceDown, match="no public key"):
        asked.metrics(QUERY)
    assert server.requests == []


def test_the_budget_of_a_plan() -> None:
    now = [1000.0]
    budget = RequestBudget("core", lambda: now[0])
    assert budget.interval(METRICS, 60, 5) == 200
    assert RequestBudget("hobby").interval(METRICS, 60, 5) == 4800
    assert RequestBudget("pro").interval(METRICS, 60, 5) == 60
    assert RequestBudget("self-hosted").interval(METRICS, 60, 5) == 60
    assert RequestBudget("self-hosted").remaining(METRICS) is None
    for left in range(99, 0, -1):
        assert budget.remaining(METRICS) == left
        budget.spend(METRICS)
    with pytest.raises(SourceDown, match="the 99 requests of the core plan are spent") as caught:
        budget.spend(METRICS)
    assert caught.value.retry_after == 3600
    now[0] += 3600
    assert budget.remaining(METRICS) == 99
    budget.spend(METRICS)
    assert budget.remaining(METRICS) == 98

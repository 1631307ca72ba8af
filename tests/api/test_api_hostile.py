"""Bad and slow clients get what they deserve, and hold up nobody."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from http import HTTPStatus
from types import SimpleNamespace
from typing import cast

import httpx
import pytest
from starlette.requests import HTTPConnection, Request

import api.limits
import api.protocol
from api.access import caller_of
from api.cache import Cache
from api.catalogue.endpoints import Role
from api.database import Bounds, Turns
from api.limits import Rates
from api.live import Live
from api.problems import Problem
from api.process import served as served_by
from api.service import Service
from api.streams import Streams
from api.tokens import Caller
from tests.api.conftest import NO_TLS, Callers, Lived, Served, serving, setup_of

MOST = 12


@pytest.fixture
def narrow(lived: Lived, callers: Callers, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """A server with few connections, whose patience is short."""
    monkeypatch.setattr(api.protocol, "REQUEST_SECONDS", 0.5)
    monkeypatch.setattr(api.protocol, "STALLED_SECONDS", 0.5)
    with serving(setup_of(lived, callers, connections=MOST), callers) as running:
        yield running


def connected(served: Served) -> socket.socket:
    host, port = served.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=20)


def test_silent_clients_hold_up_nobody(narrow: Served) -> None:
    with ExitStack() as silent:
        sockets = [silent.enter_context(connected(narrow)) for _ in range(3 * MOST)]
        for one in sockets[::2]:
            one.sendall(b"GET /api/analytics/usage HTTP/1.1\r\nHost: x\r\n")
        assert narrow.get("/api/analytics/usage").status_code == 200
        for one in sockets:  # each is ended by the server, whether it said something or not
            with pytest.raises((ConnectionError, StopIteration)):
                while one.recv(100):
                    pass
                raise StopIteration


def test_a_body_that_does_not_come_is_not_waited_for(narrow: Served) -> None:
    with connected(narrow) as one:
        head = f"POST /api/analytics/query HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {narrow.callers.admin}\r\n"
        one.sendall(f"{head}Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{{".encode())
        with pytest.raises((ConnectionError, StopIteration)):
            while one.recv(100):
                pass
            raise StopIteration


def test_a_body_of_two_lengths_is_refused(served: Served) -> None:
    """What one end takes for a body another takes for the next request."""
    with connected(served) as one:
        head = f"POST /api/analytics/query HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {served.callers.admin}\r\n"
        both = "Content-Type: application/json\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        one.sendall(f"{head}{both}GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        answers = b"".join(iter(lambda: one.recv(4096), b""))
    assert answers.startswith(b"HTTP/1.1 400") and b"two lengths" in answers and b"alive" not in answers


def test_a_body_that_breaks_off_is_no_mistake_of_ours(lived: Lived, callers: Callers, caplog: pytest.LogCaptureFixture) -> None:
    with serving(setup_of(lived, callers), callers) as running:
        with connected(running) as one:
            head = f"POST /api/analytics/query HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {callers.admin}\r\n"
            one.sendall(f"{head}Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{{".encode())
            one.shutdown(socket.SHUT_WR)
            while one.recv(4096):
                pass
        assert running.get("/healthz").status_code == 200
    assert not [record for record in caplog.records if record.exc_info]


def test_asking_for_the_head_of_a_stream_takes_no_place(lived: Lived, callers: Callers) -> None:
    with serving(setup_of(lived, callers, streams=1), callers) as running, running.client(callers.admin) as client:
        for _ in range(2):
            answer = client.head("/api/analytics/live", headers={"Accept": "text/event-stream"})
            assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")


def test_who_does_not_read_is_ended(narrow: Served) -> None:
    """Many answers are asked for on one connection, and none is taken."""
    request = f"GET /openapi.json HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {narrow.callers.admin}\r\n\r\n".encode()
    with connected(narrow) as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        with pytest.raises((ConnectionError, TimeoutError)):
            for _ in range(100_000):
                one.sendall(request)
        assert narrow.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/api/analytics/usage?days=0", "days is a whole number from 1"),
        ("/api/analytics/usage?days=1&days=2", "give it once"),
        ("/api/analytics/usage?start_date=yesterday", "ISO date"),
        ("/api/analytics/usage?start_date=2026-11-02&end_date=2026-11-01", "after end_date"),
        ("/api/analytics/usage?start_date=2020-01-01&end_date=2026-11-01", "longer than 400 days"),
        ("/api/analytics/usage?agnet=billing", "'agnet' is no parameter here"),
        ("/api/analytics/usage?page_size=5000", "page_size"),
        ("/api/analytics/usage?format=xml", "json or csv"),
        ("/api/analytics/usage?format=csv&page=2", "a table comes whole"),
        ("/api/analytics/usage?part=costs.totals", "part is one of"),
        ("/api/analytics/usage?environment=%FF", "not UTF-8"),
        ("/api/analytics/usage?environment=%00", "zero character"),
        ("/api/analytics/export?query=nothing", "query is one of"),
        ("/api/analytics/usage?" + "environment=a&" * 201, "more than 200 parameters"),
    ],
)
def test_a_wrong_parameter_is_named(served: Served, path: str, words: str) -> None:
    answer = served.get(path)
    assert answer.status_code == 400 and words in answer.json()["detail"]
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("[]", "no JSON object"),
        ("[" * 30_000, "no JSON object"),
        ('{"subject": "secrets", "measures": ["calls"]}', "subject is one of"),
        ('{"subject": "models"}', "name at least one"),
        ('{"subject": "models", "measures": ["calls); DROP TABLE x"]}', "none of measures"),
        ('{"subject": "models", "measures": ["calls"], "by": ["user_id"]}', "none of by"),
        ('{"subject": "models", "measures": ["calls"], "by": ["day", "week"]}', "one of them"),
        ('{"subject": "models", "measures": ["calls"], "order": ["1; --"]}', "no column of the answer"),
        ('{"subject": "models", "measures": ["calls"], "where": {"owner": ["x"]}}', "no label of models"),
        ('{"subject": "models", "measures": ["calls"], "days": 1.5}', "whole number"),
        ('{"subject": "models", "measures": ["calls"], "sql": "SELECT 1"}', "want subject"),
    ],
)
def test_a_free_question_is_asked_in_the_catalogue_s_words(served: Served, body: str, words: str) -> None:
    with served.client(served.callers.admin) as client:
        answer = client.post("/api/analytics/query", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400 and words in answer.json()["detail"]


def test_a_large_body_is_refused(served: Served) -> None:
    with served.client(served.callers.admin) as client:
        answer = client.post("/api/analytics/query", content=b" " * 70_000, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413


def test_a_token_has_a_rate_and_others_have_theirs(lived: Lived, callers: Callers) -> None:
    with serving(setup_of(lived, callers, rate=1, burst=3), callers) as slow:
        answers = [slow.get("/api/analytics/dashboard", callers.admin) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert 0 < int(answers[-1].headers["retry-after"]) <= 60
        assert slow.get("/api/analytics/dashboard", callers.business).status_code == 200


def test_a_question_that_takes_too_long_is_ended(lived: Lived, callers: Callers) -> None:
    """The server ends the statement: here it waits for a lock."""
    import psycopg

    with (
        serving(setup_of(lived, callers, statement_timeout="500ms"), callers) as hasty,
        psycopg.connect(lived.dsn) as other,
    ):
        other.execute("LOCK TABLE app.tickets IN ACCESS EXCLUSIVE MODE")
        answer = hasty.get("/api/v1/analytics/tickets/stats", part="tickets.statuses")
        assert answer.status_code == HTTPStatus.GATEWAY_TIMEOUT and "shorter range" in answer.json()["detail"]
        other.rollback()
        assert hasty.get("/api/v1/analytics/tickets/stats", part="tickets.statuses").status_code == 200


def test_a_download_that_would_be_too_long_is_refused_whole(lived: Lived, callers: Callers) -> None:
    with serving(setup_of(lived, callers, rows=100), callers) as small:
        answer = small.get("/api/analytics/export", query="sessions.latest", start_date="2026-11-10", end_date="2026-11-19")
    assert answer.status_code == 400 and "more than 100 rows" in answer.json()["detail"]


def test_a_database_that_is_gone_is_said_without_its_address(lived: Lived, callers: Callers) -> None:
    setup = replace(setup_of(lived, callers), dsns={Role.ADMIN: lambda: "postgresql://me:canary@127.0.0.1:1/x"})
    with serving(setup, callers) as lost:
        answer = lost.get("/api/analytics/usage")
        assert answer.status_code == 503 and "canary" not in answer.text and "127.0.0.1" not in answer.text
        assert lost.get("/api/analytics/usage", callers.business).status_code == 403
        assert lost.get("/api/analytics/health").status_code == 503
        assert lost.get("/healthz").status_code == 200


def test_strangers_give_no_caller_a_fresh_burst(lived: Lived, callers: Callers, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many addresses of strangers have to be kept apart."""
    monkeypatch.setattr(api.limits, "_MOST_BUCKETS", 3)
    service = served_by(setup_of(lived, callers, rate=1, burst=1))

    def status(host: str, token: str) -> int:
        headers = [(b"authorization", f"Bearer {token}".encode())]
        try:
            caller_of(service, HTTPConnection({"type": "http", "headers": headers, "client": (host, 1)}))
        except Problem as problem:
            return problem.status
        return 200

    assert [status("me", callers.admin) for _ in range(2)] == [200, 429]
    assert {status(f"stranger {number}", "x") for number in range(10)} == {401}
    assert status("me", callers.admin) == 429


def test_a_mistake_is_in_the_log_once(lived: Lived, callers: Callers, caplog: pytest.LogCaptureFixture) -> None:
    def wrong() -> str:
        raise RuntimeError("canary")

    with serving(replace(setup_of(lived, callers), dsns={Role.ADMIN: wrong}), callers) as broken:
        answer = broken.get("/api/analytics/usage", part="usage.days")
    assert answer.status_code == 500 and "canary" not in answer.text
    said = [record.getMessage() for record in caplog.records if record.exc_info]
    said = [text for text in said if not text.startswith("notifications")]  # whoever listens meets the same mistake
    assert len(said) == 1


def test_a_slash_too_many_is_no_way_round(served: Served) -> None:
    answer = httpx.get(f"{served.url}/api/analytics/costs/", headers={"Host": "elsewhere"}, verify=NO_TLS)
    assert answer.status_code == 404 and answer.json()["title"] == "Not Found"


def test_a_bucket_fills_steadily() -> None:
    now = [0.0]
    rates = Rates(60, 2, lambda: now[0])
    assert [rates.wait("a"), rates.wait("a"), rates.wait("a")] == [0, 0, 1]
    assert rates.wait("b") == 0
    now[0] = 1.0
    assert [rates.wait("a"), rates.wait("a")] == [0, 1]


def test_a_question_is_asked_once_until_its_answer_is_old() -> None:
    now, asked = [0.0], []

    async def ask() -> str:
        asked.append(now[0])
        await asyncio.sleep(0)
        return "x" * 40

    async def scenario() -> None:
        cache: Cache[str] = Cache(100, len, lambda: now[0])
        await asyncio.gather(*(cache.get("a", 10, ask) for _ in range(5)))
        assert asked == [0.0]
        now[0] = 9.0
        await cache.get("a", 10, ask)
        now[0] = 10.0
        await cache.get("a", 10, ask)
        assert asked == [0.0, 10.0]
        for key in "bc":  # together heavier than it may be, so the oldest goes
            await cache.get(key, 10, ask)
        await cache.get("a", 10, ask)
        assert len(asked) == 5

    asyncio.run(scenario())


def test_who_is_one_too_many_is_told_at_once() -> None:
    async def scenario() -> None:
        turns, began = Turns(Bounds(1, 1, 1.0)), asyncio.Event()

        async def hold() -> None:
            async with turns.turn("boss"):
                began.set()
                await asyncio.Event().wait()

        async def queue() -> None:
            async with turns.turn("boss"):
                pass

        holding = asyncio.create_task(hold())
        await began.wait()
        queued = asyncio.create_task(queue())
        await asyncio.sleep(0)
        with pytest.raises(Problem, match="too many questions"):
            await queue()
        holding.cancel()
        await queued

    asyncio.run(scenario())


def test_whoever_floods_leaves_turns_to_others() -> None:
    async def scenario() -> None:
        turns, never = Turns(Bounds(3, 6, 1.0)), asyncio.Event()
        running: list[str] = []

        async def asked(caller: str) -> None:
            async with turns.turn(caller):
                running.append(caller)
                await never.wait()

        flood = [asyncio.create_task(asked("flood")) for _ in range(20)]
        await asyncio.wait(flood, return_when=asyncio.FIRST_COMPLETED)  # what is refused is refused at once
        assert running == ["flood"] * 2
        refused = [task for task in flood if task.done()]
        assert len(refused) == 14 and all(isinstance(task.exception(), Problem) for task in refused)
        other = asyncio.create_task(asked("other"))
        while "other" not in running:
            await asyncio.sleep(0)
            assert not other.done()
        for task in (*flood, other):
            task.cancel()
        await asyncio.gather(*flood, other, return_exceptions=True)
        async with asyncio.timeout(20), turns.turn("flood"):
            pass

    asyncio.run(scenario())


def test_whoever_opens_many_streams_leaves_places_to_others() -> None:
    async def nothing() -> bytes:
        return b""

    live = Live(nothing, None, 3)
    with live.subscribed("flood"), live.subscribed("flood"):
        with pytest.raises(Problem, match="2 streams are open"), live.subscribed("flood"):
            pass
        with live.subscribed("other"), pytest.raises(Problem, match="3 streams are open"), live.subscribed("another"):
            pass
    with live.subscribed("flood"), live.subscribed("flood"):
        pass


def test_a_stream_that_ends_before_its_first_word_leaves_its_place() -> None:
    """Its client asked for more than it took, and went away."""

    async def nothing() -> bytes:
        return b""

    async def gone() -> dict[str, str]:
        return {"type": "http.disconnect"}

    async def stuck(_: object) -> None:
        await asyncio.Event().wait()

    async def scenario() -> None:
        live, scope = Live(nothing, None, 1), {"type": "http", "headers": [], "asgi": {"spec_version": "2.3"}}
        streams = Streams(cast(Service, SimpleNamespace(allowed=lambda *_: None)), live)
        await streams.events(Request(scope), Caller("flood", Role.ADMIN))(scope, gone, stuck)
        with live.subscribed("flood"):
            pass

    asyncio.run(scenario())

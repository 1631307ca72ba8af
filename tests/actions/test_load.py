"""Load on a server of this test: as much as was asked for, never more at a time, and what came of it counted right."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from provisioning.actions.load import Answer, Load, Outcome, nearest_rank, put


class Server(ThreadingHTTPServer):
    """Answers what the path says; `/held` only once it may. Remembers how many asked at a time."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock, self.now, self.most, self.bodies = threading.Lock(), 0, 0, list[tuple[str, str, bytes]]()
        self.released = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        with self.server.lock:
            self.server.now += 1
            self.server.most = max(self.server.most, self.server.now)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.bodies.append((self.command, self.headers.get("Authorization", ""), body))
        if self.path == "/held":
            self.server.released.wait(20)
        with self.server.lock:
            self.server.now -= 1
        status = int(self.path[1:]) if self.path[1:].isdecimal() else 200
        self.send_response(status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as found:
        threading.Thread(target=found.serve_forever, daemon=True).start()
        yield found
        found.released.set()
        found.shutdown()


def test_every_request_is_sent_and_counted(server: Server) -> None:
    outcome = put(Load(f"{server.url}/200", 20, 1, 4, "POST", '{"a": 1}', {"Authorization": "Bearer x"}), threading.Event())
    assert len(outcome.answers) + outcome.not_sent == 20 and len(outcome.answers) == len(server.bodies) > 0
    assert set(server.bodies) == {("POST", "Bearer x", b'{"a": 1}')}
    assert all(answer.good for answer in outcome.answers)


@pytest.mark.parametrize("path", ["/500", "/302", "/404"])
def test_what_is_no_good_answer(server: Server, path: str) -> None:
    outcome = put(Load(server.url + path, 10, 0.1, 1), threading.Event())
    assert [(answer.status, answer.good) for answer in outcome.answers] == [(int(path[1:]), path == "/302")]


def test_nobody_there() -> None:
    outcome = put(Load("http://127.0.0.1:1/", 10, 0.2, 2), threading.Event())
    told = outcome.as_json()
    assert told["errors"] == told["requests"] > 0 and told["p95"] is None and set(told["statuses"]) == {"no answer"}


def test_what_cannot_be_sent_is_no_answer(server: Server) -> None:
    outcome = put(Load(f"{server.url}/200", 10, 0.1, 1, headers={"Authorization": "two\nlines"}), threading.Event())
    assert [answer.status for answer in outcome.answers] == [0] and not server.bodies


def test_never_more_at_a_time_and_the_rest_is_not_sent(server: Server) -> None:
    found: list[Outcome] = []
    load = Load(f"{server.url}/held", 40, 0.5, 3)
    worker = threading.Thread(target=lambda: found.append(put(load, threading.Event())))
    worker.start()
    worker.join(1)
    assert worker.is_alive(), "it waits for the answers that it asked for"
    server.released.set()
    worker.join(30)
    [outcome] = found
    assert server.most == 3 and outcome.not_sent == 17
    assert min(answer.seconds for answer in outcome.answers) > 0.4, "timed from when it was due"


def test_stopped(server: Server) -> None:
    stop = threading.Event()
    stop.set()
    outcome = put(Load(f"{server.url}/200", 1, 600, 1), stop)
    assert outcome.answers == () and outcome.not_sent == 600


def test_figures() -> None:
    answers = (*(Answer(200, n / 10) for n in range(1, 11)), Answer(503, 9.0), Answer(0, 30.0))
    assert Outcome(answers, 4.0, 3).as_json() == {
        "requests": 12, "errors": 2, "not_sent": 3, "per_second": 3.0, "seconds": 4.0, "p50": 0.5, "p95": 1.0, "p99": 1.0,
        "max": 1.0, "statuses": {"200": 10, "503": 1, "no answer": 1},
    }  # fmt: skip
    assert nearest_rank([1.0, 2.0, 3.0, 4.0], 0.5) == 2.0 and nearest_rank([1.0], 0.01) == 1.0

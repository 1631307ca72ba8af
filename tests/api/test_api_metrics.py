"""Recorded series: those of the list, chosen by labels, in no words of the caller's."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from urllib.parse import parse_qs

import promql_parser
import pytest

from api.prometheus import selector
from tests.api.conftest import Lived, Served, serving, setup_of, tokens_file

NAME = "agent:handoffs:ratio_rate1h"
FOUND = {"metric": {"__name__": NAME, "agent": "billing"}, "values": [[1, "0.5"], [2, "NaN"]]}

MATRIX = json.dumps({"status": "success", "data": {"resultType": "matrix", "result": [FOUND]}})
Said = tuple[int, str]
"""Status and body."""


@pytest.fixture(scope="module")
def otherwise() -> Queue[Said]:
    """What is said next instead."""
    return Queue()


@pytest.fixture(scope="module")
def asked(otherwise: Queue[Said]) -> Iterator[tuple[str, Queue[dict[str, list[str]]]]]:
    """A server that answers as Prometheus does, and what it was asked."""
    questions: Queue[dict[str, list[str]]] = Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            questions.put(parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode()))
            status, body = (200, MATRIX) if otherwise.empty() else otherwise.get()
            self.send_response(status)
            self.send_header("Location", "/")
            self.end_headers()
            self.wfile.write(body.encode())

        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(MATRIX.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", questions
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def metered(asked: tuple[str, Queue[dict[str, list[str]]]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """An API whose database is not there: nothing here needs one."""
    nowhere = Lived("host=127.0.0.1 port=1 dbname=nothing", "0" * 16, "1" * 16)
    callers = tokens_file(tmp_path_factory.mktemp("metrics") / "tokens", nowhere)
    with serving(setup_of(nowhere, callers, prometheus=asked[0]), callers) as running:
        yield running


def test_a_series_is_chosen_by_labels(metered: Served, asked: tuple[str, Queue[dict[str, list[str]]]]) -> None:
    answer = metered.get(f"/api/v1/analytics/metrics/{NAME}", agent=['a"} or vector(1)', "b.c"], days=1)
    assert answer.json()["series"] == [{"labels": {"agent": "billing"}, "points": [[1, 0.5], [2, None]]}]
    (query,) = asked[1].get(timeout=10)["query"]
    parsed = promql_parser.parse(query)
    assert isinstance(parsed, promql_parser.VectorSelector) and parsed.name == NAME


def test_no_other_series_is_served(metered: Served) -> None:
    for name in ("up", "agent_queries_total", f"sum({NAME})"):
        assert metered.get(f"/api/v1/analytics/metrics/{name}").status_code == 404
    assert metered.get(f"/api/v1/analytics/metrics/{NAME}", metered.callers.person).status_code == 403
    assert metered.get(f"/api/v1/analytics/metrics/{NAME}", owner="x").status_code == 400


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, "[]"),
        (200, "{}"),
        (200, '{"data": {"result": [{}]}}'),
        (200, '{"data": {"result": [{"metric": [], "values": 1}]}}'),
        (200, "no JSON"),
        (302, ""),
    ],
)
def test_another_program_is_not_taken_for_prometheus(metered: Served, otherwise: Queue[Said], status: int, body: str) -> None:
    """Nor is that to which it leads."""
    otherwise.put((status, body))
    answer = metered.get(f"/api/v1/analytics/metrics/{NAME}")
    assert answer.status_code == 503 and "Prometheus" in answer.json()["detail"]


@pytest.mark.parametrize("value", ['"', "\\", "a\nb", "}", "a|b", "ü", " "])
def test_a_value_stays_one(value: str) -> None:
    parsed = promql_parser.parse(selector(NAME, {"agent": [value]}))
    assert isinstance(parsed, promql_parser.VectorSelector)
    (matcher,) = parsed.matchers.matchers
    assert matcher.name == "agent"

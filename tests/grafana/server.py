"""A server that speaks Grafana's HTTP interface to tests, with tokens, rights, and what goes wrong on the way."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.grafana import account_api, alerting_api, dashboard_api, data_source_api, folder_api, live_api
from tests.grafana.world import Problem, Request, Route, World

TOKEN = "glsa_test"
_HEALTH = Route("GET", "/api/health", "", lambda *_: {"database": "ok", "version": dashboard_api.VERSION}, open=True)
ROUTES = (
    _HEALTH,
    *folder_api.ROUTES,
    *dashboard_api.ROUTES,
    *data_source_api.ROUTES,
    *alerting_api.ROUTES,
    *live_api.ROUTES,
    *account_api.ROUTES,
)
RIGHTS = frozenset({"dashboards:create", "dashboards:write"} | {route.right for route in ROUTES if route.right})


@dataclass
class Token:
    """A service account's token. `rights` are actions, such as `folders:create`."""

    rights: set[str] = field(default_factory=lambda: set(RIGHTS))
    expired: bool = False


@dataclass
class Fault:
    """What happens instead of an answer, to the next `times` requests of a method to paths that match."""

    method: str
    path: str
    times: int = 1
    code: int = 0
    """Answer with this code, unread."""
    headers: dict[str, str] = field(default_factory=dict)
    lost: bool = False
    """Do what is asked, and hang up instead of answering. With `unread`, do not even do it."""
    unread: bool = False
    silent: bool = False
    """Do not answer at all."""
    page: str = ""
    """Answer with a page for people."""
    first: Callable[[], None] | None = None
    """Something that happens just before, such as an edit by somebody else."""

    def hits(self, method: str, path: str) -> bool:
        return self.times > 0 and method == self.method and re.fullmatch(self.path, path) is not None


class GrafanaServer(ThreadingHTTPServer):
    """`seen` are all requests, as method and path; `fuse` is how many writes it takes before it hangs up on everybody."""

    daemon_threads = True
    fuse: int | None = None

    def __init__(self, world: World, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.world = world
        self.tokens = {TOKEN: Token()}
        self.faults: list[Fault] = []
        self.seen: list[tuple[str, str]] = []
        self.guard = threading.Lock()
        self.closing = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def goes_wrong(self, method: str, path: str, **how: Any) -> Fault:
        fault = Fault(method, path, **how)
        self.faults.append(fault)
        return fault

    def writes(self) -> list[tuple[str, str]]:
        return [(method, path) for method, path in self.seen if method != "GET"]


class _Handler(BaseHTTPRequestHandler):
    server: GrafanaServer
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        """Tests are quiet."""

    def _handle(self) -> None:
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length)
        with self.server.guard:
            self.server.seen.append((self.command, parts.path))
            gone = self._is_gone()
            fault = next((one for one in self.server.faults if one.hits(self.command, parts.path)), None)
            if fault:
                fault.times -= 1
                if fault.first:
                    fault.first()
        if fault and fault.silent:
            self.server.closing.wait()
        if gone or (fault and (fault.unread or fault.silent)):
            self._hang_up()
            return
        if fault and fault.code:
            self._answer(fault.code, {"message": "not now"}, fault.headers)
            return
        if fault and fault.page:
            self._send(200, "text/html", fault.page.encode(), {})
            return
        with self.server.guard:
            code, body = self._answered(parts.path, dict(parse_qsl(parts.query)), raw)
        if fault and fault.lost:
            self._hang_up()
            return
        self._answer(code, body)

    def _is_gone(self) -> bool:
        if self.server.fuse and self.command != "GET":
            self.server.fuse -= 1
            return False
        return self.server.fuse == 0

    do_GET = do_POST = do_PUT = do_DELETE = _handle

    def _answered(self, path: str, query: dict[str, str], raw: bytes) -> tuple[int, Any]:
        try:
            for route in ROUTES:
                place = route.matches(self.command, path)
                if place is not None:
                    rights = frozenset() if route.open else self._rights(route)
                    text = self.headers.get("Content-Type", "").startswith("text/plain")
                    body = raw.decode() if text else json.loads(raw) if raw else None
                    told = route.handler(self.server.world, Request(query, body, place, rights, dict(self.headers)))
                    return (204 if told is None else 200), told
        except Problem as problem:
            return problem.code, problem.body
        return 404, {"message": "Not found"}

    def _rights(self, route: Route) -> frozenset[str]:
        token = self.server.tokens.get(self.headers.get("Authorization", "").removeprefix("Bearer "))
        if token is None:
            raise Problem(401, "Invalid API key")
        if token.expired:
            raise Problem(401, "Expired API key")
        if route.right and route.right not in token.rights:
            needed = f"Permissions needed: {route.right}"
            raise Problem(403, f"You'll need additional permissions to perform this action. {needed}")
        return frozenset(token.rights)

    def _answer(self, code: int, body: Any, headers: dict[str, str] | None = None) -> None:
        self._send(code, "application/json", b"" if code == 204 else json.dumps(body).encode(), headers or {})

    def _send(self, code: int, kind: str, raw: bytes, headers: dict[str, str]) -> None:
        self.send_response_only(code)
        told = {"Date": format_datetime(self.server.world.now, usegmt=True), "Content-Type": kind, "Content-Length": len(raw)}
        for name, value in {**told, **headers}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(raw)
        self.wfile.flush()

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def serving(world: World | None = None) -> Iterator[GrafanaServer]:
    """The server, answering until the block ends."""
    server = GrafanaServer(world or World())
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        server.server_close()
        thread.join(5)

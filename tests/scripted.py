"""An HTTP server that answers by script, and fixtures that give one."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest


class ScriptedServer:
    """Answers each path with the next step of its script; the last step stays. A step is a function of the handler."""

    def __init__(self) -> None:
        self.scripts: dict[str, list[Callable[[http.server.BaseHTTPRequestHandler], None]]] = {}
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.authorisations: list[str | None] = []
        self.addresses: list[str] = []
        self.released = threading.Event()
        self.waited_out = False
        script = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                split = urlsplit(self.path)
                parameters = parse_qs(split.query)
                script.requests.append((split.path, json.loads(parameters.get("query", ["{}"])[0])))
                script.addresses.append(self.path)
                script.authorisations.append(self.headers.get("Authorization"))
                steps = script.scripts.get(split.path, [status(404)])
                step = steps.pop(0) if len(steps) > 1 else steps[0]
                step(self)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    def paths(self) -> list[str]:
        return [path for path, _ in self.requests]

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    scripted = ScriptedServer()
    scripted.start()
    yield scripted
    scripted.stop()


def body(
    content: bytes, code: int = 200, kind: str = "application/json", length: int = 0, **headers: str
) -> Callable[[http.server.BaseHTTPRequestHandler], None]:
    """A step that answers with these bytes. `length` lies about their number."""

    def step(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(length or len(content)))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(content)

    return step


def status(code: int, message: str = "so it is", **headers: str) -> Callable[[http.server.BaseHTTPRequestHandler], None]:
    return body(json.dumps({"message": message}).encode(), code, "application/json", 0, **headers)


def rows(*found: dict[str, Any]) -> Callable[[http.server.BaseHTTPRequestHandler], None]:
    return body(json.dumps({"data": found}).encode())


def silence(server: ScriptedServer) -> Callable[[http.server.BaseHTTPRequestHandler], None]:
    """A step that never answers while the test runs."""

    def step(_: http.server.BaseHTTPRequestHandler) -> None:
        server.released.wait(30)

    return step


def trickle(server: ScriptedServer) -> Callable[[http.server.BaseHTTPRequestHandler], None]:
    """A step that sends a byte now and then, and never ends."""

    def step(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        end = time.monotonic() + 30
        try:
            while not server.released.wait(0.05) and time.monotonic() < end:
                handler.wfile.write(b" ")
                handler.wfile.flush()
        except OSError:  # the client gave up, as it should
            return

    return step


def trickled_head(server: ScriptedServer) -> Callable[[http.server.BaseHTTPRequestHandler], None]:
    """A step that sends its headers byte by byte, and never comes to their end. `waited_out`: nobody gave it up."""
    return _trickled(server, b"HTTP/1.1 200 OK\r\nX-Filler: ")


def trickled_line(server: ScriptedServer) -> Callable[[http.server.BaseHTTPRequestHandler], None]:
    """Likewise, the line before a piece of the last answer of its connection."""
    return _trickled(server, b"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n1;")


def _trickled(server: ScriptedServer, begin: bytes) -> Callable[[http.server.BaseHTTPRequestHandler], None]:
    def step(handler: http.server.BaseHTTPRequestHandler) -> None:
        end = time.monotonic() + 30
        try:
            handler.wfile.write(begin)
            while not server.released.wait(0.05) and time.monotonic() < end:
                handler.wfile.write(b"x")
                handler.wfile.flush()
            server.waited_out = not server.released.is_set()
        except OSError:  # the client gave up, as it should
            return

    return step


class Script:
    """What the tests write their scripts with."""

    body = staticmethod(body)
    status = staticmethod(status)
    rows = staticmethod(rows)
    silence = staticmethod(silence)
    trickle = staticmethod(trickle)
    trickled_head = staticmethod(trickled_head)
    trickled_line = staticmethod(trickled_line)


@pytest.fixture
def script() -> type[Script]:
    return Script

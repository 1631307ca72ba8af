"""The exporter's HTTP server in a thread of the test, and clients that behave as badly as they are told to."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from exporters.server import Patience, Request, Response, Server

CERTIFICATES = Path(__file__).parent / "certificates"
IMPATIENT = Patience(handshake=0.2, head=0.2, answer=0.2, idle=0.2, linger=0.1)
PATIENT = Patience(handshake=30.0, head=30.0, answer=30.0, idle=30.0, linger=0.1)
"""For clients that behave well: on a busy machine they take their time, too."""


class Serving:
    """A running server. `port` is where it answers."""

    def __init__(self, answer: Callable[[Request], Response], patience: Patience, connections: int) -> None:
        self.server = Server(answer, patience=patience, connections=connections)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        self.loop = asyncio.new_event_loop()
        self._end = asyncio.Event()
        self._begun = threading.Event()
        self._thread = threading.Thread(target=self.loop.run_until_complete, args=(self._serve(),))
        self._thread.start()
        assert self._begun.wait(60)

    async def _serve(self) -> None:
        self.server.listen(self._listening)
        self._begun.set()
        await self._end.wait()
        await self.server.close(60.0)

    def end(self) -> None:
        if self._thread.is_alive():
            self.loop.call_soon_threadsafe(self._end.set)
            self._thread.join(120)
        self.loop.close()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), 60)

    def ask(self, text: bytes, client: socket.socket | None = None) -> bytes:
        """All that is answered to these bytes until the connection ends."""
        with client or self.connect() as connection:
            connection.sendall(text)
            return b"".join(iter(lambda: connection.recv(65536), b""))

    def get(self, path: str = "/", client: socket.socket | None = None) -> bytes:
        """The body of one answer."""
        head, _, body = self.ask(request(path, "Connection: close"), client).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 "), head
        return body


def request(path: str = "/", *headers: str, method: str = "GET", version: str = "1.1") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/{version}", "Host: test", *headers, "", ""]).encode()


@contextmanager
def serving(
    answer: Callable[[Request], Response],
    patience: Patience = PATIENT,
    connections: int = 32,
    tls: ssl.SSLContext | None = None,
) -> Iterator[Serving]:
    found = Serving(answer, patience, connections)
    found.server.tls = tls
    try:
        yield found
    finally:
        found.end()


def trusting(certificate: str = "") -> ssl.SSLContext:
    """A client that trusts the tests' authority; with a certificate of its own when one is named."""
    context = ssl.create_default_context(cafile=CERTIFICATES / "authority.pem")
    if certificate:
        context.load_cert_chain(CERTIFICATES / f"{certificate}.pem", CERTIFICATES / f"{certificate}.key")
    return context


def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.005)

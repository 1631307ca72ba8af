"""A small HTTP server for pages that are ready: a client that is slow, silent or hostile holds up nobody but itself.

Written on asyncio and h11 because servers for applications leave such a client a place for as long as it likes: uvicorn waits
without end for a first request and for a reader, and counts both towards its limit. Here every state of a connection has a
deadline, and at the limit the connection that has kept us waiting longest gives way to the new one.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus

import h11

from exporters.logs import LOG, pairs

CONNECTIONS = 128
HEAD_BYTES = 16_384
_SLICE = 262_144


@dataclass(frozen=True)
class Request:
    """What was asked. Names of headers are in lower case; what several lines say of one is joined by commas."""

    method: str
    path: str
    headers: dict[str, str]


@dataclass(frozen=True)
class Response:
    """What is answered."""

    body: bytes
    content_type: str = "text/plain; charset=utf-8"
    status: HTTPStatus = HTTPStatus.OK
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Patience:
    """Seconds that a client has: for the TLS handshake, for the head of a request, for taking an answer, between two requests,
    and after a broken one."""

    handshake: float = 5.0
    head: float = 5.0
    answer: float = 30.0
    idle: float = 300.0
    linger: float = 1.0


@dataclass(eq=False)
class _Connection:
    """`since` is when its present state began; `idle` says that it has been answered and owes us nothing."""

    since: float
    task: asyncio.Task[None] = field(init=False)
    waiting: bool = True
    idle: bool = False

    def now(self, waiting: bool, idle: bool = False) -> None:
        self.since, self.waiting, self.idle = time.monotonic(), waiting, idle


def _nothing(_: Request) -> Response:
    return Response(b"not ready\n", status=HTTPStatus.SERVICE_UNAVAILABLE)


class Server:
    """Answers GET and HEAD requests from `answer`, which must not wait for anything. It and `tls` may be exchanged at any time.

    `refused` counts connections that were ended because of a limit, a deadline or a broken request.
    """

    def __init__(
        self,
        answer: Callable[[Request], Response] = _nothing,
        tls: ssl.SSLContext | None = None,
        patience: Patience = Patience(),
        connections: int = CONNECTIONS,
    ) -> None:
        self.tls, self.answer = tls, answer
        self._patience, self._most = patience, connections
        self._connections: set[_Connection] = set()
        self._listening: dict[socket.socket, asyncio.Task[None]] = {}
        self._ending = False
        self.refused = 0

    def listen(self, listening: socket.socket) -> None:
        """Begins to accept on a bound socket, and to own it."""
        listening.setblocking(False)
        listening.listen(1024)
        self._listening[listening] = asyncio.create_task(self._accept(listening))

    def leave(self, listening: socket.socket) -> None:
        """Accepts no more on this socket and closes it; connections that came that way go on."""
        self._listening.pop(listening).cancel()
        listening.close()

    async def close(self, grace: float) -> None:
        """Accepts no more, lets running answers end for `grace` seconds, and closes everything."""
        self._ending = True
        for listening in list(self._listening):
            self.leave(listening)
        for connection in list(self._connections):
            if connection.waiting:
                connection.task.cancel()
        if tasks := [connection.task for connection in self._connections]:
            _, late = await asyncio.wait(tasks, timeout=grace)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, _ = await loop.sock_accept(listening)
            except OSError as error:  # no file handle is left, or the client is gone already
                LOG.warning("connection not accepted", extra=pairs(problem=error.strerror or str(error)))
                self._make_room()
                await asyncio.sleep(0.05)
                continue
            while len(self._connections) >= self._most:
                self._make_room()
            connection = _Connection(time.monotonic())
            connection.task = loop.create_task(self._serve(accepted, connection))
            connection.task.add_done_callback(partial(self._forget, connection))
            self._connections.add(connection)
            await asyncio.sleep(0)  # a queue of newcomers must not keep those who are being served from their turn

    def _forget(self, connection: _Connection, _: asyncio.Task[None]) -> None:
        self._connections.discard(connection)

    def _make_room(self) -> None:
        """Ends one connection: a silent one if there is any, else one between requests, else the slowest reader."""
        if self._connections:
            slowest = min(self._connections, key=lambda one: (not one.waiting, one.idle, one.since))
            self.refused += not slowest.idle
            self._forget(slowest, slowest.task)
            slowest.task.cancel()

    async def _serve(self, accepted: socket.socket, connection: _Connection) -> None:
        reader = asyncio.StreamReader(HEAD_BYTES)
        protocol = asyncio.StreamReaderProtocol(reader)
        transport: asyncio.Transport | None = None
        deadlines = (
            {"ssl_handshake_timeout": self._patience.handshake, "ssl_shutdown_timeout": self._patience.handshake}
            if self.tls
            else {}
        )
        loop = asyncio.get_running_loop()
        try:
            transport, _ = await loop.connect_accepted_socket(lambda: protocol, accepted, ssl=self.tls, **deadlines)
            transport.set_write_buffer_limits(high=1)  # so that `drain` waits for the client, not for a buffer of ours
            writer = asyncio.StreamWriter(transport, protocol, reader, loop)
            await self._talk(connection, reader, writer)
            writer.close()
        except (OSError, TimeoutError):  # a failed handshake, a client that is gone, or a deadline
            self.refused += not connection.idle
        except asyncio.CancelledError:
            pass
        finally:
            if transport is not None and not transport.is_closing():
                transport.abort()

    async def _talk(self, connection: _Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        http = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES)
        try:
            while request := await self._request(connection, http, reader):
                connection.now(waiting=False)
                async with asyncio.timeout(self._patience.answer):
                    await _send(http, writer, self._answered(request), with_body=request.method != b"HEAD")
                if self._ending or http.our_state is not h11.DONE:
                    return
                http.start_next_cycle()
                connection.now(waiting=True, idle=True)
        except h11.RemoteProtocolError as error:
            self.refused += 1
            status = HTTPStatus(error.error_status_hint)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._patience.linger):
                    await _send(http, writer, Response(f"{status.phrase}\n".encode(), status=status), with_body=True)
                    while await reader.read(HEAD_BYTES):  # what still comes must be taken, or the refusal would be lost
                        pass

    async def _request(self, connection: _Connection, http: h11.Connection, reader: asyncio.StreamReader) -> h11.Request | None:
        """The next request; None when the client has closed. Raises TimeoutError and h11.RemoteProtocolError."""
        request = None
        async with asyncio.timeout(self._patience.idle if connection.idle else self._patience.head) as deadline:
            while True:
                event = http.next_event()
                if isinstance(event, h11.EndOfMessage):
                    return request
                if isinstance(event, h11.ConnectionClosed):
                    return None
                if isinstance(event, h11.Request):
                    request = event
                    if any(name == b"transfer-encoding" for name, _ in event.headers):
                        raise h11.RemoteProtocolError("a request has no body here", error_status_hint=413)
                elif isinstance(event, h11.Data):
                    raise h11.RemoteProtocolError("a request has no body here", error_status_hint=413)
                else:
                    received = await reader.read(HEAD_BYTES)
                    if connection.idle and received:
                        connection.now(waiting=True)
                        deadline.reschedule(asyncio.get_running_loop().time() + self._patience.head)
                    http.receive_data(received)

    def _answered(self, request: h11.Request) -> Response:
        method = request.method.decode("ascii")
        if method not in ("GET", "HEAD"):
            return Response(b"only GET and HEAD\n", status=HTTPStatus.METHOD_NOT_ALLOWED, headers=(("Allow", "GET, HEAD"),))
        headers: dict[str, str] = {}
        for raw, value in request.headers:
            name, said = raw.decode("ascii", "replace"), value.decode("latin-1")
            headers[name] = f"{headers[name]}, {said}" if name in headers else said
        path = _path(request.target.decode("ascii", "replace"))
        try:
            return self.answer(Request(method, path, headers))
        except Exception as error:  # a page that cannot be made must not end the connection's task unsaid
            LOG.exception("page failed", extra=pairs(path=path, problem=f"{type(error).__name__}"))
            return Response(b"this page cannot be made\n", status=HTTPStatus.INTERNAL_SERVER_ERROR)


def _path(target: str) -> str:
    """The path of what was asked for, as a path or as a whole address (RFC 9112, 3.2)."""
    address = target.partition("?")[0]
    return address if address.startswith("/") else "/" + address.partition("://")[2].partition("/")[2]


async def _send(http: h11.Connection, writer: asyncio.StreamWriter, response: Response, with_body: bool) -> None:
    """Slice by slice, as views of the page: it is not copied for each client."""
    headers = [("Content-Type", response.content_type), ("Content-Length", str(len(response.body))), *response.headers]
    head = http.send(h11.Response(status_code=response.status, headers=headers, reason=response.status.phrase)) or b""
    body = response.body if with_body else b""
    if body:
        http.send_with_data_passthrough(h11.Data(data=body))
    http.send(h11.EndOfMessage())
    view = memoryview(body)
    writer.write(b"".join((head, view[:_SLICE])))
    await writer.drain()
    for begin in range(_SLICE, len(view), _SLICE):
        writer.write(view[begin : begin + _SLICE])
        await writer.drain()

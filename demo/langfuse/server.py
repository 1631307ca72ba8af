"""The stand-in as a running server on this machine."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from demo.langfuse.app import application
from demo.langfuse.standin import StandIn

HOST = "127.0.0.1"


class PortTaken(Exception):
    """Another program listens there, or the address is none of this machine."""


def listen(port: int, host: str = HOST) -> socket.socket:
    """A listening socket on a port of this machine; port 0 takes a free one. Raises PortTaken."""
    # With the protocol named, asyncio sends answers without delay; a bare socket leaves 40 ms between head and body.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen()  # requests wait here until the server takes them
    except OSError as error:
        listener.close()
        raise PortTaken(f"port {port} of {host} cannot be used: {error.strerror}") from None
    return listener


def address(listener: socket.socket) -> str:
    host, port = listener.getsockname()
    return f"http://{host}:{port}"


def server(standin: StandIn) -> uvicorn.Server:
    """The server. The stand-in dates its answers itself, by its own clock; who runs it says what is logged, and where."""

    class Protocol(H11Protocol):
        """Remembers its connection, for a failure that tears it down."""

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            standin.connections[transport.get_extra_info("peername")] = transport

        def connection_lost(self, exc: Exception | None) -> None:
            standin.connections.pop(self.transport.get_extra_info("peername"), None)
            super().connection_lost(exc)

    config = uvicorn.Config(application(standin), http=Protocol, log_config=None, access_log=False, date_header=False)
    return uvicorn.Server(config)


@contextmanager
def running(standin: StandIn) -> Iterator[str]:
    """A server in a thread of this process; gives its address."""
    listener = listen(0)
    serving = server(standin)
    thread = Thread(target=serving.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield address(listener)
    finally:
        serving.should_exit = True
        thread.join()
        listener.close()

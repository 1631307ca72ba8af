"""The stand-in as a running server on this machine."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import uvicorn

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
    return uvicorn.Server(uvicorn.Config(application(standin), log_level="critical", access_log=False))


@contextmanager
def running(standin: StandIn) -> Iterator[str]:
    """A server in a thread of this process, for tests; gives its address."""
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

"""Clients that scrape: one after the other, many at once, silent ones, and ones that do not wait for the answer."""

from __future__ import annotations

import contextlib
import http.client
import selectors
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

_HEADERS = {"Accept": "text/plain;version=0.0.4", "Accept-Encoding": "gzip"}
_TIMEOUT = 60.0


def trusting() -> ssl.SSLContext:
    """For servers of ours on 127.0.0.1, whose certificate nobody has signed."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def scrape(url: str, timeout: float = _TIMEOUT) -> float:
    """Milliseconds from connecting to the last byte. Raises OSError; a scrape that is not answered with 200 is one too."""
    parts = urlsplit(url)
    host, port = str(parts.hostname), int(parts.port or 0)
    connection = (
        http.client.HTTPSConnection(host, port, timeout=timeout, context=trusting())
        if parts.scheme == "https"
        else http.client.HTTPConnection(host, port, timeout=timeout)
    )
    began = time.perf_counter()
    try:
        connection.request("GET", parts.path, headers=_HEADERS)
        answer = connection.getresponse()
        answer.read()
    except http.client.HTTPException as error:
        raise OSError(f"{url} did not answer a scrape: {error!r}") from error
    finally:
        connection.close()
    if answer.status != 200:
        raise OSError(f"{url} answered a scrape with {answer.status}")
    return (time.perf_counter() - began) * 1e3


def one_after_the_other(url: str, number: int, pause: float = 0.0) -> list[float]:
    """Milliseconds of each of `number` scrapes, `pause` seconds apart; one more before them finds the server's way."""
    scrape(url)
    taken = []
    for _ in range(number):
        taken.append(scrape(url))
        time.sleep(pause)
    return taken


def at_once(url: str, number: int) -> list[float]:
    """Milliseconds of each of `number` scrapes that begin together, in the order in which they end. Raises OSError as `scrape`.

    One thread that only counts what comes: as many threads as scrapes would wait for each other, and not for the server.
    """
    parts = urlsplit(url)
    headers = {"Host": parts.netloc, **_HEADERS, "Connection": "close"}
    ask = "\r\n".join([f"GET {parts.path} HTTP/1.1", *map(": ".join, headers.items()), "", ""]).encode()
    received, taken = bytearray(1 << 20), list[float]()
    with contextlib.ExitStack() as stack:
        waiting = stack.enter_context(selectors.DefaultSelector())
        for _ in range(number):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex((str(parts.hostname), int(parts.port or 0)))
            waiting.register(client, selectors.EVENT_WRITE, _Asked(client, time.perf_counter()))
        while len(taken) < number:
            ready = waiting.select(_TIMEOUT)
            if not ready:
                raise OSError(f"{url} left {number - len(taken)} of {number} scrapes without an answer")
            for key, _ in ready:
                asked: _Asked = key.data
                if key.events == selectors.EVENT_WRITE:
                    asked.client.sendall(ask)
                    waiting.modify(asked.client, selectors.EVENT_READ, asked)
                elif asked.client.recv_into(received):
                    asked.status = asked.status or bytes(received[:12])
                else:
                    waiting.unregister(asked.client)
                    taken.append(asked.ended(url))
    return taken


@dataclass
class _Asked:
    """A scrape that waits for the end of its answer. `status` is how the answer begins."""

    client: socket.socket
    begun: float
    status: bytes = b""

    def ended(self, url: str) -> float:
        """The milliseconds that it took. Raises OSError unless it was answered with 200."""
        if not self.status.endswith(b" 200"):
            raise OSError(f"{url} answered a scrape with {self.status!r}")
        return (time.perf_counter() - self.begun) * 1e3


@contextlib.contextmanager
def silent_clients(url: str, number: int) -> Iterator[None]:
    """So many clients that connect and say nothing."""
    parts = urlsplit(url)
    with contextlib.ExitStack() as stack:
        for _ in range(number):
            stack.enter_context(socket.create_connection((str(parts.hostname), int(parts.port or 0))))
        yield


def abandoned(url: str, number: int) -> None:
    """So many clients that ask for the page and leave before the answer."""
    parts = urlsplit(url)
    ask = f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAccept-Encoding: gzip\r\n\r\n".encode()
    for _ in range(number):
        with socket.create_connection((str(parts.hostname), int(parts.port or 0))) as client:
            client.sendall(ask)

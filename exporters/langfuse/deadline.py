"""Ends a request at its time, whatever the server does: a limit of each read is none for a server that sends byte by byte."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

PoolClasses = dict[str, type[HTTPConnectionPool]]


class Deadline:
    """Used by one thread, over connections of `pool_classes`, as urllib3's managers take them."""

    def __init__(self) -> None:
        self._wire: socket.socket | None = None
        self.pool_classes = _pool_classes(self._note)

    def _note(self, connection: HTTPConnection) -> None:
        self._wire = connection.sock  # which the connection forgets before the answer is read, when that is its last

    @contextlib.contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """What waits for an answer in here fails with an error of urllib3 soon after so many seconds."""
        self._wire = None
        timer = threading.Timer(seconds, self._cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _cut(self) -> None:
        if (wire := self._wire) is not None:
            with contextlib.suppress(OSError), socket.socket(fileno=os.dup(wire.fileno())) as same:
                same.shutdown(socket.SHUT_RDWR)


def _pool_classes(note: Callable[[HTTPConnection], None]) -> PoolClasses:
    class Plain(HTTPConnection):
        def getresponse(self) -> Any:
            note(self)
            return super().getresponse()

    class Secure(HTTPSConnection):
        def getresponse(self) -> Any:
            note(self)
            return super().getresponse()

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}

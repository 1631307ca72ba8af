"""HTTP with deadlines: uvicorn waits without end for the head of a request, and for who does not read the answer."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

REQUEST_SECONDS, STALLED_SECONDS, LINGER_SECONDS = 10.0, 30.0, 5.0
"""For sending a request; for taking an answer; for taking what is left when the connection is being closed."""


def patient(most: int) -> type[H11Protocol]:
    """A protocol for at most so many connections: the one that has kept us waiting longest gives way to a new one."""
    waiting: dict[H11Protocol, None] = {}

    class Patient(H11Protocol):
        """A request has its time from the connection, or from the answer before, to its last byte."""

        _deadline: asyncio.TimerHandle | None = None
        _stalled: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            if len(self.connections) > most:
                slowest = next(iter(waiting), self)
                waiting.pop(slowest, None)
                slowest.transport.abort()
            self._look()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._look()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            self._look()

        def _look(self) -> None:
            """Whether it is the client's turn."""
            if self.transport.is_closing() or self.conn.their_state not in (h11.IDLE, h11.SEND_BODY):
                self._go_on()
            elif self._deadline is None:
                waiting[self] = None
                self._deadline = self.loop.call_later(REQUEST_SECONDS, self.transport.abort)

        def _go_on(self) -> None:
            waiting.pop(self, None)
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None

        def handle_websocket_upgrade(self, event: h11.Request) -> None:
            super().handle_websocket_upgrade(event)
            self._go_on()

        def pause_writing(self) -> None:
            super().pause_writing()
            self._stalled = self.loop.call_later(STALLED_SECONDS, self.transport.abort)

        def resume_writing(self) -> None:
            super().resume_writing()
            if self._stalled is not None:
                self._stalled.cancel()

        def timeout_keep_alive_handler(self) -> None:
            super().timeout_keep_alive_handler()
            self.loop.call_later(LINGER_SECONDS, self.transport.abort)

        def connection_lost(self, exc: Exception | None) -> None:
            self._go_on()
            super().connection_lost(exc)

    return Patient


def server_options(most: int) -> dict[str, Any]:
    """What uvicorn is told beside the application."""
    return {
        "http": patient(most),
        "ws": "websockets-sansio",
        "ws_max_size": 4096,
        "ws_ping_interval": 20.0,
        "ws_ping_timeout": 20.0,
        "h11_max_incomplete_event_size": 16_384,
        "timeout_keep_alive": 5,
        "timeout_graceful_shutdown": 3,
        "backlog": 1024,
        "server_header": False,
        "proxy_headers": False,
        "access_log": False,
        "log_config": None,
        "lifespan": "on",
    }

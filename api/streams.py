"""Live figures to clients that stay: Server-Sent Events and a WebSocket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from api.access import caller_of, token_of
from api.catalogue.endpoints import Role
from api.live import Live, Subscriber
from api.problems import Problem
from api.service import Service
from api.tokens import Caller

_OF_ALL = (Role.ADMIN, Role.BUSINESS)
_QUIET_SECONDS = 15.0
"""After so long without figures a word is said, so that nobody on the way takes the connection for dead."""


class _Events(StreamingResponse):
    """Events that have a `place` until they end, also where the client is gone before the first of them."""

    def __init__(self, events: AsyncIterator[bytes], place: ExitStack) -> None:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(events, headers=headers, media_type="text/event-stream")
        self._place = place

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._place:
            await super().__call__(scope, receive, send)


class Streams:
    def __init__(self, service: Service, live: Live) -> None:
        self._service, self._live = service, live

    def _still(self, connection: HTTPConnection, caller: Caller) -> bool:
        """Whether the token is still that of the caller: one that was taken back ends its streams."""
        self._service.tokens.refresh()
        return self._service.tokens.caller(token_of(connection)) == caller

    def events(self, request: Request, caller: Caller) -> Response:
        """An event for each change. Raises Problem."""
        self._service.allowed(caller, _OF_ALL, "this address")
        place = ExitStack()
        subscriber = place.enter_context(self._live.subscribed(caller.name))

        async def told() -> AsyncIterator[bytes]:
            while True:
                figures = await _next(subscriber)
                if subscriber.over or not self._still(request, caller):
                    return
                yield b"event: live\ndata: " + figures + b"\n\n" if figures else b": nothing new\n\n"

        return _Events(told(), place)

    async def websocket(self, socket: WebSocket) -> None:
        """A text for each change. What the client says is not listened to."""
        try:
            self._service.tokens.refresh()
            caller = caller_of(self._service, socket)
            self._service.allowed(caller, _OF_ALL, "this address")
            with self._live.subscribed(caller.name) as subscriber:
                await socket.accept()
                await self._tell(socket, caller, subscriber)
        except Problem as problem:
            await socket.send_denial_response(problem.response())

    async def _tell(self, socket: WebSocket, caller: Caller, subscriber: Subscriber) -> None:
        async def tell() -> None:
            while self._still(socket, caller):
                if figures := await _next(subscriber):
                    await socket.send_text(figures.decode())
            await socket.close(1008, "the token is no longer known")

        async def heed() -> None:
            while (await socket.receive())["type"] != "websocket.disconnect":
                pass

        telling, heeding = asyncio.create_task(tell()), asyncio.create_task(heed())
        done, left = await asyncio.wait({telling, heeding}, return_when=asyncio.FIRST_COMPLETED)
        for task in left:
            task.cancel()
        await asyncio.gather(*done, *left, return_exceptions=True)


async def _next(subscriber: Subscriber) -> bytes:
    """The newest figures, or nothing after a quiet time."""
    try:
        async with asyncio.timeout(_QUIET_SECONDS):
            return await subscriber.next()
    except TimeoutError:
        return b""

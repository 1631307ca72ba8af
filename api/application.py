"""The application: each request is a caller's, within limits, and ends in figures or in a problem that says what is wrong."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute

from api import openapi
from api.access import caller_of
from api.grafana import Grafana
from api.live import Live
from api.pages import Pages
from api.problems import Problem
from api.service import Service
from api.streams import Streams
from api.tokens import Caller
from api.viewers import Viewers

ANSWER_SECONDS = 30.0
Answer = Callable[[Request, Caller], Awaitable[Response]]


def guarded(service: Service, answer: Answer) -> Callable[[Request], Awaitable[Response]]:
    """The same for everybody who shows a token; what goes wrong becomes a problem, and nothing takes for ever."""

    async def handle(request: Request) -> Response:
        try:
            if {"content-length", "transfer-encoding"}.issubset(request.headers):  # a proxy may see another end than we do
                raise Problem(HTTPStatus.BAD_REQUEST, "the body has two lengths; say one", {"Connection": "close"})
            service.tokens.refresh()
            caller = caller_of(service, request)
            async with asyncio.timeout(ANSWER_SECONDS):
                return await answer(request, caller)
        except Problem as problem:
            return problem.response()
        except TimeoutError:
            return Problem(HTTPStatus.GATEWAY_TIMEOUT, "the answer took too long; ask for less").response()

    return handle


async def _failed(_: Request, __: Exception) -> Response:
    """A mistake of ours: the caller learns that it is one; the server, to which it is raised on, logs where."""
    return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "this is a mistake of the service; its log says more").response()


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    details = {
        HTTPStatus.NOT_FOUND: f"there is nothing at {request.url.path[:100]}; /openapi.json lists what there is",
        HTTPStatus.METHOD_NOT_ALLOWED: "this address is asked in another way; /openapi.json says how",
    }
    return Problem(status, details.get(status, status.phrase), error.headers).response()


def application(service: Service, live: Live, grafana: Grafana | None = None, viewers: Viewers | None = None) -> Starlette:
    """Everything that is served. `live` runs as long as the application does, `grafana` follows it, and `viewers` Grafana."""
    pages, streams = Pages(service), Streams(service, live)
    document = json.dumps(openapi.document(service.limits, service.metrics)).encode()

    async def described(_: Request) -> Response:
        return Response(document, media_type="application/json", headers={"Cache-Control": "public, max-age=300"})

    async def alive(_: Request) -> Response:
        return JSONResponse({"status": "alive"}, headers={"Cache-Control": "no-store"})

    async def live_figures(request: Request, caller: Caller) -> Response:
        if request.method == "GET" and "text/event-stream" in request.headers.get("accept", ""):
            return streams.events(request, caller)
        return await pages.live(request, caller)

    async def counted(_: Request) -> Response:
        return PlainTextResponse(viewers.page() if viewers else "", headers={"Cache-Control": "no-store"})

    @asynccontextmanager
    async def running(_: Any) -> AsyncIterator[None]:
        async with live.running():
            following = [asyncio.create_task(grafana.follow(live))] if grafana else []
            following += [asyncio.create_task(viewers.follow())] if viewers else []
            yield
            for task in following:
                task.cancel()
        await service.database.close()

    routes: list[BaseRoute] = [
        Route("/healthz", alive),
        Route("/openapi.json", described),
        Route("/metrics", counted),
        *(Route(path, guarded(service, answer), methods=["GET"]) for path, answer in pages.of_endpoints()),
        Route("/api/v1/analytics/metrics/{metric_name}", guarded(service, pages.metric)),
        Route("/api/analytics/query", guarded(service, pages.query), methods=["POST"]),
        Route("/api/analytics/export", guarded(service, pages.export)),
        Route("/api/analytics/live", guarded(service, live_figures)),
        Route("/api/analytics/catalogue", guarded(service, pages.catalogue)),
        Route("/api/analytics/dashboard", guarded(service, pages.dashboard)),
        Route("/api/analytics/health", guarded(service, pages.health)),
        WebSocketRoute("/api/analytics/stream", streams.websocket),
    ]
    handlers: dict[Any, Any] = {HTTPException: _http, Exception: _failed}
    served = Starlette(routes=routes, exception_handlers=handlers, lifespan=running)
    served.state.live = live
    served.router.redirect_slashes = False  # an address with a slash too many is none, for strangers as well
    return served

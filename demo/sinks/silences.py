"""The page of silences: Alertmanager's page where its package has none, at the addresses that its links have."""

from __future__ import annotations

from datetime import UTC, datetime

from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from demo.sinks import page
from demo.sinks.alertmanager import Alertmanager, Order, Refused

_MOST_BYTES = 64 * 1024


class Silences:
    """Shows what one Alertmanager knows, and hands it silences that people ask for."""

    def __init__(self, alertmanager: Alertmanager) -> None:
        self._alertmanager = alertmanager

    def routes(self) -> list[Route]:
        return [
            Route("/alertmanager/", self.page),
            Route("/alertmanager/state", self.state),
            Route("/alertmanager/silences", self.create, methods=["POST"]),
            Route("/alertmanager/silences/{id:uuid}", self.expire, methods=["DELETE"]),
        ]

    async def page(self, _request: Request) -> Response:
        return page.html(page.silences())

    def state(self, _request: Request) -> Response:
        try:
            return JSONResponse(self._alertmanager.state())
        except Refused as refused:
            return _refusal(refused)

    async def create(self, request: Request) -> Response:
        body = await request.body()
        if len(body) > _MOST_BYTES:
            return PlainTextResponse("the silence is too long", 413)
        try:
            order = Order.model_validate_json(body)
            silence = await run_in_threadpool(self._alertmanager.silence, order, datetime.now(UTC))
        except ValidationError as error:
            first = error.errors()[0]
            return PlainTextResponse(f"{'.'.join(map(str, first['loc'])) or 'body'}: {first['msg']}", 400)
        except Refused as refused:
            return _refusal(refused)
        return JSONResponse({"id": silence}, 201)

    def expire(self, request: Request) -> Response:
        try:
            self._alertmanager.expire(request.path_params["id"])
        except Refused as refused:
            return _refusal(refused)
        return Response(status_code=204)


def _refusal(refused: Refused) -> Response:
    return PlainTextResponse(str(refused), refused.status)

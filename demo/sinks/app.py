"""The HTTP side of the sinks: Slack's webhook, Alertmanager's webhook, and the pages: inbox, runbooks, silences."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import get_args

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from demo.sinks import page, runbooks, slack
from demo.sinks.alert_log import AlertLog, Notification
from demo.sinks.alertmanager import Alertmanager
from demo.sinks.inbox import Inbox, Kind
from demo.sinks.origin import OwnPagesOnly
from demo.sinks.silences import Silences

_MOST_BYTES = 1024 * 1024


class Sinks:
    """The pages and webhooks over one inbox, one alert log, one folder of runbooks and perhaps one Alertmanager to silence."""

    def __init__(
        self, inbox: Inbox, alert_log: AlertLog, runbook_folder: Path, alertmanager: Alertmanager | None = None
    ) -> None:
        self._inbox = inbox
        self._alert_log = alert_log
        self._runbooks = runbook_folder
        self._silences = Silences(alertmanager).routes() if alertmanager else []

    def app(self, hosts: list[str]) -> Starlette:
        """`hosts` are the names under which the sinks may be asked; others are refused, as a browser may be tricked."""
        return Starlette(
            routes=[
                Route("/", self.page),
                Route("/healthz", self.health),
                Route("/api/messages", self.messages),
                Route("/slack", self.slack, methods=["POST"]),
                Route("/alerts", self.alerts, methods=["POST"]),
                Route("/runbooks", self.runbook_list),
                Route("/runbooks/{name}", self.runbook),
                *self._silences,
                Mount("/static", StaticFiles(directory=Path(__file__).parent / "static")),
            ],
            middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=hosts), Middleware(OwnPagesOnly)],
        )

    async def slack(self, request: Request) -> Response:
        body = await request.body()
        try:
            if len(body) > _MOST_BYTES:
                raise slack.Refused("invalid_payload")
            payload = slack.parse(body, request.headers.get("content-type", ""))
        except slack.Refused as refused:
            return PlainTextResponse(str(refused), status_code=400)
        self._inbox.add("slack", payload, time.time())
        return PlainTextResponse("ok")

    async def alerts(self, request: Request) -> Response:
        try:
            # PostgreSQL has no NUL in its texts; such an alert would be refused for ever.
            notification = Notification.model_validate_json((await request.body()).replace(rb"\u0000", b""))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"])) or "body"
            return PlainTextResponse(f"not an Alertmanager notification: {place}: {first['msg']}", status_code=400)
        if not self._alert_log.accept(notification, time.time()):
            return PlainTextResponse("too many alerts wait for the database; come again later", status_code=503)
        return JSONResponse({"accepted": len(notification.alerts)})

    async def messages(self, request: Request) -> Response:
        try:
            kind, since = _kind(request), float(request.query_params.get("since", 0))
        except ValueError:
            return PlainTextResponse("kind is slack or mail; since is in seconds since the epoch", status_code=400)
        return JSONResponse([asdict(message) for message in self._inbox.newest_first(kind, since)])

    async def page(self, request: Request) -> Response:
        try:
            kind = _kind(request)
        except ValueError:
            return PlainTextResponse("kind is slack or mail", status_code=400)
        return page.html(page.inbox(self._inbox.newest_first(kind), kind, self._note(), bool(self._silences)))

    async def runbook_list(self, _request: Request) -> Response:
        return page.html(page.runbook_list(runbooks.names(self._runbooks)))

    async def runbook(self, request: Request) -> Response:
        name = request.path_params["name"]
        if (file := runbooks.find(self._runbooks, name)) is None:
            return page.html(page.runbook("Not found", "<p>There is no such runbook.</p>"), status_code=404)
        return page.html(page.runbook(file.stem, runbooks.html(file.read_text(encoding="utf-8"))))

    async def health(self, _request: Request) -> Response:
        return JSONResponse({"status": "ok", "messages": self._inbox.last_number, "note": self._note()})

    def _note(self) -> str:
        log = self._alert_log
        return f"The alert history is not being written ({log.problem}); {log.waiting} events wait." if log.problem else ""


def _kind(request: Request) -> Kind | None:
    """The kind that was asked for. Raises ValueError for an unknown one."""
    asked = request.query_params.get("kind")
    found: Kind | None = next((kind for kind in get_args(Kind) if kind == asked), None)
    if asked is not None and found is None:
        raise ValueError(asked)
    return found

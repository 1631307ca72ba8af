"""The HTTP side: routes, who may ask, what fails on purpose, and the errors as the real server words them."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import logging
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from demo.langfuse import metrics, observations, scores, traces
from demo.langfuse.errors import ApiError, InvalidRequest, NotFound, invalid_data
from demo.langfuse.faults import HTML, Fault, refusal
from demo.langfuse.lists import Page, read_parameters
from demo.langfuse.question import read_question
from demo.langfuse.standin import PROJECT, Ask, Keys, Price, StandIn
from demo.langfuse.store import Trace
from demo.langfuse.times import MINUTE, to_iso
from demo.world.observations import Observation, Score

LEARN_MORE = "Learn more about Langfuse v4 at: https://langfuse.com/docs/v4"
_log = logging.getLogger("demo.langfuse")

Handler = Callable[[StandIn, Ask], dict[str, Any]]


class Endpoint(NamedTuple):
    """`access`: secret (the key pair), public (the public key is enough), open (nobody is asked)."""

    method: str
    path: str
    handler: Handler
    access: str = "secret"
    legacy: bool = False  # gone on a server that has the events table only


def _health(standin: StandIn, ask: Ask) -> dict[str, Any]:
    body = {"status": "OK", "version": standin.mode.version}
    if ask.one("failIfNoRecentEvents") == "true":
        newest = standin.store.select("SELECT max(started) FROM observations WHERE ready <= :now", {"now": standin.readable})
        if (newest[0][0] or 0) < standin.readable - 3 * MINUTE:
            raise ApiError(503, body | {"status": "No traces or observations within the last 3 minutes"})
    return body


def _projects(_: StandIn, __: Ask) -> dict[str, Any]:
    return {"data": [PROJECT]}


def _models(standin: StandIn, ask: Ask) -> dict[str, Any]:
    page = read_parameters(Page, ask)
    shown = standin.prices[page.offset : page.offset + page.limit]
    return {"data": [_model(price) for price in shown], "meta": page.meta(len(standin.prices))}


def _model(price: Price) -> dict[str, Any]:
    tier = {"id": f"{price.model}-standard", "name": "Standard", "isDefault": True, "priority": 0, "conditions": []}
    return {
        "id": price.model,
        "modelName": price.model,
        "matchPattern": f"(?i)^({re.escape(price.model)})$",
        "startDate": None,
        "unit": "TOKENS",
        **{f"{kind}Price": price.usd.get(kind) for kind in ("input", "output", "total")},
        "tokenizerId": None,
        "tokenizerConfig": None,
        "isLangfuseManaged": False,
        "createdAt": to_iso(0),
        "prices": {kind: {"price": usd} for kind, usd in price.usd.items()},
        "pricingTiers": [tier | {"prices": dict(price.usd)}],
    }


def _metrics(version: int) -> Handler:
    def answer(standin: StandIn, ask: Ask) -> dict[str, Any]:
        question = read_question(ask.one("query"), version)
        if version == 2 and not standin.mode.events:
            what = "The metrics v2 API is only available in a Langfuse v4 write mode."
            raise NotFound(f"{what} Learn more at: https://langfuse.com/docs/v4")
        rows = metrics.answer(standin.store, question, version, standin.readable, standin.numbers_as_strings)
        return {"data": rows}

    return answer


class Rows(NamedTuple):
    """What the platform reports at once."""

    observations: tuple[Observation, ...] = ()
    scores: tuple[Score, ...] = ()
    traces: tuple[Trace, ...] = ()


_ROWS: TypeAdapter[Rows] = TypeAdapter(Rows)


def _take_rows(standin: StandIn, ask: Ask) -> dict[str, Any]:
    rows = _ROWS.validate_python(ask.body)
    standin.store.insert(*rows)
    return {"observations": len(rows.observations), "scores": len(rows.scores), "traces": len(rows.traces)}


def _take_fault(standin: StandIn, ask: Ask) -> dict[str, Any]:
    if ask.body == {"kind": "none"}:
        standin.faults.clear()
    else:
        standin.faults.add(Fault.model_validate(ask.body))
    return {}


ENDPOINTS = (
    Endpoint("GET", "/api/public/health", _health, "open"),
    Endpoint("GET", "/api/public/ready", _health, "open"),
    Endpoint("GET", "/api/public/projects", _projects),
    Endpoint("GET", "/api/public/models", _models),
    Endpoint("GET", "/api/public/v2/metrics", _metrics(2)),
    Endpoint("GET", "/api/public/metrics", _metrics(1), legacy=True),
    Endpoint("GET", "/api/public/v2/observations", observations.list_by_cursor),
    Endpoint("GET", "/api/public/observations", observations.list_by_page, legacy=True),
    Endpoint("GET", "/api/public/observations/{id}", observations.one, legacy=True),
    Endpoint("GET", "/api/public/v3/scores", scores.list_by_cursor),
    Endpoint("GET", "/api/public/v2/scores", scores.list_by_page, legacy=True),
    Endpoint("POST", "/api/public/scores", scores.create, "public"),
    Endpoint("GET", "/api/public/traces", traces.list_traces, legacy=True),
    Endpoint("GET", "/api/public/traces/{id}", traces.one_trace, legacy=True),
    Endpoint("GET", "/api/public/sessions", traces.list_sessions, legacy=True),
    Endpoint("GET", "/api/public/sessions/{id:path}", traces.one_session, legacy=True),
    # The stand-in's own side doors, for the synthetic platform and for tests.
    Endpoint("POST", "/standin/rows", _take_rows, "open"),
    Endpoint("POST", "/standin/fault", _take_fault, "open"),
)


def application(standin: StandIn) -> Starlette:
    """The server as an ASGI application."""
    routes = [Route("/", _contents)]
    routes += [Route(each.path, _serve(standin, each), methods=[each.method]) for each in ENDPOINTS]
    return Starlette(routes=routes, exception_handlers={404: _no_route, 405: _wrong_method})


async def _contents(_: Request) -> Response:
    return PlainTextResponse("A stand-in for Langfuse: its interface is under /api/public, health for example\n")


async def _no_route(_: Request, __: Exception) -> Response:
    return HTMLResponse(HTML, 404)


async def _wrong_method(_: Request, __: Exception) -> Response:
    return JSONResponse({"message": "Method not allowed", "error": "MethodNotAllowedError"}, 405)


def _serve(standin: StandIn, endpoint: Endpoint) -> Callable[[Request], Any]:
    async def serve(request: Request) -> Response:
        fault = standin.faults.take(request.url.path)
        if fault and fault.kind == "slow":
            await asyncio.sleep(fault.seconds)
        elif fault and fault.kind == "drop":
            # More bytes are promised than sent: the connection breaks in the middle.
            return StreamingResponse(iter([b'{"data":[']), headers={"content-length": "1000"}, media_type="application/json")
        elif fault and fault.kind == "html":
            return HTMLResponse(HTML, 404)
        elif fault and fault.kind != "truncated":
            status, body, headers = refusal(fault, standin.clock())
            return JSONResponse(body, status, headers)
        try:
            answer = JSONResponse(await _answer(standin, endpoint, request))
        except ApiError as error:
            return JSONResponse(error.body, error.status)
        except Exception:
            _log.exception("%s %s", endpoint.method, endpoint.path)
            return JSONResponse({"message": "Internal Server Error", "error": "An unknown error occurred"}, 500)
        if fault:
            text = bytes(answer.body)
            return Response(text[: len(text) // 2], media_type="application/json")
        return answer

    return serve


async def _answer(standin: StandIn, endpoint: Endpoint, request: Request) -> dict[str, Any]:
    """The order of the real server: gone endpoints, then keys, then the form of the question, then the answer."""
    if endpoint.legacy and not standin.mode.legacy:
        what = "This endpoint is not available on deployments running in Langfuse v4 events_only mode."
        raise ApiError(404, {"message": f"{what} {LEARN_MORE}"})
    if endpoint.access != "open":
        authorise(request.headers.get("authorization"), standin.keys, endpoint.access == "public")
    parameters: dict[str, list[str]] = {}
    for name, value in request.query_params.multi_items():
        parameters.setdefault(name, []).append(value)
    ask = Ask(parameters, request.path_params, await _body(request) if endpoint.method == "POST" else None)
    try:
        return await run_in_threadpool(endpoint.handler, standin, ask)
    except ValidationError as error:
        raise invalid_data(error) from None


async def _body(request: Request) -> Any:
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise InvalidRequest("Send the body as application/json")
    try:
        return json.loads(await request.body())
    except ValueError:
        raise InvalidRequest("Invalid JSON in request body") from None


def authorise(header: str | None, keys: Keys, public_is_enough: bool) -> None:
    """Raises 401 or 403. As on the real server the secret decides; the public key beside it may be wrong."""
    if not header:
        raise ApiError(401, {"message": "No authorization header"})
    kind, _, credentials = header.partition(" ")
    if kind == "Bearer" and _equal(credentials, keys.public):
        if public_is_enough:
            return
        raise ApiError(403, {"message": "Access denied - need to use basic auth with secret key"})
    if kind == "Basic":
        try:
            _, _, secret = base64.b64decode(credentials, validate=True).decode().partition(":")
        except ValueError:
            secret = ""
        if _equal(secret, keys.secret):
            return
    raise ApiError(401, {"message": "Invalid credentials. Confirm that you've configured the correct host."})


def _equal(given: str, right: str) -> bool:
    return hmac.compare_digest(given.encode(), right.encode())

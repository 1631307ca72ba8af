"""The HTTP side: who may ask, how a body is read, what fails on purpose, and the errors as the real server words them."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import logging
import socket
import struct
import zlib
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from demo.langfuse.endpoints import ENDPOINTS, Endpoint, gone
from demo.langfuse.errors import ApiError, InvalidRequest, invalid_data
from demo.langfuse.faults import BAD_GATEWAY, HTML, Fault, refusal
from demo.langfuse.standin import Ask, Keys, StandIn

LARGEST_BODY = 64 * 2**20
"""Bytes of a body, unpacked."""

_LISTENING_SECONDS = 0.02
"""How often a silent server looks whether somebody still waits."""

_log = logging.getLogger("demo.langfuse")


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
        if fault:
            answer = await _fail(standin, endpoint, request, fault)
        else:
            answer = await _respond(standin, endpoint, request)
        ahead = fault.seconds if fault and fault.kind == "clock" else 0.0
        answer.headers["date"] = formatdate(standin.clock() + ahead, usegmt=True)
        return answer

    return serve


async def _fail(standin: StandIn, endpoint: Endpoint, request: Request, fault: Fault) -> Response:
    """The answer that a fault makes of a request."""
    if refused := refusal(fault, standin.clock()):
        return JSONResponse(refused.body, refused.status, refused.headers)
    if fault.kind == "html":
        return HTMLResponse(HTML, 404)
    if fault.kind == "bad_gateway":
        return HTMLResponse(BAD_GATEWAY, 502)
    if fault.kind in ("drop", "reset"):
        if fault.kind == "reset" and (transport := standin.connections.get(request.client)):
            _tear_down(transport)
        # More bytes are promised than sent: the connection breaks in the middle.
        return StreamingResponse(iter([b'{"data":[']), headers={"content-length": "1000"}, media_type="application/json")
    if fault.kind == "slow":
        await _silence(request, fault.seconds)
    answer = await _respond(standin, endpoint, request)
    if fault.kind == "truncated":
        text = bytes(answer.body)
        return Response(text[: len(text) // 2], media_type="application/json")
    return answer


async def _silence(request: Request, seconds: float) -> None:
    """Says nothing for so long, or until nobody listens any more."""
    await request.body()  # whether the client has left is only known once it has been read
    end = asyncio.get_running_loop().time() + seconds
    while (left := end - asyncio.get_running_loop().time()) > 0 and not await request.is_disconnected():
        await asyncio.sleep(min(left, _LISTENING_SECONDS))


def _tear_down(transport: asyncio.Transport) -> None:
    """Ends a connection with a reset: whoever reads it gets an error, not an end."""
    linger = struct.pack("ii", 1, 0)  # on, for no time
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    transport.abort()


async def _respond(standin: StandIn, endpoint: Endpoint, request: Request) -> Response:
    try:
        return JSONResponse(await _answer(standin, endpoint, request), endpoint.status)
    except ApiError as error:
        return JSONResponse(error.body, error.status, error.headers)
    except Exception:
        _log.exception("%s %s", endpoint.method, endpoint.path)
        return JSONResponse({"message": "Internal Server Error", "error": "An unknown error occurred"}, 500)


async def _answer(standin: StandIn, endpoint: Endpoint, request: Request) -> dict[str, Any]:
    """The order of the real server: gone endpoints, keys, rate limits, then the form of the question, then the answer."""
    if endpoint.replacement and not standin.mode.legacy:
        raise gone(endpoint, standin.mode.cloud)
    if endpoint.access != "open":
        authorise(request.headers.get("authorization"), standin.keys, endpoint.access == "public")
    if standin.limits and endpoint.bucket:
        standin.limits.spend(endpoint.bucket)
    parameters: dict[str, list[str]] = {}
    for name, value in request.query_params.multi_items():
        parameters.setdefault(name, []).append(value)
    body = await _body(request) if endpoint.method == "POST" else None
    try:
        return await run_in_threadpool(endpoint.handler, standin, Ask(parameters, request.path_params, body, request.headers))
    except ValidationError as error:
        raise invalid_data(error) from None


async def _body(request: Request) -> Any:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/x-protobuf":
        raise ApiError(415, {"message": "This stand-in reads OTLP as JSON only: send application/json (http/json)"})
    if kind != "application/json":
        raise InvalidRequest("Send the body as application/json")
    content = await request.body()
    if request.headers.get("content-encoding", "").lower() == "gzip":
        content = _unzipped(content)
    if len(content) > LARGEST_BODY:
        raise ApiError(413, {"message": f"The body is larger than {LARGEST_BODY} bytes"})
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        raise InvalidRequest("Invalid JSON in request body") from None


def _unzipped(content: bytes) -> bytes:
    """At most one byte more than may be read, however small the packed body is."""
    try:
        return zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(content, LARGEST_BODY + 1)
    except zlib.error:
        raise InvalidRequest("Failed to decompress request body") from None


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

"""Who asks: by the bearer token of the request, within the caller's rate."""

from __future__ import annotations

import math
from http import HTTPStatus

from starlette.requests import HTTPConnection

from api.problems import Problem
from api.service import Service
from api.tokens import Caller


def token_of(connection: HTTPConnection) -> str:
    """The token that a request shows; nothing when it shows none."""
    scheme, _, token = connection.headers.get("authorization", "").strip().partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def caller_of(service: Service, connection: HTTPConnection) -> Caller:
    """Whose request it is; it counts towards the caller's rate, or that of the address it comes from. Raises Problem."""
    caller = service.tokens.caller(token_of(connection))
    if caller:
        seconds = math.ceil(service.rates.wait(caller.name))
    else:
        seconds = math.ceil(service.strangers.wait(connection.client.host if connection.client else ""))
    if seconds:
        detail = f"more than {service.limits.rate} requests a minute; ask again in {seconds} s"
        raise Problem(HTTPStatus.TOO_MANY_REQUESTS, detail, {"Retry-After": str(seconds)})
    if caller is None:
        detail = "show a token: Authorization: Bearer …; the operator makes one with `observatory api token create`"
        raise Problem(HTTPStatus.UNAUTHORIZED, detail, {"WWW-Authenticate": 'Bearer realm="observatory"'})
    return caller

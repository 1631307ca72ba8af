"""What is answered instead of figures: problem details (RFC 9457) that say what is wrong and what would be right."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.responses import JSONResponse

MEDIA_TYPE = "application/problem+json"


class Problem(Exception):
    """A request that is not answered with figures. `detail` is for the caller and holds nothing of our insides."""

    def __init__(self, status: HTTPStatus, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, dict(headers or {})

    def content(self) -> dict[str, Any]:
        return {"type": "about:blank", "title": self.status.phrase, "status": int(self.status), "detail": self.detail}

    def response(self) -> JSONResponse:
        headers = {"Cache-Control": "no-store", **self.headers}
        return JSONResponse(self.content(), int(self.status), headers, media_type=MEDIA_TYPE)


def wrong(detail: str) -> Problem:
    """A parameter that cannot be used."""
    return Problem(HTTPStatus.BAD_REQUEST, detail)


def unavailable(detail: str, seconds: int = 5) -> Problem:
    """What may work in a while."""
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, {"Retry-After": str(seconds)})

"""Answers that are not 200, with the bodies of the real server."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from demo.langfuse import times


class ApiError(Exception):
    """An answer with a status, a JSON body, and perhaps headers of its own."""

    def __init__(self, status: int, body: dict[str, Any], headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status}: {body.get('message')}")
        self.status = status
        self.body = body
        self.headers = dict(headers or {})


class RateLimited(ApiError):
    """429: the next request of a window of `limit` requests is welcome in `seconds`. `now` is seconds since the epoch.

    The body names the end of the window in ISO 8601, the header as JavaScript prints a date.
    """

    def __init__(self, limit: int, seconds: float, now: float) -> None:
        wait, reset = math.ceil(seconds), now + seconds
        details = {
            "retryAfterSeconds": wait,
            "limit": limit,
            "remaining": 0,
            "resetAt": times.to_iso(times.from_seconds(reset)),
        }
        headers = {
            "Retry-After": str(wait),
            "X-RateLimit-Limit": str(limit),
            "X-RateLimit-Remaining": "0",
            "X-RateLimit-Reset": times.to_javascript(reset),
        }
        super().__init__(429, {"message": "Rate limit exceeded", "code": "rate_limited", "details": details}, headers)


SUNSET = "2026-11-16"
"""The day since which Langfuse Cloud has only the interface of version 4."""


def deprecation(replacement: str) -> dict[str, str]:
    """What answers of Langfuse Cloud carry as `_deprecation` when they belong to version 3."""
    return {
        "message": f"Langfuse v3 is deprecated; this endpoint will be removed on November 16, 2026. Use {replacement} instead.",
        "replacement": replacement,
        "docsUrl": "https://langfuse.com/docs/compatibility",
        "sunsetAt": SUNSET,
    }


class InvalidRequest(ApiError):
    """400 for a question that is well formed but cannot be answered."""

    def __init__(self, message: str) -> None:
        super().__init__(400, {"message": message, "error": "InvalidRequestError"})


class NotFound(ApiError):
    def __init__(self, message: str) -> None:
        super().__init__(404, {"message": message, "error": "LangfuseNotFoundError"})


class InvalidData(ApiError):
    """400 for a question of the wrong form: a list of issues, each with the path to the wrong place."""

    def __init__(self, issues: Sequence[dict[str, Any]]) -> None:
        super().__init__(400, {"message": "Invalid request data", "error": list(issues)})


_CODES = {
    "missing": "invalid_type", "extra_forbidden": "unrecognized_keys", "literal_error": "invalid_value",
    "union_tag_invalid": "invalid_union", "union_tag_not_found": "invalid_union", "less_than_equal": "too_big",
    "greater_than_equal": "too_small", "too_short": "too_small",
}  # fmt: skip


def invalid_data(error: ValidationError, within: tuple[str, ...] = ()) -> InvalidData:
    """The issue list for a failed validation. Paths leave out the names of alternatives, which only pydantic has."""
    issues = []
    for detail in error.errors(include_url=False, include_context=False, include_input=False):
        kind = detail["type"]
        code = _CODES.get(kind) or ("custom" if kind in ("value_error", "assertion_error") else "invalid_type")
        path = [*within, *(part for part in detail["loc"] if not str(part).startswith("filter:"))]
        issues.append({"code": code, "path": path, "message": detail["msg"].removeprefix("Value error, ")})
    return InvalidData(issues)

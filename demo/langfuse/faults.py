"""Failures on demand, so that readers can be tested against them."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from demo.langfuse.errors import ApiError, NotFound, RateLimited

HTML = "<!DOCTYPE html><html><head><title>404: This page could not be found</title></head><body>404</body></html>"
BAD_GATEWAY = "<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center></body></html>"

Kind = Literal[
    "unauthorized", "forbidden", "not_found", "timeout", "rate_limited", "error", "unavailable",
    "slow", "drop", "reset", "html", "bad_gateway", "truncated", "clock",
]  # fmt: skip


class Fault(BaseModel):
    """One kind of failure.

    unauthorized 401, forbidden 403, not_found 404, timeout 422, rate_limited 429, error 500, unavailable 503, all with JSON;
    html a 404 page, as a server without the route sends it; bad_gateway the 502 page of a proxy; truncated a 200 with half of
    the JSON; drop a connection closed in mid-answer; reset a connection torn down without one byte; slow the right answer
    after `seconds` of silence; clock the right answer from a server whose clock (header Date) is `seconds` ahead.
    It meets requests whose path begins with `path`, the next `times` of them, or all while `times` is None.
    For rate_limited, `seconds` is the time to wait that the answer names.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Kind
    path: str = "/api/public/"
    times: Annotated[int, Field(ge=1)] | None = 1
    seconds: Annotated[float, Field(ge=0, le=86400)] = 1.0


@dataclass
class _Pending:
    fault: Fault
    left: int | None


class Faults:
    """Failures that wait for their requests, first come first served."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._pending: list[_Pending] = []

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._pending.append(_Pending(fault, fault.times))

    def clear(self) -> None:
        with self._lock:
            self._pending.clear()

    def take(self, path: str) -> Fault | None:
        """The failure for a request to a path, counted as used."""
        with self._lock:
            for pending in self._pending:
                if path.startswith(pending.fault.path):
                    if pending.left is not None:
                        pending.left -= 1
                    self._pending = [other for other in self._pending if other.left != 0]
                    return pending.fault
        return None


def refusal(fault: Fault, now: float) -> ApiError | None:
    """The answer of a failure that is one in JSON, else None. `now` is seconds since the epoch."""
    advice = "Your query could not be completed. Please narrow your request by adding more specific filters"
    match fault.kind:
        case "unauthorized":
            return ApiError(401, {"message": "Invalid credentials. Confirm that you've configured the correct host."})
        case "forbidden":
            return ApiError(403, {"message": "Access denied: this key has no access to the project"})
        case "not_found":
            return NotFound("Not found")
        case "timeout":
            return ApiError(422, {"message": f"{advice} (e.g., a shorter date range).", "error": "Request timed out"})
        case "rate_limited":
            return RateLimited(100, fault.seconds, now)
        case "error":
            return ApiError(500, {"message": "Internal Server Error", "error": "An unknown error occurred"})
        case "unavailable":
            return ApiError(503, {"message": "Service Unavailable"})
        case _:
            return None

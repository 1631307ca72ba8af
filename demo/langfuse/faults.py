"""Failures on demand, so that readers can be tested against them."""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import formatdate
from threading import Lock
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

HTML = "<!DOCTYPE html><html><head><title>404: This page could not be found</title></head><body>404</body></html>"

Kind = Literal["rate_limited", "timeout", "error", "unavailable", "forbidden", "slow", "drop", "html", "truncated"]


class Fault(BaseModel):
    """One kind of failure.

    rate_limited 429, timeout 422, error 500, unavailable 503, forbidden 403; html a 404 page, as a server without the route
    sends it; truncated a 200 with half of the JSON; drop a connection closed in mid-answer; slow the right answer after
    `seconds`. It meets requests whose path begins with `path`, the next `times` of them, or all while `times` is None.
    For rate_limited, `seconds` is the time to wait that the answer names.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Kind
    path: str = "/api/public/"
    times: Annotated[int, Field(ge=1)] | None = 1
    seconds: Annotated[float, Field(ge=0, le=600)] = 1.0


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


def refusal(fault: Fault, now: float) -> tuple[int, dict[str, Any], dict[str, str]]:
    """Status, body and headers of a failure that answers with JSON. `now` is seconds since the epoch."""
    if fault.kind == "rate_limited":
        wait, reset = round(fault.seconds), now + fault.seconds
        details = {"retryAfterSeconds": wait, "limit": 100, "remaining": 0, "resetAt": _date(reset)}
        headers = {
            "Retry-After": str(wait),
            "X-RateLimit-Limit": "100",
            "X-RateLimit-Remaining": "0",
            "X-RateLimit-Reset": _date(reset),
        }
        return 429, {"message": "Rate limit exceeded", "code": "rate_limited", "details": details}, headers
    advice = "Your query could not be completed. Please narrow your request by adding more specific filters"
    status, body = {
        "timeout": (422, {"message": f"{advice} (e.g., a shorter date range).", "error": "Request timed out"}),
        "error": (500, {"message": "Internal Server Error", "error": "An unknown error occurred"}),
        "unavailable": (503, {"message": "Service Unavailable"}),
        "forbidden": (403, {"message": "Access denied: this key has no access to the project"}),
    }[fault.kind]
    return status, body, {}


def _date(seconds: float) -> str:
    """A date as JavaScript writes it: words, not a number of seconds."""
    day, date, month, year, clock, _ = formatdate(seconds, usegmt=True).split()
    return f"{day.rstrip(',')} {month} {date} {year} {clock} GMT+0000 (Coordinated Universal Time)"

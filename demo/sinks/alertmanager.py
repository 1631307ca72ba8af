"""Alertmanager's API, as far as the page of silences needs it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

import requests
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Hours = Literal[1, 2, 4, 8, 24]
_TIMEOUT = 5.0
_Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]


class Matcher(BaseModel):
    """Which alerts are meant, by one label; spelled as Alertmanager's API does."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, StringConstraints(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$", max_length=200)]
    value: Annotated[str, StringConstraints(max_length=1000)]
    isRegex: bool = False
    isEqual: bool = True


class Order(BaseModel):
    """A silence that a person asks for: from now on, for so many hours."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    matchers: Annotated[tuple[Matcher, ...], Field(min_length=1, max_length=50)]
    hours: Hours
    author: _Words
    comment: _Words

    def silence(self, now: datetime) -> dict[str, Any]:
        """What Alertmanager is told; `now` has a time zone."""
        return {
            "matchers": [matcher.model_dump() for matcher in self.matchers],
            "startsAt": now.isoformat(),
            "endsAt": (now + timedelta(hours=self.hours)).isoformat(),
            "createdBy": self.author,
            "comment": self.comment,
        }


class Refused(Exception):
    """Alertmanager's own words, and the status that it answered with."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


class Alertmanager:
    """A running Alertmanager. Everything raises Refused; with status 502 when it cannot be reached."""

    def __init__(self, url: str) -> None:
        self._api = f"{url.rstrip('/')}/api/v2"

    def state(self) -> dict[str, Any]:
        """Its alerts, and the silences that have not expired, as its API gives them."""
        silences = [silence for silence in self._ask("GET", "silences") if silence["status"]["state"] != "expired"]
        return {"alerts": self._ask("GET", "alerts"), "silences": silences}

    def silence(self, order: Order, now: datetime) -> str:
        """Begins a silence; its id."""
        return str(self._ask("POST", "silences", order.silence(now))["silenceID"])

    def expire(self, silence: UUID) -> None:
        """Ends a silence. Raises Refused, with status 404 when there is no such silence."""
        try:
            self._ask("DELETE", f"silence/{silence}")
        except Refused as refused:
            # Many versions of Alertmanager answer 500 for a silence that they do not know.
            raise Refused(404 if "not found" in str(refused) else refused.status, str(refused)) from None

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        try:
            answer = requests.request(method, f"{self._api}/{path}", json=body, timeout=_TIMEOUT)
        except requests.RequestException:
            raise Refused(502, f"Alertmanager does not answer at {self._api}") from None
        if not answer.ok:
            raise Refused(answer.status_code, answer.text.strip().strip('"')[:500] or f"status {answer.status_code}")
        return answer.json() if answer.content else None

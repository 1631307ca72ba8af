"""What a Grafana for tests holds, and how it answers: the shapes of Grafana's published HTTP API, as far as they are needed."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

Json = dict[str, Any]
LETTERS = re.compile(r"^[a-zA-Z0-9_-]+$")
MOST_LETTERS = 40


class Problem(Exception):
    """An answer that is an error."""

    def __init__(self, code: int, message: str, status: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.body: Json = {"message": message, **({"status": status} if status else {})}


@dataclass(frozen=True)
class Request:
    """`place` are the named parts of the path; `rights` are those of the token."""

    query: Mapping[str, str]
    body: Any
    place: Mapping[str, str]
    rights: frozenset[str] = frozenset()
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class World:
    """Everything in one organisation. Time stands still unless a test moves it."""

    now: datetime = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)
    folders: dict[str, Json] = field(default_factory=dict)
    permissions: dict[str, list[Json]] = field(default_factory=dict)
    dashboards: dict[str, Json] = field(default_factory=dict)
    """By uid: `data` as it is stored, `folder`, `version`, `updated`, `provisioned`, `versions`."""
    data_sources: dict[str, Json] = field(default_factory=dict)
    secrets: dict[str, dict[str, str]] = field(default_factory=dict)
    teams: dict[str, int] = field(default_factory=dict)
    annotations: list[Json] = field(default_factory=list)
    rule_groups: dict[tuple[str, str], Json] = field(default_factory=dict)
    accounts: list[Json] = field(default_factory=list)
    streamed: dict[str, list[Json]] = field(default_factory=dict)
    """What was pushed to Grafana Live by channel: the labels and the figures of each line."""
    converted: Callable[[Json], Json] = lambda board: board
    """What this version of Grafana makes of a dashboard when it is read."""
    ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def time(self) -> str:
        return f"{self.now:%Y-%m-%dT%H:%M:%SZ}"

    def pass_by(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


Handler = Callable[[World, Request], Any]


@dataclass(frozen=True)
class Route:
    """`right` is what a token needs; none where the handler looks at it. `open` to those without a token."""

    method: str
    path: str
    right: str
    handler: Handler
    open: bool = False

    def matches(self, method: str, path: str) -> dict[str, str] | None:
        pattern = re.sub(r":(\w+)", r"(?P<\1>[^/]+)", self.path)
        found = re.fullmatch(pattern, path)
        return found.groupdict() if found and method == self.method else None


def checked_uid(uid: str) -> None:
    if len(uid) > MOST_LETTERS:
        raise Problem(400, "uid too long, max 40 characters")
    if not LETTERS.match(uid):
        raise Problem(400, "uid contains illegal characters")


def page(items: list[Json], query: Mapping[str, str], size: str = "limit") -> list[Json]:
    """The part of a list that was asked for."""
    most, number = int(query.get(size, 1000)), int(query.get("page", 1))
    return items[(number - 1) * most : number * most]

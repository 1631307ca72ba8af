"""Something goes wrong, on request: `observatory demo incident errors --for 5m`."""

from __future__ import annotations

import fcntl
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from contract.values import duration_seconds
from demo.world import spec_file
from demo.world.model import Incident

KINDS = {
    "latency": "agents answer several times slower",
    "errors": "a large part of the queries fails",
    "cost": "model calls use many times the tokens",
    "silence": "nobody asks anything",
}
"""What each kind of incident does."""

SHORTEST_SECONDS, LONGEST_SECONDS = 10.0, 86400.0


class IncidentError(Exception):
    """An incident cannot be declared; the text is for the person who asked."""


class NoRunningStack(IncidentError):
    """No synthetic platform lives in this folder."""


class UnknownKind(IncidentError):
    """There is no such incident."""


class BadDuration(IncidentError):
    """The duration cannot be read, or is too short or too long."""


def seconds_of(text: str) -> float:
    """Seconds of a duration such as `5m`. Raises BadDuration."""
    try:
        return duration_seconds(text)
    except ValueError as error:
        raise BadDuration(str(error)) from None


@contextmanager
def presence(var: Path) -> Iterator[bool]:
    """Hold the mark of the living platform of `var`; yields False when another process holds it."""
    with (var / "platform.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def declare(var: Path, kind: str, seconds: float, now: float) -> Incident:
    """Let an incident begin and last `seconds`. It starts a second after `now`, when the platform is sure to have read of it.

    Raises UnknownKind, BadDuration, NoRunningStack, or IncidentError when the world's file is broken.
    """
    if kind not in KINDS:
        raise UnknownKind(f"there is no incident {kind!r}; choose one of {', '.join(KINDS)}")
    if not math.isfinite(seconds) or not SHORTEST_SECONDS <= seconds <= LONGEST_SECONDS:
        raise BadDuration(f"an incident lasts from 10s to 24h; {seconds:g} s is outside of it")
    path = var / "world.json"
    if not path.is_file():
        raise NoRunningStack(f"no stack has been started here: {path} does not exist; start one with `observatory up`")
    with presence(var) as nobody_else:
        if nobody_else:
            raise NoRunningStack("the stack is not running; start it with `observatory up`")
    incident = Incident(kind, now + 1.0, now + 1.0 + seconds)
    try:
        spec_file.change(path, lambda spec: replace(spec, incidents=(*spec.incidents, incident)))
    except spec_file.SpecError as error:
        raise IncidentError(str(error)) from None
    return incident

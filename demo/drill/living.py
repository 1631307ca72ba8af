"""Incidents on a living stack, one after another: what fires, when people hear of it, and whether it ends."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from demo.drill.expected import ALWAYS, EXPECTED, NOTHING, SURE
from demo.platform import incidents
from demo.stack import record
from provisioning.rules.built import labels_of
from provisioning.rules.report import about_text

_POLL_SECONDS = 3.0
_SCRAPES, _SCRAPED_SECONDS = 6, 240.0
_ADDED = ("alertname", "severity", "team", "source", "concern", "paging")
"""Labels that rules add to those of the data."""
KINDS = (NOTHING, *incidents.KINDS)

Subject = tuple[str, str]
"""An alert's name, and what it is about."""


class StackLost(Exception):
    """A part of the stack no longer answers; the text says which."""


@dataclass
class Seen:
    """What was seen of one alert; moments in seconds since the epoch, None where it was not seen."""

    fired: float
    slack: float | None = None
    mail: float | None = None
    resolved: float | None = None


@dataclass
class Drill:
    """One incident and what came of it. `scraped` is the first scrape of the platform after it had begun."""

    kind: str
    begun: float
    scraped: float | None = None
    seen: dict[Subject, Seen] = field(default_factory=dict)

    def differences(self) -> list[str]:
        """What is not as the table says, one sentence each."""
        return list(self._differences())

    def _differences(self) -> Iterator[str]:
        allowed = {*EXPECTED[self.kind], *ALWAYS}
        for name, about in sorted(self.seen):
            if name not in allowed:
                yield f"{name} ({about}) fired, which the table does not list"
        for name in SURE.get(self.kind, ()):
            of_name = [seen for (alert, _), seen in self.seen.items() if alert == name]
            if not of_name:
                yield f"{name} did not fire"
            for seen in of_name:
                yield from (f"{name}: no message by {way}" for way in ("slack", "mail") if getattr(seen, way) is None)
                if seen.resolved is None:
                    yield f"{name} was not resolved"


@dataclass(frozen=True)
class Stack:
    """A running stack, by the folder of its state."""

    var: Path

    def address(self, part: str) -> str:
        known = record.read(self.var)
        found = next((one.address for one in known.parts if one.name == part), "") if known else ""
        if not found:
            raise StackLost(f"{part} is not running in {self.var}")
        return found

    def ask(self, part: str, path: str, **asked: str | float) -> Any:
        try:
            answer = requests.get(f"{self.address(part)}{path}", params=asked, timeout=10)
            answer.raise_for_status()
            return answer.json()
        except (requests.RequestException, json.JSONDecodeError) as problem:
            raise StackLost(f"{part} does not answer: {type(problem).__name__}") from None

    def wait_until_scraped(self) -> None:
        """Until every target is up and was scraped often enough for rates. Raises StackLost when that takes too long."""
        end = time.monotonic() + _SCRAPED_SECONDS
        ready = f"count(up == 0) or count(count_over_time(up[5m]) < {_SCRAPES})"
        while self.ask("prometheus", "/api/v1/query", query=ready)["data"]["result"]:
            if time.monotonic() > end:
                raise StackLost(f"not every target was scraped {_SCRAPES} times within {_SCRAPED_SECONDS:g} s")
            time.sleep(_POLL_SECONDS)

    def firing(self) -> set[Subject]:
        """What fires now."""
        alerts = self.ask("prometheus", "/api/v1/alerts")["data"]["alerts"]
        return {_subject(one["labels"]) for one in alerts if one["state"] == "firing"}

    def scraped_since(self, since: float) -> float | None:
        """The first scrape of the platform's production after a moment; None when there was none yet."""
        query = 'timestamp(up{job="platform",environment="production"})[10m:5s]'
        [series] = self.ask("prometheus", "/api/v1/query", query=query)["data"]["result"] or [{"values": []}]
        return min((float(at) for _, at in series["values"] if float(at) > since), default=None)

    def message(self, way: str, since: float, alert: str) -> float | None:
        """When the first message on an alert came in."""
        found = self.ask("inbox", "/api/messages", kind=way, since=since)
        return min((float(one["received_at"]) for one in found if alert in json.dumps(one["content"])), default=None)


def _subject(labels: dict[str, str]) -> Subject:
    data = {name: value for name, value in labels.items() if name not in _ADDED}
    return labels["alertname"], about_text(labels_of(data))


def drill(stack: Stack, kind: str, seconds: float, settle: float, say: Callable[[str], None]) -> Drill:
    """Lets one incident happen for so long, and watches until what it brought about is over, `settle` seconds at most.

    What fired before is not counted. Raises StackLost and IncidentError.
    """
    before = stack.firing()
    begun = time.time()
    if kind != NOTHING:
        incidents.declare(stack.var, kind, seconds, begun)
    found = Drill(kind, begun)
    end = begun + seconds
    while (now := time.time()) < end + settle and (now < end or _open(found)):
        _look(stack, found, before, say)
        time.sleep(_POLL_SECONDS)
    _look(stack, found, before, say)
    return found


def _open(found: Drill) -> bool:
    """Whether an alert still fires that the drill waits for: others may have windows of hours."""
    waited = SURE.get(found.kind, ())
    return any(seen.resolved is None for (name, _), seen in found.seen.items() if name in waited)


def _look(stack: Stack, found: Drill, before: set[Subject], say: Callable[[str], None]) -> None:
    now, firing = time.time(), stack.firing()
    found.scraped = found.scraped or stack.scraped_since(found.begun)
    for subject in sorted(firing - before - found.seen.keys()):
        found.seen[subject] = Seen(now)
        say(f"{found.kind}: {' '.join(subject)} fires after {now - found.begun:.0f} s")
    for (name, about), seen in found.seen.items():
        if seen.resolved is None and (name, about) not in firing:
            seen.resolved = now
            say(f"{found.kind}: {name} {about} is over after {now - found.begun:.0f} s")
        seen.slack = seen.slack or stack.message("slack", found.begun, name)
        seen.mail = seen.mail or stack.message("mail", found.begun, name)

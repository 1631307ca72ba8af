"""Who is told, as Alertmanager decides it: matchers, nested routes, `continue`, and time intervals.

Everything here reads Alertmanager's configuration as data, so that routes can be proved without a server, and at any moment.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

Config = Mapping[str, Any]

_MATCHER = re.compile(r"\s*([a-zA-Z_:][\w:]*)\s*(=~|!~|!=|=)\s*(.*?)\s*", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True)
class Matcher:
    """A condition on one label; a label that is not there has an empty value. Regular expressions match the whole value."""

    label: str
    operator: str
    value: str

    @classmethod
    def parsed(cls, text: str) -> Matcher:
        """Raises ValueError for what is no matcher."""
        if not (found := _MATCHER.fullmatch(text)):
            raise ValueError(f"{text!r} is not a matcher")
        label, operator, value = found.groups()
        if len(value) > 1 and value[0] == value[-1] == '"':
            value = _ESCAPED.sub(lambda escape: "\n" if escape[1] == "n" else escape[1], value[1:-1])
        return cls(label, operator, value)

    def accepts(self, value: str) -> bool:
        same = value == self.value if self.operator in ("=", "!=") else bool(re.fullmatch(self.value, value))
        return same != self.operator.startswith("!")


def matches(texts: Iterable[str], labels: Mapping[str, str]) -> bool:
    """Whether labels satisfy all of these matchers."""
    return all(matcher.accepts(labels.get(matcher.label, "")) for matcher in map(Matcher.parsed, texts))


def taken(route: Config, labels: Mapping[str, str]) -> list[Config]:
    """The routes that labels end in, in order; each with the receiver that it has or inherits."""
    found: list[Config] = []
    for child in route.get("routes", ()):
        if matches(child.get("matchers", []), labels):
            found += taken({"receiver": route["receiver"], **child}, labels)
            if not child.get("continue"):
                break
    return found or [route]


def receivers(route: Config, labels: Mapping[str, str]) -> list[str]:
    """Names of the receivers that labels reach, sooner or later."""
    return [str(end["receiver"]) for end in taken(route, labels)]


def told(configuration: Config, labels: Mapping[str, str], at: datetime) -> list[str]:
    """Names of the receivers that are told at a moment (with a time zone); for the others the alert waits."""
    named = {interval["name"]: interval["time_intervals"] for interval in configuration.get("time_intervals", ())}

    def holds(name: str) -> bool:
        return any(_contains(interval, at) for interval in named[name])

    def speaks(route: Config) -> bool:
        active = route.get("active_time_intervals", ())
        return (not active or any(map(holds, active))) and not any(map(holds, route.get("mute_time_intervals", ())))

    return [str(end["receiver"]) for end in taken(configuration["route"], labels) if speaks(end)]


def _contains(interval: Config, at: datetime) -> bool:
    """Intervals of days of the week and times of the day, in a zone; the end of a time is not part of it."""
    there = at.astimezone(ZoneInfo(interval.get("location", "UTC")))
    day, now = there.strftime("%A").lower(), f"{there:%H:%M}"
    spans = interval.get("times", [{"start_time": "00:00", "end_time": "24:00"}])
    return day in interval.get("weekdays", [day]) and any(span["start_time"] <= now < span["end_time"] for span in spans)


def muted(configuration: Config, labels: Mapping[str, str], firing: Iterable[Mapping[str, str]]) -> bool:
    """Whether an alert is muted by others that fire. One that mutes others is not muted by what it would mute in turn."""
    others = list(firing)
    return any(_mutes(rule, labels, others) for rule in configuration.get("inhibit_rules", ()))


def _mutes(rule: Config, labels: Mapping[str, str], firing: list[Mapping[str, str]]) -> bool:
    if not matches(rule["target_matchers"], labels):
        return False
    itself = matches(rule["source_matchers"], labels)
    return any(
        matches(rule["source_matchers"], other)
        and not (itself and matches(rule["target_matchers"], other))
        and all(labels.get(label, "") == other.get(label, "") for label in rule.get("equal", ()))
        for other in firing
    )

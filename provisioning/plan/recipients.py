"""Who is told of an alert, how soon and how often, as Alertmanager's configuration has it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from alert_rules import matching
from contract.notifications import WEEK
from provisioning.plan.objects import Document, why_unreadable

NOBODY = "nobody"
_HANDED_DOWN = ("receiver", "group_by", "group_wait", "group_interval", "repeat_interval")
"""What a route has from the one above it, unless it says otherwise. Hours are not handed down."""
_DEFAULTS = {"receiver": "", "group_wait": "30s", "group_interval": "5m", "repeat_interval": "4h"}
_WAYS = {
    "slack": ("Slack", "channel"),
    "email": ("mail", "to"),
    "pagerduty": ("PagerDuty", "service_key_file", "routing_key_file"),
    "opsgenie": ("Opsgenie",),
    "victorops": ("VictorOps", "routing_key"),
    "pushover": ("Pushover",),
    "telegram": ("Telegram", "chat_id"),
    "msteams": ("Microsoft Teams",),
    "msteamsv2": ("Microsoft Teams",),
    "discord": ("Discord",),
    "sns": ("SNS", "topic_arn", "phone_number"),
    "webex": ("Webex", "room_id"),
    "wechat": ("WeChat", "to_user", "to_party"),
    "webhook": ("webhook", "url", "url_file"),
}
"""What people call a way of telling, and the keys that say whom; the first one that is given is told. Programs come last."""
_ORDER = {f"{way}_configs": number for number, way in enumerate(_WAYS)}


@dataclass(frozen=True)
class Telling:
    """One way in which somebody is told: at which pace, at what times, and whether the end is told, too.

    `address` is where a program is told, as far as that may be shown; `together` are the labels that make one message.
    """

    address: str
    wait: str
    interval: str
    repeat: str
    hours: str
    together: tuple[str, ...]
    ends: bool


class Recipients:
    """Reads a normalised configuration. Raises ValueError when its routes cannot be followed."""

    def __init__(self, configuration: Document) -> None:
        if why := why_unreadable(configuration):
            raise ValueError(f"alertmanager.yml: {why}")
        try:
            self._route = _handed_down(configuration["route"], _DEFAULTS)
            self._receivers = {receiver.get("name", ""): receiver for receiver in configuration.get("receivers", ())}
            self._hours = {one["name"]: _spoken(one) for one in configuration.get("time_intervals", ())}
            self.matchers = tuple(_matchers(self._route))
            self._try_all()
        except (AttributeError, KeyError, TypeError):  # somebody's hand: Alertmanager refuses it, too
            raise ValueError("alertmanager.yml: a part of it has a form that Alertmanager does not take") from None

    def _try_all(self) -> None:
        """Reads every receiver and every route once, so that nothing odd is met later."""
        for receiver in self._receivers.values():
            for way, config in _ways(receiver):
                _whom(way, config)
                self._telling(self._route, way, config)
        for route in _every(self._route):
            self._receivers.get(route["receiver"])
            self._telling(route, "", {})

    def of(self, labels: Mapping[str, str]) -> dict[str, Telling]:
        """Everybody who is told of an alert with these labels, in words, and how."""
        ends = [
            (way, end, config)
            for end in matching.taken(self._route, labels)
            for way, config in _ways(self._receivers.get(end["receiver"], {}))
        ]
        found: dict[str, Telling] = {}
        for way, end, config in sorted(ends, key=lambda one: _ORDER.get(one[0], 0)):
            found.setdefault(_whom(way.removesuffix("_configs"), config), self._telling(end, way, config))
        return found

    def _telling(self, route: Mapping[str, Any], way: str, config: Mapping[str, Any]) -> Telling:
        sent = config.get("send_resolved")
        return Telling(
            str(config.get("url", "")),
            route["group_wait"],
            route["group_interval"],
            route["repeat_interval"],
            self._times(route),
            tuple(sorted(route.get("group_by", ()))),
            sent in ("true", True) if sent is not None else way not in ("email_configs", "slack_configs", "wechat_configs"),
        )

    def _times(self, route: Mapping[str, Any]) -> str:
        active, muted = (
            [self._hours.get(name, name) for name in route.get(f"{kind}_time_intervals", ())] for kind in ("active", "mute")
        )
        parts = [f"only {' or '.join(active)}"] if active else []
        return ", ".join([*parts, *([f"never {' or '.join(muted)}"] if muted else [])]) or "at any time"


def _ways(receiver: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each way of telling of a receiver, as its key is called, with its settings."""
    for way, configs in receiver.items():
        yield from ((way, config) for config in (configs if way.endswith("_configs") else ()))


def _every(route: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield route
    for child in route["routes"]:
        yield from _every(child)


def _handed_down(route: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    own = {**{key: above[key] for key in _HANDED_DOWN if key in above}, **route}
    return {**own, "routes": [_handed_down(child, own) for child in route.get("routes", ())]}


def _matchers(route: Mapping[str, Any]) -> Iterator[matching.Matcher]:
    for text in route.get("matchers", ()):
        matcher = matching.Matcher.parsed(text)
        matcher.accepts("")  # a regular expression that cannot be read raises here
        yield matcher
    for child in route.get("routes", ()):
        yield from _matchers(child)


def _whom(way: str, config: Mapping[str, Any]) -> str:
    called, *keys = _WAYS.get(way, (way.replace("_", " "),))
    value = next((config[key] for key in keys if config.get(key)), "")
    return f"{called} {value}".partition(" (")[0].strip()  # without the digits that tell addresses of one host apart


def _spoken(named: Mapping[str, Any]) -> str:
    """A time interval in words: `monday to friday 09:00–17:00 (Europe/Berlin)`."""
    return " or ".join(_span(part) for part in named.get("time_intervals", ())) or named["name"]


def _span(part: Mapping[str, Any]) -> str:
    words = [_days(part["weekdays"])] if part.get("weekdays") else []
    words += [f"on days {', '.join(part['days_of_month'])} of the month"] if part.get("days_of_month") else []
    words += [f"in months {', '.join(part['months'])}"] if part.get("months") else []
    words += [f"in {', '.join(part['years'])}"] if part.get("years") else []
    times = [f"{span['start_time']}\N{EN DASH}{span['end_time']}" for span in part.get("times", ())]
    return " ".join([*words, " and ".join(times), f"({part.get('location', 'UTC')})"]).replace("  ", " ").strip()


def _days(days: Iterable[str]) -> str:
    """Days that follow each other as `monday to friday`."""
    numbers = sorted(WEEK.index(day) for day in days)
    if len(numbers) > 2 and numbers == list(range(numbers[0], numbers[-1] + 1)):
        return f"{WEEK[numbers[0]]} to {WEEK[numbers[-1]]}"
    return ", ".join(WEEK[number] for number in numbers)

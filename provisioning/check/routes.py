"""Alertmanager's configuration leads somewhere: every route can be taken and has a receiver, every receiver is reached, every
inhibition can mute something, every time interval is used, every template exists."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from alert_rules.catalogue import ALERTS
from alert_rules.matching import Matcher
from provisioning.check.carried import Carried, carried
from provisioning.check.messages import message_findings
from provisioning.findings import Finding, closest, error

Config = Mapping[str, Any]


def route_findings(
    configuration: Config, templates: Mapping[str, str], groups: Iterable[Mapping[str, Any]]
) -> Iterator[Finding]:
    """`templates` are the built template files by path relative to alertmanager.yml, `groups` all rule groups."""
    alerts = carried(groups)
    routes = list(_routes(configuration.get("route", {}), "route", ()))
    found = [*_receivers(configuration, routes), *_intervals(configuration, routes), *_labels(routes, alerts)]
    yield from found
    places = {finding.place for finding in found}
    yield from (finding for finding in _reached(routes, alerts) if finding.place not in places)
    yield from _inhibitions(configuration, alerts)
    yield from _dependants(alerts)
    grouped = {label for route in routes for label in route.config.get("group_by", ())}
    yield from message_findings(configuration, templates, alerts, grouped)


@dataclass(frozen=True)
class _Route:
    """A route, the matchers on the way to it, and the texts of the matchers of the routes that are asked before it and keep
    what they take."""

    place: str
    config: Config
    above: tuple[str, ...]
    before: tuple[frozenset[str], ...] = ()

    @property
    def own(self) -> list[str]:
        return list(self.config.get("matchers", ()))


def _routes(route: Config, place: str, above: tuple[str, ...], before: tuple[frozenset[str], ...] = ()) -> Iterator[_Route]:
    here = _Route(place, route, above, before)
    yield here
    earlier: tuple[frozenset[str], ...] = ()
    for number, child in enumerate(route.get("routes", [])):
        yield from _routes(child, f"{place}.routes[{number}]", (*above, *here.own), earlier)
        if not child.get("continue"):
            earlier = (*earlier, frozenset(child.get("matchers", ())))


def _receivers(configuration: Config, routes: list[_Route]) -> Iterator[Finding]:
    names = [receiver.get("name") for receiver in configuration.get("receivers", [])]
    for name, count in Counter(names).items():
        if count > 1:
            yield error(f"receiver {name}", f"is defined {count} times", "keep one of them")
    used = {route.config.get("receiver") for route in routes}
    for route in routes:
        receiver = route.config.get("receiver")
        if receiver is not None and receiver not in names:
            yield error(route.place, f"there is no receiver {receiver}", closest(str(receiver), map(str, names)))
    for name in names:
        if name not in used:
            yield error(f"receiver {name}", "no route leads to it", "remove it, or give it a route")


def _intervals(configuration: Config, routes: list[_Route]) -> Iterator[Finding]:
    defined = [interval["name"] for interval in configuration.get("time_intervals", ())]
    used: set[str] = set()
    for route in routes:
        for key in ("active_time_intervals", "mute_time_intervals"):
            for name in route.config.get(key, ()):
                used.add(name)
                if name not in defined:
                    yield error(route.place, f"there is no time interval {name}", closest(name, defined))
    for name in defined:
        if name not in used:
            yield error(f"time interval {name}", "no route uses it", "remove it, or name it in a route")


def _labels(routes: list[_Route], alerts: list[Carried]) -> Iterator[Finding]:
    for route in routes:
        yield from _unknown(route.place, route.own, alerts)
        for label in route.config.get("group_by", ()):
            if label != "..." and not any(alert.has(label) for alert in alerts):
                yield error(route.place, f"groups by label {label}, which no alert sets", closest(label, _names(alerts)))


def _unknown(place: str, texts: Iterable[str], alerts: list[Carried]) -> Iterator[Finding]:
    """What is no matcher, and matchers on labels that no alert has."""
    for text in texts:
        try:
            matcher = Matcher.parsed(text)
        except ValueError as problem:
            yield error(place, str(problem), 'label="value"')
            continue
        if not any(alert.has(matcher.label) for alert in alerts):
            yield error(place, f"matches label {matcher.label}, which no alert sets", closest(matcher.label, _names(alerts)))


def _names(alerts: list[Carried]) -> set[str]:
    return {label for alert in alerts for label in (*alert.fixed, *(alert.free or ()))}


def _fitting(texts: Iterable[str], alerts: list[Carried]) -> list[Carried]:
    matchers = [Matcher.parsed(text) for text in texts]
    return [alert for alert in alerts if alert.may_match(matchers)]


def _reached(routes: list[_Route], alerts: list[Carried]) -> Iterator[Finding]:
    """Routes without matchers are for alerts of others."""
    for route in routes:
        taker = next((earlier for earlier in route.before if earlier <= frozenset(route.own)), None)
        if taker is not None:
            what = " and ".join(sorted(taker)) or "everything"
            yield error(route.place, f"is never reached: a route before it takes {what}", "put it before that one")
            continue
        try:
            fitting = _fitting((*route.above, *route.own), alerts)
        except ValueError:
            continue  # a matcher above cannot be read, which is said there
        if route.own and not fitting:
            yield error(
                route.place, f"no alert can take it: none has {', '.join(route.own)}", "remove it, or correct the matchers"
            )


def _inhibitions(configuration: Config, alerts: list[Carried]) -> Iterator[Finding]:
    for number, rule in enumerate(configuration.get("inhibit_rules", [])):
        place = f"inhibit_rules[{number}]"
        texts = {side: list(rule.get(f"{side}_matchers", [])) for side in ("source", "target")}
        if unknown := [finding for side in texts.values() for finding in _unknown(place, side, alerts)]:
            yield from unknown
            continue
        fitting = {side: _fitting(matchers, alerts) for side, matchers in texts.items()}
        for side, found in fitting.items():
            if not found:
                yield error(place, f"no alert can be its {side}: none has {', '.join(texts[side])}", "remove it")
            for label in rule.get("equal", ()) if found else ():
                if not any(alert.has(label) for alert in found):
                    yield error(place, f"asks for equal {label}, which no {side} has", "leave the label away")
        names = {alert.name for found in fitting.values() for alert in found}
        if all(fitting.values()) and len(names) == 1:
            yield error(place, f"mutes {min(names)} by itself, which Alertmanager never does", "remove it")


def _dependants(alerts: list[Carried]) -> Iterator[Finding]:
    """What an alert depends on is an alert; a site may be without it."""
    names = {alert.name for alert in alerts} | {alert.name for alert in ALERTS}
    for alert in alerts:
        cause = alert.fixed.get("depends")
        if cause is not None and cause not in names:
            yield error(f"alert {alert.name}", f"depends on {cause}, which is no alert", closest(cause, names))

"""Alertmanager's configuration: every route leads to a receiver, every receiver is reached, every template exists."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatch
from typing import Any

from provisioning.findings import Finding, closest, error

_DEFINED = re.compile(r'\{\{-?\s*define\s+"([^"]+)"')
_USED = re.compile(r'\{\{-?\s*template\s+"([^"]+)"')
_MATCHER = re.compile(r"\s*(\w+)\s*(?:=~|!~|!=|=)")


def route_findings(
    configuration: Mapping[str, Any], templates: Mapping[str, str], groups: Iterable[Mapping[str, Any]]
) -> Iterator[Finding]:
    """`templates` are the built template files by path relative to alertmanager.yml."""
    names = [receiver.get("name") for receiver in configuration.get("receivers", [])]
    for name, count in Counter(names).items():
        if count > 1:
            yield error(f"receiver {name}", f"is defined {count} times", "keep one of them")
    routes = list(_routes(configuration.get("route", {}), "route"))
    used = {route.get("receiver") for _, route in routes}
    for place, route in routes:
        receiver = route.get("receiver")
        if receiver is not None and receiver not in names:
            yield error(place, f"there is no receiver {receiver}", closest(str(receiver), map(str, names)))
    for name in names:
        if name not in used:
            yield error(f"receiver {name}", "no route leads to it", "remove it, or give it a route")
    yield from _matched_labels(configuration, routes, groups)
    yield from _templates(configuration, templates)


def _routes(route: Mapping[str, Any], place: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield place, route
    for number, child in enumerate(route.get("routes", [])):
        yield from _routes(child, f"{place}.routes[{number}]")


def _matched_labels(
    configuration: Mapping[str, Any], routes: list[tuple[str, Mapping[str, Any]]], groups: Iterable[Mapping[str, Any]]
) -> Iterator[Finding]:
    """A matcher on a label that no alert sets never matches."""
    set_by_rules = {"alertname"} | {
        label for group in groups for rule in group.get("rules", []) if "alert" in rule for label in rule.get("labels", {})
    }
    asked = [(place, text) for place, route in routes for text in route.get("matchers", [])]
    for number, rule in enumerate(configuration.get("inhibit_rules", [])):
        asked += [
            (f"inhibit_rules[{number}]", text) for side in ("source", "target") for text in rule.get(f"{side}_matchers", [])
        ]
    for place, text in asked:
        found = _MATCHER.match(text)
        if found is None:
            yield error(place, f"{text!r} is not a matcher", 'label="value"')
        elif found[1] not in set_by_rules:
            yield error(place, f"matches label {found[1]}, which no alert sets", closest(found[1], set_by_rules))


def _templates(configuration: Mapping[str, Any], templates: Mapping[str, str]) -> Iterator[Finding]:
    patterns = configuration.get("templates", [])
    for pattern in patterns:
        if not any(fnmatch(path, pattern) for path in templates):
            yield error("templates", f"no built file matches {pattern}", closest(pattern, templates))
    for path in templates:
        if not any(fnmatch(path, pattern) for pattern in patterns):
            yield error(f"template file {path}", "alertmanager.yml does not read it")
    defined = {name for text in templates.values() for name in _DEFINED.findall(text)}
    texts = {**templates, "alertmanager.yml": str(configuration)}
    for path, text in texts.items():
        for name in sorted(set(_USED.findall(text)) - defined):
            if not name.startswith("__") and ".default." not in name:  # Alertmanager brings those
                yield error(path, f"template {name} is not defined", closest(name, defined))

"""Groups of Prometheus rules in a form in which equal rules are equal, and what a server says that it evaluates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import promql_parser as promql
import yaml

from contract.values import duration_seconds, duration_text
from provisioning.plan.objects import Document

Loader: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
"""Makes texts, lists and dictionaries only: every value is a text, as Prometheus reads labels."""
_DURATIONS = frozenset({"interval", "query_offset", "for", "keep_firing_for"})
_DEFAULTS: Mapping[str, Any] = {"for": "", "keep_firing_for": "", "limit": "0", "query_offset": ""}


def parsed(body: bytes) -> list[Document]:
    """The groups of a rule file, normalised. Raises ValueError with the line for what is no rule file."""
    try:
        document = yaml.load(body, Loader=Loader)  # noqa: S506
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        raise ValueError(f"it cannot be read as YAML{f' from line {mark.line + 1} on' if mark else ''}") from None
    groups = document.get("groups") if isinstance(document, dict) else document or None
    if groups in (None, ""):
        return []
    if not isinstance(groups, list) or not all(isinstance(group, dict) and "name" in group for group in groups):
        raise ValueError("there is no list `groups` of groups with names")
    return [normal(group) for group in groups]


def normal(group: Mapping[str, Any]) -> Document:
    """A group without defaults, with durations, expressions and labels in one form each."""
    rules = group.get("rules") or []
    plain = {key: value for key, value in group.items() if key != "rules"}
    return {**_plain(plain), "rules": [_plain(rule) if isinstance(rule, Mapping) else rule for rule in rules]}


def _plain(node: Mapping[str, Any]) -> dict[str, Any]:
    found = {str(key): _value(str(key), value) for key, value in node.items() if value is not None}
    return {key: value for key, value in sorted(found.items()) if value != _DEFAULTS.get(key) and value not in ({}, "")}


def _value(key: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): str(text) for name, text in sorted(value.items())}
    if key == "expr":
        return expression(str(value))
    return _duration(str(value)) if key in _DURATIONS else str(value)


def _duration(text: str) -> str:
    try:
        return duration_text(duration_seconds(text))
    except ValueError:
        return text


@lru_cache(maxsize=8192)
def expression(text: str) -> str:
    """PromQL as one writer would write it; what cannot be read loses its superfluous spaces only."""
    try:
        return str(promql.parse(text).prettify())
    except ValueError:
        return " ".join(text.split())


Loaded = Mapping[str, list[Mapping[str, Any]]]
"""Groups that Prometheus evaluates, as `/api/v1/rules` gives them, by path of their file as the server sees it."""


def by_file(groups: Iterable[Mapping[str, Any]]) -> Loaded:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for group in groups:
        found.setdefault(str(group.get("file", "")), []).append(group)
    return found


def differing(path: str, planned: Document, loaded: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """In what the groups that a server evaluates are not those of the file at `path`, in sentences."""
    there = {str(group.get("name")): group for group in loaded}
    for group in planned.get("groups", ()):
        name = group["name"]
        if (found := there.pop(name, None)) is None:
            yield f"{path}: group {name} is not evaluated"
        else:
            yield from (f"{path}: group {name}: {text}" for text in _of_group(group, found))
    yield from (f"{path}: group {name} is evaluated, and is not in the file" for name in sorted(there))


def _of_group(planned: Document, found: Mapping[str, Any]) -> Iterator[str]:
    interval = planned.get("interval")
    if interval and duration_seconds(interval) != found.get("interval"):
        yield f"is evaluated every {found.get('interval')}s and not every {interval}"
    rules, there = planned["rules"], list(found.get("rules", ()))
    if len(rules) != len(there):
        yield f"{len(there)} rules are evaluated, and the file has {len(rules)}"
        return
    for number, (rule, other) in enumerate(zip(rules, there, strict=True), 1):
        name = rule.get("alert") or rule.get("record") or f"rule {number}"
        points = [key for key, value in _evaluated(other).items() if rule.get(key) != value]
        if points:
            yield f"{name} has another {' and another '.join(points)}"


def _evaluated(other: Mapping[str, Any]) -> dict[str, Any]:
    """A rule of `/api/v1/rules` in the form of a rule in a file. What an older server does not say is left out."""
    kind = "record" if other.get("type") == "recording" else "alert"
    found: dict[str, Any] = {
        kind: other.get("name"),
        "expr": expression(str(other.get("query", ""))),
        "labels": other.get("labels") or None,
    }
    if kind == "alert":
        found |= {"for": _seconds(other.get("duration", 0)), "annotations": other.get("annotations") or None}
        if "keepFiringFor" in other:
            found["keep_firing_for"] = _seconds(other["keepFiringFor"])
    return found


def _seconds(value: float) -> str | None:
    return duration_text(value) or None

"""The whole configuration as it counts, every value with where it comes from. What is printed is a configuration itself."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from contract.settings import Settings
from provisioning.configuration.effective import Effective, leaves, plain, value_at
from provisioning.yaml_source import Path as Place
from provisioning.yaml_source import dotted

_PLAIN = re.compile(r"[A-Za-z/](?:[\w./@-]|:(?!\s|$))*|\d+(?:ms|[smhdwy])")
_NO_TEXTS = ("true", "false", "yes", "no", "on", "off", "null", "y", "n")
"""Words that YAML, or some of its readers, take for something else."""
_COLUMN = 60


def as_yaml(found: Effective, changed: bool) -> str:
    """YAML with a comment behind every value that is no default; with `changed` only those."""
    lines = []
    for indent, text, place in _lines(_kept(found) if changed else found.values, 0, ()):
        origin = found.origin(place) if place else ""
        line = f"{'  ' * indent}{text}"
        lines.append(f"{line:<{_COLUMN}} # {origin}" if origin else line)
    return "\n".join(lines) or "{}  # everything is at its default"


def as_json(found: Effective, changed: bool) -> str:
    """The values, and under `origins` where those that are no defaults come from, by key."""
    values = _kept(found) if changed else found.values
    origins = {dotted(place): origin for place, _ in leaves(values) if (origin := found.origin(place))}
    return json.dumps({"settings": values, "origins": origins}, indent=2, ensure_ascii=False)


def _kept(found: Effective) -> Any:
    """The values without those that are defaults; a list is kept whole or not at all."""
    values, defaults = found.values, plain(Settings())

    def changed(place: Place) -> bool:
        if found.variable(place):
            return True
        try:
            return bool(found.origin(place)) and value_at(values, place) != value_at(defaults, place)
        except LookupError:
            return True

    return _pruned(values, (), changed) or {}


def _pruned(value: Any, place: Place, said: Callable[[Place], bool]) -> Any:
    if not isinstance(value, dict) or not value:
        return value if said(place) else None
    inner = {key: _pruned(item, (*place, key), said) for key, item in value.items()}
    kept = {
        key: value[key] if inner[key] is None else inner[key] for key in inner if inner[key] is not None or said((*place, key))
    }
    return kept or None


def _lines(value: Any, indent: int, place: Place) -> Iterator[tuple[int, str, Place]]:
    """Indentation, text, and the place of the value that the line holds, which is empty when it holds none."""
    items = list(value.items()) if isinstance(value, dict) else list(enumerate(value))
    for key, item in items:
        here = (*place, key)
        name = f"{_scalar(key)}:" if isinstance(key, str) else "-"
        if not isinstance(item, dict | list) or not item:
            yield indent, f"{name} {_scalar(item)}", here
        elif isinstance(key, int):
            first, *rest = _lines(item, indent + 1, here)
            yield indent, f"- {first[1]}", first[2]
            yield from rest
        else:
            yield indent, name, ()
            yield from _lines(item, indent + 1, here)


def _scalar(value: Any) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _NO_TEXTS:
        return value
    return json.dumps(value, ensure_ascii=False)

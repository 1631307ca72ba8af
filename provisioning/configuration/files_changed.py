"""Which files of a build a key has a say in, found out by building with another value of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import ValidationError

from contract import buckets
from contract.settings import Settings
from contract.values import DURATION_BOUNDS, duration_seconds, duration_text
from provisioning.configuration import schema
from provisioning.configuration.effective import Effective, value_at
from provisioning.findings import ConfigError
from provisioning.yaml_source import Path as Place

_BOUNDS = sorted(
    {bound for bounds in (buckets.HTTP, buckets.AGENT, buckets.LLM, buckets.DB, buckets.TICKET) for bound in bounds}
)
_MOST_TRIED = 24
_MOST_SHOWN = 20


@dataclass(frozen=True)
class Change:
    """`tried` is the other value; `files` are those that it changes. `tried` is empty where none can be built."""

    tried: str
    files: Sequence[str]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def as_text(self) -> str:
        if not self.tried:
            return "  files     unknown: no other value was found with which a build is possible"
        if not self.files:
            return f"  files     none of the build, with {self.tried} instead: it is read when commands and the exporter run"
        more = [f"            … and {len(self.files) - _MOST_SHOWN} more"] if len(self.files) > _MOST_SHOWN else []
        first = f"  files     {len(self.files)} of the build, with {self.tried} instead:"
        return "\n".join([first, *(f"            {file}" for file in self.files[:_MOST_SHOWN]), *more])


def files_changed(key: str, found: Effective) -> Change:
    """Builds as it is, and with the first other value that is possible."""
    from provisioning import build

    place = schema.parsed(key)
    values = found.values
    try:
        value, node = value_at(values, place), schema.at(place)
    except (LookupError, TypeError):
        return Change("", ())
    before = build.artefacts(found.settings)
    for other, _ in zip(_others(value, node or {}), range(_MOST_TRIED), strict=False):
        try:
            after = build.artefacts(_with(values, place, other))
        except (ValidationError, ConfigError):
            continue
        differing = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
        tried = json.dumps(other, ensure_ascii=False)
        return Change(tried if len(tried) < 60 else f"{tried[:59]}…", differing)
    return Change("", ())


def _with(values: dict[str, Any], place: Place, other: Any) -> Settings:
    changed = deepcopy(values)
    value_at(changed, place[:-1])[place[-1]] = other
    return Settings.model_validate_json(json.dumps(changed), strict=True)


def _others(value: Any, node: schema.Schema) -> Iterator[Any]:
    """Values of the same kind, those most like this one first."""
    choices = [choice for one in (node, *node.get("anyOf", [])) for choice in one.get("enum", [])]
    if isinstance(value, bool):
        yield not value
    elif choices:
        yield from (choice for choice in choices if choice != value)
    elif isinstance(value, int | float):
        near = [value * factor for factor in (1.1, 0.9, 1.5, 0.5, 2)]
        numbers = [*near, *sorted(_BOUNDS, key=lambda bound: abs(bound - value))]
        yield from (int(number) if isinstance(value, int) else round(number, 6) for number in numbers if int(number) != value)
        yield value + 1
    elif isinstance(value, list):
        yield from (value[:-1], [*value, *value[:1]]) if value else ()
    elif isinstance(value, str):
        yield from _texts(value, node)
    elif value is None:
        yield from (10.0, "other", "http://127.0.0.1:1/other")


def _texts(value: str, node: schema.Schema) -> Iterator[str]:
    if DURATION_BOUNDS in node:
        yield from (duration_text(duration_seconds(value) * factor) for factor in (2, 0.5))
        yield from node[DURATION_BOUNDS]
    else:
        yield from (f"{value}-other", f"{value}other", f"{value}1", f"other-{value}", f"#other-{value.lstrip('#')}")

"""What one key of the configuration does, what it may be, what it is now, and who said so."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from textwrap import wrap
from typing import Any

from contract.settings import Settings
from provisioning.configuration import schema
from provisioning.configuration.effective import VARIABLES, Effective, leaves, plain, value_at
from provisioning.configuration.notes import names, notes
from provisioning.findings import InputError
from provisioning.yaml_source import Path as Place
from provisioning.yaml_source import dotted

_MOST_SHOWN = 200
_WIDTH = 120
_MOST_PLACES = 12


@dataclass(frozen=True)
class Explanation:
    """Everything about one key. `values` are all places that it has now, with what stands there and where that was said."""

    key: str
    says: Sequence[str]
    examples: Sequence[str]
    kind: str
    default: str
    variable: str
    values: Sequence[tuple[str, str, Sequence[str]]]
    keys: Sequence[str]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def as_text(self) -> str:
        said = [line for sentence in self.says for line in wrap(sentence, _WIDTH, initial_indent="  ", subsequent_indent="  ")]
        lines = [self.key, *said, *(f"    {example}" for example in self.examples), "", f"  is        {self.kind}"]
        if self.keys:
            return "\n".join(
                [*lines, *wrap(f"keys      {', '.join(self.keys)}", _WIDTH, initial_indent="  ", subsequent_indent=" " * 12)]
            )
        lines.append(f"  default   {self.default}")
        for place, value, origins in self.values[:_MOST_PLACES]:
            last, *before = [*reversed(origins)] or ["the default"]
            name = f"{place} = " if place != self.key else ""
            lines.append(f"  now       {name}{value}  ({last}" + "".join(f", over {place}" for place in before) + ")")
        if len(self.values) > _MOST_PLACES:
            lines.append(f"            and {len(self.values) - _MOST_PLACES} more; `observatory config show` has them all")
        if self.variable:
            lines.append(f"  variable  {self.variable}, when it is set, comes before it")
        return "\n".join(lines)


def explain(key: str, found: Effective) -> Explanation:
    """Raises InputError, with keys that are near, when there is none of that name."""
    place = resolved(key)
    node = schema.at(place)
    assert node is not None
    known = {**node, **next((one for one in node.get("anyOf", []) if "properties" in one), {})}
    values = [(dotted(at), _shown(value), _said(found, at)) for at, value in _standing(found.values, place)]
    return Explanation(
        key=dotted(place),
        says=_words(place, known),
        examples=notes()[names(place)].example if names(place) in notes() else (),
        kind=schema.kind(node),
        default=_default(place, node),
        variable=VARIABLES.get(place, ""),
        values=values,
        keys=[*known.get("properties", {})],
    )


def resolved(key: str) -> Place:
    """The place of a key; the last word alone is enough where only one key ends in it. Raises InputError."""
    place = schema.parsed(key)
    if schema.at(place) is not None:
        return place
    keys = schema.all_keys()
    ending = [known for known in keys if known.endswith(f".{key}")]
    if len(ending) == 1:
        return schema.parsed(ending[0])
    near = ending or get_close_matches(key, keys, 3, 0.7) or _near_words(str(place[-1]), keys)
    remedy = f"did you mean {' or '.join(near)}?" if near else "`observatory config show` prints all of them"
    raise InputError(f"error: there is no key {key}\n    {remedy}")


def _near_words(word: str, keys: Sequence[str]) -> list[str]:
    """Keys whose last word is nearly this one."""
    words = get_close_matches(word, {key.rpartition(".")[2] for key in keys}, 2, 0.75)
    return [key for key in keys if key.rpartition(".")[2] in words][:4]


def _words(place: Place, node: schema.Schema) -> list[str]:
    """What is said of a key, of those that it stands among, and of its sections, the nearest first."""
    said = []
    for length in range(len(place), 0, -1):
        if isinstance(place[length - 1], int) and length < len(place):
            continue
        note = notes().get(names(place[:length]))
        at = "" if length == len(place) else f"{dotted(place[:length])}: "
        if note and note.text:
            words = [note.own, note.group] if not at else [note.text]
            said += [f"{at}{line}" for text in words for line in text.split("\n") if line]
    declared = schema.section_words(node) or schema.section_words(schema.at(place[:-1]) or {})
    return [*said, *([declared] if declared and declared not in said else [])]


def _standing(values: Any, place: Place) -> list[tuple[Place, Any]]:
    """Every place of the settings that a key means; in lists without a position, all of them."""
    try:
        return [(place, value_at(values, place))]
    except (LookupError, TypeError):
        wanted = names(place)
        length = {}
        for at, _ in leaves(values):
            for end in range(1, len(at) + 1):
                if names(at[:end]) == wanted and isinstance(at[end - 1], str):
                    length[at[:end]] = value_at(values, at[:end])
        positions = [part for part in place if isinstance(part, int)]
        return [] if positions else list(length.items())


def _said(found: Effective, place: Place) -> Sequence[str]:
    variable = found.variable(place)
    return [*found.set_in(place), *([f"the variable {variable}"] if variable else [])]


def _default(place: Place, node: schema.Schema) -> str:
    """What holds where nothing is said; within entries of a list, or by name, what an entry has that does not say it."""
    if not any(isinstance(part, int) for part in place):
        try:
            return _shown(value_at(plain(Settings()), place))
        except (LookupError, TypeError):
            pass
    return _shown(node["default"]) if "default" in node else "none; every entry has to say it"


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _MOST_SHOWN else f"{text[: _MOST_SHOWN - 1]}…"

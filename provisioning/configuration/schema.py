"""The shape of the configuration as JSON Schema: for editors, and to answer what a key may be."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from contract.settings import Settings
from contract.values import DURATION_BOUNDS
from provisioning.configuration.notes import Key, notes
from provisioning.findings import InputError
from provisioning.text import decimal

Schema = dict[str, Any]

_DIALECT = "http://json-schema.org/draft-07/schema#"
"""The one that all editors know."""
_ANY_TEXT = {"type": "string"}
"""Decimals may be texts too; but nobody writes them so."""
_WORD = re.compile(r"[^.\[\]]+|\[\d*\]")


@lru_cache(1)
def schema() -> Schema:
    """The whole shape, without references, with what the comments of `observatory.yaml` say. Treat it as read-only."""
    raw = Settings.model_json_schema()
    shape = _described(raw, raw["$defs"], ())
    shape.pop("default", None)
    return {"$schema": _DIALECT, "title": "Configuration of Agent Observatory", **shape}


def section_words(node: Schema) -> str:
    """What is said of a whole section, or of every entry of a list or of a name, by its own declaration."""
    near = (node, *node.get("anyOf", []), node.get("items", {}), _entry(node) or {})
    return next((str(inner["x-section"]) for inner in near if inner.get("x-section")), "")


def all_keys() -> list[str]:
    """Every key with its sections, as people write it: `slo.objective`."""
    return [".".join(key) for key, _ in _nodes(schema(), ())]


def at(path: tuple[str | int, ...]) -> Schema | None:
    """The shape of a place, or None when there is none. Positions may be left out."""
    node = schema()
    for part in path:
        inner = _below(node, part)
        if inner is None:
            return None
        node = inner
    return node


def parsed(key: str) -> tuple[str | int, ...]:
    """`teams[0].email` as a place. Raises InputError for what is no key."""
    words = _WORD.findall(key)
    if not words or "".join(words) != key.replace(".", "") or ".." in key:
        raise InputError(f"error: {key!r} is no key; write for example thresholds.error_ratio or teams[0].email")
    return tuple(int(word[1:-1] or 0) if word.startswith("[") else word for word in words)


def kind(node: Schema) -> str:
    """What a value has to be, in words: `a number above 0 and below 1`."""
    if "anyOf" in node:
        others = [kind(one) for one in node["anyOf"] if one.get("type") != "null"]
        null = ["null"] if any(one.get("type") == "null" for one in node["anyOf"]) else []
        return ", or ".join([*others, *null])
    if "enum" in node or "const" in node:
        return "one of " + ", ".join(str(value) for value in node.get("enum", [node.get("const")]))
    simple = {"boolean": "true or false", "integer": f"a whole number{_range(node)}", "number": f"a number{_range(node)}"}
    if (name := node.get("type")) in simple:
        return simple[str(name)]
    if name == "array":
        return f"a list; each is {kind(node.get('items', {}))}"
    if name == "object":
        each = _entry(node)
        keys = ", ".join(node.get("properties", {}))
        return f"a section with {keys}" if keys else f"entries by name; each is {kind(each) if each else 'a value'}"
    return _text(node) if name == "string" else "a value"


def _text(node: Schema) -> str:
    if DURATION_BOUNDS in node:
        return "a duration from {} to {}".format(*node[DURATION_BOUNDS])
    known = {"uri": "an address that begins with http:// or https://", "date": "a day, such as 2027-01-31"}
    if node.get("format") in known:
        return known[node["format"]]
    least = f" of at least {node['minLength']} characters" if "minLength" in node else ""
    return f"a text that matches {node['pattern']}" if "pattern" in node else f"a text{least}"


def _range(node: Schema) -> str:
    words = {"minimum": "of at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}
    parts = [f"{word} {decimal(node[name])}" for name, word in words.items() if name in node]
    return " " + " and ".join(parts) if parts else ""


def _described(node: Schema, sections: dict[str, Schema], key: Key) -> Schema:
    """A part of pydantic's schema with its references replaced by what they name, and words for people."""
    if "$ref" in node:
        node = {**sections[node["$ref"].rpartition("/")[2]], **node}
    shape = {name: value for name, value in node.items() if name not in ("$ref", "$defs", "title", "description")}
    if "properties" in shape:
        shape["properties"] = {name: _described(inner, sections, (*key, name)) for name, inner in node["properties"].items()}
        shape["x-section"] = " ".join(node.get("description", "").split())
    for name in ("items", "additionalProperties"):
        if isinstance(node.get(name), dict):
            shape[name] = _described(node[name], sections, key)
    if "patternProperties" in node:
        named = node["patternProperties"].items()
        shape["patternProperties"] = {pattern: _described(inner, sections, key) for pattern, inner in named}
    if "anyOf" in node:
        choices = [inner for inner in node["anyOf"] if not (inner == _ANY_TEXT and _has_number(node["anyOf"]))]
        shape["anyOf"] = [_described(inner, sections, key) for inner in choices]
    if "properties" in shape and isinstance(shape.get("default"), dict):
        del shape["default"]  # each key of it has its own
    note = notes().get(key)
    bounds = kind(shape) if DURATION_BOUNDS in shape else ""
    words = [note.own, note.group, "For example: " + "; ".join(note.example) if note.example else ""] if note else []
    if said := "\n\n".join(filter(None, [*words, bounds[:1].upper() + bounds[1:], shape.get("x-section", "")])):
        shape["description"] = said
    return shape


def _has_number(choices: list[Schema]) -> bool:
    return any(choice.get("type") == "number" for choice in choices)


def _below(node: Schema, part: str | int) -> Schema | None:
    """The shape of a key, of an entry of a name, or of an item; a key that follows a list is one of its items."""
    for inner in (node, *node.get("anyOf", [])):
        if isinstance(part, int) and "items" in inner:
            return dict(inner["items"])
        if isinstance(part, str):
            if part in inner.get("properties", {}):
                return dict(inner["properties"][part])
            if (entry := _entry(inner)) is not None:
                return entry
            if "items" in inner and (found := _below(inner["items"], part)) is not None:
                return found
    return None


def _entry(node: Schema) -> Schema | None:
    """The shape of every entry by name, where a section has such."""
    named = [*node.get("patternProperties", {}).values(), node.get("additionalProperties")]
    return next((dict(entry) for entry in named if isinstance(entry, dict)), None)


def _nodes(node: Schema, key: Key) -> Iterator[tuple[Key, Schema]]:
    """Every key below a place with its shape; of entries by name, the keys of one under `*`."""
    for inner in (node, *node.get("anyOf", [])):
        for name, shape in inner.get("properties", {}).items():
            yield (*key, name), shape
            yield from _nodes(shape, (*key, name))
        if "items" in inner:
            yield from _nodes(inner["items"], key)
        if (entry := _entry(inner)) is not None:
            yield from _nodes(entry, (*key, "*"))

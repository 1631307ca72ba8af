"""JSON and YAML text that is the same on every run: numbers as decimals, stable order, long texts as blocks."""

from __future__ import annotations

import json
from decimal import Decimal
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Any

import yaml
from yaml.resolver import Resolver

_LONG = 80
_CONSTANTS = {None: "null", False: "false", True: "true"}


def decimal(number: float) -> str:
    """A float without exponent and without binary noise, to 12 significant digits.

    >>> decimal(0.1 + 0.2), decimal(1e-05), decimal(5.0)
    ('0.3', '0.00001', '5')
    """
    rounded = Decimal(f"{number:.12g}")
    if not rounded.is_finite():
        raise ValueError(f"{number} cannot be written as a decimal")
    return f"{rounded:f}"


def rounded(number: float) -> str:
    """For people: three digits, or all before the point where these are more, and never an exponent.

    >>> rounded(0.01234), rounded(12.345), rounded(1766.2), rounded(0)
    ('0.0123', '12.3', '1,766', '0')
    """
    return f"{number:,.0f}" if abs(number) >= 100 else decimal(float(f"{number:.3g}"))


def as_json(document: Any) -> bytes:
    """Indented by two, keys sorted, with a newline at the end."""
    parts: list[str] = []
    _add_json(document, "\n", parts)
    return ("".join(parts) + "\n").encode()


def _add_json(node: Any, newline: str, parts: list[str]) -> None:
    """The text of a value in parts. A list that grows is three times as fast as generators within generators."""
    inner = newline + "  "
    if isinstance(node, str):
        parts.append(encode_basestring(node))
    elif isinstance(node, dict) and node:
        opening = "{"
        for key in sorted(node):
            parts.append(f"{opening}{inner}{encode_basestring(key)}: ")
            _add_json(node[key], inner, parts)
            opening = ","
        parts.append(newline + "}")
    elif isinstance(node, list | tuple) and node:
        opening = "["
        for item in node:
            parts.append(opening + inner)
            _add_json(item, inner, parts)
            opening = ","
        parts.append(newline + "]")
    elif isinstance(node, float):
        parts.append(decimal(node))
    elif node is None or isinstance(node, bool):
        parts.append(_CONSTANTS[node])
    elif isinstance(node, int):
        parts.append(int.__repr__(node))
    else:
        parts.append(json.dumps(node))


_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times faster, and the same values


def from_yaml(text: bytes | str) -> Any:
    """What YAML of our own says."""
    return yaml.load(text, Loader=_Loader)  # noqa: S506  it is the safe one


_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # seven times faster, and the same text
_RESOLVER: Any = Resolver()
"""Knows what a plain word would be taken for, so that it is quoted where that is not a text."""
_STR = "tag:yaml.org,2002:str"


def as_yaml(document: Any, heading: str) -> bytes:
    """YAML with a comment line above. Keys keep the order that their writer gave them; lines are never folded."""
    body = yaml.emit(_events(document), Dumper=_Dumper, allow_unicode=True, width=1_000_000)
    return f"# {heading}\n{body}".encode()


def _events(document: Any) -> list[yaml.Event]:
    """What the emitter of YAML is told. Going there without a tree of nodes between takes a third of the time."""
    found: list[yaml.Event] = [yaml.StreamStartEvent(), yaml.DocumentStartEvent(explicit=False)]
    _add_yaml(document, found)
    return [*found, yaml.DocumentEndEvent(explicit=False), yaml.StreamEndEvent()]


def _add_yaml(node: Any, events: list[yaml.Event]) -> None:
    if isinstance(node, str):
        events.append(_text_event(node))
    elif isinstance(node, dict):
        events.append(_MAPPING)
        for key, value in node.items():
            _add_yaml(key, events)
            _add_yaml(value, events)
        events.append(_MAPPING_END)
    elif isinstance(node, list | tuple):
        events.append(_SEQUENCE)
        for item in node:
            _add_yaml(item, events)
        events.append(_SEQUENCE_END)
    else:
        plain = decimal(node) if isinstance(node, float) else json.dumps(node)
        events.append(yaml.ScalarEvent(None, None, (True, False), plain))


_MAPPING = yaml.MappingStartEvent(None, None, implicit=True, flow_style=False)
_MAPPING_END = yaml.MappingEndEvent()
_SEQUENCE = yaml.SequenceStartEvent(None, None, implicit=True, flow_style=False)
_SEQUENCE_END = yaml.SequenceEndEvent()


@lru_cache(maxsize=10_000)
def _text_event(text: str) -> yaml.ScalarEvent:
    """A long text stands as a block. Keys and names come again and again."""
    block = "\n" in text or (len(text) > _LONG and " " in text)
    plain = _RESOLVER.resolve(yaml.ScalarNode, text, (True, False)) == _STR
    return yaml.ScalarEvent(None, _STR, (plain, True), text, style="|" if block else None)

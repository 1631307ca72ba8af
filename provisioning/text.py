"""JSON and YAML text that is the same on every run: numbers as decimals, stable order, long texts as blocks."""

from __future__ import annotations

import json
from decimal import Decimal
from json.encoder import encode_basestring
from typing import Any

import yaml

_LONG = 80


def decimal(number: float) -> str:
    """A float without exponent and without binary noise, to 12 significant digits.

    >>> decimal(0.1 + 0.2), decimal(1e-05), decimal(5.0)
    ('0.3', '0.00001', '5')
    """
    rounded = Decimal(f"{number:.12g}")
    if not rounded.is_finite():
        raise ValueError(f"{number} cannot be written as a decimal")
    return f"{rounded:f}"


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
    else:
        parts.append(json.dumps(node))


_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times faster, and the same values


def from_yaml(text: bytes | str) -> Any:
    """What YAML of our own says."""
    return yaml.load(text, Loader=_Loader)  # noqa: S506  it is the safe one


_Base: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # seven times faster, and the same text


class _Dumper(_Base):  # type: ignore[misc]
    """Keeps the order of keys, never folds lines, never writes anchors."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def _text_node(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    block = "\n" in text or (len(text) > _LONG and " " in text)
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if block else None)


def _float_node(dumper: yaml.SafeDumper, number: float) -> yaml.Node:
    text = decimal(number)
    return dumper.represent_scalar(f"tag:yaml.org,2002:{'float' if '.' in text else 'int'}", text)


_Dumper.add_representer(str, _text_node)
_Dumper.add_representer(float, _float_node)
_Dumper.add_representer(tuple, lambda dumper, items: dumper.represent_list(list(items)))


def as_yaml(document: Any, heading: str) -> bytes:
    """YAML with a comment line above. Keys keep the order that their writer gave them."""
    body = yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1_000_000)
    return f"# {heading}\n{body}".encode()

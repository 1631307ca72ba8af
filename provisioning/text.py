"""JSON and YAML text that is the same on every run: numbers as decimals, stable order, long texts as blocks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
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
    return ("".join(_json(document, "\n")) + "\n").encode()


def _json(node: Any, newline: str) -> Iterator[str]:
    inner = newline + "  "
    if isinstance(node, dict) and node:
        for number, key in enumerate(sorted(node)):
            yield f"{',' if number else '{'}{inner}{json.dumps(key, ensure_ascii=False)}: "
            yield from _json(node[key], inner)
        yield newline + "}"
    elif isinstance(node, list | tuple) and node:
        for number, item in enumerate(node):
            yield f"{',' if number else '['}{inner}"
            yield from _json(item, inner)
        yield newline + "]"
    elif isinstance(node, float):
        yield decimal(node)
    else:
        yield json.dumps(node, ensure_ascii=False)


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

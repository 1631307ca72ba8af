"""Small pieces of PromQL that signals do not cover."""

from __future__ import annotations

from collections.abc import Mapping


def union(label: str, parts: Mapping[str, str]) -> str:
    """Several expressions as one, each marked by its name in `label`: one request instead of many."""
    return "\nor ".join(f'label_replace({expression}, "{label}", "{name}", "", "")' for name, expression in parts.items())


def worst(*states: str) -> str:
    """The greatest of several expressions without labels; those that give nothing are left out."""
    return f"max({union('check', {str(number): state for number, state in enumerate(states)})})"


def among(label: str, expression: str) -> str:
    """Those series of an expression of which a label that it made itself has a value that is chosen in the variable `label`.

    A matcher asks scraped labels alone; the variable is a pattern, which `label_replace` can hold against any label.
    """
    marked = f'label_replace(\n{expression}\n, "chosen", "yes", "{label}", "${label}")'
    return f'sum without (chosen) ({marked} and on (chosen) label_replace(vector(1), "chosen", "yes", "", ""))'

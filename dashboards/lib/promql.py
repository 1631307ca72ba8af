"""Small pieces of PromQL that signals do not cover."""

from __future__ import annotations

from collections.abc import Mapping


def union(label: str, parts: Mapping[str, str]) -> str:
    """Several expressions as one, each marked by its name in `label`: one request instead of many."""
    return "\nor ".join(f'label_replace({expression}, "{label}", "{name}", "", "")' for name, expression in parts.items())


def worst(*states: str) -> str:
    """The greatest of several expressions without labels; those that give nothing are left out."""
    return f"max({union('check', {str(number): state for number, state in enumerate(states)})})"

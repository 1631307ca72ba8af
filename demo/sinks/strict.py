"""JSON that can be stored, read again and shown."""

from __future__ import annotations

import json
from typing import Any

DEEPEST = 50
"""Lists and objects within each other; messages need a handful."""


def loads(text: bytes | str) -> Any:
    """The value of a JSON text.

    Raises ValueError for what is no JSON, for numbers that JSON cannot write (NaN, 1e999), for halves of characters (\\ud800),
    and for what is nested deeper than `DEEPEST`.
    """
    try:
        value = json.loads(text)
        _refuse_deeper(value, DEEPEST)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    line(value)
    return value


def line(value: object) -> bytes:
    """One line of JSON. Raises ValueError for what JSON or UTF-8 cannot hold."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True).encode() + b"\n"


def _refuse_deeper(value: object, levels: int) -> None:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    if inner is None:
        return
    if levels == 0:
        raise ValueError("nested too deeply")
    for each in inner:
        _refuse_deeper(each, levels - 1)

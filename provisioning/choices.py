"""What a dashboard's variables hold when it is opened, and how Grafana writes them into a query."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from provisioning.boards import Language

ALL = "$__all"


@dataclass(frozen=True)
class Choice:
    """The chosen values of one variable. `all_text` replaces them as it stands when all are chosen and it is set."""

    values: tuple[str, ...]
    several: bool = False
    all_text: str = ""


def opened(variable: Mapping[str, Any], live: Sequence[str]) -> Choice:
    """The choice that a variable starts with; `live` is what a query variable offers now.

    A query variable whose stored value is gone starts with its first one.
    """
    kind = variable.get("type")
    chosen = _current(variable)
    several = bool(variable.get("multi") or variable.get("includeAll"))
    if kind == "query":
        if ALL in chosen:
            return Choice(tuple(live), True, str(variable.get("allValue") or ""))
        there = tuple(value for value in chosen if value in live)
        return Choice(there or tuple(live[:1]) or chosen, several)
    options = tuple(str(option.get("value")) for option in variable.get("options", []) if option.get("value") != ALL)
    if kind == "constant":
        return Choice((str(variable.get("query", "")),))
    if ALL in chosen:
        return Choice(options, True, str(variable.get("allValue") or ""))
    return Choice(chosen or options[:1], several)


def _current(variable: Mapping[str, Any]) -> tuple[str, ...]:
    value = variable.get("current", {}).get("value", [])
    return tuple(str(part) for part in (value if isinstance(value, list) else [value]))


def written(choice: Choice, form: str, language: Language) -> str:
    """The text of a choice in a query, in one of Grafana's formats; without a format as the data source writes it."""
    if choice.all_text:
        return choice.all_text
    values = choice.values
    match form:
        case "regex":
            return _pattern([_escaped(value) for value in values])
        case "pipe":
            return "|".join(values)
        case "raw" | "csv" | "text":
            return ",".join(values)
        case "sqlstring" | "singlequote":
            return ",".join(_quoted(value) for value in values)
        case "doublequote":
            return ",".join(f'"{value}"' for value in values)
        case "json":
            return json.dumps(values[0] if len(values) == 1 else values)
        case "percentencode":
            return quote(",".join(values), safe="")
    if language == "sql":
        return ",".join(_quoted(value) for value in values) if choice.several else ",".join(values)
    if language == "promql" and choice.several:
        return _pattern([_escaped(value).replace("\\", "\\\\") for value in values])
    return ",".join(values)


def _pattern(values: list[str]) -> str:
    return values[0] if len(values) == 1 else f"({'|'.join(values)})"


def _escaped(value: str) -> str:
    return re.sub(r"[\\^$*+?.()|\[\]{}]", r"\\\g<0>", value)


def _quoted(value: str) -> str:
    doubled = value.replace("'", "''")
    return f"'{doubled}'"

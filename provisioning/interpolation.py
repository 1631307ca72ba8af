"""What Grafana does to a query before it sends it: variables and macros become values."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

_VARIABLE = re.compile(
    r"\$\{(?P<braced>\w+)(?:\.[^:}]+)?(?::(?P<form>[^}]+))?\}"
    r"|\[\[(?P<square>\w+)(?::(?P<square_form>\w+))?\]\]"
    r"|\$(?P<plain>[A-Za-z_]\w*)"
)
_MACRO = re.compile(r"\$__(?P<name>[A-Za-z]+)\((?P<arguments>[^()]*(?:\([^()]*\)[^()]*)*)\)")

Render = Callable[[str, str], str | None]
"""Gives the text for a variable's name and format, or None to leave it as it stands."""


@dataclass(frozen=True)
class Span:
    """A time range of a dashboard (seconds since the epoch), and the distance between two points in seconds."""

    start: float
    end: float
    step: int

    @property
    def seconds(self) -> int:
        return int(self.end - self.start)


def names(text: str) -> Iterator[str]:
    """Every variable that a text names, built-in ones (`__interval`, …) and macros included."""
    for found in _VARIABLE.finditer(text):
        yield found["braced"] or found["square"] or found["plain"]


def substitute(text: str, render: Render) -> str:
    """`text` with its variables replaced by what `render` gives."""

    def value(found: re.Match[str]) -> str:
        name = found["braced"] or found["square"] or found["plain"]
        rendered = render(name, found["form"] or found["square_form"] or "")
        return found[0] if rendered is None else rendered

    return _VARIABLE.sub(value, text)


def builtins(span: Span, scrape_seconds: float) -> dict[str, str]:
    """Grafana's own variables. The rate interval is never shorter than four scrapes."""
    rate = max(span.step + int(scrape_seconds), 4 * int(scrape_seconds))
    return {
        "__interval": f"{span.step}s",
        "__interval_ms": str(span.step * 1000),
        "__rate_interval": f"{rate}s",
        "__rate_interval_ms": str(rate * 1000),
        "__range": f"{span.seconds}s",
        "__range_s": str(span.seconds),
        "__range_ms": str(span.seconds * 1000),
        "__from": str(int(span.start * 1000)),
        "__to": str(int(span.end * 1000)),
    }


def sql_macros(text: str, span: Span) -> str:
    """The macros of Grafana's PostgreSQL data source, expanded as it expands them.

    Raises ValueError for a macro that it does not have.
    """

    def expand(found: re.Match[str]) -> str:
        arguments = [part.strip() for part in found["arguments"].split(",")]
        return _sql_macro(found["name"], arguments, span)

    return _MACRO.sub(expand, text)


def _sql_macro(name: str, arguments: list[str], span: Span) -> str:
    column = arguments[0]
    start, end = _timestamp(span.start), _timestamp(span.end)
    group = name.removesuffix("Alias")
    alias = ' AS "time"' if name.endswith("Alias") else ""
    match group:
        case "time":
            return f'{column} AS "time"'
        case "timeEpoch":
            return f'extract(epoch from {column}) AS "time"'
        case "timeFilter":
            return f"{column} BETWEEN {start} AND {end}"
        case "timeFrom":
            return start
        case "timeTo":
            return end
        case "timeGroup" if len(arguments) >= 2:
            width = _width(arguments[1])
            return f"to_timestamp(floor(extract(epoch from {column}) / {width}) * {width}){alias}"
        case "unixEpochFilter":
            return f"{column} >= {int(span.start)} AND {column} <= {int(span.end)}"
        case "unixEpochFrom":
            return str(int(span.start))
        case "unixEpochTo":
            return str(int(span.end))
        case "unixEpochGroup" if len(arguments) >= 2:
            width = _width(arguments[1])
            return f"floor({column} / {width}) * {width}{alias}"
    raise ValueError(f"Grafana's PostgreSQL data source has no macro $__{name} with {len(arguments)} arguments")


def _timestamp(moment: float) -> str:
    return f"'{datetime.fromtimestamp(moment, UTC).isoformat().replace('+00:00', 'Z')}'"


def _width(text: str) -> int:
    """Seconds of an interval such as '5m'."""
    from contract.values import duration_seconds

    return max(1, int(duration_seconds(text.strip("'\""))))

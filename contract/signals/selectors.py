"""The small parts of PromQL that signals are written with: matchers, selectors, aggregations."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Match:
    """One label matcher, printed as PromQL. `value` is PromQL text: a regular expression, or a Grafana variable."""

    label: str
    operator: str
    value: str

    def __str__(self) -> str:
        return f'{self.label}{self.operator}"{self.value}"'


Matches = tuple[Match, ...]


def equal(label: str, value: str) -> Match:
    return Match(label, "=", value)


def other(label: str, value: str) -> Match:
    return Match(label, "!=", value)


def like(label: str, pattern: str) -> Match:
    return Match(label, "=~", pattern)


def selector(name: str, matches: Matches) -> str:
    """`name{label="value",…}` with the matchers sorted, so that equal questions are equal texts."""
    inner = ",".join(str(match) for match in sorted(set(matches)))
    return f"{name}{{{inner}}}" if inner else name


def aggregate(operator: str, by: tuple[str, ...], inner: str) -> str:
    return f"{operator} by ({', '.join(by)}) ({inner})" if by else f"{operator}({inner})"

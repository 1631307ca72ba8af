"""A named query: a question to the views of schema `analytics` whose columns, units and filters are declared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["time", "text", "integer", "number", "boolean"]

FROM_PLATFORM, FROM_LEDGER, AS_IT_STANDS = 300, 120, 30
"""Seconds that an answer may be old: counts of the platform, figures of model calls, and single rows."""

DAY_RANGE = "{0} >= date_trunc('day', %(since)s, 'UTC') AND {0} <= %(until)s"
HOUR_RANGE = "{0} >= date_trunc('hour', %(since)s, 'UTC') AND {0} <= %(until)s"
"""The days, or hours, that a range touches, as the panels take them."""


@dataclass(frozen=True)
class Column:
    """A column of an answer. `unit` is a Grafana unit, empty where there is none."""

    name: str
    kind: Kind
    unit: str
    words: str


@dataclass(frozen=True)
class Query:
    """`sql` is one SELECT with exactly these columns, of our own words only. It may use the parameters `%(since)s` and
    `%(until)s` and those of `needs`, and has `{chosen}` where the conditions of the filters belong: `filters` gives for each
    the SQL expression of the text that is compared. Rows are sorted by `order`, which makes pages whole.
    """

    key: str
    words: str
    columns: tuple[Column, ...]
    sql: str
    order: str
    filters: Mapping[str, str] = field(default_factory=dict)
    ttl: int = FROM_PLATFORM
    needs: tuple[str, ...] = ()

    @property
    def ranged(self) -> bool:
        """Whether the range of time acts on it."""
        return "%(since)s" in self.sql or "%(until)s" in self.sql

    def statement(self, chosen: frozenset[str]) -> str:
        """The text that is sent. `chosen` are the filters that were given; values, page and range are parameters."""
        conditions = [
            f"coalesce({expression}, '') = ANY (%({name})s)" for name, expression in self.filters.items() if name in chosen
        ]
        # not `format`, for braces may stand in SQL
        text = self.sql.replace("{chosen}", " AND ".join(conditions) or "true")
        return f"SELECT * FROM (\n{text}\n) AS answer ORDER BY {self.order} LIMIT %(limit)s OFFSET %(offset)s"


def time(name: str, words: str) -> Column:
    return Column(name, "time", "", words)


def text(name: str, words: str) -> Column:
    return Column(name, "text", "", words)


def count(name: str, words: str, unit: str = "short") -> Column:
    return Column(name, "integer", unit, words)


def number(name: str, words: str, unit: str) -> Column:
    return Column(name, "number", unit, words)


def seconds(name: str, words: str) -> Column:
    return number(name, words, "s")


def share(name: str, words: str) -> Column:
    return number(name, words, "percentunit")


def usd(name: str, words: str) -> Column:
    return number(name, words, "currencyUSD")

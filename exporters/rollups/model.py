"""What is counted: a source is a table of the platform, a fact something that happens to its rows, a stock a number of rows.

All SQL here is of our own making. An image is what one row looks like to the facts: a few named, typed columns. Image
expressions name the relation's columns `r.…` and the joined relations' by their alias; facts and stocks name image columns.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from contract.catalogue import metric
from contract.relations import RELATIONS, Relation

SUMS = 6
BOUNDS = 27
"""The most sums and bounds that the tables of schema `analytics` have columns for; more take a migration."""

SUM_COLUMNS = tuple(f"s{number}" for number in range(1, SUMS + 1))
HISTOGRAM_COLUMNS = tuple(f"h{number}" for number in range(BOUNDS + 1))
COUNTED = ("n", *SUM_COLUMNS)
FIGURES = (*COUNTED, *HISTOGRAM_COLUMNS)
"""Columns of figures that every table of counts has."""

SEPARATOR = "\x1f"
"""Joins the labels of a row of `analytics.fresh`. No label value holds it."""

AMENDS = "amends:"
"""Stands before the names of projections, whose amends live in the same tables as facts."""

_OWN = re.compile(r"\br\.([a-z_]+)")
_NAME = re.compile(r"[a-z][a-z_]*")


def plausible(at: str) -> str:
    """The condition that a time can have been meant: not infinity, nor the year 1, with which some say "never".

    What happened at such a time is counted, but stands in no bucket of time.
    """
    return f"{at} >= timestamptz '1900-01-01 00:00:00+00' AND {at} < timestamptz '2200-01-01 00:00:00+00'"


def week(at: str) -> str:
    """The Monday (UTC) of the week of a time."""
    return f"date_trunc('week', {at} AT TIME ZONE 'UTC')::date"


def once_a_week(week: str, user: str) -> str:
    """The key of a user who counts once in a week."""
    return f"{week}::text || ' ' || {user}"  # new ones side by side


@dataclass(frozen=True)
class Join:
    """A further relation from which an image takes labels. Rows without a partner stay; its columns are NULL then."""

    relation: str
    alias: str
    on: str


@dataclass(frozen=True)
class Field:
    """A column of an image: its SQL type, and its expression over `r` and the joined relations."""

    type: str
    sql: str


@dataclass(frozen=True)
class Yield:
    """A metric that a fact gives. `of` is `n`, the name of a sum, or `histogram`; a sum is multiplied by `scale`.

    The metric's labels are found among the fact's by name; cells of the fact that share them are added. A cell in which one of
    these labels is "" has no part in the metric.
    """

    metric: str
    of: str = "n"
    scale: float = 1.0


@dataclass(frozen=True)
class Fact:
    """Something that happens. A row of which `when` is true has part in the cell of its labels, at the time `at`.

    `sums` are whole numbers in base units (microseconds, tokens). `histogram` is a number of microseconds (or NULL: no part in
    the histogram), counted by `bounds` in seconds, of which the last is followed by infinity; its sum is the sum `duration_us`.
    With `once` (a text) a row counts only when no row with that text was counted before; such facts follow no corrections.
    """

    name: str
    at: str
    labels: dict[str, str]
    when: str = "true"
    sums: dict[str, str] = field(default_factory=dict)
    histogram: str | None = None
    bounds: tuple[float, ...] = ()
    once: str | None = None
    yields: tuple[Yield, ...] = ()

    def __post_init__(self) -> None:
        if len(self.sums) > SUMS or len(self.bounds) > BOUNDS or bool(self.histogram) != bool(self.bounds):
            raise ValueError(f"{self.name}: at most {SUMS} sums and {BOUNDS} bounds, and bounds only with a histogram")
        for wanted in self.yields:
            declared = metric(wanted.metric)
            if missing := set(declared.labels) - self.labels.keys():
                raise ValueError(f"{self.name} gives {declared.name}, but has no label {', '.join(sorted(missing))}")
            if wanted.of not in ("n", "histogram", *self.sums):
                raise ValueError(f"{self.name} gives {declared.name} of {wanted.of!r}, which it does not count")
            if declared.buckets != (self.bounds if wanted.of == "histogram" else ()):
                raise ValueError(f"{self.name} gives {declared.name}, whose bounds are others")

    def column(self, of: str) -> str:
        """The column of the tables of counts that holds `n` or a sum."""
        return "n" if of == "n" else SUM_COLUMNS[list(self.sums).index(of)]

    @property
    def projections(self) -> tuple[Fact, ...]:
        """The fact by fewer labels: one for each set of labels that metrics show, of which a histogram's bucket (`le`) is one.

        What such a counter shows falls where a row that was counted loses it by a correction. The counter must not, so what
        it lost is kept as the projection's amends, in cells of its own name: a counter is the fact's cells and these.
        """
        shown: dict[tuple[str, ...], list[Yield]] = {}
        for one in self.yields:
            labels = tuple(label for label in self.labels if label in metric(one.metric).labels)
            shown.setdefault((*labels, "le") if one.of == "histogram" else labels, []).append(one)
        return tuple(self._projection(labels, tuple(yields)) for labels, yields in shown.items())

    def _projection(self, shown: tuple[str, ...], yields: tuple[Yield, ...]) -> Fact:
        histogram = "le" in shown
        return replace(
            self,
            name=f"{AMENDS}{self.name}({', '.join(shown)})",
            labels={label: value for label, value in self.labels.items() if label in shown},
            histogram=self.histogram if histogram else None,
            bounds=self.bounds if histogram else (),
            yields=yields,
        )

    @property
    def shown(self) -> tuple[str, ...]:
        """The columns of figures of which its metrics are made."""
        columns = [self.column("duration_us" if one.of == "histogram" else one.of) for one in self.yields]
        return tuple(dict.fromkeys([*columns, *(HISTOGRAM_COLUMNS[: len(self.bounds) + 1] if self.bounds else ())]))


@dataclass(frozen=True)
class Stock:
    """How many rows there are of which `when` is true. It follows inserts, updates and deletions."""

    name: str
    labels: dict[str, str]
    when: str = "true"
    yields: tuple[Yield, ...] = ()


@dataclass(frozen=True)
class LastSeen:
    """Rows that show that a user was there: `user` and `at` are image columns. `fact` counts users by their latest time.

    `weekly` is the source's fact that counts a user once a week, by the key `once_a_week`: in which week it has done so last is
    remembered with the user.
    """

    fact: str
    weekly: str
    user: str
    at: str
    when: str


@dataclass(frozen=True)
class Source:
    """A relation of the contract, as it is counted.

    `open` is a condition on the relation's own columns (`r.…`): such a row is expected to change, and is remembered as it was
    counted. Changes of all other rows are noted by triggers, where there are any.
    """

    name: str
    relation: str
    image: dict[str, Field]
    facts: tuple[Fact, ...] = ()
    stocks: tuple[Stock, ...] = ()
    open: str = "false"
    joins: tuple[Join, ...] = ()
    last_seen: LastSeen | None = None

    def __post_init__(self) -> None:
        names = [self.name, *self.image, *(fact.name for fact in self.facts), *(stock.name for stock in self.stocks)]
        if bad := [name for name in names if not _NAME.fullmatch(name)]:
            raise ValueError(f"{self.name}: {bad[0]!r} is not a name in small letters")
        known = {column.name for column in self.contract.columns}
        if unknown := sorted(set(self.own_columns) - known):
            raise ValueError(f"{self.name}: {self.relation} has no column {unknown[0]!r}")

    @property
    def contract(self) -> Relation:
        return RELATIONS[self.relation]

    @property
    def key(self) -> str:
        """The one column that is the relation's key."""
        (key,) = self.contract.key
        return key

    @property
    def counted(self) -> tuple[str, ...]:
        """The first of `COUNTED`: as many as its facts have use for."""
        return COUNTED[: 1 + max((len(fact.sums) for fact in self.facts), default=0)]

    @property
    def buckets(self) -> tuple[str, ...]:
        """The first of `HISTOGRAM_COLUMNS`: as many as its facts have use for."""
        return HISTOGRAM_COLUMNS[: max((len(fact.bounds) + 1 for fact in self.facts if fact.bounds), default=0)]

    @property
    def own_columns(self) -> tuple[str, ...]:
        """The relation's columns that an image is made of, with its key and time: all that a trigger has to keep of a row."""
        texts = [self.open, *(one.sql for one in self.image.values()), *(join.on for join in self.joins)]
        found = {self.key, self.contract.time, *(name for text in texts for name in _OWN.findall(text))}
        return tuple(column.name for column in self.contract.columns if column.name in found)


def quoted(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"

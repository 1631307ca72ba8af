"""What was counted, as plain rows: a few queries give a collector all it needs.

Each answer is of one moment: counts that were not folded yet are in it, and none is in it twice.
"""

# ruff: noqa: S608 -- every text that is put into SQL here is a constant of ours

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from exporters.rollups.model import COUNTED, FIGURES, HISTOGRAM_COLUMNS, SEPARATOR, SUMS
from exporters.rollups.sources import FACTS
from exporters.rollups.state import Connection

Tier = Literal["minutes", "hours", "days"]

_Key = tuple[str, tuple[str, ...]]
_SUMS = ", ".join(f"analytics.total({column})" for column in FIGURES)

_FRESH = ("fact", "labels", "coalesce(bucket, -1)", *COUNTED)
_NOTHING = ", ".join(["NULL::bigint"] * SUMS)
_LATELY = f"SELECT {', '.join(_FRESH)} FROM analytics.fresh UNION ALL SELECT '', '', -1, n, {_NOTHING} FROM analytics.folds"
"""What was counted since the last fold; the row without a fact tells how often was folded."""

_HISTOGRAMS = ", ".join(HISTOGRAM_COLUMNS)
_ALL = (
    f"SELECT lately.*, {', '.join(['NULL::bigint'] * len(HISTOGRAM_COLUMNS))} FROM ({_LATELY}) AS lately"
    f" UNION ALL SELECT fact, array_to_string(labels, E'\\x1f'), NULL, {', '.join(COUNTED)}, {_HISTOGRAMS}"
    " FROM analytics.totals"
)
"""The same, and the totals, which have no number of a bucket."""


@dataclass(frozen=True, slots=True)
class Cell:
    """What was counted for one fact (or stock, `stock:…`) and one set of labels, in the order of the declaration.

    `sums` are in the order of the declaration. `histogram` has one count a bound and one beyond, not cumulative, and is empty
    for facts without one.
    """

    fact: str
    labels: tuple[str, ...]
    n: int
    sums: tuple[int, ...]
    histogram: tuple[int, ...]


class Totals:
    """All counters and stocks since counting began. What was read is kept, and read again only when it was folded anew."""

    def __init__(self) -> None:
        self._folds = -1
        self._base: dict[_Key, list[int]] = {}
        self._cells: dict[_Key, Cell] = {}

    def read(self, connection: Connection) -> list[Cell]:
        """What was counted up to now, inside a transaction of the caller."""
        folds, lately = _lately(connection.execute(_LATELY.encode()))
        if folds != self._folds:
            rows = connection.cursor(binary=True).execute(_ALL.encode()).fetchall()
            folds, lately = _lately(row[: len(_FRESH)] for row in rows if row[2] is not None)
            self._base = {_key(*row[:2]): [value or 0 for value in row[3:]] for row in rows if row[2] is None}
            self._cells = {key: _cell(*key, figures) for key, figures in self._base.items()}
            self._folds = folds
        cells = dict(self._cells)
        for key, added in lately.items():
            base = self._base.get(key)
            cells[key] = _cell(*key, added if base is None else [a + b for a, b in zip(base, added, strict=True)])
        return list(cells.values())


def totals(connection: Connection) -> list[Cell]:
    """All counters and stocks since counting began, read anew."""
    return Totals().read(connection)


def window(connection: Connection, tier: Tier, facts: Iterable[str], since: datetime) -> list[Cell]:
    """What happened from `since` on, the begin of a minute, hour or day (UTC), summed by fact and labels."""
    cursor = connection.cursor(binary=True)
    cursor.execute(
        f"SELECT fact, labels, {_SUMS} FROM analytics.{tier}"
        " WHERE fact = ANY (%s) AND bucket >= %s GROUP BY fact, labels".encode(),
        (list(facts), since),
    )
    return [_cell(fact, tuple(labels), figures) for fact, labels, *figures in cursor]


def _key(fact: str, labels: str) -> _Key:
    return fact, tuple(labels.split(SEPARATOR)) if labels else ()


def _lately(rows: Iterable[Sequence[Any]]) -> tuple[int, dict[_Key, list[int]]]:
    """The number of folds, and figures of each cell from the rows of `analytics.fresh`."""
    folds, found = 0, {}
    known: dict[tuple[str, str], list[int]] = {}
    for fact, labels, bucket, *counted in rows:
        if fact == "":
            folds = counted[0]
            continue
        figures = known.get((fact, labels))
        if figures is None:
            figures = known[fact, labels] = [0] * len(FIGURES)
            found[_key(fact, labels)] = figures
        for place, value in enumerate(counted):
            if value:
                figures[place] += value
        if bucket >= 0:
            figures[len(COUNTED) + bucket] += counted[0]
    return folds, found


def _cell(fact: str, labels: tuple[str, ...], figures: Sequence[Any]) -> Cell:
    declared = FACTS.get(fact)
    if declared is None:
        return Cell(fact, labels, figures[0], (), ())
    sums = tuple(value or 0 for value in figures[1 : 1 + len(declared.sums)])
    if not declared.bounds:
        return Cell(fact, labels, figures[0], sums, ())
    counts = figures[1 + SUMS : 2 + SUMS + len(declared.bounds)]
    return Cell(fact, labels, figures[0], sums, tuple(count or 0 for count in counts))

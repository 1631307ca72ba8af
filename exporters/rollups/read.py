"""What was counted, as plain rows: a few queries give a collector all it needs.

Each answer is of one moment: counts that were not folded yet are in it, and none is in it twice.
"""

# ruff: noqa: S608 -- every text that is put into SQL here is a constant of ours

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from exporters.rollups.model import FIGURES, SUMS
from exporters.rollups.sources import FACTS
from exporters.rollups.state import Connection

Tier = Literal["minutes", "hours", "days"]

_COLUMNS = ", ".join(FIGURES)
_SUMS = ", ".join(f"analytics.total({column})" for column in FIGURES)


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


def totals(connection: Connection) -> list[Cell]:
    """All counters and stocks, since counting began."""
    cursor = connection.cursor(binary=True)
    found: dict[tuple[str, tuple[str, ...]], Sequence[int | None]] = {}
    for fact, labels, *figures in cursor.execute(f"SELECT fact, labels, {_COLUMNS} FROM analytics.cells".encode()):
        cell = (fact, tuple(labels))
        known = found.get(cell)
        found[cell] = figures if known is None else [_added(a, b) for a, b in zip(known, figures, strict=True)]
    return [_cell(fact, labels, figures) for (fact, labels), figures in found.items()]


def window(connection: Connection, tier: Tier, facts: Iterable[str], since: datetime) -> list[Cell]:
    """What happened from `since` on, the begin of a minute, hour or day (UTC), summed by fact and labels."""
    cursor = connection.cursor(binary=True)
    cursor.execute(
        f"SELECT fact, labels, {_SUMS} FROM analytics.{tier}"
        " WHERE fact = ANY (%s) AND bucket >= %s GROUP BY fact, labels".encode(),
        (list(facts), since),
    )
    return [_cell(fact, tuple(labels), figures) for fact, labels, *figures in cursor]


def _added(a: int | None, b: int | None) -> int | None:
    return b if a is None else a if b is None else a + b


def _cell(fact: str, labels: tuple[str, ...], figures: Sequence[Any]) -> Cell:
    declared = FACTS.get(fact)
    if declared is None:
        return Cell(fact, labels, figures[0], (), ())
    sums = tuple(value or 0 for value in figures[1 : 1 + len(declared.sums)])
    if not declared.bounds:
        return Cell(fact, labels, figures[0], sums, ())
    counts = figures[1 + SUMS : 2 + SUMS + len(declared.bounds)]
    return Cell(fact, labels, figures[0], sums, tuple(count or 0 for count in counts))

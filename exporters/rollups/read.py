"""What was counted, as plain rows: a few queries give a collector all it needs.

Each answer is of one moment: counts that were not folded yet are in it, and none is in it twice.
"""

# ruff: noqa: S608 -- every text that is put into SQL here is a constant of ours

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from sys import intern
from typing import Any, Literal

from psycopg import sql

from exporters.rollups import fresh
from exporters.rollups.model import COUNTED, FIGURES, SEPARATOR
from exporters.rollups.sources import AMENDS, FACTS
from exporters.rollups.state import Connection

Tier = Literal["minutes", "hours", "days"]

_Key = tuple[str, tuple[str, ...]]
_SUMS = ", ".join(f"analytics.total({column})" for column in FIGURES)

_ADDED = ("fact", "labels", "at", *FIGURES, "stamp")
_ALL = (
    "SELECT fact, array_to_string(labels, E'\\x1f') AS labels, NULL::timestamptz AS at,"
    f" {', '.join(FIGURES)}, NULL::xid8 AS stamp"
    " FROM (SELECT * FROM analytics.totals ORDER BY series) AS totals"
    f" UNION ALL SELECT * FROM (SELECT {', '.join(_ADDED)} FROM {fresh.EVERYTHING.as_string()}"
    ' ORDER BY stamp NULLS LAST, fact COLLATE "C", labels COLLATE "C") AS fresh'
)
_NO_FIGURES = (0,) * len(FIGURES)


@dataclass(frozen=True, slots=True)
class Cell:
    """What was counted for one fact (or stock, `stock:…`, or amends, `amends:…`) and one set of labels, in the order of the
    declaration.

    `sums` are in the order of the declaration. `histogram` has one count a bound and one beyond, not cumulative, and is empty
    for facts without one.
    """

    fact: str
    labels: tuple[str, ...]
    n: int
    sums: tuple[int, ...]
    histogram: tuple[int, ...]


class Totals:
    """All counters and stocks since counting began. What was read is kept; only what was counted since is read again."""

    def __init__(self) -> None:
        self._moment = fresh.Moment()
        self._cells: dict[_Key, Cell] = {}
        self._fresh: dict[fresh.Cell, tuple[int, ...]] = {}

    @property
    def not_folded(self) -> fresh.NotFolded:
        """What the last reading found not folded."""
        return fresh.NotFolded(self._moment, dict(self._fresh))

    def question(self) -> sql.Composed:
        """Asks for what was counted since the last reading; the rows are for `added`."""
        return sql.SQL("SELECT {} FROM {}").format(sql.SQL(", ").join(map(sql.Identifier, _ADDED)), self._moment.since())

    def added(self, rows: Sequence[tuple[Any, ...]]) -> list[Cell] | None:
        """What was counted up to now, in the order in which it was first counted; None when all has to be `read` anew."""
        *counted, last = rows
        moment = _moment(last)
        if not self._moment.leads_to(moment):
            return None
        counted.sort(key=_when)
        self._moment = moment
        return self._with(counted)

    def read(self, connection: Connection) -> list[Cell]:
        """What was counted up to now, in the order in which it was first counted; inside a transaction of the caller."""
        cells = self.added(connection.execute(self.question()).fetchall())
        if cells is not None:
            return cells
        *counted, last = connection.cursor(binary=True).execute(_ALL.encode()).fetchall()
        self._cells, self._fresh, self._moment = {}, {}, _moment(last)
        return self._with(counted)

    def _with(self, counted: Iterable[tuple[Any, ...]]) -> list[Cell]:
        keys: dict[tuple[str, str], _Key] = {}
        for fact, labels, at, *figures, _ in counted:
            key = keys.get((fact, labels))
            if key is None:
                # The same few names stand in thousands of cells.
                key = keys[fact, labels] = intern(fact), tuple(map(intern, labels.split(SEPARATOR))) if labels else ()
            known = self._cells.get(key) or _nothing(*key)
            self._cells[key] = _more(known, figures)
            if at is not None:
                before = self._fresh.get((fact, labels, at), _NO_FIGURES)
                self._fresh[fact, labels, at] = tuple([a + (b or 0) for a, b in zip(before, figures, strict=True)])
        return list(self._cells.values())


def _moment(last: Sequence[Any]) -> fresh.Moment:
    place, snapshot, _, folds, *_ = last
    return fresh.Moment(place, snapshot, folds)


def _when(row: Sequence[Any]) -> tuple[int, str, str, str]:
    """The order of counting; the transaction is a number in digits."""
    fact, labels, stamp = row[0], row[1], row[-1]
    return len(stamp), stamp, fact, labels


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
    return [_more(_nothing(fact, tuple(labels)), figures) for fact, labels, *figures in cursor]


def _nothing(fact: str, labels: tuple[str, ...]) -> Cell:
    declared = FACTS.get(fact) or AMENDS.get(fact)
    if declared is None:
        return Cell(fact, labels, 0, (), ())
    return Cell(fact, labels, 0, (0,) * len(declared.sums), (0,) * (len(declared.bounds) + 1 if declared.bounds else 0))


def _more(cell: Cell, figures: Sequence[int | None]) -> Cell:
    """A cell with what a row adds to it."""
    sums, counts = figures[1 : len(COUNTED)], figures[len(COUNTED) :]
    return Cell(
        cell.fact,
        cell.labels,
        cell.n + (figures[0] or 0),
        tuple([known + (amount or 0) for known, amount in zip(cell.sums, sums, strict=False)]),
        tuple([known + (count or 0) for known, count in zip(cell.histogram, counts, strict=False)]),
    )

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

_FRESH = f"SELECT fact, labels, coalesce(bucket, -1), {', '.join(COUNTED)} FROM analytics.fresh"
_NO_SUMS = ", ".join(["NULL::bigint"] * SUMS)
_PLACE = (
    "(SELECT concat_ws(' ', pg_postmaster_start_time(), checkpoint_lsn, current_database(), 'analytics.folds'::regclass::oid)"
    " FROM pg_control_checkpoint())"
)
"""Another one after a crash, on another server, in another database, and after an installation anew: numbers of transactions
that were lost are given again, and what was kept means nothing there."""
_MOMENT = f"SELECT {_PLACE}, pg_current_snapshot()::text, -1, n, {_NO_SUMS} FROM analytics.folds"
"""The last row of each answer: where and of which moment it is, and how often was folded before."""

_IN_ORDER = "ORDER BY stamp, fact, labels"
_HISTOGRAMS = ", ".join(HISTOGRAM_COLUMNS)
_NO_HISTOGRAMS = ", ".join(["NULL::bigint"] * len(HISTOGRAM_COLUMNS))
_ALL = (
    f"SELECT fact, array_to_string(labels, E'\\x1f') AS labels, -1 AS bucket, {', '.join(COUNTED)}, {_HISTOGRAMS}"
    " FROM (SELECT * FROM analytics.totals ORDER BY series) AS totals"
    f" UNION ALL SELECT fresh.*, {_NO_HISTOGRAMS} FROM ({_FRESH} {_IN_ORDER}) AS fresh"
    f" UNION ALL SELECT moment.*, {_NO_HISTOGRAMS} FROM ({_MOMENT}) AS moment"
)


def _lately(snapshot: str) -> str:
    """What was not visible in a snapshot. Few rows stand in `fresh`, so they are all looked at."""
    _, xmax, running = snapshot.split(":")
    since = f"stamp >= '{xmax}'::xid8 OR stamp = ANY ('{{{running}}}'::xid8[])"
    return f"(SELECT * FROM ({_FRESH} WHERE {since} {_IN_ORDER}) AS fresh) UNION ALL {_MOMENT}"


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
    """All counters and stocks since counting began. What was read is kept; only what was counted since is read again.

    What is new in `analytics.fresh` is found as new rows of a source are: by the snapshot of the last reading.
    """

    def __init__(self) -> None:
        self._folds = -1
        self._place = self._snapshot = ""
        self._figures: dict[_Key, list[int]] = {}
        self._cells: dict[_Key, Cell] = {}

    def question(self) -> str:
        """Asks for what was counted since the last reading; the rows are for `added`."""
        return _MOMENT if self._folds < 0 else _lately(self._snapshot)

    def added(self, rows: Sequence[tuple[Any, ...]]) -> list[Cell] | None:
        """What was counted up to now, in the order in which it was first counted; None when all has to be `read` anew."""
        if (rows[-1][0], rows[-1][3]) != (self._place, self._folds):
            return None
        *counted, (self._place, self._snapshot, _, self._folds, *_) = rows
        changed: dict[tuple[str, str], _Key] = {}
        for fact, labels, bucket, *figures in counted:
            key = changed.get((fact, labels))
            if key is None:
                key = changed[fact, labels] = fact, tuple(labels.split(SEPARATOR)) if labels else ()
            _add(self._figures.setdefault(key, [0] * len(FIGURES)), bucket, figures)
        self._cells |= {key: _cell(*key, self._figures[key]) for key in changed.values()}
        return list(self._cells.values())

    def read(self, connection: Connection) -> list[Cell]:
        """What was counted up to now, in the order in which it was first counted; inside a transaction of the caller."""
        cells = self.added(connection.execute(self.question().encode()).fetchall())
        if cells is not None:
            return cells
        rows = connection.cursor(binary=True).execute(_ALL.encode()).fetchall()
        self._figures, self._cells = {}, {}
        self._place, _, _, self._folds, *_ = rows[-1]
        return self.added(rows) or []


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


def _add(figures: list[int], bucket: int, added: Sequence[int | None]) -> None:
    for place, value in enumerate(added):
        if value:
            figures[place] += value
    if bucket >= 0 and added[0]:
        figures[len(COUNTED) + bucket] += added[0]


def _cell(fact: str, labels: tuple[str, ...], figures: Sequence[Any]) -> Cell:
    declared = FACTS.get(fact)
    if declared is None:
        return Cell(fact, labels, figures[0], (), ())
    sums = tuple(value or 0 for value in figures[1 : 1 + len(declared.sums)])
    if not declared.bounds:
        return Cell(fact, labels, figures[0], sums, ())
    counts = figures[1 + SUMS : 2 + SUMS + len(declared.bounds)]
    return Cell(fact, labels, figures[0], sums, tuple(count or 0 for count in counts))

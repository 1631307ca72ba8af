"""What was counted since the last fold, read again and again at the cost of what was counted since the last reading.

What is new in `analytics.fresh` is found as new rows of a source are: by the snapshot of the last answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from psycopg import sql

from exporters.rollups.model import FIGURES

_BEFORE_ALL = "3:3:"
"""A snapshot before every transaction of ours: all that stands in `analytics.fresh` is newer."""
_SINCE = sql.SQL("analytics.counted_since({}, {}, {}, {})")
EVERYTHING = _SINCE.format(None, _BEFORE_ALL, None, None)
"""What `Moment.since` is, for all that stands in `analytics.fresh`."""


@dataclass(frozen=True)
class Moment:
    """Of which moment an answer is: where, which transactions were visible, and how often was folded before."""

    place: str = ""
    snapshot: str = _BEFORE_ALL
    folds: int = -1

    def since(self, facts: Sequence[str] | None = None) -> sql.Composed:
        """The rows of what was counted since, of these facts or of all: fact, labels as one text, minute, `model.FIGURES` and
        stamp. The last row has no stamp; its fact, labels and n are the new moment.

        Nothing but that row comes where the place, or the number of folds, is another one by now.
        """
        return _SINCE.format(self.place, self.snapshot, self.folds, None if facts is None else list(facts))

    @property
    def order(self) -> tuple[int, int]:
        """Greater at a later moment of the same place: transactions begin, and those that were running end."""
        _, begun, running = self.snapshot.split(":")
        return int(begun), -len(running.split(",")) if running else 0

    def leads_to(self, later: Moment) -> bool:
        """Whether what was known at this moment is true at a later one as well, but for what was counted since."""
        return (self.place, self.folds) == (later.place, later.folds)


Cell = tuple[str, str, datetime]
"""Fact, labels as one text, and minute."""


@dataclass(frozen=True)
class NotFolded:
    """All that was not folded at a moment: `model.FIGURES` of each cell. What has no minute is left out."""

    moment: Moment
    counts: Mapping[Cell, tuple[int, ...]]


class Latest:
    """What a collector has just read, so that the others of its process need not ask for the same.

    It is withdrawn before it is read anew: where that fails, or has not been done for `max_age` seconds, everybody asks.
    """

    def __init__(self, max_age: float) -> None:
        self._max_age = max_age
        self._found: tuple[float, NotFolded] | None = None

    def withdraw(self) -> None:
        self._found = None

    def publish(self, found: NotFolded, now: float) -> None:
        """`now` is when it was read, in seconds since the epoch."""
        self._found = now, found

    def at(self, now: float, place: str) -> NotFolded | None:
        """What was read at a place, unless it is too old at `now`. A standby, which others may read, is another place."""
        if (found := self._found) is None or now - found[0] > self._max_age:
            return None
        return found[1] if found[1].moment.place == place else None


class Fresh:
    """How often these facts happened, of what is not folded: by fact, labels as one text, and minute.

    `counts` begin with `n`, behind which the `further` columns of figures stand. What has no minute is left out.
    """

    def __init__(self, facts: Sequence[str], further: Sequence[str] = ()) -> None:
        self._facts, self._columns = list(facts), ("n", *further)
        self._places = [FIGURES.index(column) for column in self._columns]
        self.counts: dict[Cell, tuple[int, ...]] = {}
        self.moment = Moment()

    def question(self) -> sql.Composed:
        """Asks what was counted since the last reading; the rows are for `add`."""
        return sql.SQL("SELECT fact, labels, at, {} FROM {} WHERE at IS NOT NULL OR stamp IS NULL").format(
            sql.SQL(", ").join(map(sql.Identifier, self._columns)), self.moment.since(self._facts)
        )

    def take(self, found: NotFolded) -> bool:
        """Takes over what somebody else has read, if it is not older than what is known; says what `add` says."""
        known = self.moment
        if known.place == found.moment.place and found.moment.order < known.order:
            return True
        self.moment = found.moment
        self.counts = {
            cell: tuple([figures[place] for place in self._places])
            for cell, figures in found.counts.items()
            if cell[0] in self._facts
        }
        return known.leads_to(found.moment)

    def add(self, rows: Sequence[tuple[Any, ...]]) -> bool:
        """Adds an answer; whether `counts` are what is not folded at its moment.

        Else something was folded, or the server is another one: whatever was read of the folded is out of date, and the next
        question asks for all that is not folded.
        """
        *counted, last = rows
        moment, known = Moment(last[0], last[1], last[3]), self.moment
        if known.snapshot == _BEFORE_ALL or not known.leads_to(moment):
            self.counts.clear()
        if not known.leads_to(moment):
            self.moment = replace(moment, snapshot=_BEFORE_ALL)
            return False
        nothing = (0,) * len(self._columns)
        for fact, labels, at, *figures in counted:
            before = self.counts.get((fact, labels, at), nothing)
            self.counts[fact, labels, at] = tuple([a + (b or 0) for a, b in zip(before, figures, strict=True)])
        self.moment = moment
        return True

"""What was counted since the last fold, read again and again at the cost of what was counted since the last reading.

What is new in `analytics.fresh` is found as new rows of a source are: by the snapshot of the last answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from psycopg import sql

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

    def leads_to(self, later: Moment) -> bool:
        """Whether what was known at this moment is true at a later one as well, but for what was counted since."""
        return (self.place, self.folds) == (later.place, later.folds)


class Fresh:
    """How often these facts happened, of what is not folded: by fact, labels as one text, and minute.

    `counts` begin with `n`, behind which the `further` columns of figures stand. What has no minute is left out.
    """

    def __init__(self, facts: Sequence[str], further: Sequence[str] = ()) -> None:
        self._facts, self._columns = list(facts), ("n", *further)
        self.counts: dict[tuple[str, str, datetime], tuple[int, ...]] = {}
        self.moment = Moment()

    def question(self) -> sql.Composed:
        """Asks what was counted since the last reading; the rows are for `add`."""
        return sql.SQL("SELECT fact, labels, at, {} FROM {} WHERE at IS NOT NULL OR stamp IS NULL").format(
            sql.SQL(", ").join(map(sql.Identifier, self._columns)), self.moment.since(self._facts)
        )

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

"""How often things happened in the windows, read from the roll-ups at a cost that does not depend on how often.

The tiers are read anew only when the windows move on, or when something was folded; what was counted since the last fold is few
rows, which are added on every reading.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import get_args

from psycopg import sql

from exporters.database.sessions import Rows
from exporters.journal import QueryFailed
from exporters.rollups.fresh import Fresh, NotFolded
from exporters.rollups.model import SEPARATOR
from exporters.windows import Span, Tier, Window

_MOST_TRIES = 3

Tallies = dict[str, dict[tuple[str, ...], dict[str, int]]]
"""Count by fact, labels and window."""


def merged(spans: Iterable[Span]) -> Iterator[Span]:
    """The same moments of one tier in spans that do not touch each other."""
    held: Span | None = None
    for span in sorted(spans, key=lambda span: span.start):
        if held is not None and span.start <= held.end:
            held = replace(held, end=max(held.end, span.end))
            continue
        if held is not None:
            yield held
        held = span
    if held is not None:
        yield held


def question(windows: Sequence[Window], facts: Sequence[str]) -> sql.Composed:
    """Fact, labels and a count for each window, of all that is folded; and one row without a fact: how often was folded."""
    spans = [window.spans() for window in windows]
    branches = [
        _branch(whole, [[span for span in of_window if span.tier == tier] for of_window in spans])
        for tier in get_args(Tier)
        for whole in merged(span for of_window in spans for span in of_window if span.tier == tier)
    ]
    counts = [sql.Identifier(f"w{number}") for number, _ in enumerate(windows)]
    return sql.SQL(
        "WITH wanted AS MATERIALIZED (SELECT series, fact, labels FROM analytics.totals WHERE fact = ANY ({facts}))"
        " SELECT fact, labels, {sums} FROM ({branches}) AS counted JOIN wanted USING (series) GROUP BY fact, labels"
        " UNION ALL SELECT NULL, NULL, n, {nothing} FROM analytics.folds"
    ).format(
        facts=list(facts),
        sums=sql.SQL(", ").join(sql.SQL("coalesce(analytics.total({}), 0)").format(count) for count in counts),
        branches=sql.SQL(" UNION ALL ").join(branches),
        nothing=sql.SQL(", ").join([sql.SQL("0")] * (len(windows) - 1)),
    )


def _branch(whole: Span, of_windows: Sequence[Sequence[Span]]) -> sql.Composed:
    """What happened in one stretch of a tier, by series, for each window that has a piece of it.

    The series are looked up one by one, so that their index leads to the stretch; the tiers hold years of others.
    """
    counts = [
        sql.SQL("analytics.total(n) FILTER (WHERE {}) AS {}").format(
            sql.SQL(" OR ").join(map(_within, spans)) if spans else sql.SQL("false"), sql.Identifier(f"w{number}")
        )
        for number, spans in enumerate(of_windows)
    ]
    return sql.SQL(
        "SELECT series, {counts} FROM analytics.{table} WHERE series = ANY (ARRAY(SELECT series FROM wanted)) AND {within}"
        " GROUP BY series"
    ).format(counts=sql.SQL(", ").join(counts), table=sql.Identifier(f"rollup_{whole.tier}"), within=_within(whole))


def _within(span: Span) -> sql.Composed:
    return sql.SQL("(bucket >= {} AND bucket < {})").format(span.start, span.end)


@dataclass(frozen=True)
class _Folded:
    """What was folded, as of a number of folds, for some windows."""

    folds: int
    windows: tuple[Window, ...]
    tallies: Tallies


class Happened:
    """Counts of these facts in windows; what was read is kept for as long as it stays true."""

    def __init__(self, facts: Sequence[str]) -> None:
        self._facts = tuple(facts)
        self._folded: _Folded | None = None
        self._fresh = Fresh(facts)

    @property
    def place(self) -> str:
        """Where was read last; "" at first."""
        return self._fresh.moment.place

    def question(self) -> sql.Composed:
        """Asks what was counted since the last reading; the rows are for `counts`."""
        return self._fresh.question()

    def counts(
        self, fresh: Rows | NotFolded, windows: tuple[Window, ...], ask: Callable[[list[sql.Composed]], list[Rows]]
    ) -> Tallies:
        """What was counted up to now. `ask` gives the rows of several statements, each of which sees what is committed then.

        Raises QueryFailed when it cannot be told.
        """
        for _ in range(_MOST_TRIES):
            if not (self._fresh.take(fresh) if isinstance(fresh, NotFolded) else self._fresh.add(fresh)):
                self._folded = None
            elif self._folded is not None and (self._folded.folds, self._folded.windows) == (self._fresh.moment.folds, windows):
                return self._with(self._folded)
            folded, fresh = ask([question(windows, self._facts), self.question()])
            self._folded = self._tallied(folded, windows)
        raise QueryFailed("folded again and again while it was read")

    def _tallied(self, rows: Rows, windows: tuple[Window, ...]) -> _Folded:
        tallies: Tallies = {fact: {} for fact in self._facts}
        folds = 0
        names = [window.name for window in windows]
        for fact, labels, *counts in rows:
            if fact is None:
                folds = counts[0]
            else:
                tallies[fact][tuple(labels)] = dict(zip(names, counts, strict=True))
        return _Folded(folds, windows, tallies)

    def _with(self, folded: _Folded) -> Tallies:
        """What was folded, and what was not folded yet."""
        found = {fact: {labels: dict(counts) for labels, counts in cells.items()} for fact, cells in folded.tallies.items()}
        for (fact, labels, at), (count,) in self._fresh.counts.items():
            cell = found[fact].setdefault(_labels(labels), dict.fromkeys((window.name for window in folded.windows), 0))
            for window in folded.windows:
                cell[window.name] += count * (window.start <= at < window.end)
        return found


def _labels(joined: str) -> tuple[str, ...]:
    return tuple(joined.split(SEPARATOR)) if joined else ()

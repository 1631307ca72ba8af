"""What had been counted at a moment, and what had happened in its windows, read from the roll-ups' tiers."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from datetime import UTC, datetime

from psycopg import sql

from contract.labels import WINDOWS
from exporters.business.figures import FIGURES as WINDOW_FIGURES
from exporters.business.figures import PAST_DUE, Tally
from exporters.database.sessions import Connection
from exporters.rollups.model import FIGURES
from exporters.windows import window

MINUTE, HOUR, LONGEST_WINDOW = 60, 3600, 31 * 86400
"""Seconds."""

Key = tuple[str, tuple[str, ...]]
"""Fact and labels."""

Counts = tuple[int, ...]
"""The figures of a cell, in the order of the roll-ups' columns."""

_SUMS = sql.SQL(", ").join(sql.SQL("coalesce(analytics.total({}), 0)::bigint").format(sql.Identifier(name)) for name in FIGURES)
_TIERS = {MINUTE: "minutes", HOUR: "hours"}

WINDOW_FACTS = tuple(sorted({fact for figure in WINDOW_FIGURES for fact in figure.facts} - {PAST_DUE}))


def _at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def totals(connection: Connection) -> dict[Key, Counts]:
    """Everything that was counted so far."""
    query = sql.SQL("SELECT fact, labels, {} FROM analytics.cells GROUP BY fact, labels").format(_SUMS)
    return {(fact, tuple(labels)): tuple(figures) for fact, labels, *figures in connection.execute(query)}


def happened(connection: Connection, tier: int, since: int, until: int) -> dict[Key, Counts]:
    """What happened in `[since, until)`, by the minute or the hour."""
    query = sql.SQL("SELECT fact, labels, {} FROM {} WHERE bucket >= {} AND bucket < {} GROUP BY fact, labels")
    found = connection.execute(query.format(_SUMS, sql.Identifier("analytics", _TIERS[tier]), _at(since), _at(until)))
    return {(fact, tuple(labels)): tuple(figures) for fact, labels, *figures in found}


def by_bucket(connection: Connection, tier: int, since: int, until: int) -> dict[int, dict[Key, Counts]]:
    """What happened in each minute or hour of `[since, until)`, by the time at which that began."""
    query = sql.SQL(
        "SELECT extract(epoch FROM bucket)::bigint, fact, labels, {} FROM {}"
        " WHERE bucket >= {} AND bucket < {} GROUP BY bucket, fact, labels"
    )
    rows = connection.execute(query.format(_SUMS, sql.Identifier("analytics", _TIERS[tier]), _at(since), _at(until)))
    found: defaultdict[int, dict[Key, Counts]] = defaultdict(dict)
    for bucket, fact, labels, *figures in rows:
        found[bucket][fact, tuple(labels)] = tuple(figures)
    return found


def less(cells: dict[Key, Counts], happened: dict[Key, Counts]) -> dict[Key, Counts]:
    """`cells` before that happened."""
    nothing = (0,) * len(FIGURES)
    return {
        key: tuple([a - b for a, b in zip(counts, happened.get(key, nothing), strict=True)]) for key, counts in cells.items()
    }


def more(cells: dict[Key, Counts], happened: dict[Key, Counts]) -> None:
    """Adds what happened, in place. What is not among the cells was never counted as a total, and is left alone."""
    for key, figures in happened.items():
        if key in cells:
            cells[key] = tuple([a + b for a, b in zip(cells[key], figures, strict=True)])


def share(happened: dict[Key, Counts], step: int, steps: int) -> dict[Key, Counts]:
    """The `step`-th (from 1) of `steps` parts of an hour, whole numbers that add up to what happened in it."""
    return {
        key: tuple([count * step // steps - count * (step - 1) // steps for count in figures])
        for key, figures in happened.items()
    }


class Hours:
    """How often the facts that figures of windows are made of happened, summed up hour by hour."""

    def __init__(self, connection: Connection, since: int, until: int) -> None:
        query = sql.SQL(
            "SELECT fact, labels, extract(epoch FROM bucket)::bigint, coalesce(analytics.total(n), 0)::bigint"
            " FROM analytics.hours WHERE fact = ANY ({}) AND bucket >= {} AND bucket < {} GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
        ).format(list(WINDOW_FACTS), _at(since), _at(until))
        self._cells: dict[Key, tuple[list[int], list[int]]] = {}
        for fact, labels, bucket, count in connection.execute(query):
            buckets, sums = self._cells.setdefault((fact, tuple(labels)), ([], [0]))
            buckets.append(bucket)
            sums.append(sums[-1] + count)

    def tallies(self, hour: int) -> dict[str, Tally]:
        """What happened in the windows that end at a full hour."""
        starts = {name: int(window(name, _at(hour)).start.timestamp()) for name in WINDOWS}
        found: dict[str, dict[tuple[str, ...], dict[str, int]]] = {fact: {} for fact in WINDOW_FACTS}
        for (fact, labels), (buckets, sums) in self._cells.items():
            end = sums[bisect_left(buckets, hour)]
            counts = {name: end - sums[bisect_left(buckets, start)] for name, start in starts.items()}
            if any(counts.values()):
                found[fact][labels] = counts
        return {**found}

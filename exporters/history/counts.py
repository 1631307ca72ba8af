"""What had been counted at a moment, and what had happened in its windows, read from the roll-ups' tiers."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import accumulate
from operator import sub
from zlib import crc32

from psycopg import sql

from contract.labels import WINDOWS
from exporters.business.figures import FIGURES as WINDOW_FIGURES
from exporters.business.figures import PAST_DUE, Tally
from exporters.database.sessions import Connection
from exporters.rollups.model import FIGURES, SUMS
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


def spread(happened: dict[Key, Counts], hour: int, parts: int) -> list[dict[Key, Counts]]:
    """What happened in an hour, in so many parts of it.

    What is counted in a cell follows evenly, from a place that another cell and another hour do not share: if all began at
    once, what is rare would always fall to the same part of the hour, and weigh more or less than it should in a ratio that
    sees the hour piece by piece.
    """
    found: list[dict[Key, Counts]] = [{} for _ in range(parts)]
    for key, figures in happened.items():
        before: Counts = (0,) * len(figures)
        for part, count in _course(figures[0], crc32(f"{hour}{key}".encode()) / 2**32, parts):
            now = figures if count == figures[0] else _share(figures, count)
            found[part][key] = tuple([b - a for a, b in zip(before, now, strict=True)])
            before = now
    return found


def _course(n: int, first: float, parts: int) -> Iterator[tuple[int, int]]:
    """Parts in which something happens, and how much of `n` has happened by their ends; `first` (0 to 1) is the place."""
    if n <= 1:  # a correction is made at once
        yield int(first * parts), n
    elif n <= parts:
        yield from ((min(parts - 1, int((number + first) * parts / n)), number + 1) for number in range(n))
    else:
        yield from ((part, n * (part + 1) // parts) for part in range(parts))


def _share(figures: Counts, count: int) -> Counts:
    """The first `count` of what is counted, with as much of its sums and, bound by bound, of its histogram."""
    n, *rest = figures
    sums, buckets = rest[:SUMS], [count * up_to // n for up_to in accumulate(rest[SUMS:])]
    return (count, *(amount * count // n for amount in sums), *map(sub, buckets, (0, *buckets)))


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

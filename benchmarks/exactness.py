"""Are rows lost or counted twice when transactions commit late, and how soon is a row counted?"""

from __future__ import annotations

import bisect
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import psycopg

from benchmarks import data, ours
from benchmarks.answers import unequal
from benchmarks.measure import Bar, Measure, percentile
from benchmarks.repetition import repeated
from benchmarks.run import Run
from benchmarks.traffic import Commit, Traffic

_INTERVAL = 1.0
"""Seconds from one advance to the next."""

_COUNTED = "SELECT labels[1], sum(n)::bigint FROM analytics.counters WHERE fact = 'executions_started' GROUP BY 1"


def measure(run: Run) -> Iterator[Measure]:
    """Every row counted once, and each counter equal to the rows, after writers with transactions of up to 25 s."""
    name, _ = data.template(run.dsn(), min(run.scale.small, 100_000), run.say)
    with data.copy_of(run.dsn(), name) as dsn:
        ours.install(dsn)
        traffic, seen = Traffic(dsn, run.scale.writers, run.scale.longest), _Seen()
        with ours.counting(dsn) as counting:
            counting.backfill()
            run.say(f"{run.scale.writers} writers for {run.scale.seconds:g} s")
            with _Naive(dsn).running() as naive, seen.advancing(counting, dsn):
                with traffic.running():
                    time.sleep(run.scale.seconds)
                time.sleep(2 * _INTERVAL)
        with psycopg.connect(dsn) as connection:
            rows = _written(connection)
        begun = sum(rows.values())
        lost = sum(max(0, number - seen.last.get(agent, 0)) for agent, number in rows.items())
        doubled = sum(max(0, seen.last.get(agent, 0) - number) for agent, number in rows.items())
        against = "WHERE start_time > the last one seen"
        yield Measure(f"of {begun:,} rows lost", lost, "rows", Bar(0), begun - min(begun, naive.counted), against)
        yield Measure(f"of {begun:,} rows counted twice", doubled, "rows", Bar(0))
        yield Measure("answers that differ from plain SQL afterwards", len(unequal(dsn, datetime.now(UTC))), "", Bar(0))
    lags = seen.lags(traffic.commits)
    yield Measure(
        f"from commit to counted, p99, advancing every {_INTERVAL:g} s", percentile(lags, 0.99), "s", Bar(_INTERVAL + 0.25),
        spread=(min(lags), max(lags)),
    )  # fmt: skip


def _written(connection: psycopg.Connection) -> dict[str, int]:
    rows = connection.execute(
        "SELECT agent_name, count(*) FROM app.agent_executions WHERE agent_name LIKE 'writer%' GROUP BY 1"
    )
    return dict(rows.fetchall())


class _Seen:
    """What our counters said after each advance."""

    def __init__(self) -> None:
        self.last: dict[str, int] = {}
        self._times: list[float] = []
        self._counts: defaultdict[str, list[int]] = defaultdict(list)

    @contextmanager
    def advancing(self, counting: ours.Counting, dsn: str) -> Iterator[None]:
        """Advances every interval while inside. Raises what an advance raised."""
        with psycopg.connect(dsn, autocommit=True) as reading, repeated(_INTERVAL, lambda: self._look(counting, reading)):
            yield

    def _look(self, counting: ours.Counting, reading: psycopg.Connection) -> None:
        counting.advance()
        self._times.append(time.monotonic())
        self.last = dict(reading.execute(_COUNTED).fetchall())
        for agent in {*self.last, *self._counts}:
            counts = self._counts[agent]
            counts += [0] * (len(self._times) - 1 - len(counts))
            counts.append(self.last.get(agent, 0))

    def lags(self, commits: list[Commit]) -> list[float]:
        """Seconds from each commit to the end of the first advance after which its rows were counted."""
        found = []
        for commit in commits:
            place = bisect.bisect_left(self._counts[commit.agent], commit.total)
            if place < len(self._times):
                found.append(max(0.0, self._times[place] - commit.at))
        return found


class _Naive:
    """The usual way: rows whose time is later than the latest seen so far."""

    def __init__(self, dsn: str) -> None:
        self._dsn, self.counted = dsn, 0
        self._latest: datetime | None = None

    @contextmanager
    def running(self) -> Iterator[_Naive]:
        with psycopg.connect(self._dsn, autocommit=True) as connection, repeated(_INTERVAL, lambda: self._look(connection)):
            yield self

    def _look(self, connection: psycopg.Connection) -> None:
        row = connection.execute(
            "SELECT count(*), max(start_time) FROM app.agent_executions WHERE agent_name LIKE 'writer%%' AND start_time > %s",
            (self._latest or datetime(1970, 1, 1, tzinfo=UTC),),
        ).fetchone()
        if row and row[0]:
            self.counted, self._latest = self.counted + row[0], row[1]

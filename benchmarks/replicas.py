"""Several exporters count the same rows while their sessions are killed: is anything lost, doubled, or lower than before?"""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import psycopg

from benchmarks import data, ours
from benchmarks.measure import Bar, Measure
from benchmarks.repetition import repeated
from benchmarks.run import Run
from benchmarks.traffic import Traffic
from contract.metrics import MetricType
from exporters.business.counted import Series, figures
from exporters.business.expected import Expected
from exporters.database.sessions import DatabaseDown, StatementRefused
from exporters.rollups.read import totals
from exporters.snapshot import Distribution

_REPLICAS = 4
_PAUSE = 0.1
_APPLICATION = "bench-replica"
_KILL = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE application_name = %s AND datname = current_database() ORDER BY random() LIMIT 1
    """


def measure(run: Run) -> Iterator[Measure]:
    """Runs in which the counters equal the rows, of all runs; and how often a counter was seen to fall."""
    name, _ = data.template(run.dsn(), min(run.scale.small, 100_000), run.say)
    equal = kills = falls = 0
    for number in range(run.scale.runs):
        with data.copy_of(run.dsn(), name) as dsn:
            ours.install(dsn)
            with ours.counting(dsn) as counting:
                counting.backfill()
            found = _one(dsn, run, number)
        run.say(f"run {number + 1}: {found.kills} kills, {found.counted:,} of {found.written:,} rows, {found.falls} falls")
        equal += found.counted == found.written and found.ended == found.counted_ended
        kills, falls = kills + found.kills, falls + found.falls
    yield Measure(f"runs in which all is equal, of {run.scale.runs} ({_REPLICAS} replicas, {kills} kills)", equal, "",
                  Bar(run.scale.runs, at_least=True))  # fmt: skip
    yield Measure("times that a counter fell", falls, "", Bar(0))


@dataclass
class _Found:
    """Executions written and ended, and how many of both were counted."""

    written: int = 0
    ended: int = 0
    counted: int = 0
    counted_ended: int = 0
    kills: int = 0
    falls: int = 0
    _last: dict[Series, tuple[float, ...]] = field(default_factory=dict)

    def look(self, connection: psycopg.Connection) -> None:
        """Compares all counters, as an exporter publishes them, with what they were."""
        for item in figures(totals(connection), Expected((), ())):
            if item.metric.type is MetricType.GAUGE:
                continue
            now = (*item.buckets, item.sum) if isinstance(item, Distribution) else (item.value,)
            series = item.metric.name, item.labels
            self.falls += any(new < old for new, old in zip(now, self._last.get(series, now), strict=True))
            self._last[series] = now


def _one(dsn: str, run: Run, seed: int) -> _Found:
    found, done = _Found(), threading.Event()
    replicas = [threading.Thread(target=_replica, args=(dsn, done)) for _ in range(_REPLICAS)]
    with psycopg.connect(dsn, autocommit=True) as killing, psycopg.connect(dsn, autocommit=True) as looking:
        traffic, chance = Traffic(dsn, run.scale.writers // 2, 3.0), random.Random(seed)
        with repeated(0.2, lambda: found.look(looking)):
            with traffic.running():
                for replica in replicas:
                    replica.start()
                while found.kills < run.scale.kills:
                    time.sleep(chance.uniform(0.02, 0.3))
                    found.kills += killing.execute(_KILL, (_APPLICATION,)).rowcount
            done.set()
            for replica in replicas:
                replica.join()
            with ours.counting(dsn) as counting:
                counting.advance()
                counting.fold()
        found.written, found.ended = _two(looking, "SELECT count(*), count(end_time) FROM app.agent_executions")
        found.counted, found.counted_ended = _two(
            looking,
            "SELECT sum(n) FILTER (WHERE fact = 'executions_started')::bigint,"
            " sum(n) FILTER (WHERE fact = 'executions_ended')::bigint FROM analytics.counters",
        )
    return found


def _two(connection: psycopg.Connection, query: str) -> tuple[int, int]:
    row = connection.execute(query.encode()).fetchone()
    return (row[0] or 0, row[1] or 0) if row else (0, 0)


def _replica(dsn: str, done: threading.Event) -> None:
    """Counts and folds until the end, and connects again when its session was killed."""
    counting: ours.Counting | None = None
    while not done.is_set():
        with contextlib.suppress(DatabaseDown, StatementRefused, psycopg.Error):
            if counting is None:
                counting = ours.Counting(dsn, _APPLICATION)
            counting.open()
            counting.advance()
            counting.fold()
        done.wait(_PAUSE)
    if counting is not None:
        counting.close()

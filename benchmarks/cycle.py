"""What one cycle costs the database: the 25 answers asked of the tables, by query-exporter, and from roll-ups."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import psycopg

from benchmarks import data, ours, raw
from benchmarks.measure import Bar, Measure, median, percentile
from benchmarks.peer import NAME, query_exporter
from benchmarks.percentiles import Percentiles
from benchmarks.questions import QUESTIONS
from benchmarks.run import Run
from benchmarks.waiting import waited
from exporters.scheduler import Collector

_WARM = 5


@dataclass
class _Size:
    """Milliseconds of database time at one size of the platform; bytes of WAL and of schema analytics. query-exporter is only
    asked at the largest, where it stands beside ours."""

    rows: int
    raw: list[float] = field(default_factory=list)
    peer: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)
    idle: list[float] = field(default_factory=list)
    fold: list[float] = field(default_factory=list)
    wal: list[float] = field(default_factory=list)
    share: float = 0.0
    wall: list[float] = field(default_factory=list)


def measure(run: Run) -> Iterator[Measure]:
    """Database time is how long the process waits for PostgreSQL's answers: of all statements of a cycle, commits included.

    Raw questions, query-exporter and ours all meet tables that are analysed and vacuumed, in memory, behind a checkpoint.
    """
    small, large = (_measured(run, rows) for rows in (run.scale.small, run.scale.rows))
    yield from _figures(run, large)
    ratio = statistics.median(large.raw) / statistics.median(large.busy)
    yield Measure("raw / ours", ratio, "times", Bar(600.0, at_least=True))
    growth = [
        statistics.median(large.busy) / statistics.median(small.busy),
        statistics.median(large.raw) / statistics.median(small.raw),
    ]
    yield Measure(f"growth from {small.rows:,} to {large.rows:,} rows", growth[0], "times", Bar(1.1), growth[1], "raw")


def _figures(run: Run, size: _Size) -> Iterator[Measure]:
    raw_median, peer = statistics.median(size.raw), statistics.median(size.peer)
    what = f"cycle at {size.rows:,} rows with {run.scale.arrivals:,} new: counting and {len(QUESTIONS)} answers"
    yield median(what, size.busy, bar=Bar(10.0), peer=raw_median, against="raw")
    yield Measure("the same, p95", percentile(size.busy, 0.95), "ms")
    yield Measure("the same beside query-exporter", statistics.median(size.busy), "ms", peer=peer, against=NAME)
    yield median("the same with what Python does", size.wall)
    yield median(f"idle cycle at {size.rows:,} rows", size.idle, bar=Bar(3.0), peer=raw_median, against="raw")
    yield median("fold into the tiers, once a minute", size.fold)
    yield median("WAL a cycle", size.wal, "kB")
    yield Measure("size of schema analytics / size of the tables", 100 * size.share, "%")


def _measured(run: Run, rows: int) -> _Size:
    size = _Size(rows)
    name, _ = data.template(run.dsn(), rows, run.say)
    with data.copy_of(run.dsn(), name) as dsn:
        with psycopg.connect(dsn, autocommit=True) as connection:
            data.settle(connection)
            data.warm(connection)
        run.say(f"{rows:,} rows: raw")
        size.raw, _ = raw.cycles(dsn, run.scale.repeat)
        if rows == run.scale.rows:
            run.say(f"{rows:,} rows: {NAME}")
            size.peer = _peer(run, dsn)
        run.say(f"{rows:,} rows: ours")
        ours.install(dsn)
        with ours.counting(dsn) as counting:
            counting.backfill()
        with psycopg.connect(dsn, autocommit=True) as connection:
            data.settle(connection)
        _ours(run, dsn, size)
    return size


def _peer(run: Run, dsn: str) -> list[float]:
    """Milliseconds that PostgreSQL spends on a round of query-exporter's questions, as it says itself once they have ended."""
    before = raw.active_ms(dsn)
    with query_exporter(run.folder, dsn, datetime.now(UTC), None) as peer:
        for _ in range(run.scale.repeat):
            peer.scrape()
    time.sleep(1.0)
    return [(raw.active_ms(dsn) - before) / run.scale.repeat]


def _ours(run: Run, dsn: str, size: _Size) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection, ours.counting(dsn) as counting:
        collectors = ours.collectors(dsn, ("rollups", "postgres"))
        percentiles = Percentiles(connection, ours.latest(collectors))
        for cycle in range(_WARM + run.scale.cycles):
            raw.arrive(connection, run.scale.arrivals, cycle, datetime.now(UTC))
            taken, wall, wal = _cycle(connection, collectors, percentiles)
            if cycle >= _WARM:
                size.busy.append(taken)
                size.wall.append(wall)
                size.wal.append(wal / 1e3)
            if cycle % 4 == 3:  # once a minute at 15 s
                with waited() as clock:
                    counting.fold()
                size.fold.append(clock.ms)
        for _ in range(run.scale.cycles):
            size.idle.append(_cycle(connection, collectors, percentiles)[0])
        sizes = connection.execute(
            "SELECT sum(pg_total_relation_size(relid)) FILTER (WHERE schemaname = 'analytics')::float8"
            " / sum(pg_total_relation_size(relid)) FILTER (WHERE schemaname = 'app')::float8 FROM pg_stat_user_tables"
        ).fetchone()
        size.share = sizes[0] if sizes else 0.0
        for collector in collectors:
            collector.close()


def _cycle(
    connection: psycopg.Connection, collectors: Sequence[Collector], percentiles: Percentiles
) -> tuple[float, float, float]:
    """One cycle: milliseconds of waiting for PostgreSQL and of everything, and bytes of WAL that it made."""
    now = datetime.now(UTC)
    before = _wal(connection)
    began = time.perf_counter()
    with waited() as clock:
        for collector in collectors:
            collector.collect(now.timestamp())
        percentiles.read(now)
    wall = (time.perf_counter() - began) * 1e3
    return clock.ms, wall, _wal(connection) - before


def _wal(connection: psycopg.Connection) -> float:
    row = connection.execute("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::float8").fetchone()
    return row[0] if row else 0.0

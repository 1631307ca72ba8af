"""What the exporter itself takes while it lives: memory, processor, connections; and what it answers without its database."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import psycopg

from benchmarks import data, ours, raw
from benchmarks.measure import Bar, Measure, p99
from benchmarks.peer import NAME, query_exporter
from benchmarks.program import Program, ProgramError
from benchmarks.run import Run
from benchmarks.scraping import abandoned, one_after_the_other

_INTERVAL = 15.0
_READY_SECONDS = 120.0
_PAUSE = 0.05
_ABANDONED = 50
_CALM = 2.0
"""Seconds without a run in which scrapes are abandoned."""

_COUNTED = b"platform_executions_total{"
_NEXT_RUN = b"exporter_collector_next_run_timestamp_seconds{"
_SESSIONS = """
    SELECT pid, query_start FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend' AND application_name = %s
    """
_OURS = "observatory-exporter"


def measure(run: Run) -> Iterator[Measure]:
    """Both exporters gather and are scraped every 15 s, while the platform writes."""
    name, _ = data.template(run.dsn(), run.scale.small, run.say)
    with data.copy_of(run.dsn(), name) as dsn:
        run.say(NAME)
        with query_exporter(run.folder, dsn, datetime.now(UTC), round(_INTERVAL)) as peer:
            theirs = _watched(run, dsn, peer)
        ours.install(dsn)
        with ours.counting(dsn) as counting:
            counting.backfill()
        run.say("ours")
        with ours.exporter(run.folder, dsn) as exporter:
            _wait(lambda: _COUNTED in exporter.scrape()[0], "the exporter shows no counted execution")
            page, _ = exporter.scrape()
            series = sum(not line.startswith(b"#") for line in page.splitlines())
            mine = _watched(run, dsn, exporter)
            yield Measure(f"resident memory with {series:,} series", mine.memory, "MB", Bar(65.0), theirs.memory, NAME)
            yield Measure("processor", mine.cpu, "% of a core", Bar(1.0), theirs.cpu, NAME)
            yield Measure("connections at most", mine.connections, "", Bar(2))
            yield Measure(
                f"queries because of {_ABANDONED} abandoned scrapes", _queries_of_abandoned(dsn, exporter), "", Bar(0)
            )
            alive = one_after_the_other(exporter.url, run.scale.scrapes, _PAUSE)
            with run.database_stopped():
                alone = one_after_the_other(exporter.url, run.scale.scrapes, _PAUSE)
        yield p99("scrape, p99", alive, bar=Bar(3.0))
        yield p99("scrape while the database is down, p99", alone, bar=Bar(3.0))


class _Watched:
    """Megabytes and percent of one processor core."""

    memory, cpu, connections = 0.0, 0.0, 0


def _watched(run: Run, dsn: str, program: Program) -> _Watched:
    found, began, spent = _Watched(), time.monotonic(), program.cpu_seconds()
    with psycopg.connect(dsn, autocommit=True) as connection:
        seconds = run.scale.minutes * 60
        cycles = max(1, round(seconds / _INTERVAL))
        for cycle in range(cycles):
            raw.arrive(connection, run.scale.arrivals, cycle, datetime.now(UTC))
            until = began + (cycle + 1) * seconds / cycles
            while time.monotonic() < until:
                time.sleep(0.1)
                found.connections = max(found.connections, len(_sessions(connection)))
            program.scrape()
            found.memory = max(found.memory, program.memory_mb())
    found.cpu = 100 * (program.cpu_seconds() - spent) / (time.monotonic() - began)
    return found


def _sessions(connection: psycopg.Connection) -> dict[int, datetime]:
    """When each of our sessions began its latest statement."""
    return dict(connection.execute(_SESSIONS, (_OURS,)).fetchall())


def _queries_of_abandoned(dsn: str, exporter: Program) -> int:
    """Sessions that did anything while scrapes were abandoned, at a time when no collector is due."""

    def none_is_due() -> bool:
        page = exporter.scrape()[0]
        return all(float(line.split()[-1]) - time.time() > _CALM for line in page.splitlines() if line.startswith(_NEXT_RUN))

    with psycopg.connect(dsn, autocommit=True) as connection:
        _wait(none_is_due, f"some collector is always due within {_CALM:g} s")
        before = _sessions(connection)
        abandoned(exporter.url, _ABANDONED)
        time.sleep(_CALM / 2)
        after = _sessions(connection)
    return len(dict(after.items() - before.items()))


def _wait(condition: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise ProgramError(
                f"{otherwise} after {_READY_SECONDS:g} s; its log is exporter.log in the folder of the benchmarks"
            )
        time.sleep(0.2)

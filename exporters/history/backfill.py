"""`observatory exporter backfill`: the days before the exporter began, as files for Prometheus."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from psycopg import IsolationLevel

from contract.metrics import MetricType
from contract.settings import Settings
from contract.values import duration_seconds
from exporters.business import counted
from exporters.business.expected import Expected
from exporters.business.figures import FIGURES as WINDOW_FIGURES
from exporters.business.figures import PAST_DUE, samples
from exporters.business.schema import schema_problem
from exporters.database.sessions import Connection, connect, limits
from exporters.history.blocks import BLOCK_SECONDS, Blocks
from exporters.history.counts import (
    HOUR,
    LONGEST_WINDOW,
    MINUTE,
    Counts,
    Hours,
    Key,
    by_bucket,
    happened,
    less,
    more,
    share,
    totals,
)
from exporters.langfuse.counting import BOUNDS
from exporters.langfuse.figures import Counted, counter_samples
from exporters.rollups.model import SUM_COLUMNS
from exporters.rollups.read import Cell
from exporters.rollups.sources import FACTS
from exporters.snapshot import Figure

COARSE_STEP = 240
"""Seconds between samples where only hours are known: Prometheus looks back for five minutes."""

_STATEMENT_SECONDS = 600.0
_JOB = "exporter"


class NoHistory(Exception):
    """There is nothing to write history from. The text says why, for people."""


@dataclass(frozen=True)
class Written:
    files: tuple[Path, ...]
    points: int


def backfill(
    settings: Settings,
    dsn: str,
    days: int,
    out: Path,
    now: float,
    since: float = 0.0,
    without: Collection[str] = (),
) -> Written:
    """Writes the files of the `days` days before `now` (seconds since the epoch) into `out`, which must exist.

    Moments up to `since`, and the metrics of the names `without`, are left out.
    Everything is read in one transaction that sees one moment. Raises DatabaseDown, NoHistory, and psycopg.Error.
    """
    connection = connect(dsn)
    try:
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        with connection.transaction():
            connection.execute(limits(_STATEMENT_SECONDS, read_only=True))
            if problem := schema_problem(connection, may_be_standby=True):
                raise NoHistory(problem)
            return _write(connection, settings, days, out, int(now), since, frozenset(without))
    finally:
        connection.close()


def _write(
    connection: Connection, settings: Settings, days: int, out: Path, now: int, since: float, without: frozenset[str]
) -> Written:
    end = now - now % MINUTE
    begin = max(end - days * 86400, end - int(duration_seconds(settings.database.retention.hour)) + LONGEST_WINDOW)
    begin -= begin % HOUR
    fine = max(begin, now - now % HOUR - 24 * HOUR)
    cells = totals(connection)
    cells = less(cells, happened(connection, MINUTE, fine, end + MINUTE))
    cells = less(cells, happened(connection, HOUR, begin, fine))
    hours = Hours(connection, begin - LONGEST_WINDOW, end)
    blocks = Blocks(out, {"job": _JOB, "instance": settings.scrape.exporter[0]})
    expected = Expected((), settings.environments)
    windows: list[Figure] = []
    for at, changes in chain(((begin, {}),), _coarse(connection, begin, fine), _fine(connection, fine, end)):
        more(cells, changes)
        if at + HOUR <= since:  # the windows that are shown from then on are those of the hour before
            continue
        if at % HOUR == 0:
            tallies = hours.tallies(at)
            figures = (figure for figure in WINDOW_FIGURES if PAST_DUE not in figure.facts)
            windows = [item for figure in figures for item in samples(figure, tallies, expected)]
        if at > since:
            blocks.add(at, (item for item in chain(counters(cells, expected), windows) if item.metric.name not in without))
    blocks.close()
    return Written(tuple(blocks.files), blocks.points)


def _coarse(connection: Connection, begin: int, fine: int) -> Iterator[tuple[int, dict[Key, Counts]]]:
    """Moments between two hours, and what happened before each since the last one."""
    parts = HOUR // COARSE_STEP
    for since in range(begin, fine, BLOCK_SECONDS):
        of_hour = by_bucket(connection, HOUR, since, min(since + BLOCK_SECONDS, fine))
        for hour in range(since, min(since + BLOCK_SECONDS, fine), HOUR):
            for step in range(1, parts + 1):
                yield hour + step * COARSE_STEP, share(of_hour.get(hour, {}), step, parts)


def _fine(connection: Connection, fine: int, end: int) -> Iterator[tuple[int, dict[Key, Counts]]]:
    for since in range(fine, end, BLOCK_SECONDS):
        of_minute = by_bucket(connection, MINUTE, since, min(since + BLOCK_SECONDS, end))
        for minute in range(since, min(since + BLOCK_SECONDS, end), MINUTE):
            yield minute + MINUTE, of_minute.get(minute, {})


def counters(cells: dict[Key, Counts], expected: Expected) -> Iterator[Figure]:
    """Counters and histograms of the platform and of the ledger, when this had been counted."""
    ours: list[Cell] = []
    ledger: dict[str, list[Counted]] = {}
    sums_end = 1 + len(SUM_COLUMNS)
    for (fact, labels), (n, *figures) in cells.items():
        if n < 0:  # counting began later: what the ledger filled in of the past is in no total
            continue
        sums, buckets = figures[: sums_end - 1], figures[sums_end - 1 :]
        if declared := FACTS.get(fact):
            histogram = tuple(buckets[: len(declared.bounds) + 1]) if declared.bounds else ()
            ours.append(Cell(fact, labels, n, tuple(sums[: len(declared.sums)]), histogram))
        else:
            ledger.setdefault(fact, []).append(Counted(labels, n, tuple(sums), tuple(buckets[: len(BOUNDS) + 1])))
    for item in (*counted.figures(ours, expected), *counter_samples(ledger)):
        if item.metric.type is not MetricType.GAUGE:
            yield item

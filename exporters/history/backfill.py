"""The days before the exporter began: as files for Prometheus (`observatory exporter backfill`), or however they are taken."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from psycopg import IsolationLevel

from contract.durations import duration_seconds
from exporters.business.counted import Series
from exporters.business.expected import Expected
from exporters.business.figures import FIGURES as WINDOW_FIGURES
from exporters.business.figures import PAST_DUE, samples
from exporters.business.schema import schema_problem
from exporters.database.sessions import Connection, connect, limits
from exporters.history.blocks import BLOCK_SECONDS, Blocks, Files
from exporters.history.counters import Counters
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
    spread,
    totals,
)
from exporters.snapshot import Figure

if TYPE_CHECKING:
    from contract.settings import Settings

COARSE_STEP = 150
"""Seconds between samples where only hours are known: two in every five minutes, so that a rate over these is never missing."""

_STATEMENT_SECONDS = 600.0


class NoHistory(Exception):
    """There is nothing to write history from. The text says why, for people."""


@dataclass(frozen=True)
class Written:
    files: tuple[Path, ...]
    points: int


def target(settings: Settings) -> dict[str, str]:
    """The labels that a scrape of the first exporter adds."""
    return {"job": "exporter", "instance": settings.scrape.exporter[0]}


def backfill(settings: Settings, dsn: str, days: float, out: Path, now: float) -> Written:
    """Writes the files of the `days` days before `now` (seconds since the epoch) into `out`, which must exist.

    Raises what `tell` raises.
    """
    files = Files(out, target(settings))
    tell(settings, dsn, days, files, now)
    return Written(tuple(files.files), files.points)


def tell(
    settings: Settings, dsn: str, days: float, blocks: Blocks, now: float, since: float = 0.0, without: Collection[str] = ()
) -> None:
    """Gives the `days` days before `now` (seconds since the epoch) to `blocks`, which are closed afterwards.

    Moments up to `since`, and the metrics of the names `without`, are left out.
    Everything is read in one transaction that sees one moment. Raises DatabaseDown, NoHistory, psycopg.Error, and what `blocks`
    raise.
    """
    connection = connect(dsn)
    try:
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        with connection.transaction():
            connection.execute(limits(_STATEMENT_SECONDS, read_only=True))
            if problem := schema_problem(connection, may_be_standby=True):
                raise NoHistory(problem)
            _tell(connection, settings, days, blocks, int(now), since, frozenset(without))
    finally:
        connection.close()


def _tell(
    connection: Connection, settings: Settings, days: float, blocks: Blocks, now: int, since: float, without: frozenset[str]
) -> None:
    end = now - now % MINUTE
    begin = max(end - int(days * 86400), end - int(duration_seconds(settings.database.retention.hour)) + LONGEST_WINDOW)
    begin -= begin % HOUR
    fine = max(begin, now - now % HOUR - 24 * HOUR)
    cells = totals(connection)
    cells = less(cells, happened(connection, MINUTE, fine, end + MINUTE))
    cells = less(cells, happened(connection, HOUR, begin, fine))
    hours = Hours(connection, begin - LONGEST_WINDOW, end)
    expected = Expected((), settings.environments)
    counters, windows = Counters(cells, expected, without), _Windows(hours, expected, without)
    for at, changes in chain(((begin, {}),), _coarse(connection, begin, fine), _fine(connection, fine, end)):
        counters.add(changes)
        if at % HOUR == 0 and at + HOUR > since:  # the windows that are shown from then on are those of the hour before
            windows.end(at)
        if at > since:
            changed, gone = windows.changed()
            blocks.add(at, chain(counters.changed(), changed), gone)
    blocks.close()


class _Windows:
    """The figures of windows, as they stand from one full hour to the next."""

    def __init__(self, hours: Hours, expected: Expected, without: Collection[str]) -> None:
        self._hours, self._expected = hours, expected
        self._figures = [one for one in WINDOW_FIGURES if PAST_DUE not in one.facts and one.metric not in without]
        self._now: dict[Series, Figure] = {}
        self._shown: dict[Series, Figure] = {}

    def end(self, hour: int) -> None:
        """Lets all windows end at a full hour."""
        tallies = self._hours.tallies(hour)
        found = (item for figure in self._figures for item in samples(figure, tallies, self._expected))
        self._now = {(item.metric.name, item.labels): item for item in found}

    def changed(self) -> tuple[list[Figure], list[Series]]:
        """What is new or another since this was asked before, and what is no more."""
        before, self._shown = self._shown, self._now
        if before is self._now:
            return [], []
        return [item for key, item in self._now.items() if before.get(key) != item], [
            key for key in before if key not in self._now
        ]


def _coarse(connection: Connection, begin: int, fine: int) -> Iterator[tuple[int, dict[Key, Counts]]]:
    """Moments between two hours, and what happened before each since the last one."""
    parts = HOUR // COARSE_STEP
    for since in range(begin, fine, BLOCK_SECONDS):
        of_hour = by_bucket(connection, HOUR, since, min(since + BLOCK_SECONDS, fine))
        for hour in range(since, min(since + BLOCK_SECONDS, fine), HOUR):
            for part, changes in enumerate(spread(of_hour.get(hour, {}), hour, parts), start=1):
                yield hour + part * COARSE_STEP, changes


def _fine(connection: Connection, fine: int, end: int) -> Iterator[tuple[int, dict[Key, Counts]]]:
    for since in range(fine, end, BLOCK_SECONDS):
        of_minute = by_bucket(connection, MINUTE, since, min(since + BLOCK_SECONDS, end))
        for minute in range(since, min(since + BLOCK_SECONDS, end), MINUTE):
            yield minute + MINUTE, of_minute.get(minute, {})

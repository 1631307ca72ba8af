"""Seven days of history from the first minute, and later the hours in which the stack was not running."""

from __future__ import annotations

import gc
import shutil
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from contract.catalogue import catalogue
from contract.settings import Settings
from demo.history import blocks, recorded, samples
from demo.history.blocks import HistoryError
from demo.history.exporter import ExporterHistory
from demo.history.past import Past
from demo.history.platform import LAST_SECONDS, Recorder
from demo.platform import state
from demo.platform.metrics import PlatformMetrics
from demo.platform.registry import Number
from demo.world.world import World
from exporters.database.sessions import DatabaseDown, StatementRefused
from exporters.history.backfill import NoHistory, target, tell
from exporters.history.blocks import Blocks, Line
from provisioning.rules.server import Workshop

SHORTEST_GAP_SECONDS = 300.0
"""A shorter gap is left to the platform, which catches up by itself."""
SHORT_SECONDS = 3 * 3600.0
"""What is shorter is done within this process: it takes as long as a second one needs to begin."""
LEFT_OUT = ("platform_execution_duration_seconds",)
"""Metrics without a past: this one has as many series as all others together, and would take as long to write."""
_LOOKAHEAD_SECONDS = 6 * 3600.0

Progress = Callable[[str, float], None]
"""Told what is being done and which share of all is done (0 to 1)."""


@dataclass(frozen=True)
class Instances:
    """The `instance` labels of the scrape targets, as Prometheus sees them: `host:port`."""

    platform: str
    exporter: str


@dataclass(frozen=True)
class Filled:
    """What was written. All zero when there was nothing to do."""

    since: float = 0.0
    until: float = 0.0
    series: int = 0
    samples: int = 0
    seconds: float = 0.0


def fill(
    var: Path,
    dsn: str,
    world: World,
    settings: Settings,
    prometheus: Path,
    instances: Instances,
    until: float,
    progress: Progress,
    past: Past,
) -> Filled:
    """Bring the data folder `var`/prometheus up to `until` (seconds since the epoch); Prometheus must not be running on it.

    The database, its schema `analytics` and the stand-in's storage must have lived until then. Nothing happens when what
    is missing is at most five minutes. A first run that is interrupted leaves no data folder, a later one can be repeated:
    equal samples that are there twice count once. Raises HistoryError, psycopg.Error or OSError.
    """
    begun = time.monotonic()
    until = until // samples.COARSE_SECONDS * samples.COARSE_SECONDS
    data, checkpoint = var / "prometheus", state.read(var)
    if checkpoint is None or not data.is_dir():
        since, checkpoint = until - past.days * 86400.0, None
        shutil.rmtree(data, ignore_errors=True)
        metrics = PlatformMetrics(world, since, _LOOKAHEAD_SECONDS)
    elif until - checkpoint["at"] <= SHORTEST_GAP_SECONDS:
        return Filled()
    else:
        since, metrics = checkpoint["at"], PlatformMetrics.restore(world, checkpoint, _LOOKAHEAD_SECONDS)
        progress("keeping the newest samples", 0.0)
        blocks.flush(prometheus, data)
    part = var / "prometheus.part"
    shutil.rmtree(part, ignore_errors=True)
    # Millions of short-lived tuples hold no cycles; looking for some would take a third of the time.
    gc.disable()
    try:
        times = samples.sample_times(since, until, until, past.fine)
        progress("what the exporter would have seen", 0.0)
        with blocks.writing(prometheus, data, part, since) as workshop:
            with _beside(until - since) as beside:
                counted = beside.submit(_counted, settings, dsn, since, until, workshop.url, _left_out(past))
                exporter = ExporterHistory(
                    dsn, (var / "langfuse.sqlite").is_file(), times, settings, instances.exporter, past.keeps
                )
                whole_from = since if past.whole else until - LAST_SECONDS
                recorder = Recorder(metrics, instances.platform, whole_from, past.keeps)
                series, points = _write(workshop, recorder, exporter, times, progress)
                points += counted.result()
            share = partial(_report, progress, "recorded series", 0.65)
            points += recorded.record(settings, workshop, since, until, past.fine, share, past.keeps)
    finally:
        gc.enable()
        shutil.rmtree(part, ignore_errors=True)
    state.write(var, metrics.checkpoint())
    return Filled(since, until, series, points, time.monotonic() - begun)


def _beside(seconds: float) -> Executor:
    """Who counts the past of so many seconds meanwhile: a process of its own, but where that takes longer to start."""
    return ProcessPoolExecutor(1, get_context("spawn")) if seconds > SHORT_SECONDS else ThreadPoolExecutor(1)


def _left_out(past: Past) -> frozenset[str]:
    """Metrics of which the exporter's own code writes nothing."""
    return frozenset(LEFT_OUT) | {name for name, one in catalogue().items() if not any(map(past.keeps, one.series_names))}


class _Sent(Blocks):
    """Sends what the exporter would have shown to a server."""

    def __init__(self, url: str, target: dict[str, str]) -> None:
        super().__init__(target)
        self._workshop = Workshop(url)

    def write(self, times: Sequence[int], lines: Sequence[Line]) -> int:
        table = samples.Table(times, [samples.Column(line.name, line.labels, _values(line, len(times))) for line in lines])
        return samples.write(self._workshop, [table])


def _values(line: Line, moments: int) -> list[Number]:
    """The value of a series at each moment of a block, None where it has none."""
    found: list[Number] = [None] * moments
    for value, first, end in line.runs(moments):
        found[first:end] = [float(value)] * (end - first)
    return found


def _counted(settings: Settings, dsn: str, since: float, until: float, url: str, without: frozenset[str]) -> int:
    """Counters, histograms and figures of windows, by the exporter's own code in a process of its own; how many points."""
    sent = _Sent(url, target(settings))
    try:
        tell(settings, dsn, (until - since) / 86400.0, sent, until, since, without)
    except (NoHistory, DatabaseDown, StatementRefused) as error:
        raise HistoryError(str(error)) from None
    return sent.points


def _write(
    workshop: Workshop,
    platform: Recorder,
    exporter: ExporterHistory,
    times: list[int],
    progress: Progress,
) -> tuple[int, int]:
    """Write all but what is recorded; give the greatest number of series in one block, and the number of samples."""
    series = points = 0
    for block in samples.by_block(times):
        _report(progress, "samples", 0.05, 0.8 * (block[0] - times[0]) / max(1, times[-1] - times[0]), 0.65)
        tables = (platform.table(block), exporter.table(block[0], block[-1]))
        points += samples.write(workshop, tables)
        series = max(series, sum(len(table.columns) for table in tables))
    return series, points


def _report(progress: Progress, step: str, begin: float, share: float, end: float = 1.0) -> None:
    progress(step, begin + (end - begin) * share)

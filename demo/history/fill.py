"""Seven days of history from the first minute, and later the hours in which the stack was not running."""

from __future__ import annotations

import gc
import shutil
import time
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Protocol

from contract.catalogue import catalogue
from contract.settings import Settings
from demo.history import blocks, openmetrics, recorded
from demo.history.blocks import HistoryError
from demo.history.exporter import ExporterHistory
from demo.history.past import Past
from demo.history.platform import LAST_SECONDS, Recorder
from demo.platform import state
from demo.platform.metrics import PlatformMetrics
from demo.world.world import World
from exporters.database.sessions import DatabaseDown, StatementRefused
from exporters.history.backfill import NoHistory, Written, backfill

SHORTEST_GAP_SECONDS = 300.0
"""A shorter gap is left to the platform, which catches up by itself."""
SHORT_SECONDS = 3 * 3600.0
"""What is shorter is done within this process: it takes as long as a second one needs to begin."""
LEFT_OUT = ("platform_execution_duration_seconds",)
"""Metrics without a past: this one has as many series as all others together, and would take as long to write."""
_LOOKAHEAD_SECONDS = 6 * 3600.0

Progress = Callable[[str, float], None]
"""Told what is being done and which share of all is done (0 to 1)."""


class Tools(Protocol):
    """Where the binaries are."""

    @property
    def prometheus(self) -> Path: ...

    @property
    def promtool(self) -> Path: ...


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
    tools: Tools,
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
    until = until // openmetrics.COARSE_SECONDS * openmetrics.COARSE_SECONDS
    data, checkpoint = var / "prometheus", state.read(var)
    if checkpoint is None or not data.is_dir():
        since, checkpoint = until - past.days * 86400.0, None
        metrics = PlatformMetrics(world, since, _LOOKAHEAD_SECONDS)
    elif until - checkpoint["at"] <= SHORTEST_GAP_SECONDS:
        return Filled()
    else:
        since, metrics = checkpoint["at"], PlatformMetrics.restore(world, checkpoint, _LOOKAHEAD_SECONDS)
        progress("keeping the newest samples", 0.0)
        recorded.flush(tools.prometheus, data)
    part = var / "prometheus.part"
    shutil.rmtree(part, ignore_errors=True)
    # Millions of short-lived tuples hold no cycles; looking for some would take a third of the time.
    gc.disable()
    try:
        # The first blocks appear as a whole; later ones go to those that are there, for rules look back at them.
        target = part / "data" if checkpoint is None else data
        target.mkdir(parents=True, exist_ok=True)
        part.mkdir(exist_ok=True)
        times = openmetrics.sample_times(since, until, until, past.fine)
        progress("what the exporter would have seen", 0.0)
        with _beside(until - since) as beside:
            counted = beside.submit(_counted, settings, dsn, since, until, part, _left_out(past))
            exporter = ExporterHistory(
                dsn, (var / "langfuse.sqlite").is_file(), times, settings, instances.exporter, past.keeps
            )
            whole_from = since if past.whole else until - LAST_SECONDS
            recorder = Recorder(metrics, instances.platform, whole_from, past.keeps)
            series, samples = _import(part, target, tools, recorder, exporter, times, progress)
            written = counted.result()
        _report(progress, "samples", 0.05, 0.9, 0.65)
        with blocks.Programs() as programs:
            for file in written.files:
                blocks.import_file(programs, tools.promtool, file, target, openmetrics.BLOCK_SECONDS)
        samples += written.points
        share = partial(_report, progress, "recorded series", 0.65)
        samples += recorded.record(
            settings, tools.prometheus, tools.promtool, target, since, until, past.fine, share, past.keeps
        )
        if checkpoint is None:
            shutil.rmtree(data, ignore_errors=True)
            target.rename(data)
    finally:
        gc.enable()
        shutil.rmtree(part, ignore_errors=True)
    state.write(var, metrics.checkpoint())
    return Filled(since, until, series, samples, time.monotonic() - begun)


def _beside(seconds: float) -> Executor:
    """Who counts the past of so many seconds meanwhile: a process of its own, but where that takes longer to start."""
    return ProcessPoolExecutor(1, get_context("spawn")) if seconds > SHORT_SECONDS else ThreadPoolExecutor(1)


def _left_out(past: Past) -> frozenset[str]:
    """Metrics of which the exporter's own code writes nothing."""
    return frozenset(LEFT_OUT) | {name for name, one in catalogue().items() if not any(map(past.keeps, one.series_names))}


def _counted(settings: Settings, dsn: str, since: float, until: float, folder: Path, without: frozenset[str]) -> Written:
    """Counters, histograms and figures of windows, by the exporter's own code in a process of its own."""
    try:
        return backfill(settings, dsn, (until - since) / 86400.0, folder, until, since, without)
    except (NoHistory, DatabaseDown, StatementRefused) as error:
        raise HistoryError(str(error)) from None


def _import(
    part: Path,
    target: Path,
    tools: Tools,
    platform: Recorder,
    exporter: ExporterHistory,
    times: list[int],
    progress: Progress,
) -> tuple[int, int]:
    """Write all blocks; give the greatest number of series in one, and the number of samples."""
    series = samples = 0
    with blocks.Programs() as programs:
        for number, block in enumerate(openmetrics.by_block(times)):
            _report(progress, "samples", 0.05, 0.8 * (block[0] - times[0]) / max(1, times[-1] - times[0]), 0.65)
            tables = (platform.table(block), exporter.table(block[0], block[-1]))
            file = part / f"{number}.om"
            samples += openmetrics.write(file, tables)
            series = max(series, sum(len(table.columns) for table in tables))
            blocks.import_file(programs, tools.promtool, file, target, openmetrics.BLOCK_SECONDS)
    return series, samples


def _report(progress: Progress, step: str, begin: float, share: float, end: float = 1.0) -> None:
    progress(step, begin + (end - begin) * share)

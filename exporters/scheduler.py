"""Runs every collector in the background on its own interval, and waits longer after each failure.

One run of a collector at a time; a failing or hanging collector never holds up another one, or a scrape. The pause after a
failure doubles up to a bound, so that a source that is down is left in peace and one that came back is seen within a minute.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from exporters.journal import LONGEST_WAIT, SourceDown
from exporters.logs import LOG, pairs
from exporters.snapshot import Sample, Snapshot, sample

FIRST_RETRY, LONGEST_RETRY = 2.0, 60.0
"""Seconds. A collector whose interval is longer than the longest retry waits for its interval at most."""

_JITTER, _STOP_WAIT = 0.1, 2.0


class Collector(Protocol):
    """What the scheduler runs. All times are in seconds."""

    @property
    def name(self) -> str: ...

    @property
    def interval(self) -> float:
        """From one run to the next."""

    @property
    def timeout(self) -> float:
        """After which a run is broken off."""

    @property
    def max_age(self) -> float:
        """After which its values are no longer served."""

    @property
    def snapshot(self) -> Snapshot | None:
        """What it knows; None before the first run ended."""

    def collect(self, now: float) -> None:
        """Asks the source and swaps the snapshot. Raises SourceDown, with the snapshot saying so as well."""

    def abort(self) -> None:
        """Makes a running `collect` fail soon. Called from another thread, and harmless when nothing runs."""

    def without_secrets(self, text: str) -> str:
        """A text about the source without its keys and passwords."""

    def close(self) -> None:
        """Ends it for good: breaks off a running `collect` and gives back its connections. Called from another thread."""


YIELDS = (
    "exporter_collector_failures",
    "exporter_collector_duration_seconds",
    "exporter_collector_next_run_timestamp_seconds",
)
"""The metrics about the collectors."""


@dataclass(frozen=True)
class Standing:
    """How a collector does, replaced whole after each run.

    `due` is the scheduler's timer at its next run, `next_run` the same in seconds since the epoch; `duration` is what the last
    run took, in seconds; `reason` says why it failed, or is empty.
    """

    due: float
    next_run: float = 0.0
    duration: float = 0.0
    runs: int = 0
    failures: int = 0
    last_success: float | None = None
    reason: str = ""


def pause(interval: float, failures: int, retry_after: float, chance: float) -> float:
    """Seconds until the next run after `failures` failed ones in a row; `chance` in [0, 1) spreads runs by 10 %."""
    wait = interval
    if failures:
        wait = min(FIRST_RETRY * 2.0 ** min(failures - 1, 16), max(interval, LONGEST_RETRY))
    return min(max(wait * (1 + _JITTER * (chance - 0.5)), retry_after), LONGEST_WAIT)


class Scheduler:
    """`gathered` is called after each run, in the collector's thread, and must not raise.

    `clock` gives seconds since the epoch, which the figures are asked for; `timer` seconds that never jump, which it waits by;
    `earlier` is how collectors of the same names did before, in a scheduler that has ended.
    """

    def __init__(
        self,
        collectors: Sequence[Collector],
        gathered: Callable[[], None],
        clock: Callable[[], float] = time.time,
        timer: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
        earlier: Mapping[str, Standing] | None = None,
    ) -> None:
        self.collectors = tuple(collectors)
        self._gathered, self._clock, self._timer, self._chance = gathered, clock, timer, chance
        self._standings = {
            collector.name: replace((earlier or {}).get(collector.name, Standing(0.0)), due=timer()) for collector in collectors
        }
        self._shown = {name for name, standing in self._standings.items() if standing.runs}
        self._running = {collector.name: threading.Lock() for collector in collectors}
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    @property
    def standings(self) -> dict[str, Standing]:
        return dict(self._standings)

    @property
    def ready(self) -> bool:
        """Whether every collector has ended one run, well or not, and what it found was gathered."""
        return self._shown == self._standings.keys()

    @property
    def alive(self) -> bool:
        """Whether every background thread runs."""
        return bool(self._threads) and all(thread.is_alive() for thread in self._threads)

    def figures(self) -> Iterator[Sample]:
        """How the collectors do, for the page."""
        for name, standing in self.standings.items():
            yield sample("exporter_collector_failures", name, value=standing.failures)
            if standing.runs:
                yield sample("exporter_collector_duration_seconds", name, value=standing.duration)
                yield sample("exporter_collector_next_run_timestamp_seconds", name, value=standing.next_run)

    def step(self, collector: Collector) -> float:
        """Runs a collector if it is due and not running; seconds until it is due (again)."""
        lock = self._running[collector.name]
        if self._timer() >= self._standings[collector.name].due and lock.acquire(blocking=False):
            try:
                self._run(collector)
            finally:
                lock.release()
        return max(0.0, self._standings[collector.name].due - self._timer())

    def _run(self, collector: Collector) -> None:
        before, now, begun = self._standings[collector.name], self._clock(), self._timer()
        reason, retry_after = self._outcome(collector, now)
        failures = before.failures + 1 if reason else 0
        wait, ended = pause(collector.interval, failures, retry_after, self._chance()), self._timer()
        self._standings[collector.name] = Standing(
            due=ended + wait,
            next_run=self._clock() + wait,
            duration=ended - begun,
            runs=before.runs + 1,
            failures=failures,
            last_success=before.last_success if reason else now,
            reason=reason,
        )
        self._gathered()
        self._shown.add(collector.name)
        if reason and not self._stop.is_set():  # what is broken off at the end is no fault of a source
            said = LOG.warning if reason != before.reason else LOG.debug
            said("source is down", extra=pairs(source=collector.name, reason=reason, failures=failures, retry_seconds=wait))
        elif before.reason:
            LOG.info("source is back", extra=pairs(source=collector.name, failures=before.failures))

    def _outcome(self, collector: Collector, now: float) -> tuple[str, float]:
        """Why a run failed, or "", and the seconds that the source wants to be left alone."""
        try:
            self._collect(collector, now)
        except SourceDown as down:
            return collector.without_secrets(str(down)), down.retry_after
        except BaseException as error:  # whatever it is, it must not end the thread, or hide the other collectors
            said = " ".join(f"unexpected {type(error).__name__}: {error}".split()).removesuffix(":")
            reason = collector.without_secrets(said)
            if reason != self._standings[collector.name].reason:
                LOG.exception("collector failed unexpectedly", extra=pairs(source=collector.name, problem=reason))
            return reason, 0.0
        return "", 0.0

    def _collect(self, collector: Collector, now: float) -> None:
        watchdog = threading.Timer(min(collector.timeout, LONGEST_WAIT), collector.abort)
        watchdog.daemon = True
        watchdog.start()
        try:
            collector.collect(now)
        finally:
            watchdog.cancel()

    def start(self) -> None:
        """Begins gathering, one thread for each collector."""
        self._threads = [
            threading.Thread(target=self._loop, args=(collector,), name=collector.name, daemon=True)
            for collector in self.collectors
        ]
        for thread in self._threads:
            thread.start()

    def _loop(self, collector: Collector) -> None:
        while not self._stop.wait(self.step(collector)):
            pass

    def stop(self) -> None:
        """Ends gathering for good: closes the collectors, and waits for their threads for two seconds at most."""
        self._stop.set()
        for collector in self.collectors:
            collector.close()
        deadline = time.monotonic() + _STOP_WAIT
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

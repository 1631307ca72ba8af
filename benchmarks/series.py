"""Counters to fill a page with: the same series as a collector of ours and as prometheus-client's objects."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import cache

from prometheus_client import CollectorRegistry, Counter

from contract.metrics import Metric, MetricType, Source
from exporters.snapshot import Reading, Sample, Snapshot

_LABELS = ("agent", "environment", "status", "version")
_A_METRIC = 1_000


def _names(series: int) -> Iterator[tuple[str, list[tuple[str, ...]]]]:
    """Names of metrics and the label values of their series, a thousand a metric, in order."""
    for start in range(0, series, _A_METRIC):
        labels: list[tuple[str, ...]] = [
            (f"agent{i % 97:02d}", "production" if i % 3 else "staging", f"status{i:06d}", f"v{i % 7}")
            for i in range(start, min(start + _A_METRIC, series))
        ]
        yield f"bench_executions_{start // _A_METRIC:03d}", sorted(labels)


@cache
def _metric(name: str) -> Metric:
    return Metric(f"{name}_total", MetricType.COUNTER, _LABELS, "Executions", Source.POSTGRES)


def samples(series: int, value: float) -> list[Sample]:
    """Samples for our renderer, all of one value."""
    made: list[Sample] = []
    for name, labels in _names(series):
        made.extend(Sample(_metric(name), values, value) for values in labels)
    return made


def registry(series: int, value: float) -> CollectorRegistry:
    """The same in a registry of prometheus-client."""
    made = CollectorRegistry()
    for name, values_of in _names(series):
        counter = Counter(name, "Executions", _LABELS, registry=made)
        for values in values_of:
            counter.labels(*values).inc(value)
    return made


class SeriesCollector:
    """A collector whose series all have a new value after every run."""

    name, interval, timeout, max_age = "series", 15.0, 10.0, 900.0

    def __init__(self, series: int) -> None:
        self._series, self._runs = series, 0
        self.snapshot: Snapshot | None = None
        self.collect(time.time())

    def collect(self, now: float) -> None:
        self._runs += 1
        self.snapshot = Snapshot(self.name, (Reading("all", now, tuple(samples(self._series, self._runs + 0.5))),), ())

    def abort(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """Nothing is open."""

    def without_secrets(self, text: str) -> str:
        return text

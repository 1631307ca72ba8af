"""A large platform's samples as one Prometheus would have scraped them: an hour of 200 agents in 3 environments and 4 versions.

Every metric that rules read is there. Agents have all their versions in all environments where the metric names versions; of
other labels a few values each, so that the size is that of the agents. The duration of queries knows two ends only, success
and failed. Samples go on for some minutes into the future, so that windows stay full while rules are measured.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from itertools import product

from contract.catalogue import series_catalogue
from contract.labels import LABELS
from contract.metrics import Metric, MetricType, Source
from provisioning.rules.built import Labels
from provisioning.rules.server import Workshop
from provisioning.rules.wire import body, encoded, time_series

ENVIRONMENTS, VERSIONS = ("production", "staging", "development"), ("1.0.0", "1.1.0", "1.2.0", "1.3.0")
STEP = 15
BACK, AHEAD = 3600, 900
_SLOPES = (0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0)
"""What a counter gains with a scrape."""
_STATUS = {"agent_queries_total": ("success", "error", "timeout"), "agent_query_duration_seconds": ("success", "failed")}
_AT_ONCE = 500
"""Series in one request."""


class Load:
    """What is written for `agents` agents around a moment `now` (seconds since the epoch), from `back` to `ahead` seconds.

    A `lean` platform has one environment, one version, and one value of each other label of an agent.
    """

    def __init__(self, agents: int, now: float, back: int = BACK, ahead: int = AHEAD, *, lean: bool = False) -> None:
        self._agents = tuple(f"agent-{number:03}" for number in range(agents))
        self._lean = lean
        begin = (now - back) // STEP * STEP
        self._times = [begin + STEP * number for number in range((back + ahead) // STEP + 1)]
        self.series = 0

    @property
    def samples(self) -> int:
        return self.series * len(self._times)

    def write(self, server: Workshop, names: set[str]) -> None:
        """Writes every series of the metrics that the series `names` belong to."""
        metrics = {declared.name: declared for name in names if (declared := series_catalogue().get(name))}
        waiting: list[bytes] = []
        for declared in metrics.values():
            for one in self._of(declared):
                waiting.append(one)
                self.series += 1
                if len(waiting) >= _AT_ONCE:
                    server.send(body(waiting))
                    waiting = []
        server.send(body(waiting))

    def _of(self, declared: Metric) -> Iterator[bytes]:
        for number, labels in enumerate(self._label_sets(declared)):
            if declared.type is not MetricType.HISTOGRAM:
                yield time_series(declared.name, labels, self._samples(declared.type, number % len(_SLOPES)))
                continue
            bounds = (*declared.buckets, math.inf)
            for place, bound in enumerate(bounds):
                slope = round(place / (len(bounds) - 1) * (len(_SLOPES) - 1))
                le = "+Inf" if math.isinf(bound) else repr(float(bound))
                yield time_series(f"{declared.name}_bucket", (*labels, ("le", le)), self._samples(declared.type, slope))
            for suffix in ("_count", "_sum"):
                yield time_series(declared.name + suffix, labels, self._samples(declared.type, len(_SLOPES) - 1))

    def _label_sets(self, declared: Metric) -> Iterator[Labels]:
        names = sorted({*declared.labels, *(["environment"] if "environment" in declared.target_labels else [])})
        job = "platform" if declared.source is Source.PLATFORM else "exporter"
        target = (("instance", "127.0.0.1:9470"), ("job", job))
        for values in product(*(self._values(declared, name, len(names)) for name in names)):
            yield tuple(sorted((*zip(names, values, strict=True), *target)))

    def _values(self, declared: Metric, label: str, labels: int) -> tuple[str, ...]:
        if label in ("agent", "environment", "version"):
            known = {"agent": self._agents, "environment": ENVIRONMENTS, "version": VERSIONS}[label]
            return known[:1] if self._lean and label != "agent" else known
        if label == "status" and declared.name in _STATUS:
            return _STATUS[declared.name]
        wanted = 2 if "agent" in declared.labels or labels > 3 else 5
        if self._lean and "agent" in declared.labels:
            wanted = 1
        return LABELS[label].values[:wanted] or tuple(f"{label}-{number}" for number in range(wanted))

    @cache  # noqa: B019  a load lives as long as its benchmark
    def _samples(self, kind: MetricType, slope: int) -> bytes:
        """The samples of all series of a kind are of few shapes, so that each is encoded once."""
        if kind is MetricType.GAUGE:
            return encoded((at, 1.0 + (number * (slope + 1)) % 7 / 10) for number, at in enumerate(self._times))
        return encoded((at, 1000.0 + _SLOPES[slope] * number) for number, at in enumerate(self._times))

"""What series cost: memory, disk and work of one Prometheus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from contract.metrics import Source
from contract.settings import Settings
from contract.values import duration_seconds
from provisioning.capacity.fleet import Fleet
from provisioning.capacity.series import Counted, rules, scraped

BYTES_PER_SAMPLE = 1.6
"""On disk, index included. Measured in the demonstration's history: 1.18 in a block of a week, up to 1.59 in shorter ones."""
BYTES_PER_SERIES = 4_000
"""Resident memory of a Prometheus for each series in its head. Measured: 2,300 to 3,000, with nobody asking and no rules."""
SAMPLES_PER_CORE = 1_100_000
"""Samples that rules read in a second of one core, measured over all rules of 200 agents: see docs/scale.md."""
RULE_INTERVAL = 60.0
"""Seconds between two samples of most recorded series."""
SOURCES = {
    Source.PLATFORM: "the platform itself",
    Source.POSTGRES: "exporter, from PostgreSQL",
    Source.LANGFUSE: "exporter, from Langfuse",
    Source.EXPORTER: "exporter, about itself",
}


@dataclass(frozen=True)
class Estimate:
    """Of one configuration and fleet. Sizes are in bytes, `read` is samples that rules read in a second."""

    fleet: Fleet
    interval: float
    retention: float
    by_source: Mapping[Source, tuple[Counted, ...]]
    recorded: int
    read: float

    @property
    def series(self) -> int:
        return self.recorded + sum(one.series for counted in self.by_source.values() for one in counted)

    @property
    def samples_per_second(self) -> float:
        return (self.series - self.recorded) / self.interval + self.recorded / max(self.interval, RULE_INTERVAL)

    @property
    def memory(self) -> float:
        return self.series * BYTES_PER_SERIES

    @property
    def disk(self) -> float:
        return self.samples_per_second * self.retention * BYTES_PER_SAMPLE

    @property
    def recorded_disk(self) -> float:
        """Of the recorded series alone, for as long as the others are kept."""
        return self.recorded / max(self.interval, RULE_INTERVAL) * self.retention * BYTES_PER_SAMPLE

    @property
    def rule_cores(self) -> float:
        return self.read / SAMPLES_PER_CORE


def estimate(fleet: Fleet, groups: Sequence[Mapping[str, Any]], settings: Settings) -> Estimate:
    """For rules as `build` writes them, and the intervals and limits of the settings."""
    found = rules(fleet, groups, settings)
    prometheus = settings.sources.prometheus
    return Estimate(
        fleet,
        duration_seconds(prometheus.scrape_interval),
        duration_seconds(prometheus.retention),
        {source: tuple(scraped(fleet, source, settings)) for source in SOURCES},
        found.recorded,
        found.read_per_second,
    )

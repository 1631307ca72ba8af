"""What a metric declaration is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from contract.labels import LABELS


class MetricType(StrEnum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Source(StrEnum):
    """Who exposes a metric."""

    PLATFORM = "platform"  # the monitored platform's own instrumentation
    POSTGRES = "postgres"  # our exporter, from PostgreSQL
    LANGFUSE = "langfuse"  # our exporter, from Langfuse
    EXPORTER = "exporter"  # our exporter, about itself
    FOREIGN = "foreign"  # other exporters and Prometheus itself: read as they are


_TARGET_LABELS = ("environment", "job", "instance")


@dataclass(frozen=True)
class Metric:
    """One metric family.

    `name` is the family's name as it is queried (counters with `_total`; histograms without suffix). `labels` are those
    that the exposition carries; `environment`, `job` and `instance` come from the scrape target for platform and foreign
    metrics (`target_labels`). `unit` is the base unit: seconds, bytes, usd, tokens, ratio, or "" for a plain count.
    `absent` says when a source that is well has no series of it; empty for a metric that is always there.
    """

    name: str
    type: MetricType
    labels: tuple[str, ...]
    help: str
    source: Source
    unit: str = ""
    buckets: tuple[float, ...] = ()
    absent: str = ""

    def __post_init__(self) -> None:
        unknown = [label for label in self.labels if label not in LABELS]
        if unknown:
            raise ValueError(f"{self.name}: labels {unknown} are not declared in contract/labels.py")
        if self.source is not Source.FOREIGN and (self.type is MetricType.COUNTER) != self.name.endswith("_total"):
            raise ValueError(f"{self.name}: counters end in _total, and nothing else does")
        if (self.type is MetricType.HISTOGRAM) != bool(self.buckets):
            raise ValueError(f"{self.name}: histograms have buckets, and nothing else does")

    @property
    def target_labels(self) -> tuple[str, ...]:
        """Labels that a scrape adds. The exporter's job honours the data's own `environment`, so it adds none."""
        return _TARGET_LABELS if self.source in (Source.PLATFORM, Source.FOREIGN) else ("job", "instance")

    @property
    def all_labels(self) -> frozenset[str]:
        return frozenset(self.labels) | frozenset(self.target_labels)

    @property
    def series_names(self) -> tuple[str, ...]:
        """Names of the series that a scrape yields."""
        if self.type is MetricType.HISTOGRAM:
            return tuple(self.name + suffix for suffix in ("_bucket", "_sum", "_count"))
        return (self.name,)

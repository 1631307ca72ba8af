"""Reading the samples of a collector."""

from __future__ import annotations

from exporters.snapshot import Snapshot

Figures = dict[tuple[str, ...], float]
"""Value by metric name and label values."""


def figures(snapshot: Snapshot | None, now: float, max_age: float = 900) -> Figures:
    """All samples that may be served at `now` (seconds since the epoch)."""
    assert snapshot is not None
    return {(item.metric.name, *item.labels): item.value for item in snapshot.samples(now, max_age) if hasattr(item, "value")}


def of(found: Figures, name: str) -> Figures:
    """Value by label values of one metric."""
    return {labels: value for (metric, *values), value in found.items() if metric == name for labels in [tuple(values)]}

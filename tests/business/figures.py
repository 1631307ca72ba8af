"""Reading the samples of a collector."""

from __future__ import annotations

from exporters.snapshot import Sample, Snapshot

Figures = dict[tuple[str, ...], float]
"""Value by metric name and label values. A histogram is its buckets (with `le` as the last label), sum and count."""


def figures(snapshot: Snapshot | None, now: float, max_age: float = 900) -> Figures:
    """All samples that may be served at `now` (seconds since the epoch)."""
    assert snapshot is not None
    found: Figures = {}
    for item in snapshot.samples(now, max_age):
        name, labels = item.metric.name, item.labels
        if isinstance(item, Sample):
            found[name, *labels] = item.value
            continue
        for bound, count in zip((*item.metric.buckets, float("inf")), item.buckets, strict=True):
            found[f"{name}_bucket", *labels, f"{bound:g}"] = count
        found[f"{name}_sum", *labels] = item.sum
        found[f"{name}_count", *labels] = sum(item.buckets)
    return found


def of(found: Figures, name: str) -> Figures:
    """Value by label values of one metric."""
    return {labels: value for (metric, *values), value in found.items() if metric == name for labels in [tuple(values)]}

"""Scraped series of metrics in promtool's notation, for tests that hold two questions against each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product
from zlib import crc32

from contract.labels import LABELS
from contract.metrics import Metric, MetricType, Source

STEPS = 300
_VALUES = {
    "status": ("success", "error", "500"),
    "error_type": ("", "rate_limit", "llm"),
    "result": ("hit", "miss", "success"),
    "goal": ("achieved", "missed", "unknown"),
    "type": ("input", "output", "cache_read"),
    "environment": ("p", "q"),
}
"""Label values that signals tell apart; other labels have the first two of their list, or two of no meaning."""


def generated(metrics: Iterable[Metric]) -> list[dict[str, str]]:
    """Counters and histograms that rise at rates of their own, some restarting on the way, every label with several values."""
    return [line for metric in sorted(metrics, key=lambda metric: metric.name) for line in _series(metric)]


def _series(metric: Metric) -> Iterator[dict[str, str]]:
    ours = metric.source not in (Source.PLATFORM, Source.FOREIGN)
    names = sorted(set(metric.labels) | ({"environment"} if "environment" in metric.all_labels else set()))
    for chosen in product(*(_VALUES.get(name) or LABELS[name].values[:2] or ("a", "b") for name in names)):
        labels = dict(zip(names, chosen, strict=True)) | {"job": "exporter" if ours else "platform"}
        pace = crc32(repr((metric.name, chosen)).encode()) % 7 + 1
        for instance in ("1", "2"):
            speed = pace if ours else pace * int(instance)  # replicas of the exporter say the same
            yield from _lines(metric, labels | {"instance": instance}, speed)


def _lines(metric: Metric, labels: dict[str, str], pace: int) -> Iterator[dict[str, str]]:
    if metric.type is not MetricType.HISTOGRAM:
        yield _line(metric.name, labels, pace)
        return
    yield _line(f"{metric.name}_count", labels, 3 * pace)
    yield _line(f"{metric.name}_sum", labels, 2 * pace)
    low, high = metric.buckets[0], metric.buckets[-2]
    for bound, share in ((f"{low:g}", 1), (f"{high:.1f}" if high >= 1 else f"{high:g}", 2), ("+Inf", 3)):
        yield _line(f"{metric.name}_bucket", labels | {"le": bound}, share * pace)


def _line(name: str, labels: dict[str, str], pace: int) -> dict[str, str]:
    inner = ",".join(f'{label}="{value}"' for label, value in sorted(labels.items()))
    restart = 0 if pace % 2 else STEPS - 10  # within the last five minutes
    rises = [f"1000+{pace}x{restart}"] if restart else []
    return {"series": f"{name}{{{inner}}}", "values": " ".join([*rises, f"0+{pace}x{STEPS - restart}"])}

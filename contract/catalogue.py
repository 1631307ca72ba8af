"""Every metric of the contract, by name and by series."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from contract import exporter_metrics, foreign_metrics, platform_metrics
from contract.metrics import Metric, Source


@cache
def catalogue() -> dict[str, Metric]:
    """Every metric of the contract by name."""
    found: dict[str, Metric] = {}
    for metric in (*platform_metrics.METRICS, *exporter_metrics.METRICS, *foreign_metrics.METRICS):
        if metric.name in found:
            raise ValueError(f"metric {metric.name} is declared twice")
        found[metric.name] = metric
    return found


def metric(name: str) -> Metric:
    """The declaration of a metric family. Raises KeyError with the name when there is none."""
    return catalogue()[name]


@cache
def series_catalogue() -> dict[str, Metric]:
    """Every series name (histograms with their suffixes) and the metric that it belongs to."""
    found: dict[str, Metric] = {}
    for declared in catalogue().values():
        for name in declared.series_names:
            found[name] = declared
    return found


def of_source(*sources: Source) -> Iterable[Metric]:
    """The metrics that the given sources expose, in declared order."""
    return (declared for declared in catalogue().values() if declared.source in sources)

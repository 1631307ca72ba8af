"""Which series exist, of which kind and with which labels: those of the contract and those that rules record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import promql_parser as promql

from contract.catalogue import series_catalogue
from contract.metrics import Metric, MetricType, Source
from provisioning.check.labels import surviving
from provisioning.check.series import Labels, Series
from recording_rules.registry import recorded_series


def known_series(groups: Iterable[Mapping[str, Any]]) -> dict[str, Series]:
    """Every series that may be asked for, by name."""
    known = {name: _scraped(name, metric) for name, metric in series_catalogue().items()}
    for name in ("ALERTS", "ALERTS_FOR_STATE"):
        known[name] = Series(name, None, recorded=True)
    known.update({name: Series(name, labels, recorded=True) for name, labels in recorded_series().items()})
    for rule in (rule for group in groups for rule in group.get("rules", []) if "record" in rule):
        if rule["record"] not in known:
            labels: Labels
            try:
                labels = surviving(promql.parse(rule["expr"]), known, certain=False)
            except ValueError:
                labels = None  # what is wrong with it is said where rules are checked
            own = frozenset(rule.get("labels", {}))
            known[rule["record"]] = Series(rule["record"], None if labels is None else labels | own, recorded=True)
    return known


def _scraped(name: str, metric: Metric) -> Series:
    labels = metric.all_labels | ({"le"} if name.endswith("_bucket") and metric.buckets else frozenset())
    return Series(
        name,
        labels,
        counts=metric.type is not MetricType.GAUGE,
        foreign=metric.source is Source.FOREIGN,
        metric=metric,
    )

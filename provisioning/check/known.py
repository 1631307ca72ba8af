"""Which series exist, of which kind and with which labels: those of the contract and those that rules record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import promql_parser as promql

from contract.catalogue import series_catalogue
from contract.metrics import Metric, MetricType, Source
from contract.naming import source_series
from contract.values import duration_seconds
from provisioning.check.labels import surviving
from provisioning.check.series import Labels, Series, series_of
from provisioning.check.tree import names_read, parsed, unwrapped

_PROMETHEUS_OWN = ("ALERTS", "ALERTS_FOR_STATE")

Making = tuple[promql.Expr, Mapping[str, str], timedelta | None]
"""Expression, labels and interval of a rule that records a series."""
Rules = dict[str, list[Making]]


def known_series(groups: Iterable[Mapping[str, Any]]) -> dict[str, Series]:
    """Every series that may be asked for, by name. Rules whose expressions cannot be read record series with any labels."""
    known = {name: _scraped(name, metric) for name, metric in series_catalogue().items()}
    known |= {name: Series(name, None, None) for name in _PROMETHEUS_OWN}
    for name, metric in source_series().items():  # read as others write them, so their labels are not known
        known.setdefault(name, Series(name, None, None, metric.type is not MetricType.GAUGE, foreign=True, metric=metric))
    rules, unreadable = _rules(groups)
    for name in rules:
        _define(name, rules, known, frozenset())
    for name in unreadable:
        known.setdefault(name, Series(name, None, None))
    return known


def _rules(groups: Iterable[Mapping[str, Any]]) -> tuple[Rules, list[str]]:
    readable: Rules = {}
    unreadable: list[str] = []
    for group in groups:
        interval = timedelta(seconds=duration_seconds(group["interval"])) if "interval" in group else None
        for rule in group.get("rules", []):
            if "record" in rule:
                try:
                    made = (parsed(rule["expr"]), rule.get("labels", {}), interval)
                    readable.setdefault(rule["record"], []).append(made)
                except ValueError:  # what is wrong with it is said where expressions are checked
                    unreadable.append(rule["record"])
    return readable, unreadable


def _define(name: str, rules: Rules, known: dict[str, Series], begun: frozenset[str]) -> None:
    """Add a recorded series after those that it is made of. One that is made of itself may have any label."""
    if name in known and known[name].recorded:
        return
    begun |= {name}
    for node, _, _ in rules[name]:
        for read in sorted(names_read(node) & rules.keys() - begun):
            _define(read, rules, known, begun)
    intervals = [interval for _, _, interval in rules[name] if interval]
    slowest = max(intervals) if intervals else None
    made = tuple(node for node, _, _ in rules[name] if not names_read(node) & begun)
    if name in known:  # a metric of the contract that is recorded from another name
        known[name] = replace(known[name], recorded=True, made=made, interval=slowest)
        return
    possible, always = _labels(rules[name], known)
    given = {
        label: frozenset(str(labels[label]) for _, labels, _ in rules[name] if label in labels)
        for label in sorted({label for _, labels, _ in rules[name] for label in labels})
    }
    counts = bool(made) and all(cumulative(node, known) for node in made)
    known[name] = Series(name, possible, always, counts, recorded=True, made=made, given=given, interval=slowest)


def _labels(rules: list[Making], known: dict[str, Series]) -> tuple[Labels, Labels]:
    possible: Labels = frozenset()
    always: Labels = None
    for node, own, _ in rules:
        some, each = (surviving(node, known, certain) for certain in (False, True))
        possible = None if possible is None or some is None else possible | some | own.keys()
        each = None if each is None else each | own.keys()
        always = each if always is None else always if each is None else always & each
    return possible, always


def cumulative(node: promql.Expr, known: Mapping[str, Series]) -> bool:
    """Whether an expression is a counter still: its total, not its rate."""
    node = unwrapped(node)
    if isinstance(node, promql.VectorSelector):
        series = series_of(node, known)
        return series is not None and series.counts
    if isinstance(node, promql.AggregateExpr):
        return str(node.op) in ("sum", "max", "min", "avg") and cumulative(node.expr, known)
    if isinstance(node, promql.Call):
        return node.func.name in ("label_replace", "label_join") and cumulative(node.args[0], known)
    if isinstance(node, promql.BinaryExpr):
        return str(node.op) in ("or", "and", "unless") and cumulative(node.lhs, known)
    return False


def _scraped(name: str, metric: Metric) -> Series:
    labels = metric.all_labels | ({"le"} if name.endswith("_bucket") and metric.buckets else frozenset())
    counts = metric.type is not MetricType.GAUGE
    return Series(name, labels, labels, counts, foreign=metric.source is Source.FOREIGN, metric=metric)

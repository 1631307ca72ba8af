"""Functions and syntax that Prometheus 3 has not, or has behind a flag only."""

from __future__ import annotations

from collections.abc import Iterator

import promql_parser as promql

from provisioning.check.lint.model import Fault, Spot

RENAMED = {"holt_winters": "double_exponential_smoothing"}
"""Functions that Prometheus 3 calls otherwise. The new name of this one is experimental: better do without it."""
_EXPERIMENTAL_AGGREGATIONS = frozenset({"limitk", "limit_ratio"})
_REMEDY = "say it without; production servers run without --enable-feature=promql-experimental-functions"


def experimental_call(spot: Spot[promql.Call]) -> Iterator[Fault]:
    if spot.node.func.experimental:
        yield Fault(f"{spot.node.func.name} is experimental", _REMEDY)


def experimental_aggregation(spot: Spot[promql.AggregateExpr]) -> Iterator[Fault]:
    if str(spot.node.op) in _EXPERIMENTAL_AGGREGATIONS:
        yield Fault(f"{spot.node.op} is experimental", _REMEDY)


def experimental_fill(spot: Spot[promql.BinaryExpr]) -> Iterator[Fault]:
    fill = spot.node.modifier.fill_values if spot.node.modifier else None
    if fill and (fill.lhs is not None or fill.rhs is not None):
        yield Fault("fill is experimental", "… or 0 * …")


def other_dialect(spot: Spot[promql.VectorSelector]) -> Iterator[Fault]:
    if spot.node.matchers.or_matchers:
        yield Fault("`or` between matchers is VictoriaMetrics', not Prometheus'", "two selectors joined by or")

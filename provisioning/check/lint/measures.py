"""What kind of figure an expression is: its unit, the range of its values, and whether it is a quantile or a quotient."""

from __future__ import annotations

import promql_parser as promql

from contract.metrics import Metric
from provisioning.check.series import Known, Series, series_of
from provisioning.check.tree import COMPARISONS, SETS, every, is_scalar, number, unwrapped

NUMBER = "number"
"""The unit of what is a number and no figure."""

_SAME_UNIT = frozenset({
    "abs", "ceil", "floor", "round", "clamp", "clamp_min", "clamp_max", "increase", "delta", "idelta", "predict_linear", "sort",
    "sort_desc", "label_replace", "label_join", "vector", "scalar", "last_over_time", "first_over_time", "min_over_time",
    "max_over_time", "avg_over_time", "sum_over_time", "quantile_over_time", "stddev_over_time", "mad_over_time",
    "double_exponential_smoothing",
})  # fmt: skip
_PICKING = frozenset(
    {"last_over_time", "first_over_time", "min_over_time", "max_over_time", "label_replace", "label_join", "sort", "sort_desc"}
)
_RATES = frozenset({"rate", "irate", "deriv"})
_COUNTS = frozenset({"count_over_time", "changes", "resets", "count", "count_values"})
_FOREIGN_UNITS = ("bytes", "seconds")


def bucket_metric(node: promql.Expr, known: Known) -> Metric | None:
    """The histogram whose buckets an expression reads, through recorded series as well."""
    for part in every(node):
        series = series_of(part, known) if isinstance(part, promql.VectorSelector) else None
        if series and series.metric:
            ours = series.metric.buckets and series.name.endswith("_bucket") and not series.foreign
            return series.metric if ours else None
        if series and series.made:
            return bucket_metric(series.made[0], known)
    return None


def bucket_bounds(node: promql.Expr, known: Known) -> tuple[float, ...]:
    """Finite upper bounds of the buckets that an expression reads; empty when it reads none of the contract."""
    metric = bucket_metric(node, known)
    return metric.buckets if metric else ()


def is_quantile(node: promql.Expr, known: Known) -> bool:
    node = _figure(node)
    if isinstance(node, promql.Call):
        return node.func.name in ("histogram_quantile", "quantile_over_time")
    if isinstance(node, promql.AggregateExpr):
        return str(node.op) == "quantile"
    if isinstance(node, promql.BinaryExpr):
        return str(node.op) in COMPARISONS | SETS and is_quantile(node.lhs, known)
    made = _recorded(node, known)
    return bool(made) and all(is_quantile(one, known) for one in made)


def is_quotient(node: promql.Expr, known: Known) -> bool:
    """Whether an expression divides one figure by another, so that its values have different weights."""
    node = _figure(node)
    if isinstance(node, promql.BinaryExpr):
        if str(node.op) == "/":
            return not is_scalar(node.lhs) and not is_scalar(node.rhs)
        sides = (node.lhs,) if str(node.op) in ("and", "unless") else (node.lhs, node.rhs)
        return any(is_quotient(side, known) for side in sides if not is_scalar(side))
    if isinstance(node, promql.VectorSelector):
        series = series_of(node, known)
        if series and series.metric and not series.made:
            return series.metric.unit == "ratio"
    made = _recorded(node, known)
    return bool(made) and all(is_quotient(one, known) for one in made)


def _figure(node: promql.Expr) -> promql.Expr:
    """What a node shows in the end: without parentheses, windows, and functions that only pick or rename."""
    while True:
        if isinstance(node, promql.ParenExpr | promql.SubqueryExpr):
            node = node.expr
        elif isinstance(node, promql.MatrixSelector):
            node = node.vector_selector
        elif isinstance(node, promql.Call) and node.func.name in _PICKING:
            node = node.args[0]
        else:
            return node


def _recorded(node: promql.Expr, known: Known) -> tuple[promql.Expr, ...]:
    series = series_of(node, known) if isinstance(node, promql.VectorSelector) else None
    return series.made if series and not series.metric else ()


def unit_of(node: promql.Expr, known: Known) -> str | None:
    """seconds, timestamp, bytes, usd, tokens, ratio, percent, count or number; `/s` after it for a rate; None for unknown."""
    node = unwrapped(node)
    if isinstance(node, promql.UnaryExpr | promql.SubqueryExpr):
        return unit_of(node.expr, known)
    if isinstance(node, promql.MatrixSelector):
        return unit_of(node.vector_selector, known)
    if isinstance(node, promql.NumberLiteral):
        return NUMBER
    if isinstance(node, promql.VectorSelector):
        series = series_of(node, known)
        return _series_unit(series, known) if series else None
    if isinstance(node, promql.AggregateExpr):
        operator = str(node.op)
        if operator in _COUNTS:
            return "count"
        return NUMBER if operator == "group" else None if operator == "stdvar" else unit_of(node.expr, known)
    if isinstance(node, promql.Call):
        return _call_unit(node, known)
    return _binary_unit(node, known) if isinstance(node, promql.BinaryExpr) else None


def _series_unit(series: Series, known: Known) -> str | None:
    if series.metric is None:
        units = {unit_of(made, known) for made in series.made}
        return units.pop() if len(units) == 1 else None
    if series.name.endswith("_timestamp_seconds"):
        return "timestamp"
    if series.name.endswith("_per_second"):
        return "count/s"
    if series.foreign:
        return next((unit for unit in _FOREIGN_UNITS if series.name.endswith((unit, f"{unit}_total"))), None)
    counted = series.metric.buckets and series.name.endswith(("_bucket", "_count"))
    return "count" if counted else series.metric.unit or "count"


def _call_unit(node: promql.Call, known: Known) -> str | None:
    name = node.func.name
    if name in ("time", "timestamp"):
        return "timestamp"
    if name in _COUNTS:
        return "count"
    if name.startswith(("absent", "present")):
        return NUMBER
    if name == "histogram_quantile":
        metric = bucket_metric(node.args[1], known)
        return (metric.unit or "count") if metric else None
    inner = next((unit for part in node.args if (unit := unit_of(part, known)) not in (None, NUMBER)), None)
    if name in _RATES:
        return f"{inner}/s" if inner else None
    return inner if name in _SAME_UNIT else None


def _binary_unit(node: promql.BinaryExpr, known: Known) -> str | None:
    operator, left, right = str(node.op), unit_of(node.lhs, known), unit_of(node.rhs, known)
    if operator in COMPARISONS:
        return NUMBER if node.modifier and node.modifier.return_bool else (right if left == NUMBER else left)
    if operator in ("and", "unless"):
        return left
    if operator in ("or", "+", "-"):
        if operator == "-" and left == right == "timestamp":
            return "seconds"
        if "timestamp" in (left, right) and "seconds" in (left, right):
            return "timestamp"
        if left in (NUMBER, right):
            return right
        return left if right == NUMBER else None
    if operator == "*":
        return _product(node, left, right)
    return _quotient(left, right) if operator == "/" and number(node.rhs) is None else None


def _product(node: promql.BinaryExpr, left: str | None, right: str | None) -> str | None:
    factor, unit = (number(node.lhs), right) if left == NUMBER else (number(node.rhs), left)
    if NUMBER in (left, right):
        if factor in (0, 1) or unit is None:
            return unit
        if unit == "ratio":
            return "percent" if factor == 100 else None
        return unit.removesuffix("/s") if unit.endswith("/s") else None  # a rate times seconds is how much there was
    return right if left == "ratio" else left if right == "ratio" else None


def _quotient(left: str | None, right: str | None) -> str | None:
    if left is None or right is None or NUMBER in (left, right):
        return None
    if left.endswith("/s") and right.endswith("/s"):
        left, right = left.removesuffix("/s"), right.removesuffix("/s")
    if left == right:
        return "ratio"
    return left if right == "count" else None

"""Between which values a figure lies, and comparisons that are decided by that alone."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

import promql_parser as promql

from provisioning.check.lint.measures import bucket_bounds, is_quantile, is_quotient
from provisioning.check.lint.model import Fault, Spot
from provisioning.check.series import Known, Series, series_of
from provisioning.check.tree import COMPARISONS, SETS, every, is_scalar, names_read, number, unwrapped

Range = tuple[float, float]

_ANY: Range = (-math.inf, math.inf)
_POSITIVE: Range = (0.0, math.inf)
_SHARE: Range = (0.0, 1.0)
_KNOWN: dict[str, Range] = {
    "up": _SHARE,
    "pg_up": _SHARE,
    "redis_up": _SHARE,
    "agent_build_info": _SHARE,
    "platform_nps_points": (-100.0, 100.0),
    "platform_feedback_rating_average": (1.0, 5.0),
    "platform_budget_spent_ratio": _POSITIVE,  # a budget can be overspent
    "exporter_reconciliation_ratio": _POSITIVE,  # either side can have more
    "platform_rollup_backfill_ratio": _POSITIVE,  # old rows are estimated
}
"""Gauges whose range their unit does not tell."""
_KEEPING = frozenset({
    "avg_over_time", "min_over_time", "max_over_time", "last_over_time", "first_over_time", "quantile_over_time", "sort",
    "sort_desc", "label_replace", "label_join", "vector", "scalar",
})  # fmt: skip
_FROM_ZERO = frozenset({
    "rate", "irate", "increase", "changes", "resets", "count_over_time", "present_over_time", "absent", "absent_over_time",
})  # fmt: skip


def decided(spot: Spot[promql.BinaryExpr]) -> Iterator[Fault]:
    """A comparison with a number that is true, or false, whatever happens. One that reads no series is meant to be."""
    operator = str(spot.node.op)
    left, right = number(spot.node.lhs), number(spot.node.rhs)
    if operator not in COMPARISONS or (left is None) == (right is None):
        return
    figure, limit = (spot.node.lhs, right) if right is not None else (spot.node.rhs, left)
    if limit is None or not names_read(figure):
        return
    if right is None:
        operator = operator.translate(str.maketrans("<>", "><"))
    low, high = values(figure, spot.known)
    truth = _truth(operator, low, high, limit)
    drops_nan = truth and any(is_quotient(part, spot.known) or is_quantile(part, spot.known) for part in every(figure))
    if truth is None or (drops_nan and (spot.around or not spot.question.alert)):
        return
    remedy = f"a number between {low:g} and {high:g}" if math.isfinite(high - low) else "another number"
    yield Fault(f"… {operator} {limit:g} is {'always' if truth else 'never'} true: the figure lies {_shown(low, high)}", remedy)


def _truth(operator: str, low: float, high: float, limit: float) -> bool | None:
    if operator in ("==", "!="):
        return None if low <= limit <= high else operator == "!="
    if operator in ("<", "<="):
        low, high, limit, operator = -high, -low, -limit, operator.replace("<", ">")
    if operator == ">":
        return False if high <= limit else True if low > limit else None
    return False if high < limit else True if low >= limit else None


def _shown(low: float, high: float) -> str:
    if math.isinf(high):
        return f"at or above {low:g}"
    return f"at or below {high:g}" if math.isinf(low) else f"between {low:g} and {high:g}"


def values(node: promql.Expr, known: Known) -> Range:
    """The least and the greatest value that an expression can have."""
    node = unwrapped(node)
    if (literal := number(node)) is not None:
        return literal, literal
    if isinstance(node, promql.UnaryExpr):
        low, high = values(node.expr, known)
        return -high, -low
    if isinstance(node, promql.SubqueryExpr):
        return values(node.expr, known)
    if isinstance(node, promql.MatrixSelector):
        return values(node.vector_selector, known)
    if isinstance(node, promql.VectorSelector):
        series = series_of(node, known)
        return _of_series(series, known) if series else _ANY
    if isinstance(node, promql.AggregateExpr):
        return _of_aggregate(node, known)
    if isinstance(node, promql.Call):
        return _of_call(node, known)
    return _of_operator(node, known) if isinstance(node, promql.BinaryExpr) else _ANY


def _of_series(series: Series, known: Known) -> Range:
    if series.name in _KNOWN:
        return _KNOWN[series.name]
    metric = series.metric
    if metric is None:
        ranges = [values(made, known) for made in series.made]
        return (min(low for low, _ in ranges), max(high for _, high in ranges)) if ranges else _ANY
    if series.counts or metric.unit in ("bytes", "usd", "tokens"):
        return _POSITIVE
    if metric.unit == "ratio" or metric.help.startswith("1 when "):
        return _SHARE
    return _ANY


def _of_aggregate(node: promql.AggregateExpr, known: Known) -> Range:
    operator, (low, high) = str(node.op), values(node.expr, known)
    if operator in ("count", "group", "count_values", "stddev", "stdvar"):
        return _POSITIVE
    if operator == "sum":
        return (0.0 if low >= 0 else -math.inf, 0.0 if high <= 0 else math.inf)
    return low, high


def _of_call(node: promql.Call, known: Known) -> Range:
    name = node.func.name
    if name == "histogram_quantile":
        bounds = bucket_bounds(node.args[1], known)
        return (min(0.0, bounds[0]), bounds[-1]) if bounds else _ANY
    if name in _FROM_ZERO:
        return _POSITIVE
    if name in ("clamp_min", "clamp_max", "clamp"):
        low, high = values(node.args[0], known)
        first = number(node.args[1])
        last = number(node.args[-1])
        low = max(low, first) if first is not None and name != "clamp_max" else low
        high = min(high, last) if last is not None and name != "clamp_min" else high
        return low, high
    if name == "sum_over_time":
        low, high = values(node.args[0], known)
        return (0.0 if low >= 0 else -math.inf, math.inf)
    if name in _KEEPING:
        return values(node.args[-1] if name == "quantile_over_time" else node.args[0], known)
    return _ANY


def _of_operator(node: promql.BinaryExpr, known: Known) -> Range:
    operator = str(node.op)
    left, right = values(node.lhs, known), values(node.rhs, known)
    if operator in COMPARISONS:
        return _SHARE if node.modifier and node.modifier.return_bool else (right if is_scalar(node.lhs) else left)
    if operator in SETS:
        return (min(left[0], right[0]), max(left[1], right[1])) if operator == "or" else left
    if operator == "+":
        return left[0] + right[0], left[1] + right[1]
    if operator == "-":
        return left[0] - right[1], left[1] - right[0]
    if operator == "*":
        corners = [0.0 if 0 in (a, b) else a * b for a in left for b in right]
        return min(corners), max(corners)
    if operator == "/":
        if _is_part(node.lhs, node.rhs, known):
            return _SHARE
        return _POSITIVE if left[0] >= 0 and right[0] >= 0 else _ANY
    return _ANY


def _is_part(part: promql.Expr, whole: promql.Expr, known: Known) -> bool:
    """Whether `part` counts some of what `whole` counts: the same question with more matchers."""
    part, whole = unwrapped(part), unwrapped(whole)
    if isinstance(whole, promql.BinaryExpr) and str(whole.op) in COMPARISONS and is_scalar(whole.rhs):
        return _is_part(part, whole.lhs, known)
    if isinstance(part, promql.BinaryExpr) and str(part.op) == "or":
        return _is_part(part.lhs, whole, known) and values(part.rhs, known) == (0.0, 0.0)
    if _without_matchers(part) != _without_matchers(whole) or not _grows(part):
        return False
    asked = [[_matchers(inner) for inner in every(side) if isinstance(inner, promql.VectorSelector)] for side in (part, whole)]
    return bool(asked[0]) and all(more >= fewer for more, fewer in zip(*asked, strict=True))


def _grows(node: promql.Expr) -> bool:
    """Whether more series can only make the figure greater: sums of rates, and what is recorded of them."""
    return all(
        (not isinstance(part, promql.AggregateExpr) or str(part.op) in ("sum", "max", "count"))
        and (not isinstance(part, promql.Call) or part.func.name in ("rate", "irate", "increase"))
        and not isinstance(part, promql.BinaryExpr)
        for part in every(node)
    )


def _matchers(selector: promql.VectorSelector) -> set[str]:
    return {str(matcher) for matcher in selector.matchers.matchers}


def _without_matchers(node: promql.Expr) -> str:
    return re.sub(r"\{[^}]*\}", "", str(node))

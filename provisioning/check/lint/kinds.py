"""Figures that are put to a use that their kind does not allow: rates of gauges, sums of quantiles, averages of ratios."""

from __future__ import annotations

from collections.abc import Iterator

import promql_parser as promql

from contract.metrics import Source
from provisioning.check.known import cumulative
from provisioning.check.labels import fixed, surviving
from provisioning.check.lint.measures import is_quantile, is_quotient
from provisioning.check.lint.model import Fault, Spot
from provisioning.check.series import selected_name, series_of
from provisioning.check.tree import unwrapped

_OF_REPLICAS = (Source.POSTGRES, Source.LANGFUSE)
RATES = frozenset({"rate", "irate", "increase"})
_SLOPES = frozenset({"delta", "idelta", "deriv", "predict_linear", "double_exponential_smoothing"})
_TOTAL_IS_FINE = RATES | _SLOPES | {
    "resets", "changes", "absent", "absent_over_time", "present_over_time", "count_over_time", "timestamp", "count", "group",
}  # fmt: skip
"""Functions that want a counter's total; slopes of it have a check of their own."""


def counter_without_rate(spot: Spot[promql.VectorSelector]) -> Iterator[Fault]:
    series = series_of(spot.node, spot.known)
    if series is None or not series.counts or spot.beside or set(spot.functions) & _TOTAL_IS_FINE:
        return
    record = spot.known.get(spot.question.record)
    if record is None or record.metric is None:  # a metric of the contract that is recorded from another name keeps its total
        yield Fault(f"{series.name} is a counter and is read without rate", f"rate({series.name}[$__rate_interval])", "warning")


def rate_of_gauge(spot: Spot[promql.MatrixSelector]) -> Iterator[Fault]:
    series = series_of(spot.node.vector_selector, spot.known)
    if spot.function in RATES and series and not series.counts and not series.foreign and (series.metric or series.recorded):
        kind = "a gauge" if series.metric else "a recorded figure"
        yield Fault(f"{spot.function} of {series.name}, which is {kind}", "rates are for counters; use delta or deriv")


def slope_of_counter(spot: Spot[promql.MatrixSelector]) -> Iterator[Fault]:
    series = series_of(spot.node.vector_selector, spot.known)
    if spot.function in _SLOPES and series and series.counts and not series.foreign:
        remedy = f"increase({series.name}[…]), or the slope of its rate"
        yield Fault(f"{spot.function} of {series.name}, which is a counter: a restart looks like a fall", remedy)


def rate_of_sum(spot: Spot[promql.Expr]) -> Iterator[Fault]:
    """Counters restart one by one; in their sum a restart is a fall, which the rate takes for a restart of the whole."""
    if spot.function not in RATES:
        return
    node, summed = spot.node, False
    if isinstance(node, promql.SubqueryExpr):
        summed = not isinstance(unwrapped(node.expr), promql.VectorSelector) and cumulative(node.expr, spot.known)
    elif isinstance(node, promql.MatrixSelector):
        series = series_of(node.vector_selector, spot.known)
        summed = series is not None and series.counts and series.metric is None
    if summed:
        yield Fault(f"{spot.function} of a sum of counters: a restart of one looks like traffic of all", "sum(rate(…))")


def sum_of_quantiles(spot: Spot[promql.AggregateExpr]) -> Iterator[Fault]:
    operator = str(spot.node.op)
    if operator in ("sum", "avg") and is_quantile(spot.node.expr, spot.known):
        remedy = "histogram_quantile(…, sum by (le, …) (rate(…_bucket[…]))), or the max"
        yield Fault(f"{operator} of quantiles is no quantile of anything", remedy)


def average_of_ratios(spot: Spot[promql.Expr]) -> Iterator[Fault]:
    """A quiet series, or a quiet minute, would weigh as much as a busy one."""
    node = spot.node
    if isinstance(node, promql.AggregateExpr):
        if str(node.op) == "avg" and is_quotient(node.expr, spot.known):
            yield Fault("average of ratios: what is quiet weighs as much as what is busy", "sum(part) / sum(whole)")
    elif isinstance(node, promql.Call) and node.func.name == "avg_over_time":
        inner = node.args[0]
        kind = "ratio" if is_quotient(inner, spot.known) else "quantile" if is_quantile(inner, spot.known) else ""
        if kind:
            name = selected_name(inner.vector_selector) if isinstance(inner, promql.MatrixSelector) else f"a {kind}"
            remedy = "divide sums over the whole time" if kind == "ratio" else "the quantile over the whole time"
            yield Fault(f"average over time of {name}: a quiet minute weighs as much as a busy one", remedy, "warning")


def sum_of_replicas(spot: Spot[promql.VectorSelector]) -> Iterator[Fault]:
    """Every replica of our exporter gives the same totals, so a sum over replicas counts everything once for each."""
    series = series_of(spot.node, spot.known)
    if series is None or series.recorded or series.metric is None or series.metric.source not in _OF_REPLICAS:
        return
    for node in reversed(spot.around):
        if isinstance(node, promql.AggregateExpr):
            left = surviving(node, spot.known, certain=False)
            if left is None or "instance" in left or "instance" in fixed(node.expr, spot.known):
                continue
            if str(node.op) in ("sum", "count"):
                found = f"{node.op} of {series.name} counts everything once for each replica of the exporter"
                yield Fault(found, f"{node.op} … (max without (instance) (…))")
            return


def quantile_without_buckets(spot: Spot[promql.Call]) -> Iterator[Fault]:
    position = {"histogram_quantile": 1, "histogram_fraction": 2}.get(spot.node.func.name)
    if position is None:
        return
    inner = surviving(spot.node.args[position], spot.known, certain=True)
    if inner is not None and "le" not in inner:
        yield Fault(f"{spot.node.func.name} without le: its input has lost the buckets", "keep le in by (…)")

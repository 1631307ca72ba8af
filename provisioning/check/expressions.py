"""PromQL against the contract, without a server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import promql_parser as promql

from contract.buckets import bound_matcher
from contract.labels import LABELS
from contract.settings import Settings
from contract.values import duration_seconds
from provisioning.check.labels import is_scalar, surviving
from provisioning.check.series import Known, Series, selected_name
from provisioning.findings import Finding, closest, error, warning

_RATES = frozenset({"rate", "irate", "increase"})
_COUNT_IS_FINE = _RATES | {
    "resets", "changes", "absent", "absent_over_time", "present_over_time", "count_over_time", "timestamp", "count", "group",
}  # fmt: skip
_ADDED_BY_SCRAPES = frozenset({"__name__", "job", "instance"})


@dataclass(frozen=True)
class Inspector:
    """Reads expressions with what is known about series and about the server that will run them."""

    known: Known
    retention: timedelta
    scrape: timedelta

    @classmethod
    def of(cls, settings: Settings, known: Known) -> Inspector:
        prometheus = settings.sources.prometheus
        seconds = (duration_seconds(prometheus.retention), duration_seconds(prometheus.scrape_interval))
        return cls(known, timedelta(seconds=seconds[0]), timedelta(seconds=seconds[1]))

    def findings(self, place: str, text: str) -> list[Finding]:
        """Everything wrong with one expression, each thing once."""
        try:
            node = promql.parse(text)
        except ValueError as problem:
            return [error(place, f"not PromQL: {problem}", _shortened(text))]
        return list(dict.fromkeys(self._visit(node, place, frozenset(), timedelta())))

    def _visit(self, node: promql.Expr, place: str, within: frozenset[str], reach: timedelta) -> Iterator[Finding]:
        """`within` holds the functions and aggregations around a node, `reach` how far back they already look."""
        if isinstance(node, promql.ParenExpr | promql.UnaryExpr):
            yield from self._visit(node.expr, place, within, reach)
        elif isinstance(node, promql.SubqueryExpr):
            further = reach + (node.range or timedelta()) + (node.offset or timedelta())
            yield from self._visit(node.expr, place, within, further)
        elif isinstance(node, promql.MatrixSelector):
            yield from self._window(node, place, within)
            yield from self._selector(node.vector_selector, place, within, reach + node.range)
        elif isinstance(node, promql.VectorSelector):
            yield from self._selector(node, place, within, reach)
        elif isinstance(node, promql.AggregateExpr):
            yield from self._grouping(node, place)
            yield from self._visit(node.expr, place, within | {str(node.op)}, reach)
        elif isinstance(node, promql.BinaryExpr):
            yield from self._matching(node, place)
            beside = within | ({"absent"} if str(node.op) in ("and", "unless") else set())  # only whether it is there
            yield from self._visit(node.lhs, place, within, reach)
            yield from self._visit(node.rhs, place, beside, reach)
        elif isinstance(node, promql.Call):
            yield from self._quantile(node, place)
            for argument in node.args:
                yield from self._visit(argument, place, within | {node.func.name}, reach)

    def _selector(self, node: promql.VectorSelector, place: str, within: frozenset[str], reach: timedelta) -> Iterator[Finding]:
        name = selected_name(node)
        reach += node.offset or timedelta()
        if reach > self.retention:
            kept = promql.display_duration(self.retention)
            looks = promql.display_duration(reach)
            yield error(place, f"looks back {looks}, but Prometheus keeps {kept}", "a shorter window, or more retention")
        series = self.known.get(name)
        if series is None:
            if name:
                yield error(place, f"unknown metric {name}", closest(name, self.known))
            return
        if series.counts and not within & _COUNT_IS_FINE:
            yield warning(place, f"{name} is a counter and is read without rate", f"rate({name}[$__rate_interval])")
        for matcher in node.matchers.matchers:
            yield from self._matcher(matcher, series, place)

    def _matcher(self, matcher: promql.Matcher, series: Series, place: str) -> Iterator[Finding]:
        label, value = matcher.name, matcher.value
        if label == "__name__" or series.labels is None:
            return
        if label not in series.labels:
            yield error(place, f"{series.name} has no label {label}", closest(label, series.labels))
        elif matcher.op != promql.MatchOp.Equal:
            return
        elif label == "le":
            yield from _bound(value, series, place)
        elif not series.foreign and label in LABELS and LABELS[label].values and value not in ("", *LABELS[label].values):
            yield error(place, f"label {label} is never {value!r}", closest(value, LABELS[label].values))

    def _window(self, node: promql.MatrixSelector, place: str, within: frozenset[str]) -> Iterator[Finding]:
        series = self.known.get(selected_name(node.vector_selector))
        rates = sorted(_RATES & within)
        if not rates or series is None:
            return
        if not series.counts and not series.foreign:
            kind = "a recorded figure" if series.recorded else "a gauge"
            yield error(place, f"{rates[0]} of {series.name}, which is {kind}", "rates are for counters; use delta or deriv")
        if node.range < 2 * self.scrape:
            window, least = promql.display_duration(node.range), promql.display_duration(2 * self.scrape)
            yield error(place, f"{rates[0]} over {window} never sees two samples", f"at least {least}")

    def _grouping(self, node: promql.AggregateExpr, place: str) -> Iterator[Finding]:
        inner = surviving(node.expr, self.known, certain=False)
        if node.modifier is None or inner is None:
            return
        clause = "by" if node.modifier.type == promql.AggModifierType.By else "without"
        for label in node.modifier.labels:
            if label not in inner:
                yield error(place, f"{clause} ({label}): there is no such label on what is aggregated", closest(label, inner))

    def _matching(self, node: promql.BinaryExpr, place: str) -> Iterator[Finding]:
        if node.modifier is None or is_scalar(node.lhs) or is_scalar(node.rhs):
            return
        sides = [surviving(side, self.known, certain=False) for side in (node.lhs, node.rhs)]
        matching = node.modifier.matching
        for label in matching.labels if matching and matching.type == promql.LabelModifierType.Include else ():
            for side in sides:
                if side is not None and label not in side:
                    yield error(place, f"on ({label}): one side has no such label", closest(label, side))
        one = sides[1] if node.modifier.card == promql.VectorMatchCardinality.ManyToOne else sides[0]
        for label in node.modifier.group_labels or ():
            if one is not None and label not in one:
                yield error(place, f"group modifier ({label}): the other side has no such label", closest(label, one))

    def _quantile(self, node: promql.Call, place: str) -> Iterator[Finding]:
        if node.func.name != "histogram_quantile":
            return
        inner = surviving(node.args[1], self.known, certain=True)
        if inner is not None and "le" not in inner:
            yield error(place, "histogram_quantile without le: its input has lost the buckets", "keep le in by (…)")


def _bound(value: str, series: Series, place: str) -> Iterator[Finding]:
    if value == "+Inf":
        return
    try:
        bound = float(value)
    except ValueError:
        yield error(place, f'le="{value}" is not a number', "a bucket bound")
        return
    buckets = series.metric.buckets if series.metric else ()
    if buckets and bound not in buckets:
        near = sorted(sorted(buckets, key=lambda known: abs(known - bound))[:2])
        yield error(place, f"{series.name} has no bucket that ends at {value}", f"near: {', '.join(f'{b:g}' for b in near)}")
    elif bound == int(bound):
        yield error(place, f'le="{value}" misses the other spelling of a whole number', bound_matcher(bound))


def _shortened(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:197]}..."

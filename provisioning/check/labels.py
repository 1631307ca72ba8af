"""Which labels a PromQL expression leaves on its result, and which of them can have one value only."""

from __future__ import annotations

import promql_parser as promql

from provisioning.check.series import Known, Labels, series_of
from provisioning.check.tree import AROUND_ONE, is_scalar, number, unwrapped, vectors

_NOTHING: frozenset[str] = frozenset()


def surviving(node: promql.Expr, known: Known, certain: bool) -> Labels:
    """Labels of the result: those on every series when `certain`, else those on at least one. None means any."""
    if isinstance(node, AROUND_ONE):
        return surviving(node.expr, known, certain)
    if isinstance(node, promql.MatrixSelector):
        return surviving(node.vector_selector, known, certain)
    if isinstance(node, promql.VectorSelector):
        series = series_of(node, known)
        if series is None:
            return None
        return series.always if certain else series.labels
    if isinstance(node, promql.AggregateExpr):
        return _aggregated(node, known, certain)
    if isinstance(node, promql.BinaryExpr):
        return _joined(node, known, certain)
    if isinstance(node, promql.Call):
        return _called(node, known, certain)
    return _NOTHING


def _aggregated(node: promql.AggregateExpr, known: Known, certain: bool) -> Labels:
    inner = surviving(node.expr, known, certain)
    if str(node.op) in ("topk", "bottomk", "limitk", "limit_ratio"):
        return inner
    added = {node.param.val} if str(node.op) == "count_values" and isinstance(node.param, promql.StringLiteral) else _NOTHING
    if node.modifier is None:
        return frozenset(added)
    named = frozenset(node.modifier.labels)
    if node.modifier.type == promql.AggModifierType.By:
        return (named if inner is None else named & inner) | added
    return None if inner is None else (inner - named) | added


def _joined(node: promql.BinaryExpr, known: Known, certain: bool) -> Labels:
    if is_scalar(node.lhs) or is_scalar(node.rhs):
        return surviving(node.rhs if is_scalar(node.lhs) else node.lhs, known, certain)
    left, right = surviving(node.lhs, known, certain), surviving(node.rhs, known, certain)
    operator, modifier = str(node.op), node.modifier
    if operator == "or":
        if left is None or right is None:
            return None
        return left & right if certain else left | right
    if operator in ("and", "unless") or modifier is None:
        return left
    extra = frozenset(modifier.group_labels or ())
    if modifier.card == promql.VectorMatchCardinality.ManyToOne:
        return None if left is None else left | extra
    if modifier.card == promql.VectorMatchCardinality.OneToMany:
        return None if right is None else right | extra
    if modifier.matching is None:
        return left
    named = frozenset(modifier.matching.labels)
    if modifier.matching.type == promql.LabelModifierType.Include:
        return named if left is None else named & left
    return None if left is None else left - named


def _called(node: promql.Call, known: Known, certain: bool) -> Labels:
    name, arguments = node.func.name, list(node.args)
    inside = vectors(node)
    if name == "vector" or is_scalar(node) or not inside:
        return _NOTHING
    if name in ("absent", "absent_over_time"):
        selector = inside[0].vector_selector if isinstance(inside[0], promql.MatrixSelector) else inside[0]
        if not isinstance(selector, promql.VectorSelector):
            return _NOTHING
        equal = (matcher for matcher in selector.matchers.matchers if matcher.op == promql.MatchOp.Equal)
        return frozenset(matcher.name for matcher in equal if matcher.name != "__name__")
    inner = surviving(inside[0], known, certain)
    if inner is None or name == "info":
        return None
    if name in ("histogram_quantile", "histogram_fraction"):
        return inner - {"le"}
    if name in ("label_replace", "label_join") and isinstance(arguments[1], promql.StringLiteral):
        return inner | {arguments[1].val}
    return inner


def fixed(node: promql.Expr, known: Known) -> dict[str, str]:
    """Labels of the result that have one value, written in a matcher or set by the one rule that records the series."""
    if isinstance(node, AROUND_ONE):
        return fixed(node.expr, known)
    if isinstance(node, promql.MatrixSelector):
        return fixed(node.vector_selector, known)
    if isinstance(node, promql.VectorSelector):
        series = series_of(node, known)
        own = {label: next(iter(values)) for label, values in series.given.items() if len(values) == 1} if series else {}
        if series and len(series.made) == 1 and series.metric is None:
            own = fixed(series.made[0], known) | own
        single = (matcher for matcher in node.matchers.matchers if matcher.op == promql.MatchOp.Equal or _is_bound(matcher))
        return own | {matcher.name: matcher.value for matcher in single if matcher.name != "__name__"}
    if isinstance(node, promql.BinaryExpr):
        if is_scalar(node.lhs) or is_scalar(node.rhs):
            return fixed(node.rhs if is_scalar(node.lhs) else node.lhs, known)
        left, right = fixed(node.lhs, known), fixed(node.rhs, known)
        if str(node.op) == "or":
            return {label: value for label, value in left.items() if right.get(label) == value}
        return left | {label: value for label, value in right.items() if label in _matched(node, known)}
    if isinstance(node, promql.AggregateExpr):
        inner, there = fixed(node.expr, known), surviving(node, known, certain=True)
        return {label: value for label, value in inner.items() if there is None or label in there}
    if isinstance(node, promql.Call) and not node.func.name.startswith("label_") and vectors(node):
        return fixed(vectors(node)[0], known)
    return {}


def _is_bound(matcher: promql.Matcher) -> bool:
    """Whether a regular expression only gives the spellings of one bucket bound, such as `le=~"1|1[.]0"`."""
    if matcher.name != "le" or matcher.op != promql.MatchOp.Re:
        return False
    try:
        return len({float(word.replace("[.]", ".").replace("[+]", "+")) for word in matcher.value.split("|")}) == 1
    except ValueError:
        return False


def _matched(node: promql.BinaryExpr, known: Known) -> frozenset[str]:
    """Labels that are equal on both sides of an operator."""
    matching = node.modifier.matching if node.modifier else None
    if matching is not None and matching.type == promql.LabelModifierType.Include:
        return frozenset(matching.labels)
    both = surviving(node.lhs, known, certain=True) or _NOTHING
    return both - frozenset(matching.labels if matching else ())


def varying(node: promql.Expr, known: Known) -> frozenset[str]:
    """Labels that every series of the result has, each series possibly another value of them."""
    labels = (surviving(node, known, certain=True) or _NOTHING) - fixed(node, known).keys()
    node = unwrapped(node)
    single = isinstance(node, promql.AggregateExpr) and node.param and number(node.param) == 1
    if single and isinstance(node, promql.AggregateExpr) and str(node.op) in ("topk", "bottomk"):
        named = frozenset(node.modifier.labels) if node.modifier else _NOTHING  # one series for each combination of these
        without = node.modifier is not None and node.modifier.type == promql.AggModifierType.Without
        return labels - named if without else labels & named
    return labels

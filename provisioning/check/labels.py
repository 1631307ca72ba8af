"""Which labels a PromQL expression leaves on its result."""

from __future__ import annotations

import promql_parser as promql

from provisioning.check.series import Known, Labels, selected_name

_SCALARS = ("time", "pi", "scalar")
_NOTHING: frozenset[str] = frozenset()


def is_scalar(node: promql.Expr) -> bool:
    if isinstance(node, promql.ParenExpr | promql.UnaryExpr):
        return is_scalar(node.expr)
    if isinstance(node, promql.BinaryExpr):
        return is_scalar(node.lhs) and is_scalar(node.rhs)
    return isinstance(node, promql.NumberLiteral | promql.StringLiteral) or (
        isinstance(node, promql.Call) and node.func.name in _SCALARS
    )


def surviving(node: promql.Expr, known: Known, certain: bool) -> Labels:
    """Labels of the result: those on every series when `certain`, else those on at least one. None means any."""
    if isinstance(node, promql.ParenExpr | promql.UnaryExpr | promql.SubqueryExpr):
        return surviving(node.expr, known, certain)
    if isinstance(node, promql.MatrixSelector):
        return surviving(node.vector_selector, known, certain)
    if isinstance(node, promql.VectorSelector):
        series = known.get(selected_name(node))
        return series.labels if series else None
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
    vectors = [argument for argument in arguments if not is_scalar(argument)]
    if name == "vector" or is_scalar(node) or not vectors:
        return _NOTHING
    if name in ("absent", "absent_over_time"):
        selector = vectors[0].vector_selector if isinstance(vectors[0], promql.MatrixSelector) else vectors[0]
        if not isinstance(selector, promql.VectorSelector):
            return _NOTHING
        equal = (matcher for matcher in selector.matchers.matchers if matcher.op == promql.MatchOp.Equal)
        return frozenset(matcher.name for matcher in equal if matcher.name != "__name__")
    inner = surviving(vectors[0], known, certain)
    if inner is None or name == "info":
        return None
    if name in ("histogram_quantile", "histogram_fraction"):
        return inner - {"le"}
    if name in ("label_replace", "label_join") and isinstance(arguments[1], promql.StringLiteral):
        return inner | {arguments[1].val}
    return inner

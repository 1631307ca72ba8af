"""Labels that do not survive, and operators whose sides cannot be matched."""

from __future__ import annotations

from collections.abc import Iterator

import promql_parser as promql

from provisioning.check.labels import fixed, surviving, varying
from provisioning.check.lint.model import Fault, Spot
from provisioning.check.tree import SETS, is_scalar
from provisioning.findings import Severity, closest

Operator = Spot[promql.BinaryExpr]

_ONE_JOB = frozenset({"job"})
"""Our metrics come from one job each, so this label makes no second series."""
_ONE_TARGET = frozenset({"instance"})


def grouping_label(spot: Spot[promql.AggregateExpr]) -> Iterator[Fault]:
    inner = surviving(spot.node.expr, spot.known, certain=False)
    if spot.node.modifier is None or inner is None:
        return
    clause = "by" if spot.node.modifier.type == promql.AggModifierType.By else "without"
    for label in spot.node.modifier.labels:
        if label not in inner:
            yield Fault(f"{clause} ({label}): there is no such label on what is aggregated", closest(label, inner))


def matching_label(spot: Operator) -> Iterator[Fault]:
    """Labels of `on`, `group_left` and `group_right` have to be on the sides that they are taken from."""
    modifier = spot.node.modifier
    if modifier is None or _has_scalar(spot.node):
        return
    sides = [surviving(side, spot.known, certain=False) for side in (spot.node.lhs, spot.node.rhs)]
    for label in modifier.matching.labels if modifier.matching and _is_on(spot.node) else ():
        for side in sides:
            if side is not None and label not in side:
                yield Fault(f"on ({label}): one side has no such label", closest(label, side))
    one = sides[1] if modifier.card == promql.VectorMatchCardinality.ManyToOne else sides[0]
    for label in modifier.group_labels or ():
        if one is not None and label not in one:
            yield Fault(f"group modifier ({label}): the other side has no such label", closest(label, one))


def cardinality(spot: Operator) -> Iterator[Fault]:
    """Several series on one side for one on the other need group_left or group_right; several on both cannot be matched."""
    if _has_scalar(spot.node) or str(spot.node.op) in SETS:
        return
    left, right = (_beyond(side, spot) for side in (spot.node.lhs, spot.node.rhs))
    card = spot.node.modifier.card if spot.node.modifier else promql.VectorMatchCardinality.OneToOne
    if card == promql.VectorMatchCardinality.ManyToOne:
        left = frozenset()
    elif card == promql.VectorMatchCardinality.OneToMany:
        right = frozenset()
    if not left and not right:
        return
    grouped = card != promql.VectorMatchCardinality.OneToOne
    many = f"several series that differ in {', '.join(sorted(left | right))}"
    severity: Severity = "warning" if left | right <= _ONE_TARGET else "error"
    if grouped or (left and right):
        remedy = "match on these labels too, or aggregate them away first"
        which = "the side that is to be one" if grouped else "both sides"
        yield Fault(f"{spot.node.op}: {which} can have {many}, for one combination of labels", remedy, severity)
    else:
        side, modifier = ("left", "group_left") if left else ("right", "group_right")
        found = f"{spot.node.op}: the {side} side can have {many}, for one on the other"
        yield Fault(found, f"{modifier}, or aggregate first", severity)


def never_matches(spot: Operator) -> Iterator[Fault]:
    """Without `on`, both sides need the same labels; a label that is fixed on both has to have one value."""
    node = spot.node
    if _has_scalar(node) or str(node.op) == "or":
        return
    matching = node.modifier.matching if node.modifier else None
    fill = node.modifier.fill_values if node.modifier else None
    if fill and (fill.lhs is not None or fill.rhs is not None):
        return
    named = frozenset(matching.labels) if matching else frozenset()
    if not _is_on(node):
        alone = (_only(node.lhs, node.rhs, spot) | _only(node.rhs, node.lhs, spot)) - named
        if alone:
            labels = ", ".join(sorted(alone))
            yield Fault(f"{node.op} never matches: only one side has {labels}", f"ignoring ({labels}), or on (…)")
    left, right = fixed(node.lhs, spot.known), fixed(node.rhs, spot.known)
    for label in sorted(left.keys() & right.keys()):
        if left[label] != right[label] and (label in named) == _is_on(node):
            both = f"{label} is {left[label]!r} on one side and {right[label]!r} on the other"
            yield Fault(f"{node.op} never matches: {both}", f"ignoring ({label})")


def absent_of_several(spot: Spot[promql.Call]) -> Iterator[Fault]:
    """absent() speaks only when every series is gone, and knows the labels of `=` matchers alone."""
    if spot.node.func.name not in ("absent", "absent_over_time"):
        return
    argument = spot.node.args[0]
    selector = argument.vector_selector if isinstance(argument, promql.MatrixSelector) else argument
    if not isinstance(selector, promql.VectorSelector):
        return
    for matcher in selector.matchers.matchers:
        if matcher.op == promql.MatchOp.Re and "|" in matcher.value:
            remedy = f'one absent({selector.name}{{{matcher.name}="…"}}) for each, joined by or'
            yield Fault(f"{spot.node.func.name} with {matcher} speaks only when all of them are gone", remedy, "warning")


def _has_scalar(node: promql.BinaryExpr) -> bool:
    return is_scalar(node.lhs) or is_scalar(node.rhs)


def _is_on(node: promql.BinaryExpr) -> bool:
    matching = node.modifier.matching if node.modifier else None
    return matching is not None and matching.type == promql.LabelModifierType.Include


def _beyond(side: promql.Expr, spot: Operator) -> frozenset[str]:
    """Labels that make several series on a side for one combination of the labels that are matched."""
    matching = spot.node.modifier.matching if spot.node.modifier else None
    if matching is None:
        return frozenset()
    labels, varies = frozenset(matching.labels), varying(side, spot.known) - _ONE_JOB
    return varies - labels if _is_on(spot.node) else varies & labels


def _only(side: promql.Expr, other: promql.Expr, spot: Operator) -> frozenset[str]:
    """Labels that every series of one side has and none of the other."""
    there, elsewhere = surviving(side, spot.known, certain=True), surviving(other, spot.known, certain=False)
    return frozenset() if there is None or elsewhere is None else there - elsewhere

"""Answers that are not the same from one evaluation to the next, or that one empty group spoils, or that are asked twice."""

from __future__ import annotations

from collections.abc import Iterator

import promql_parser as promql

from provisioning.check.lint.model import Fault, RuleBook, Spot
from provisioning.check.tree import COMPARISONS, children, every, is_scalar, names_read, number, unwrapped

_RANKS = frozenset({"topk", "bottomk", "limitk", "limit_ratio"})
_SPOILED = frozenset({"sum", "avg", "stddev", "stdvar"})
_PASSING = frozenset({"abs", "round", "ceil", "floor", "last_over_time", "label_replace", "sort", "sort_desc"})
_ABOVE = frozenset({">", "!="})


def unstable_selection(spot: Spot[promql.AggregateExpr]) -> Iterator[Fault]:
    """A rank chooses other series each time. On the right of `and` only presence counts; of equals, any one will do."""
    asked, inner = spot.question, unwrapped(spot.node.expr)
    equals = isinstance(inner, promql.AggregateExpr) and str(inner.op) == "group"
    if str(spot.node.op) in _RANKS and (asked.alert or asked.record) and not spot.beside and not equals:
        what = "the alerts that fire" if asked.alert else "the recorded series"
        yield Fault(f"{spot.node.op} chooses {what} anew each time", "a limit instead of a rank", "warning")


def nan_in_sum(spot: Spot[promql.AggregateExpr]) -> Iterator[Fault]:
    """Nothing divided by nothing is NaN, and so is every sum that it is part of."""
    if str(spot.node.op) not in _SPOILED:
        return
    for node in _summed(spot.node.expr):
        if isinstance(node, promql.BinaryExpr) and str(node.op) in ("/", "%") and _may_be_zero(node.rhs):
            found = f"one group that divides by 0 makes the whole {spot.node.op} NaN"
            yield Fault(found, "divide sums, or … / (total > 0)", "warning")


def _summed(node: promql.Expr) -> Iterator[promql.Expr]:
    """The parts whose values reach the sum: not those on the right of `and` and `unless`, nor of another aggregation."""
    node = unwrapped(node)
    yield node
    if isinstance(node, promql.BinaryExpr):
        if str(node.op) in COMPARISONS:
            return  # NaN is not above, below or equal to anything
        sides = [node.lhs] if str(node.op) in ("and", "unless") else [node.lhs, node.rhs]
        for side in sides:
            yield from _summed(side)
    elif isinstance(node, promql.Call) and node.func.name in _PASSING:
        for child in children(node):
            yield from _summed(child)


def _may_be_zero(node: promql.Expr) -> bool:
    node = unwrapped(node)
    if is_scalar(node):
        return number(node) in (0, None)
    if isinstance(node, promql.BinaryExpr):
        limit = number(node.rhs)
        if str(node.op) in _ABOVE and limit is not None and limit >= 0:
            return False
        if str(node.op) in ("and", "unless"):
            return _may_be_zero(node.lhs)
        if str(node.op) == "or":
            return _may_be_zero(node.lhs) or _may_be_zero(node.rhs)
    if isinstance(node, promql.Call) and node.func.name in ("clamp_min", "clamp"):
        least = number(node.args[1])
        return least is None or least <= 0
    return True


def recorded_part(book: RuleBook) -> Iterator[tuple[str, Fault]]:
    """A part of a rule that another rule records as it is. A lone selector is no part: reading it costs nothing."""
    recorded: dict[str, str] = {}
    for rule in book.recordings:
        if rule.node is not None and not rule.labels and not isinstance(unwrapped(rule.node), promql.VectorSelector):
            recorded.setdefault(unwrapped(rule.node).prettify(), rule.record)
    for rule in book.rules:
        if rule.node is None:
            continue
        whole = unwrapped(rule.node)
        found = {recorded.get(part.prettify(), "") for part in every(whole) if part is not whole and _asks(part)}
        for name in sorted(found - {"", rule.record}):
            yield rule.place, Fault(f"asks again what {name} records", name, "note")


def _asks(node: promql.Expr) -> bool:
    return isinstance(node, promql.AggregateExpr | promql.Call | promql.BinaryExpr) and bool(names_read(node))

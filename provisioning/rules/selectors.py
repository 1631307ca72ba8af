"""What an expression reads: which series, and how far back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import NamedTuple

import promql_parser as promql

from provisioning.check.series import selected_name

LOOKBACK = 300.0
"""Seconds that Prometheus looks back for the newest sample of a series."""
_LOWER = frozenset({"<", "<="})
_COMPARED = _LOWER | {">", ">=", "==", "!="}


class Selected(NamedTuple):
    """A selector of an expression: the series' name (empty when it has none), its text, and seconds that it looks back."""

    name: str
    text: str
    reach: float


def selected(expression: str) -> list[Selected]:
    """Every selector of an expression. Raises ValueError when it is not PromQL."""
    return list(_visit(promql.parse(expression), timedelta()))


def normal(expression: str) -> str:
    """The same expression in one spelling. Raises ValueError when it is not PromQL."""
    return str(promql.parse(expression))


def falls(expression: str) -> bool:
    """Whether an alert's expression asks for values below a limit, so that the lowest one is the worst."""
    node = promql.parse(expression)
    while True:
        if isinstance(node, promql.ParenExpr | promql.AggregateExpr):
            node = node.expr
        elif isinstance(node, promql.BinaryExpr):
            if str(node.op) in _COMPARED:
                return str(node.op) in _LOWER
            node = node.lhs
        else:
            return False


def _visit(node: promql.Expr, reach: timedelta) -> Iterator[Selected]:
    if isinstance(node, promql.ParenExpr | promql.UnaryExpr):
        yield from _visit(node.expr, reach)
    elif isinstance(node, promql.AggregateExpr):
        yield from _visit(node.expr, reach)
        if node.param is not None:
            yield from _visit(node.param, reach)
    elif isinstance(node, promql.SubqueryExpr):
        yield from _visit(node.expr, reach + (node.range or timedelta()) + (node.offset or timedelta()))
    elif isinstance(node, promql.MatrixSelector):
        yield _selected(node.vector_selector, reach + node.range)
    elif isinstance(node, promql.VectorSelector):
        yield _selected(node, reach + timedelta(seconds=LOOKBACK))
    elif isinstance(node, promql.BinaryExpr):
        yield from _visit(node.lhs, reach)
        yield from _visit(node.rhs, reach)
    elif isinstance(node, promql.Call):
        for argument in node.args:
            yield from _visit(argument, reach)


def _selected(node: promql.VectorSelector, reach: timedelta) -> Selected:
    name = selected_name(node)
    matchers = [m for m in node.matchers.matchers if m.name != "__name__" or not name]
    inner = ",".join(f"{m.name}{_OPERATORS[str(m.op)]}{_quoted(m.value)}" for m in matchers)
    text = f"{name}{{{inner}}}" if inner else name
    return Selected(name, text, (reach + (node.offset or timedelta())).total_seconds())


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


_OPERATORS = {str(operator): sign for operator, sign in (
    (promql.MatchOp.Equal, "="), (promql.MatchOp.NotEqual, "!="), (promql.MatchOp.Re, "=~"), (promql.MatchOp.NotRe, "!~"),
)}  # fmt: skip

"""PromQL as a tree: what stands in a node, around it and below it."""

from __future__ import annotations

from functools import lru_cache

import promql_parser as promql

from provisioning.check.series import selected_name

COMPARISONS = frozenset({"==", "!=", ">", "<", ">=", "<="})
SETS = frozenset({"and", "or", "unless"})
_SCALARS = ("time", "pi", "scalar")


AROUND_ONE = (promql.ParenExpr, promql.UnaryExpr, promql.SubqueryExpr)
"""Kinds of nodes around one expression."""
_SIGNED = (promql.ParenExpr, promql.UnaryExpr)
_LITERALS = (promql.NumberLiteral, promql.StringLiteral)
_NODES = 100_000
"""How many nodes are remembered; a whole build has a third of that."""


@lru_cache(maxsize=8192)
def parsed(text: str) -> promql.Expr:
    """The tree of an expression, the same one for the same text. Raises ValueError for what is not PromQL."""
    return promql.parse(text)


@lru_cache(maxsize=_NODES)
def children(node: promql.Expr) -> tuple[promql.Expr, ...]:
    """The parts of a node that are expressions themselves."""
    if isinstance(node, AROUND_ONE):
        return (node.expr,)
    if isinstance(node, promql.MatrixSelector):
        return (node.vector_selector,)
    if isinstance(node, promql.AggregateExpr):
        return (node.expr, node.param) if isinstance(node.param, promql.Expr) else (node.expr,)
    if isinstance(node, promql.BinaryExpr):
        return (node.lhs, node.rhs)
    return tuple(node.args) if isinstance(node, promql.Call) else ()


@lru_cache(maxsize=_NODES)
def every(node: promql.Expr) -> tuple[promql.Expr, ...]:
    """A node and all below it."""
    return (node, *(below for child in children(node) for below in every(child)))


@lru_cache(maxsize=_NODES)
def names_read(node: promql.Expr) -> frozenset[str]:
    """Names of all series that an expression selects."""
    selectors = (part for part in every(node) if isinstance(part, promql.VectorSelector))
    return frozenset(name for selector in selectors if (name := selected_name(selector)))


def unwrapped(node: promql.Expr) -> promql.Expr:
    """A node without the parentheses around it."""
    while isinstance(node, promql.ParenExpr):
        node = node.expr
    return node


def number(node: promql.Expr) -> float | None:
    """The value of a number that is written out, or None."""
    node = unwrapped(node)
    if isinstance(node, promql.UnaryExpr):
        inner = number(node.expr)
        return None if inner is None else -inner
    return node.val if isinstance(node, promql.NumberLiteral) else None


@lru_cache(maxsize=_NODES)
def is_scalar(node: promql.Expr) -> bool:
    if isinstance(node, _SIGNED):
        return is_scalar(node.expr)
    if isinstance(node, promql.BinaryExpr):
        return is_scalar(node.lhs) and is_scalar(node.rhs)
    return isinstance(node, _LITERALS) or (isinstance(node, promql.Call) and node.func.name in _SCALARS)


def vectors(node: promql.Call) -> list[promql.Expr]:
    """The arguments of a function that are not scalars."""
    return [argument for argument in node.args if not is_scalar(argument)]

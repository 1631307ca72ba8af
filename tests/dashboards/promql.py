"""PromQL as the dashboards' tests read it: with Grafana's variables filled in, selector by selector."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import promql_parser as promql

_VARIABLE = re.compile(r"\$\{?(\w+)(?::\w+)?\}?")
_OPERATORS = {"MatchOp.Equal": "=", "MatchOp.NotEqual": "!=", "MatchOp.Re": "=~", "MatchOp.NotRe": "!~"}
_ANY = re.compile(r'(=~|!~)"([^"]*)"')


def plain_promql(text: str) -> str:
    """The text with Grafana's variables as Grafana would fill them in, when all values of each filter are chosen."""
    text = _ANY.sub(lambda found: f'{found[1]}"{_VARIABLE.sub(".*", found[2])}"', text)
    return _VARIABLE.sub(lambda found: "5m" if found[1].startswith("__") or found[1] == "compare" else "x", text)


def selectors(node: Any) -> Iterator[promql.VectorSelector]:
    """Every selector of an expression."""
    if isinstance(node, promql.VectorSelector):
        yield node
    elif isinstance(node, promql.MatrixSelector):
        yield node.vector_selector
    elif isinstance(node, promql.BinaryExpr):
        yield from selectors(node.lhs)
        yield from selectors(node.rhs)
    elif isinstance(node, promql.Call):
        for argument in node.args:
            yield from selectors(argument)
    elif isinstance(node, promql.ParenExpr | promql.UnaryExpr | promql.SubqueryExpr | promql.AggregateExpr):
        yield from selectors(node.expr)


@dataclass(frozen=True)
class Selector:
    """A series' name, and what its labels have to be: label, operator, value."""

    name: str
    matches: tuple[tuple[str, str, str], ...]

    @classmethod
    def of(cls, selector: promql.VectorSelector) -> Selector:
        matchers = selector.matchers.matchers
        return cls(selector.name or "", tuple((one.name, _OPERATORS[str(one.op)], one.value) for one in matchers))

    def allows(self, labels: Mapping[str, str]) -> bool:
        """Whether series with these labels, and any others, may be chosen."""
        return all(_agrees(operator, wanted, labels[name]) for name, operator, wanted in self.matches if name in labels)


def _agrees(operator: str, wanted: str, value: str) -> bool:
    if operator in ("=", "!="):
        return (wanted == value) == (operator == "=")
    return bool(re.fullmatch(wanted, value)) == (operator == "=~")

"""What a check of an expression or of rules is given, and what it says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Generic, TypeVar

import promql_parser as promql

from provisioning.check.series import Known
from provisioning.check.tree import children
from provisioning.findings import Severity

Node = TypeVar("Node", bound=promql.Expr)

shown = promql.display_duration
"""A duration as Prometheus writes it."""


@dataclass(frozen=True)
class Fault:
    """What is wrong, and what would be right."""

    message: str
    remedy: str = ""
    severity: Severity = "error"


@dataclass(frozen=True)
class House:
    """What is known beside the expression itself: series, and the server that will evaluate it."""

    known: Known
    retention: timedelta
    scrape: timedelta
    environments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Question:
    """One expression. `interval` is how often a rule is evaluated; dashboards have none.

    `record` is the name under which the answer is recorded. `chosen` holds label and value of the matchers that a dashboard's
    variables fill in: any value may stand there.
    """

    node: promql.Expr
    interval: timedelta | None = None
    record: str = ""
    alert: bool = False
    chosen: frozenset[tuple[str, str]] = field(default=frozenset())


@dataclass(frozen=True)
class Spot(Generic[Node]):
    """One node of an expression. `around` are the nodes that it stands in, the outermost first.

    `beside` is true where only the presence of series counts: on the right of `and` and `unless`.
    """

    node: Node
    around: tuple[promql.Expr, ...]
    beside: bool
    question: Question
    house: House

    @property
    def known(self) -> Known:
        return self.house.known

    @property
    def functions(self) -> tuple[str, ...]:
        """Names of the functions and aggregations around the node, the outermost first."""
        return tuple(
            node.func.name if isinstance(node, promql.Call) else str(node.op)
            for node in self.around
            if isinstance(node, promql.Call | promql.AggregateExpr)
        )

    @property
    def function(self) -> str:
        """The function or aggregation that takes the node, parentheses aside; empty where there is none."""
        outer = next((node for node in reversed(self.around) if not isinstance(node, promql.ParenExpr)), None)
        if isinstance(outer, promql.Call):
            return outer.func.name
        return str(outer.op) if isinstance(outer, promql.AggregateExpr) else ""

    @property
    def span(self) -> timedelta:
        """How long the windows around the node are together, without offsets."""
        windows = (node.range for node in self.around if isinstance(node, promql.SubqueryExpr | promql.MatrixSelector))
        return sum((window for window in windows if window), timedelta())

    @property
    def offsets(self) -> timedelta:
        """How far the offsets around the node shift it."""
        shifts = (node.offset for node in self.around if isinstance(node, promql.SubqueryExpr))
        return sum((shift for shift in shifts if shift), timedelta())


@dataclass(frozen=True)
class ExpressionCheck(Generic[Node]):
    """A check of one kind of node."""

    id: str
    kind: type[Node]
    find: Callable[[Spot[Node]], Iterator[Fault]]


@dataclass(frozen=True)
class Rule:
    """One rule of the built files. `node` is None where its expression cannot be read."""

    group: str
    position: int
    interval: timedelta
    source: Mapping[str, Any]
    node: promql.Expr | None

    @property
    def record(self) -> str:
        return str(self.source.get("record", ""))

    @property
    def alert(self) -> str:
        return str(self.source.get("alert", ""))

    @property
    def place(self) -> str:
        return f"alert {self.alert}" if self.alert else f"recording rule {self.record}"

    @property
    def labels(self) -> Mapping[str, Any]:
        return self.source.get("labels") or {}

    @property
    def annotations(self) -> Mapping[str, Any]:
        return self.source.get("annotations") or {}


@dataclass(frozen=True)
class RuleBook:
    """All rules together. `read` are names that dashboards and runbooks read, `kept` recorded series that are for people,
    `external` the labels that the server adds to everything it sends."""

    groups: tuple[Mapping[str, Any], ...]
    rules: tuple[Rule, ...]
    house: House
    teams: tuple[str, ...]
    read: frozenset[str] = frozenset()
    kept: frozenset[str] = frozenset()
    external: frozenset[str] = frozenset()

    @property
    def alerts(self) -> tuple[Rule, ...]:
        return tuple(rule for rule in self.rules if rule.alert)

    @property
    def recordings(self) -> tuple[Rule, ...]:
        return tuple(rule for rule in self.rules if rule.record)


@dataclass(frozen=True)
class RuleCheck:
    """A check of rules: yields places and what is wrong there."""

    id: str
    find: Callable[[RuleBook], Iterator[tuple[str, Fault]]]


def spots(question: Question, house: House) -> Iterator[Spot[promql.Expr]]:
    """Every node of an expression with what stands around it."""
    yield from _spots(question.node, (), False, question, house)


def _spots(
    node: promql.Expr, around: tuple[promql.Expr, ...], beside: bool, question: Question, house: House
) -> Iterator[Spot[promql.Expr]]:
    yield Spot(node, around, beside, question, house)
    presence = isinstance(node, promql.BinaryExpr) and str(node.op) in ("and", "unless")
    for position, child in enumerate(children(node)):
        yield from _spots(child, (*around, node), beside or (presence and position == 1), question, house)

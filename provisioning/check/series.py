"""What is known of a series: its kind, its labels, and where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

import promql_parser as promql

from contract.metrics import Metric

Labels = frozenset[str] | None
"""A set of labels; None stands for any."""


@dataclass(frozen=True)
class Series:
    """One series name.

    `labels` are those that its series may have, and `always` those that each of them has. `counts` is true for what only ever
    rises, `foreign` for metrics that others name. Of a recorded series, `made` are the expressions of its rules (none of those
    that lead back to it), `given` the labels that these rules set with their values, and `interval` how often its group is
    evaluated.
    """

    name: str
    labels: Labels
    always: Labels
    counts: bool = False
    foreign: bool = False
    metric: Metric | None = None
    recorded: bool = False
    made: tuple[promql.Expr, ...] = ()
    given: Mapping[str, frozenset[str]] = field(default_factory=dict)
    interval: timedelta | None = None


Known = Mapping[str, Series]


def selected_name(selector: promql.VectorSelector) -> str:
    """The series name of a selector, or "" when it is not fixed."""
    if selector.name:
        return selector.name
    for matcher in selector.matchers.matchers:
        if matcher.name == "__name__" and matcher.op == promql.MatchOp.Equal:
            return matcher.value
    return ""


def series_of(selector: promql.VectorSelector, known: Known) -> Series | None:
    return known.get(selected_name(selector))

"""What is known of a series: its kind and its labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import promql_parser as promql

from contract.metrics import Metric

Labels = frozenset[str] | None
"""A set of labels; None stands for any."""


@dataclass(frozen=True)
class Series:
    """One series name. `counts` is true for what only ever rises, `foreign` for metrics that others name."""

    name: str
    labels: Labels
    counts: bool = False
    foreign: bool = False
    recorded: bool = False
    metric: Metric | None = None


Known = Mapping[str, Series]


def selected_name(selector: promql.VectorSelector) -> str:
    """The series name of a selector, or "" when it is not fixed."""
    if selector.name:
        return selector.name
    for matcher in selector.matchers.matchers:
        if matcher.name == "__name__" and matcher.op == promql.MatchOp.Equal:
            return matcher.value
    return ""

"""What makes executions long: durations against tokens and tools, part by part, from the platform's rows of the last day."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from math import ceil
from typing import Any

import pytest

from tests.integration.moment import Moment
from tests.integration.tabs import Fault
from tests.integration.tabs.executions import RUNS, middle


def _held(moment: Moment, panel: str, groups: dict[float, list[float]]) -> None:
    expected = {at: [middle(values, 0.5), middle(values, 0.95), len(values)] for at, values in groups.items()}
    shown: list[tuple[Any, ...]] = moment.panel_sql(panel)
    assert {at: pytest.approx(list(rest)) for at, *rest in shown} == expected and len(expected) > 2
    assert [row[0] for row in shown] == sorted(expected)


def by_tokens(moment: Moment) -> None:
    """A twelfth is made of those with as few tokens as a twelfth of all have; equal numbers stay together."""
    rows = sorted(moment.sql(f"SELECT tokens_used, duration_ms / 1000 {RUNS} AND tokens_used > 0"))
    tokens = [number for number, _ in rows]
    parts: defaultdict[int, list[tuple[float, float]]] = defaultdict(list)
    for number, seconds in rows:
        parts[ceil(12 * bisect_right(tokens, number) / len(rows))].append((number, seconds))
    _held(
        moment,
        "executions/duration_by_tokens",
        {max(number for number, _ in part): [seconds for _, seconds in part] for part in parts.values()},
    )


def by_tools(moment: Moment) -> None:
    groups: defaultdict[float, list[float]] = defaultdict(list)
    for tools, seconds in moment.sql(f"SELECT tool_count, duration_ms / 1000 {RUNS}"):
        groups[min(tools, 8)].append(seconds)
    _held(moment, "executions/duration_by_tools", groups)


FIGURES = {"executions/duration_by_tokens": by_tokens, "executions/duration_by_tools": by_tools}
FAULTS = (Fault("executions/duration_by_tokens", "12 * cume_dist", "11 * cume_dist"),)

"""What makes executions long and dear: tokens, tools and external calls, from the platform's rows of the last day."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from math import ceil
from typing import Any

import pytest

from tests.integration.moment import Moment
from tests.integration.tabs import Fault
from tests.integration.tabs.executions import CALLS, RUNS, middle


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


def interface_cost(moment: Moment) -> None:
    """The synthetic platform's prices; the directory is its own."""
    prices = {"orders-api": 0.0004, "billing-api": 0.0012, "crm-api": 0.002, "search-api": 0.005}
    calls = Counter(api for (api,) in moment.sql(f"SELECT u.external_api_called {CALLS} AND u.external_api_called IS NOT NULL"))
    expected = {api: pytest.approx(calls[api] * usd) for api, usd in prices.items() if calls[api]}
    assert dict(moment.panel_sql("executions/interface_cost")) == expected and expected


FIGURES = {
    "executions/duration_by_tokens": by_tokens,
    "executions/duration_by_tools": by_tools,
    "executions/interface_cost": interface_cost,
}
FAULTS = (Fault("executions/duration_by_tokens", "12 * cume_dist", "11 * cume_dist"),)

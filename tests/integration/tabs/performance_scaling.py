"""How times grow with the load: slices of half an hour of the last day, told busy by their executions."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from math import ceil

import pytest

from tests.integration.moment import DAY, Moment
from tests.integration.runs import Run, day, grouped, percentile, table
from tests.integration.tabs import Fault

SLICE = 1800


def _slices(moment: Moment, rows: list[Run]) -> dict[float, list[Run]]:
    """Those that lie in the day as a whole, by their beginning."""
    found = grouped(rows, lambda row: row.began.timestamp() // SLICE * SLICE)
    return {at: some for at, some in found.items() if at >= moment.at - DAY and at + SLICE <= moment.at}


def _placed(slices: dict[float, list[Run]]) -> dict[float, float]:
    """By slice the share of slices that have no more executions."""
    numbers = sorted(len(rows) for rows in slices.values())
    return {at: bisect_right(numbers, len(rows)) / len(numbers) for at, rows in slices.items()}


def _load(slices: list[list[Run]]) -> float:
    return sum(map(len, slices)) / (len(slices) * SLICE)


def _p(share: float, slices: list[list[Run]]) -> float:
    return percentile(share, (row.seconds for rows in slices for row in rows))


def with_load(moment: Moment) -> None:
    slices = _slices(moment, day(moment))
    parts: defaultdict[int, list[list[Run]]] = defaultdict(list)
    for at, share in _placed(slices).items():
        parts[ceil(8 * share)].append(slices[at])
    expected = [[_load(part), _p(0.5, part), _p(0.95, part)] for _, part in sorted(parts.items())]
    shown = [[row["load"], row["p50"], row["p95"]] for row in table(moment, "time_with_load")]
    assert shown == [pytest.approx(row) for row in expected] and len(shown) > 4


def by_agent(moment: Moment) -> None:
    expected = {}
    for agent, rows in grouped(day(moment), lambda row: row.agent).items():
        slices = _slices(moment, rows)
        placed = _placed(slices)
        busy = [slices[at] for at, share in placed.items() if share > 0.75]
        usual = [slices[at] for at, share in placed.items() if share <= 0.75]
        if min(len(busy), len(usual)) >= 4:
            was, became = _p(0.95, usual), _p(0.95, busy)
            expected[agent] = pytest.approx(
                {"more": _load(busy) / _load(usual), "usual": was, "busy": became, "slower": became / was}
            )
    shown = {row.pop("agent"): row for row in table(moment, "scaling")}
    assert shown == expected and shown


FIGURES = {"performance/time_with_load": with_load, "performance/scaling": by_agent}
FAULTS = (Fault("performance/scaling", "> 0.75", "> 0.5"),)

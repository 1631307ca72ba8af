"""Ended executions of the platform as plain rows, and what is reckoned from them without the rooms under test."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from tests.integration.moment import DAY, Moment

BOUNDS = (
    0.05, 0.07, 0.1, 0.136, 0.185, 0.25, 0.35, 0.5, 0.66, 0.87, 1.15, 1.52, 2.0, 2.7, 3.7,
    5.0, 6.8, 9.2, 12.5, 17.0, 23.0, 31.0, 43.0, 60.0, 80.0, 160.0, 320.0,
)  # fmt: skip


class Run(NamedTuple):
    """An ended execution."""

    began: datetime
    ended: datetime
    agent: str
    version: str
    environment: str
    failed: bool
    kind: str
    seconds: float
    intent: str
    trace: str


def runs(moment: Moment, condition: str, seconds: float = DAY) -> list[Run]:
    rows = moment.sql(
        "SELECT start_time, end_time, agent_name, version, environment, status IN ('failure', 'timeout'), error_type,"
        f" duration_ms / 1000, intent, trace_id FROM app.agent_executions WHERE end_time IS NOT NULL AND {condition}",
        seconds,
    )
    return [Run(*row) for row in rows]


def day(moment: Moment, condition: str = "environment = 'production'") -> list[Run]:
    return runs(moment, f"start_time BETWEEN :from AND :to AND {condition}")


def percentile(share: float, seconds: Iterable[float]) -> float:
    ordered = sorted(seconds)
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    return ordered[low] + (ordered[min(low + 1, len(ordered) - 1)] - ordered[low]) * (place - low)


def in_bucket(shown: float, share: float, seconds: Iterable[float]) -> bool:
    """Whether a percentile lies in the bucket of the value that so many are not above."""
    ordered = sorted(seconds)
    exact = ordered[max(0, math.ceil(share * len(ordered) - 1e-9) - 1)]
    place = bisect_left(BOUNDS, exact)
    low, high = (0.0, *BOUNDS)[place], (*BOUNDS, BOUNDS[-1])[place]
    return low - 1e-9 <= shown <= high + 1e-9


def grouped(rows: Iterable[Run], key: Callable[[Run], Hashable]) -> dict[Any, list[Run]]:
    found: dict[Any, list[Run]] = defaultdict(list)
    for row in rows:
        found[key(row)].append(row)
    return found


def share_failed(rows: list[Run]) -> float:
    return sum(row.failed for row in rows) / len(rows)


def hour_of(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def table(moment: Moment, name: str, **choices: str) -> list[dict[str, Any]]:
    return moment.panel_table(f"performance/{name}", **choices)


def whole_hours(moment: Moment, seconds: float, condition: str) -> list[Run]:
    """Executions that ended in hours which began in the range."""
    since = datetime.fromtimestamp(moment.at - seconds, UTC)
    found = runs(moment, f"end_time >= :from AND {condition}", seconds)
    return [row for row in found if hour_of(row.ended) >= since]

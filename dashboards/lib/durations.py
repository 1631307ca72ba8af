"""Durations on axes: in the unit in which people say their limit.

Grafana divides an axis into 1, 2, 2.5 or 5 of what it was given, times a power of ten. Of seconds that is 3.33 min, or
2.31 days; of minutes it is 5 min.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

from attrs import evolve

from dashboards.lib.field import Thresholds
from dashboards.lib.queries import PromQuery

Unit = Literal["s", "m", "h", "suffix:d"]

SECONDS: dict[str, int] = {"s": 1, "m": 60, "h": 3600, "d": 86400, "suffix:d": 86400}
"""Seconds of Grafana's units of time. Its own days turn into weeks and years: 14 would stand as 2 weeks, 400 as 1.1 years."""


def counted_in(limit: float) -> Unit:
    """The greatest unit of which a limit (seconds) is at least two: 5 min, but 90 s."""
    fitting: list[Unit] = [unit for unit in ("m", "h", "suffix:d") if limit >= 2 * SECONDS[unit]]
    return fitting[-1] if fitting else "s"


def limits_in(unit: Unit, limits: Thresholds) -> Thresholds:
    """Limits that were given in seconds."""
    return replace(limits, steps=tuple((value / SECONDS[unit], colour) for value, colour in limits.steps))


def queries_in(unit: Unit, queries: Iterable[PromQuery]) -> tuple[PromQuery, ...]:
    """Queries whose answers were seconds."""
    return tuple(evolve(query, expr=f"({query.expr}) / {SECONDS[unit]}") for query in queries)

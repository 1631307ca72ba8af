"""When what grows will be used up: capacity of agents, room on the disk, the month's budgets; in seconds from now.

A trend is a straight line through what was recorded (least squares, Prometheus' `deriv`). Only growth has an end, so there is
no figure for what stands still or shrinks.
"""

from __future__ import annotations

from contract.settings import Settings
from contract.signals.agents import AGENT_CAPACITY, AGENT_QUERIES
from contract.signals.cost import BUDGET_EXHAUSTION
from contract.signals.stores import TABLE_SIZE
from recording_rules.model import KEPT, Formula, Group, Recorded

_AGENT = (KEPT, "agent")
_HOUR_PEAK, _PEAK = "agent:queries_peak:max1h", "agent:queries_peak:max1d"
_SIZE = "platform:table_size_bytes:sum"
LEAST_POINTS = 8
"""Two days of peaks every six hours, or eight hours of sizes: a line through less means nothing."""
GIGABYTE = 1e9

CAPACITY_LEFT = Recorded(
    "capacity_left",
    "Capacity lasts",
    "Time until the daily peak of an agent's queries reaches its configured limit, as it grew in the last week",
    "s",
    "agent:capacity_left:seconds",
    (*AGENT_QUERIES.leaves, *AGENT_CAPACITY.leaves),
    _AGENT,
    operator="min",
)
STORAGE_LEFT = Recorded(
    "storage_left",
    "Storage lasts",
    "Time until the tables reach the size that they may have, as they grew in the last three days",
    "s",
    "platform:storage_left:seconds",
    TABLE_SIZE.leaves,
    (),
    operator="min",
)
BUDGET_LEFT = Recorded(
    "budget_left",
    "Budget lasts",
    "Time until a month's budget is used up, as weekdays usually cost; nothing when it outlasts the month",
    "s",
    "scope:budget_left:seconds",
    BUDGET_EXHAUSTION.leaves,
    ("scope",),
    operator="min",
)


def groups(settings: Settings) -> tuple[Group, ...]:
    """Peaks by the hour and by the day, sizes, and from these how long everything lasts."""
    by_agent = ", ".join(_AGENT)
    capacity = AGENT_CAPACITY.expression(_AGENT)
    storage = f"{settings.thresholds.storage_gigabytes * GIGABYTE:.0f}"
    return (
        Group(
            "forecast_sizes",
            "2m",
            (
                Formula(_HOUR_PEAK, f"max by ({by_agent}) (max_over_time(agent:queries:rate5m[1h]))", _AGENT),
                Formula(_SIZE, TABLE_SIZE.expression(), ()),
                Formula(BUDGET_LEFT.record, f"clamp_min({BUDGET_EXHAUSTION.expression(('scope',))} - time(), 0)", ("scope",)),
            ),
            level=2,
        ),
        Group("forecast_peaks", "2m", (Formula(_PEAK, f"max_over_time({_HOUR_PEAK}[1d:30m])", _AGENT),), level=3),
        Group(
            "forecast_ends",
            "2m",
            (
                Formula(
                    CAPACITY_LEFT.record,
                    f"(clamp_min({capacity} - {_PEAK}, 0) / (deriv({_PEAK}[7d:6h]) > 0))"
                    f" and count_over_time({_PEAK}[7d:6h]) >= {LEAST_POINTS}",
                    _AGENT,
                ),
                Formula(
                    STORAGE_LEFT.record,
                    f"(clamp_min({storage} - {_SIZE}, 0) / (deriv({_SIZE}[3d:1h]) > 0))"
                    f" and count_over_time({_SIZE}[3d:1h]) >= {LEAST_POINTS}",
                    (),
                ),
            ),
            level=4,
        ),
    )

"""Which alerts each incident brings about: the table that drills are held against.

In virtual time the set is exact, to the last label, because the platform of `lives` is always the same. On the living stack it
depends on the hour and on chance which agents have enough to do: there, the alerts of SURE must come, those of the table may.

`python -m demo.drill virtual` prints what fires, in this form.
"""

from __future__ import annotations

NOTHING = "none"
"""The drill without an incident."""

Table = dict[str, tuple[str, ...]]
"""What an alert is about, by its name: the labels of the data as `agent=billing environment=production`."""

ALWAYS: Table = {"Watchdog": ("–",)}
"""Alerts that fire whatever happens."""

_AGENTS = tuple(f"agent={agent} environment=production" for agent in ("billing", "it-helpdesk", "research", "sales", "support"))
_PRODUCTION = ("environment=production",)
_ODD_COST, _ODD_TRAFFIC = (f"anomaly={what} environment=production scope=all source=platform" for what in ("cost", "traffic"))

EXPECTED: dict[str, Table] = {
    NOTHING: {},
    "latency": {
        "AgentResponseTimePage": _PRODUCTION,
        "AgentSuccessRateLow": ("agent=support environment=production",),
    },
    "errors": {
        "AgentErrorsPage": _PRODUCTION,
        "AgentErrorRatioCritical": _AGENTS,
        "AgentErrorRatioHigh": _AGENTS,
        "AgentSuccessRateLow": _AGENTS,
        "AnomalyHigh": (_ODD_COST, _ODD_TRAFFIC),
    },
    "cost": {"AnomalyHigh": (_ODD_COST,)},
    "silence": {},
}

SURE: dict[str, tuple[str, ...]] = {"errors": ("AgentErrorsPage",)}
"""Alerts that an incident of ten minutes brings about on the living stack, at any hour of the day."""


def expected(kind: str) -> frozenset[tuple[str, str]]:
    """Name and labels of every alert that an incident brings about; `kind` is one of KINDS, or NOTHING."""
    return frozenset(
        (alert, about) for table in (ALWAYS, EXPECTED[kind]) for alert, abouts in table.items() for about in abouts
    )

"""Alerts that a site adds for agents of its own: a measure, a limit, and whose they are."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from contract.buckets import AGENT
from contract.slo import Named
from contract.values import Amount, Section, between

Measure = Literal["latency", "errors", "throughput"]
"""latency: 95th percentile of the time to an answer, in seconds; errors: share of queries that fail; throughput: queries per
second. All over five minutes."""


class OwnAlert(Section):
    """One alert. `above` is the limit: for latency a bucket bound, for errors a share. Without `agents` it looks at each agent.

    `reason` says why it is there; it stands in the message and on the runbook's page.
    """

    name: Annotated[str, Field(pattern=r"^([A-Z][a-z0-9]+)+$", max_length=40)]
    measure: Measure
    above: Amount
    agents: tuple[Named, ...] = ()
    hold: Annotated[str, between("1m", "1h")] = "5m"
    severity: Literal["warning", "critical"] = "warning"
    team: str
    reason: Annotated[str, Field(min_length=10, max_length=300, pattern=r"^[^{}]*$")]

    @field_validator("above")
    @classmethod
    def _can_be_counted(cls, above: float, info: ValidationInfo) -> float:
        measure = info.data.get("measure")
        if measure == "latency" and above not in AGENT[:-1]:
            near = sorted(sorted(AGENT[:-1], key=lambda bound: abs(bound - above))[:2])
            close = " or ".join(f"{bound:g}" for bound in near)
            raise ValueError(
                f"{above:g} is no bucket bound of agent_query_duration_seconds, so nothing counts it; take {close}"
            )
        if measure == "errors" and not 0 < above < 1:
            raise ValueError("is a share of queries: between 0 and 1")
        if above <= 0:
            raise ValueError("is more than 0")
        return above

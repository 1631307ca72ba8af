"""Recorded rates of the agents. The paging group reads one minute and is evaluated at every scrape."""

from __future__ import annotations

from contract.signals.agents import AGENT_ERROR_RATIO, AGENT_LATENCY, AGENT_QUERIES
from recording_rules.model import Group, RecordedRate, RecordedSignal

_LATENCY_NAME = "query_duration_seconds"

GROUPS = (
    Group(
        "agent_rates", "15s",
        (
            RecordedRate(AGENT_QUERIES.leaf, "queries", ("agent", "status"), "5m"),
            RecordedRate(AGENT_LATENCY.leaf, f"{_LATENCY_NAME}_bucket", ("agent", "le"), "5m"),
        ),
        level=0,
    ),
    Group(
        "agent_figures", "15s",
        (
            RecordedSignal(AGENT_ERROR_RATIO, "query_errors", ("agent",), "5m"),
            *(RecordedSignal(AGENT_LATENCY.at(q), _LATENCY_NAME, ("agent",), "5m") for q in (0.5, 0.95, 0.99)),
        ),
        level=1,
    ),
)  # fmt: skip

"""Recorded rates of the agents. What alerts read is evaluated at every scrape, the rest once a minute."""

from __future__ import annotations

from contract.signals.agents import (
    AGENT_ERROR_RATIO,
    AGENT_ERRORS,
    AGENT_LATENCY,
    AGENT_QUERIES,
    AGENT_RETRIES,
    AGENT_TIME,
    DEPENDENCY_LATENCY,
    DEPENDENCY_TIME,
    GUARDRAIL_BLOCK_RATIO,
    GUARDRAIL_DECISIONS,
    PHASE_LATENCY,
    PHASE_TIME,
    RETRIES_PER_QUERY,
)
from recording_rules.model import Group, RecordedRate, RecordedSignal

_DURATION, _ERRORS = "query_duration_seconds", "query_errors"
_PHASE, _DEPENDENCY = "phase_duration_seconds", "dependency_duration_seconds"
_PERCENTILES = (0.5, 0.95, 0.99)

_FAST = (
    Group(
        "agent_rates", "15s",
        (
            RecordedRate(AGENT_QUERIES.leaf, "queries", ("agent",), "5m"),
            RecordedRate(AGENT_QUERIES.leaf, "queries", ("agent", "status"), "5m"),
            RecordedRate(AGENT_RETRIES.leaf, "retries", ("agent",), "5m"),
        ),
        level=0,
    ),
    Group(
        "agent_figures", "15s",
        (
            RecordedSignal(AGENT_ERROR_RATIO, _ERRORS, ("agent",), "5m"),
            RecordedSignal(RETRIES_PER_QUERY, "retries_per_query", ("agent",), "5m"),
        ),
        level=1,
    ),
)  # fmt: skip

_LATENCY = (
    Group(
        "agent_buckets", "30s",
        (RecordedRate(AGENT_LATENCY.leaf, f"{_DURATION}_bucket", ("agent", "le"), "5m"),),
        level=0,
    ),
    Group(
        "agent_latency_figures", "30s",
        tuple(RecordedSignal(AGENT_LATENCY.at(q), _DURATION, ("agent",), "5m") for q in _PERCENTILES),
        level=1,
    ),
)  # fmt: skip
"""Buckets by agent, version and status are by far the most series that a platform has: a rule over them costs the most."""

_VERSIONS = (
    Group(
        "agent_version_rates", "1m",
        (
            RecordedRate(AGENT_QUERIES.leaf, "queries", ("agent", "version", "status"), "5m"),
            RecordedSignal(AGENT_LATENCY, _DURATION, ("agent", "version"), "5m"),
        ),
        level=0,
    ),
    Group(
        "agent_version_figures", "1m",
        (RecordedSignal(AGENT_ERROR_RATIO, _ERRORS, ("agent", "version"), "5m"),),
        level=1,
    ),
)  # fmt: skip

_HOUR = (
    Group(
        "agent_hour_rates", "1m",
        (
            RecordedRate(AGENT_QUERIES.leaf, "queries", ("agent", "status"), "1h"),
            RecordedRate(AGENT_ERRORS.leaf, "errors", ("agent", "error_type"), "1h"),
            *(
                RecordedRate(leaf, f"{_DURATION}_{part}", ("agent",), "1h")
                for leaf, part in zip(AGENT_TIME.leaves, ("sum", "count"), strict=True)
            ),
        ),
        level=0,
    ),
    Group(
        "agent_hour_buckets", "2m",
        (RecordedRate(AGENT_LATENCY.leaf, f"{_DURATION}_bucket", ("agent", "le"), "1h"),),
        level=0,
    ),
    Group(
        "agent_hour_figures", "2m",
        (
            RecordedSignal(AGENT_ERROR_RATIO, _ERRORS, ("agent",), "1h"),
            RecordedSignal(AGENT_LATENCY, _DURATION, ("agent",), "1h"),
        ),
        level=1,
    ),
)  # fmt: skip

_INSIDE = (
    Group(
        "agent_inside_rates", "1m",
        (
            RecordedRate(AGENT_ERRORS.leaf, "errors", ("agent", "error_type"), "5m"),
            *(
                RecordedRate(leaf, f"{_PHASE}_{part}", ("agent", "phase"), "5m")
                for leaf, part in zip(PHASE_TIME.leaves, ("sum", "count"), strict=True)
            ),
            RecordedRate(PHASE_LATENCY.leaf, f"{_PHASE}_bucket", ("phase", "le"), "5m"),
            *(
                RecordedRate(leaf, f"{_DEPENDENCY}_{part}", ("agent", "dependency"), "5m")
                for leaf, part in zip(DEPENDENCY_TIME.leaves, ("sum", "count"), strict=True)
            ),
            RecordedRate(DEPENDENCY_LATENCY.leaf, f"{_DEPENDENCY}_bucket", ("dependency", "kind", "le"), "5m"),
        ),
        level=0,
    ),
    Group(
        "agent_inside_figures", "1m",
        (
            RecordedSignal(PHASE_TIME, _PHASE, ("agent", "phase"), "5m"),
            RecordedSignal(PHASE_LATENCY, _PHASE, ("phase",), "5m"),
            RecordedSignal(DEPENDENCY_TIME, _DEPENDENCY, ("agent", "dependency"), "5m"),
            RecordedSignal(DEPENDENCY_LATENCY, _DEPENDENCY, ("dependency",), "5m"),
        ),
        level=1,
    ),
    Group(
        "guardrail_rates", "30s",
        tuple(RecordedRate(GUARDRAIL_DECISIONS.leaf, "decisions", ("guardrail", "decision"), at) for at in ("5m", "15m")),
        level=0,
    ),
    Group(
        "guardrail_figures", "30s",
        (RecordedSignal(GUARDRAIL_BLOCK_RATIO, "blocks", ("guardrail",), "15m"),),
        level=1,
    ),
)  # fmt: skip

_FLEET = (
    Group(
        "fleet_rates", "15s",
        (
            RecordedRate(AGENT_QUERIES.leaf, "queries", (), "5m", summed_from=("agent",)),
            RecordedRate(AGENT_QUERIES.leaf, "queries", ("status",), "5m", summed_from=("agent", "status")),
        ),
        level=1,
    ),
    Group(
        "fleet_hour_rates", "1m",
        (
            RecordedRate(AGENT_QUERIES.leaf, "queries", (), "1h", summed_from=("agent", "status")),
            RecordedRate(AGENT_QUERIES.leaf, "queries", ("status",), "1h", summed_from=("agent", "status")),
        ),
        level=1,
    ),
    Group(
        "fleet_latency_figures", "1m",
        tuple(RecordedSignal(AGENT_LATENCY.at(q), _DURATION, (), "5m") for q in _PERCENTILES),
        level=1,
    ),
    Group(
        "fleet_latency_hour", "2m",
        tuple(RecordedSignal(AGENT_LATENCY.at(q), _DURATION, (), "1h") for q in _PERCENTILES),
        level=1,
    ),
)  # fmt: skip
"""All agents of an environment together: a graph of a day would read the buckets of every one of them."""

GROUPS = _FAST + _LATENCY + _VERSIONS + _HOUR + _INSIDE + _FLEET

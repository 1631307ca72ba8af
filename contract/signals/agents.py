"""What agents do with queries, and what they wait for."""

from __future__ import annotations

from contract.signals.model import Quantile, Rate, Ratio, like
from contract.status import FAILED

FAILED_STATUS = like("status", "|".join(FAILED))
AGENT_QUERIES = Rate("agent_queries", "Agent queries", "Agent queries finished per second", "reqps", "agent_queries_total")
AGENT_FAILURES = Rate(
    "agent_failures",
    "Failed agent queries",
    "Agent queries that failed or timed out, per second",
    "reqps",
    "agent_queries_total",
    (FAILED_STATUS,),
)
AGENT_ERROR_RATIO = Ratio(
    "agent_error_ratio",
    "Error ratio",
    "Agent queries that failed or timed out / agent queries",
    "percentunit",
    AGENT_FAILURES,
    AGENT_QUERIES,
)
AGENT_LATENCY = Quantile(
    "agent_latency_p95", "p95", "95th percentile of the time from query to answer", "s", "agent_query_duration_seconds", 0.95
)
AGENT_ERRORS = Rate("agent_errors", "Errors of agents", "Errors of agents per second", "ops", "agent_errors_total")
DEPENDENCY_LATENCY = Quantile(
    "dependency_latency_p95",
    "p95",
    "95th percentile of the time that a query waits for one dependency",
    "s",
    "agent_dependency_duration_seconds",
    0.95,
)

"""What agents do with queries, what they wait for, and what comes of their conversations, as the platform counts it."""

from __future__ import annotations

from contract.signals.model import Age, Level, Mean, Quantile, Quotient, Rate, Ratio, equal, like
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
AGENT_TIME = Mean("agent_time", "mean", "Mean time from query to answer", "s", "agent_query_duration_seconds")
AGENT_ERRORS = Rate("agent_errors", "Errors of agents", "Errors of agents per second", "ops", "agent_errors_total")
DEPENDENCY_LATENCY = Quantile(
    "dependency_latency_p95",
    "p95",
    "95th percentile of the time that a query waits for one dependency",
    "s",
    "agent_dependency_duration_seconds",
    0.95,
)
DEPENDENCY_TIME = Mean(
    "dependency_time",
    "Waiting for a dependency",
    "Mean time that a query waits for one dependency",
    "s",
    "agent_dependency_duration_seconds",
)
PHASE_LATENCY = Quantile(
    "phase_latency_p95",
    "p95",
    "95th percentile of the time that a query spends in one phase",
    "s",
    "agent_phase_duration_seconds",
    0.95,
)
PHASE_TIME = Mean(
    "phase_time", "Time in a phase", "Mean time that a query spends in one phase", "s", "agent_phase_duration_seconds"
)
PHASE_WORK = Rate(
    "phase_work", "Work in a phase", "Seconds per second that queries spend in one phase", "none",
    "agent_phase_duration_seconds", of="sum",
)  # fmt: skip
AGENT_RETRIES = Rate("agent_retries", "Retries", "Repeated attempts of agents per second", "ops", "agent_retries_total")
RETRIES_PER_QUERY = Ratio(
    "retries_per_query",
    "Retries per query",
    "Repeated attempts of agents / agent queries",
    "none",
    AGENT_RETRIES,
    AGENT_QUERIES,
)
QUERIES_IN_PROGRESS = Level(
    "queries_in_progress", "In progress", "Agent queries being worked on", "short", "agent_queries_in_progress"
)
AGENT_CAPACITY = Level(
    "agent_capacity",
    "Capacity",
    "Configured limit of queries per second of an agent",
    "reqps",
    "agent_capacity_requests_per_second",
    operator="max",
)
CAPACITY_USED = Quotient(
    "capacity_used",
    "Capacity used",
    "Agent queries finished per second / configured limit; only by agent",
    "percentunit",
    AGENT_QUERIES,
    AGENT_CAPACITY,
)
AGENT_CONVERSATIONS_ACTIVE = Level(
    "agent_conversations_active", "Open conversations", "Conversations that are open", "short", "agent_conversations_active"
)
AGENT_CONVERSATIONS_ENDED = Rate(
    "agent_conversations_ended",
    "Conversations ended",
    "Conversations that ended, per second",
    "ops",
    "agent_conversations_ended_total",
)
AGENT_HANDOFFS = Rate(
    "agent_handoffs", "Handoffs", "Conversations handed over to a person, per second", "ops", "agent_handoffs_total"
)
AGENT_HANDOFF_RATIO = Ratio(
    "agent_handoff_ratio",
    "Handoff rate",
    "Conversations handed over to a person / conversations that ended",
    "percentunit",
    AGENT_HANDOFFS,
    AGENT_CONVERSATIONS_ENDED,
)
AGENT_FEEDBACK = Rate("agent_feedback", "Thumbs", "Thumbs that users gave, per second", "ops", "agent_feedback_total")
AGENT_FEEDBACK_NEGATIVE = Rate(
    "agent_feedback_negative",
    "Thumbs down",
    "Thumbs down that users gave, per second",
    "ops",
    "agent_feedback_total",
    (equal("sentiment", "negative"),),
)
AGENT_FEEDBACK_NEGATIVE_RATIO = Ratio(
    "agent_feedback_negative_ratio",
    "Thumbs down share",
    "Thumbs down / thumbs that users gave",
    "percentunit",
    AGENT_FEEDBACK_NEGATIVE,
    AGENT_FEEDBACK,
)
AGENT_SESSIONS = Level("agent_sessions", "Sessions", "User sessions that are open", "short", "agent_sessions_active")
AGENT_BUILD = Level("agent_build", "Version", "1 for the version in service", "none", "agent_build_info", operator="max")
VERSION_AGE = Age(
    "version_age", "Age of the version", "Time since a version went into service", "s", "agent_deployment_timestamp_seconds"
)
GUARDRAIL_DECISIONS = Rate(
    "guardrail_decisions", "Decisions", "Decisions of guardrails per second", "ops", "agent_guardrail_decisions_total"
)
GUARDRAIL_BLOCKS = Rate(
    "guardrail_blocks",
    "Blocked",
    "Blocking decisions of guardrails per second",
    "ops",
    "agent_guardrail_decisions_total",
    (equal("decision", "block"),),
)
GUARDRAIL_BLOCK_RATIO = Ratio(
    "guardrail_block_ratio",
    "Blocked share",
    "Blocking decisions of guardrails / decisions of guardrails",
    "percentunit",
    GUARDRAIL_BLOCKS,
    GUARDRAIL_DECISIONS,
)

"""What agents do: executions, tool calls, workflows, sessions."""

from __future__ import annotations

from contract import buckets
from contract.labels import ERROR_TYPES
from contract.status import FAILED, RUNNING, STATUSES, SUCCESS, TIMEOUT, sql_normalise
from exporters.rollups.model import Fact, Join, Source, Stock, Yield
from exporters.rollups.sources.words import end, microseconds, quoted, text, time, truth, whole, word

# What has ended says so in the contract's own words nearly always, and need not be looked at in small letters.
_RUNS = f"r.status NOT IN ({quoted(STATUSES)}) AND lower(r.status) IN ({quoted(RUNNING)})"
_END = end("r.end_time", "r.start_time", "r.duration_ms")
_DURATION = microseconds("r.duration_ms", "r.start_time", "r.end_time")
_SECONDS = 1e-6
_STATUS = text(sql_normalise("r.status"))
_OUTCOME = f"CASE WHEN status = '{SUCCESS}' THEN 'success' WHEN status IN ({quoted(FAILED)}) THEN 'failed' ELSE '' END"
_ERROR_TYPE = (
    f"CASE WHEN status NOT IN ({quoted(FAILED)}) THEN '' WHEN error_type IN ({quoted(ERROR_TYPES)}) THEN error_type"
    f" WHEN status = '{TIMEOUT}' THEN 'timeout' ELSE 'other' END"
)

EXECUTIONS = Source(
    "executions",
    "agent_executions",
    image={
        "agent": text(word("r.agent_name")),
        "version": text(word("r.version")),
        "environment": text(word("r.environment")),
        "status": _STATUS,
        "error_type": text("r.error_type"),
        "running": truth(_RUNS),
        "began": time("r.start_time"),
        "ended": _END,
        "duration": _DURATION,
        "tokens": whole("r.tokens_used"),
        "retries": whole("r.retry_count"),
        "tools": whole("r.tool_count"),
    },
    open=_RUNS,
    facts=(
        Fact(
            "executions_started",
            at="began",
            labels={"agent": "agent", "version": "version", "environment": "environment"},
            yields=(Yield("platform_executions_started_total"),),
        ),
        Fact(
            "executions_ended",
            when="NOT running",
            at="ended",
            labels={
                "agent": "agent",
                "version": "version",
                "environment": "environment",
                "status": "status",
                "outcome": _OUTCOME,
                "error_type": _ERROR_TYPE,
            },
            sums={"duration_us": "duration", "tokens": "tokens", "retries": "retries", "tool_calls": "tools"},
            histogram="duration",
            bounds=buckets.AGENT,
            yields=(
                Yield("platform_executions_total"),
                Yield("platform_execution_errors_total"),
                Yield("platform_execution_tokens_total", "tokens"),
                Yield("platform_execution_retries_total", "retries"),
                Yield("platform_execution_duration_seconds", "histogram", _SECONDS),
            ),
        ),
    ),
    stocks=(
        Stock(
            "executions_in_progress",
            when="running",
            labels={"agent": "agent", "environment": "environment"},
            yields=(Yield("platform_executions_in_progress"),),
        ),
    ),
)

TOOL_CALLS = Source(
    "tool_calls",
    "tool_usage_metrics",
    image={
        "tool": text(word("r.tool_name")),
        "environment": text(word("e.environment")),
        "agent": text(word("e.agent_name")),
        "status": _STATUS,
        "running": truth(_RUNS),
        "ended": _END,
        "duration": _DURATION,
    },
    joins=(Join("agent_executions", "e", "e.execution_id = r.execution_id"),),
    open=_RUNS,
    facts=(
        Fact(
            "tool_calls_ended",
            when="NOT running",
            at="ended",
            labels={"tool": "tool", "environment": "environment", "status": "status"},
            sums={"duration_us": "duration"},
            histogram="duration",
            bounds=buckets.TOOL,
            yields=(
                Yield("platform_tool_calls_total"),
                Yield("platform_tool_call_duration_seconds", "histogram", _SECONDS),
            ),
        ),
    ),
)

WORKFLOWS = Source(
    "workflows",
    "workflow_metrics",
    image={
        "workflow_type": text(word("r.workflow_type")),
        "environment": text(word("r.environment")),
        "status": _STATUS,
        "running": truth(_RUNS),
        "ended": _END,
        "duration": _DURATION,
        "tool_calls": whole("r.total_tool_calls"),
        "api_calls": whole("r.total_api_calls"),
        "tokens": whole("r.total_tokens_used"),
        "agents": whole("r.agent_count"),
    },
    open=_RUNS,
    facts=(
        Fact(
            "workflows_ended",
            when="NOT running",
            at="ended",
            labels={"workflow_type": "workflow_type", "environment": "environment", "status": "status"},
            sums={
                "duration_us": "duration",
                "tool_calls": "tool_calls",
                "api_calls": "api_calls",
                "tokens": "tokens",
                "agents": "agents",
            },
            histogram="duration",
            bounds=buckets.WORKFLOW,
            yields=(
                Yield("platform_workflow_runs_total"),
                Yield("platform_workflow_duration_seconds", "histogram", _SECONDS),
            ),
        ),
    ),
)

SESSIONS = Source(
    "sessions",
    "session_metrics",
    image={
        "environment": text(word("r.environment")),
        "running": truth("r.is_active"),
        "began": time("r.start_time"),
        "ended": _END,
        "duration": _DURATION,
        "queries": whole("r.total_queries"),
        "successful": whole("r.successful_queries"),
        "failed": whole("r.failed_queries"),
        "tokens": whole("r.total_tokens_used"),
    },
    open="r.is_active",
    facts=(
        Fact(
            "sessions_started",
            at="began",
            labels={"environment": "environment"},
            yields=(Yield("platform_sessions_started_total"),),
        ),
        Fact(
            "sessions_ended",
            when="NOT running",
            at="ended",
            labels={"environment": "environment"},
            sums={
                "duration_us": "duration",
                "queries": "queries",
                "successful": "successful",
                "failed": "failed",
                "tokens": "tokens",
            },
            histogram="duration",
            bounds=buckets.SESSION,
            yields=(
                Yield("platform_sessions_ended_total"),
                Yield("platform_session_duration_seconds", "histogram", _SECONDS),
            ),
        ),
    ),
    stocks=(
        Stock(
            "sessions_active",
            when="running",
            labels={"environment": "environment"},
            yields=(Yield("platform_sessions_active"),),
        ),
    ),
)

WORK = (EXECUTIONS, TOOL_CALLS, WORKFLOWS, SESSIONS)

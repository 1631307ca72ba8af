"""Executions of agents, as the rows of the database tell them: later than the platform's own counters, and complete."""

from __future__ import annotations

from contract.signals.agents import FAILED_STATUS
from contract.signals.model import Level, Quantile, Quotient, Rate, Ratio

EXECUTIONS = Rate("executions", "Executions", "Agent executions ended per second", "ops", "platform_executions_total")
EXECUTIONS_STARTED = Rate(
    "executions_started", "Executions begun", "Agent executions begun per second", "ops", "platform_executions_started_total"
)
EXECUTION_FAILURES = Rate(
    "execution_failures",
    "Failed executions",
    "Agent executions that failed or timed out, per second",
    "ops",
    "platform_executions_total",
    (FAILED_STATUS,),
)
EXECUTION_ERROR_RATIO = Ratio(
    "execution_error_ratio",
    "Error ratio",
    "Agent executions that failed or timed out / agent executions",
    "percentunit",
    EXECUTION_FAILURES,
    EXECUTIONS,
)
EXECUTION_ERRORS = Rate(
    "execution_errors",
    "Kinds of failure",
    "Agent executions that failed, per second, by kind of failure",
    "ops",
    "platform_execution_errors_total",
)
EXECUTION_LATENCY = Quantile(
    "execution_latency_p95",
    "p95",
    "95th percentile of the time of an agent execution",
    "s",
    "platform_execution_duration_seconds",
    0.95,
)
EXECUTION_RETRIES = Rate(
    "execution_retries",
    "Retries",
    "Repeated attempts within agent executions, per second",
    "ops",
    "platform_execution_retries_total",
)
EXECUTION_TOKENS = Rate(
    "execution_tokens", "Tokens", "Tokens of ended agent executions per second", "ops", "platform_execution_tokens_total"
)
TOKENS_PER_EXECUTION = Quotient(
    "tokens_per_execution",
    "Tokens per execution",
    "Tokens of ended agent executions / agent executions",
    "short",
    EXECUTION_TOKENS,
    EXECUTIONS,
)
EXECUTIONS_IN_PROGRESS = Level(
    "executions_in_progress",
    "In progress",
    "Agent executions that have begun and not ended",
    "short",
    "platform_executions_in_progress",
)
LOAD_TEST_LEVELS_BROKEN = Level(
    "load_test_levels_broken",
    "Service levels broken",
    "Service levels that the newest load test of an agent did not keep",
    "short",
    "platform_load_test_levels_broken",
    operator="max",
)
STORED_TOOL_CALLS = Rate(
    "stored_tool_calls", "Tool calls", "Tool calls in the database ended per second", "ops", "platform_tool_calls_total"
)
STORED_TOOL_FAILURES = Rate(
    "stored_tool_failures",
    "Failed tool calls",
    "Tool calls in the database that failed or timed out, per second",
    "ops",
    "platform_tool_calls_total",
    (FAILED_STATUS,),
)
STORED_TOOL_ERROR_RATIO = Ratio(
    "stored_tool_error_ratio",
    "Error ratio",
    "Tool calls in the database that failed or timed out / tool calls",
    "percentunit",
    STORED_TOOL_FAILURES,
    STORED_TOOL_CALLS,
)
STORED_TOOL_LATENCY = Quantile(
    "stored_tool_latency_p95",
    "p95",
    "95th percentile of the time of a tool call, in the database",
    "s",
    "platform_tool_call_duration_seconds",
    0.95,
)
STORED_WORKFLOWS = Rate(
    "stored_workflows",
    "Workflows",
    "Workflows in the database that ended, per second",
    "ops",
    "platform_workflow_runs_total",
)
STORED_WORKFLOW_FAILURES = Rate(
    "stored_workflow_failures",
    "Failed workflows",
    "Workflows in the database that failed or timed out, per second",
    "ops",
    "platform_workflow_runs_total",
    (FAILED_STATUS,),
)
STORED_WORKFLOW_ERROR_RATIO = Ratio(
    "stored_workflow_error_ratio",
    "Error ratio",
    "Workflows in the database that failed or timed out / workflows that ended",
    "percentunit",
    STORED_WORKFLOW_FAILURES,
    STORED_WORKFLOWS,
)
STORED_WORKFLOW_LATENCY = Quantile(
    "stored_workflow_latency_p95",
    "p95",
    "95th percentile of the time of a workflow, in the database",
    "s",
    "platform_workflow_duration_seconds",
    0.95,
)

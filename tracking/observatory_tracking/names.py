"""The names that this library and the observatory have agreed on: columns of tables, metrics, words.

The observatory's own tests hold them against its contract.
"""

from __future__ import annotations

SUCCESS, ERROR, TIMEOUT, CANCELLED = "success", "error", "timeout", "cancelled"
"""How something ended, in labels of metrics."""

STORED = {SUCCESS: "success", ERROR: "failure", TIMEOUT: "timeout", CANCELLED: "cancelled"}
"""The same in the column `status`."""
IN_PROGRESS = "in_progress"

SEVERITIES = {
    "timeout": "error", "validation": "warning", "llm": "error", "tool": "error", "rate_limit": "warning", "auth": "error",
    "internal": "critical", "other": "error",
}  # fmt: skip
"""Kinds of errors, each with how severe it is."""

OVERFLOW = "other"
"""What the names beyond a label's cap are counted as."""
CAPS = {"agent": 200, "version": 400, "tool": 60, "api": 40, "reason": 12, "workflow_type": 20, "status": 12}
"""How many different values a label may take."""

AGENT_SECONDS = (
    0.05, 0.07, 0.1, 0.136, 0.185, 0.25, 0.35, 0.5, 0.66, 0.87, 1.15, 1.52, 2.0, 2.7, 3.7,
    5.0, 6.8, 9.2, 12.5, 17.0, 23.0, 31.0, 43.0, 60.0, 80.0, 160.0, 320.0,
)  # fmt: skip
TOOL_SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
WORKFLOW_SECONDS = (1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0)

TABLES = {
    "agent_executions": (
        "execution_id", "agent_id", "agent_name", "version", "start_time", "end_time", "duration_ms", "status", "query",
        "response", "error_message", "error_type", "tools_called", "tool_count", "retry_count", "session_id", "user_id",
        "conversation_id", "correlation_id", "trace_id", "tokens_used", "api_calls_count", "environment", "intent",
    ),
    "tool_usage_metrics": (
        "usage_id", "tool_name", "execution_id", "start_time", "end_time", "duration_ms", "status", "input_data", "output_data",
        "error_message", "external_api_called", "api_response_time_ms", "api_status_code",
    ),
    "workflow_metrics": (
        "workflow_id", "workflow_type", "start_time", "end_time", "duration_ms", "status", "agents_involved", "agent_count",
        "total_tool_calls", "total_api_calls", "total_tokens_used", "session_id", "user_id", "user_satisfaction_score",
        "task_completion_rate", "environment",
    ),
    "session_metrics": (
        "session_id", "start_time", "end_time", "duration_ms", "user_id", "user_agent", "ip_address", "total_queries",
        "successful_queries", "failed_queries", "agents_used", "unique_agents_count", "average_response_time_ms",
        "total_tokens_used", "is_active", "environment",
    ),
}  # fmt: skip
"""Columns of each table; the first one is its key."""

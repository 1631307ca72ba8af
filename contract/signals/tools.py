"""What agents call: tools, external interfaces, MCP servers, and the workflows that they are part of."""

from __future__ import annotations

from contract.signals.agents import FAILED_STATUS
from contract.signals.model import Quantile, Rate, Ratio, like, other

TOOL_CALLS = Rate("tool_calls", "Tool calls", "Tool calls ended per second", "ops", "agent_tool_calls_total")
TOOL_FAILURES = Rate(
    "tool_failures",
    "Failed tool calls",
    "Tool calls that failed or timed out, per second",
    "ops",
    "agent_tool_calls_total",
    (FAILED_STATUS,),
)
TOOL_ERROR_RATIO = Ratio(
    "tool_error_ratio",
    "Error ratio",
    "Tool calls that failed or timed out / tool calls",
    "percentunit",
    TOOL_FAILURES,
    TOOL_CALLS,
)
TOOL_LATENCY = Quantile(
    "tool_latency_p95", "p95", "95th percentile of the time of a tool call", "s", "agent_tool_call_duration_seconds", 0.95
)
API_REQUESTS = Rate(
    "api_requests", "Requests", "Calls of external interfaces per second", "reqps", "agent_external_api_requests_total"
)
API_FAILURES = Rate(
    "api_failures",
    "Failed requests",
    "Calls of external interfaces that the other side could not serve, per second",
    "reqps",
    "agent_external_api_requests_total",
    (like("status", "5..|error|timeout"),),
)
API_ERROR_RATIO = Ratio(
    "api_error_ratio",
    "Error ratio",
    "Calls of external interfaces that the other side could not serve / calls",
    "percentunit",
    API_FAILURES,
    API_REQUESTS,
)
API_LATENCY = Quantile(
    "api_latency_p95",
    "p95",
    "95th percentile of the time of an external call",
    "s",
    "agent_external_api_duration_seconds",
    0.95,
)
MCP_CALLS = Rate("mcp_calls", "MCP calls", "MCP calls per second", "ops", "mcp_client_operation_duration_seconds")
MCP_FAILURES = Rate(
    "mcp_failures",
    "Failed MCP calls",
    "MCP calls that failed, per second",
    "ops",
    "mcp_client_operation_duration_seconds",
    (other("error_type", ""),),
)
MCP_ERROR_RATIO = Ratio(
    "mcp_error_ratio", "Error ratio", "MCP calls that failed / MCP calls", "percentunit", MCP_FAILURES, MCP_CALLS
)
MCP_CLIENT_LATENCY = Quantile(
    "mcp_client_latency_p95",
    "p95",
    "95th percentile of the time of an MCP call, as the client sees it",
    "s",
    "mcp_client_operation_duration_seconds",
    0.95,
)
MCP_SERVER_LATENCY = Quantile(
    "mcp_server_latency_p95",
    "p95",
    "95th percentile of the time of an MCP call, as the server sees it",
    "s",
    "mcp_server_operation_duration_seconds",
    0.95,
)
WORKFLOW_RUNS = Rate("workflow_runs", "Workflows", "Workflows that ended, per second", "ops", "agent_workflow_runs_total")
WORKFLOW_FAILURES = Rate(
    "workflow_failures",
    "Failed workflows",
    "Workflows that failed or timed out, per second",
    "ops",
    "agent_workflow_runs_total",
    (FAILED_STATUS,),
)
WORKFLOW_ERROR_RATIO = Ratio(
    "workflow_error_ratio",
    "Error ratio",
    "Workflows that failed or timed out / workflows that ended",
    "percentunit",
    WORKFLOW_FAILURES,
    WORKFLOW_RUNS,
)
WORKFLOW_LATENCY = Quantile(
    "workflow_latency_p95", "p95", "95th percentile of the time of a workflow", "s", "agent_workflow_duration_seconds", 0.95
)

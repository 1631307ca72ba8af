"""Metrics that the monitored platform exposes itself. `environment` comes from the scrape target: one target each."""

from __future__ import annotations

from contract import buckets
from contract.metrics import Metric, MetricType, Source


def _counter(name: str, labels: str, help_: str, unit: str = "") -> Metric:
    return Metric(name, MetricType.COUNTER, tuple(labels.split()), help_, Source.PLATFORM, unit)


def _gauge(name: str, labels: str, help_: str, unit: str = "") -> Metric:
    return Metric(name, MetricType.GAUGE, tuple(labels.split()), help_, Source.PLATFORM, unit)


def _histogram(name: str, labels: str, bounds: tuple[float, ...], help_: str, unit: str = "seconds") -> Metric:
    return Metric(name, MetricType.HISTOGRAM, tuple(labels.split()), help_, Source.PLATFORM, unit, bounds)


_MODEL = "gen_ai_operation_name gen_ai_provider_name gen_ai_request_model"

HTTP = (
    _counter("http_requests_total", "method handler status", "HTTP requests answered"),
    _histogram(
        "http_request_duration_seconds",
        "method handler",
        buckets.HTTP,
        "Time to answer an HTTP request",
    ),
    _gauge("http_requests_in_progress", "method handler", "HTTP requests being answered"),
)

AGENTS = (
    _counter("agent_queries_total", "agent status version", "Queries that agents finished"),
    _histogram(
        "agent_query_duration_seconds",
        "agent version status",
        buckets.AGENT,
        "Time from query to answer; status is success or failed",
    ),
    _gauge("agent_queries_in_progress", "agent", "Queries being worked on"),
    _counter("agent_errors_total", "agent error_type severity", "Errors of agents"),
    _counter("agent_retries_total", "agent reason", "Repeated attempts of agents"),
    _histogram("agent_phase_duration_seconds", "agent phase", buckets.LLM, "Time that a query spends in one phase"),
    _histogram(
        "agent_dependency_duration_seconds", "agent dependency kind", buckets.LLM, "Time that a query waits for one dependency"
    ),
    _gauge("agent_conversations_active", "agent", "Conversations that are open"),
    _counter("agent_conversations_ended_total", "agent outcome", "Conversations that ended"),
    _counter("agent_handoffs_total", "agent reason", "Conversations handed over to a person"),
    _counter("agent_feedback_total", "agent sentiment", "Thumbs that users gave"),
    _gauge("agent_sessions_active", "", "User sessions that are open"),
    _counter("agent_tool_calls_total", "tool agent status", "Tool calls"),
    _histogram("agent_tool_call_duration_seconds", "tool", buckets.TOOL, "Time of a tool call"),
    _counter("agent_external_api_requests_total", "api status", "Calls of external interfaces"),
    _histogram("agent_external_api_duration_seconds", "api", buckets.TOOL, "Time of an external call"),
    _counter("agent_workflow_runs_total", "workflow_type status", "Workflows that ended"),
    _histogram(
        "agent_workflow_duration_seconds",
        "workflow_type",
        buckets.WORKFLOW,
        "Time of a workflow",
    ),
    _gauge("agent_capacity_requests_per_second", "agent", "Configured limit of queries per second"),
    _gauge("agent_build_info", "agent version prompt_version model", "1 for the version in service"),
    _gauge("agent_deployment_timestamp_seconds", "agent version", "When the version went into service", unit="seconds"),
    _counter("agent_guardrail_decisions_total", "guardrail decision", "Decisions of guardrails"),
)

MODELS = (
    _histogram("gen_ai_client_operation_duration_seconds", f"{_MODEL} error_type", buckets.LLM, "Time of a model call"),
    _histogram(
        "gen_ai_client_token_usage", f"{_MODEL} gen_ai_token_type", buckets.TOKENS, "Tokens of a model call", unit="tokens"
    ),
    _counter(
        "gen_ai_client_inference_usage_input_tokens_total",
        f"{_MODEL} gen_ai_token_modality",
        "Tokens sent to models",
        unit="tokens",
    ),
    _counter(
        "gen_ai_client_inference_usage_output_tokens_total",
        f"{_MODEL} gen_ai_token_modality",
        "Tokens received from models",
        unit="tokens",
    ),
    _counter(
        "gen_ai_client_inference_usage_cache_read_input_tokens_total",
        f"{_MODEL} gen_ai_token_modality",
        "Part of the input read from a prompt cache",
        unit="tokens",
    ),
    _counter(
        "gen_ai_client_inference_usage_cache_write_input_tokens_total",
        f"{_MODEL} gen_ai_token_modality",
        "Part of the input written to a prompt cache",
        unit="tokens",
    ),
    _counter(
        "gen_ai_client_inference_usage_reasoning_output_tokens_total",
        f"{_MODEL} gen_ai_token_modality",
        "Part of the output spent on reasoning",
        unit="tokens",
    ),
    _histogram(
        "gen_ai_client_operation_time_to_first_chunk_seconds",
        _MODEL,
        buckets.LLM,
        "Time to the first chunk of a streamed answer",
    ),
    _histogram(
        "gen_ai_client_operation_time_per_output_chunk_seconds", _MODEL, buckets.LLM, "Time between chunks of a streamed answer"
    ),
    _counter("gen_ai_usage_cost_usd_total", f"{_MODEL} agent", "Cost of model calls", unit="usd"),
    _histogram(
        "mcp_client_operation_duration_seconds",
        "mcp_method_name gen_ai_tool_name error_type",
        buckets.TOOL,
        "MCP call as the client sees it",
    ),
    _histogram(
        "mcp_server_operation_duration_seconds",
        "mcp_method_name gen_ai_tool_name error_type",
        buckets.TOOL,
        "MCP call as the server sees it",
    ),
    _histogram("mcp_client_session_duration_seconds", "", buckets.WORKFLOW, "MCP session as the client sees it"),
    _histogram("mcp_server_session_duration_seconds", "", buckets.WORKFLOW, "MCP session as the server sees it"),
)

BUSINESS = (
    _counter("auth_login_attempts_total", "result", "Attempts to log in"),
    _gauge("auth_sessions_active", "", "Logged-in sessions"),
    _counter("tickets_created_total", "priority", "Tickets opened"),
    _counter("tickets_resolved_total", "priority", "Tickets resolved"),
    _counter("kb_searches_total", "status", "Searches in the knowledge base"),
    _histogram("kb_search_duration_seconds", "", buckets.SEARCH, "Time of a search"),
    _histogram("kb_search_results", "", buckets.RESULTS, "Results of a search", unit=""),
    _counter("kb_document_uploads_total", "status file_type", "Documents uploaded"),
)

INFRASTRUCTURE = (
    _gauge("db_pool_connections", "pool state", "Connections of a pool"),
    _gauge("db_pool_connections_max", "pool", "Greatest number of connections of a pool"),
    _gauge("db_pool_pending_requests", "pool", "Requests that wait for a connection"),
    _histogram(
        "db_query_duration_seconds",
        "operation",
        buckets.DB,
        "Time of a database operation",
    ),
    _counter("cache_operations_total", "cache operation result", "Cache operations"),
    _histogram("cache_operation_duration_seconds", "cache operation", buckets.DB, "Time of a cache operation"),
    _counter("vector_store_operations_total", "store operation status", "Vector store operations"),
    _histogram(
        "vector_store_operation_duration_seconds", "store operation", buckets.SEARCH, "Time of a vector store operation"
    ),
    _counter("edge_function_invocations_total", "function status", "Edge function calls"),
    _histogram("edge_function_duration_seconds", "function", buckets.HTTP, "Time of an edge function call"),
    _gauge("offline_queue_messages", "queue", "Messages that wait in a queue"),
    _gauge("offline_queue_oldest_message_age_seconds", "queue", "Age of the oldest waiting message", unit="seconds"),
)

METRICS = HTTP + AGENTS + MODELS + BUSINESS + INFRASTRUCTURE

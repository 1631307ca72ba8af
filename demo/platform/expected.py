"""The label sets that exist from the first scrape on, at zero: a rate can only be taken of a series that was there before."""

from __future__ import annotations

from contract.labels import PRIORITIES
from contract.status import ERROR, STATUSES, SUCCESS, TIMEOUT
from demo.platform.registry import Registry
from demo.world.catalogue import (
    AGENTS,
    EMBEDDING_MODEL,
    ERROR_SHARES,
    FILE_TYPES,
    HANDOFF_REASONS,
    MODEL,
    MODELS,
    QUEUES,
    SEVERITIES,
    TOOL,
    TOOLS,
    WORKFLOWS,
    Agent,
    Model,
)
from demo.world.model import Deployment

BUSINESS_ENVIRONMENT = "production"
"""Users, tickets, documents, searches and workflows belong to no environment; the production process counts them."""

OUTCOMES = ("resolved", "handoff", "abandoned", "failed")
FAILED_OUTCOME = "failed"
QUERY_METHOD, QUERY_HANDLER = "POST", "/api/agents/{agent}/query"
QUERY_STATUS = {"success": "200", "error": "500", "timeout": "504", "cancelled": "499"}
"""How the query route answers when an execution ends so."""

GUARDRAILS = ("prompt_injection", "personal_data", "toxicity")
TEXT = "text"
MCP_METHOD = "tools/call"
TOOL_STATUSES = (SUCCESS, ERROR, TIMEOUT)
ERRORS = tuple(name for name, _ in ERROR_SHARES)


def model_labels(name: str) -> tuple[str, str, str]:
    """Operation, provider and name of a model, as the OpenTelemetry conventions order them."""
    model = MODEL[name]
    return model.operation, model.provider, model.name


def declare(registry: Registry, environment: str) -> None:
    """Declare what the process of an environment always exposes, apart from versions and plain traffic."""
    for agent in AGENTS:
        _agent(registry, agent)
    for model in MODELS:
        _model(registry, model)
    for tool in TOOLS:
        registry.declare("agent_tool_call_duration_seconds", tool.name)
        for status in ("200", "500", "504") if tool.api else ():
            registry.declare("agent_external_api_requests_total", tool.api, status)
        if tool.api:
            registry.declare("agent_external_api_duration_seconds", tool.api)
    for status in QUERY_STATUS.values():
        registry.declare("http_requests_total", QUERY_METHOD, QUERY_HANDLER, status)
    registry.declare("http_request_duration_seconds", QUERY_METHOD, QUERY_HANDLER)
    registry.declare("http_requests_in_progress", QUERY_METHOD, QUERY_HANDLER)
    registry.declare("agent_sessions_active")
    for guardrail in GUARDRAILS:
        for decision in ("allow", "block", "redact"):
            registry.declare("agent_guardrail_decisions_total", guardrail, decision)
    if environment == BUSINESS_ENVIRONMENT:
        _business(registry)


def declare_version(registry: Registry, deployment: Deployment) -> None:
    """Declare the series of a version that goes into service."""
    for status in STATUSES:
        registry.declare("agent_queries_total", deployment.agent, status, deployment.version)
    for outcome in (SUCCESS, FAILED_OUTCOME):
        registry.declare("agent_query_duration_seconds", deployment.agent, deployment.version, outcome)


def _agent(registry: Registry, agent: Agent) -> None:
    name = agent.name
    registry.declare("agent_queries_in_progress", name)
    registry.declare("agent_conversations_active", name)
    registry.set("agent_capacity_requests_per_second", name, to=agent.capacity)
    for error in ERRORS:
        registry.declare("agent_errors_total", name, error, SEVERITIES[error])
    for outcome in OUTCOMES:
        registry.declare("agent_conversations_ended_total", name, outcome)
    for reason, _ in HANDOFF_REASONS:
        registry.declare("agent_handoffs_total", name, reason)
    for sentiment in ("positive", "negative"):
        registry.declare("agent_feedback_total", name, sentiment)
    for tool in agent.tools:
        for status in TOOL_STATUSES:
            registry.declare("agent_tool_calls_total", TOOL[tool].name, name, status)
    for model in (*agent.models, EMBEDDING_MODEL):
        registry.declare("gen_ai_usage_cost_usd_total", *model_labels(model), name)


def _model(registry: Registry, model: Model) -> None:
    labels = model_labels(model.name)
    registry.declare("gen_ai_client_operation_duration_seconds", *labels, "")
    sides = ("input", "output") if model.operation == "chat" else ("input",)
    for side in sides:
        registry.declare("gen_ai_client_token_usage", *labels, side)
        registry.declare(f"gen_ai_client_inference_usage_{side}_tokens_total", *labels, TEXT)
    if model.cache_share:
        registry.declare("gen_ai_client_inference_usage_cache_read_input_tokens_total", *labels, TEXT)
    if model.reasoning_share:
        registry.declare("gen_ai_client_inference_usage_reasoning_output_tokens_total", *labels, TEXT)
    if model.operation == "chat":
        registry.declare("gen_ai_client_operation_time_to_first_chunk_seconds", *labels)
        registry.declare("gen_ai_client_operation_time_per_output_chunk_seconds", *labels)


def _business(registry: Registry) -> None:
    for result in ("success", "failure"):
        registry.declare("auth_login_attempts_total", result)
    registry.declare("auth_sessions_active")
    for priority in PRIORITIES:
        registry.declare("tickets_created_total", priority)
        registry.declare("tickets_resolved_total", priority)
    registry.declare("kb_searches_total", SUCCESS)
    registry.declare("kb_search_duration_seconds")
    registry.declare("kb_search_results")
    for file_type, _ in FILE_TYPES:
        for status in (SUCCESS, ERROR):
            registry.declare("kb_document_uploads_total", status, file_type)
    for workflow in WORKFLOWS:
        registry.declare("agent_workflow_duration_seconds", workflow.name)
        for status in STATUSES:
            registry.declare("agent_workflow_runs_total", workflow.name, status)
    for queue, _ in QUEUES:
        registry.declare("offline_queue_messages", queue)
        registry.declare("offline_queue_oldest_message_age_seconds", queue)

"""What happens in the world, counted: every happening raises the counters that a real platform would raise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from contract.status import CANCELLED, ERROR, FAILED, SUCCESS, normalise
from demo.platform import expected
from demo.platform.expected import BUSINESS_ENVIRONMENT, FAILED_OUTCOME, QUERY_HANDLER, QUERY_METHOD, QUERY_STATUS, TEXT
from demo.platform.registry import Registry
from demo.world.catalogue import DEPENDENCIES, QUEUES, SEVERITIES
from demo.world.happenings import Happening
from demo.world.model import (
    Conversation,
    Deployment,
    Document,
    Execution,
    Feedback,
    Handoff,
    LlmCall,
    Login,
    QueuedMessage,
    Search,
    Ticket,
    TicketChange,
    ToolCall,
    Workflow,
)

LOGIN_SECONDS = 7200.0
"""How long a logged-in session counts as active."""
MCP_SERVER_SHARE = 0.92
"""Part of a tool call that the server sees; the rest is the protocol's."""


class Stories:
    """Counts happenings into the registries of the environments.

    What is under way is remembered beside the numbers: waiting messages by queue, open sessions, logins in order of time.
    """

    def __init__(self, registries: dict[str, Registry]) -> None:
        self._registries = registries
        self.business = registries[BUSINESS_ENVIRONMENT]
        self.waiting: dict[str, dict[str, float]] = {queue: {} for queue, _ in QUEUES}
        self.sessions: dict[str, dict[str, int]] = {environment: {} for environment in registries}
        self.logins: list[float] = []
        self._serving: dict[tuple[str, str], Deployment] = {}
        self._tell: dict[str, Callable[[Any, Any], None]] = {
            "deployed": lambda deployment, _: self.deploy(deployment),
            "conversation_started": self._conversation_started,
            "conversation_ended": self._conversation_ended,
            "execution_started": self._execution_started,
            "execution_ended": self._execution_ended,
            "handoff": self._handoff,
            "feedback": self._feedback,
            "ticket_changed": self._ticket_changed,
            "document_finished": self._document_finished,
            "search": self._search,
            "login": self._login,
            "workflow_ended": self._workflow_ended,
            "message_queued": self._message_queued,
            "message_left_queue": self._message_left_queue,
        }

    def count(self, happening: Happening) -> None:
        """Count one happening; kinds that no metric is about are passed over."""
        tell = self._tell.get(happening.kind)
        if tell is not None:
            tell(happening.subject, happening.detail)

    def settle(self, now: float) -> None:
        """Bring gauges that change by mere passing of time to `now`."""
        self.logins = [at for at in self.logins if at + LOGIN_SECONDS > now]
        self.business.set("auth_sessions_active", to=len(self.logins))
        for queue, messages in self.waiting.items():
            oldest = min(messages.values(), default=now)
            self.business.set("offline_queue_messages", queue, to=len(messages))
            self.business.set("offline_queue_oldest_message_age_seconds", queue, to=round(max(0.0, now - oldest), 3))
        for environment, sessions in self.sessions.items():
            self._registries[environment].set("agent_sessions_active", to=len(sessions))

    def deploy(self, deployment: Deployment) -> None:
        """A version goes into service, and the one before goes out of it."""
        registry = self._registries[deployment.environment]
        agent = deployment.agent
        before = self._serving.get((deployment.environment, agent))
        if before is not None:
            registry.set("agent_build_info", agent, before.version, str(before.prompt_version), before.model, to=None)
            registry.set("agent_deployment_timestamp_seconds", agent, before.version, to=None)
        self._serving[deployment.environment, agent] = deployment
        expected.declare_version(registry, deployment)
        registry.set("agent_build_info", agent, deployment.version, str(deployment.prompt_version), deployment.model, to=1)
        registry.set("agent_deployment_timestamp_seconds", agent, deployment.version, to=deployment.at)

    def _conversation_started(self, conversation: Conversation, _: None) -> None:
        self._registries[conversation.environment].add("agent_conversations_active", conversation.agent)
        sessions = self.sessions[conversation.environment]
        sessions[conversation.session_id] = sessions.get(conversation.session_id, 0) + 1

    def _conversation_ended(self, conversation: Conversation, _: None) -> None:
        registry = self._registries[conversation.environment]
        registry.add("agent_conversations_active", conversation.agent, amount=-1)
        registry.add("agent_conversations_ended_total", conversation.agent, conversation.outcome)
        sessions = self.sessions[conversation.environment]
        sessions[conversation.session_id] -= 1
        if not sessions[conversation.session_id]:
            del sessions[conversation.session_id]
            for side in ("client", "server"):
                registry.observe(f"mcp_{side}_session_duration_seconds", amount=conversation.end - conversation.at)

    def _handoff(self, handoff: Handoff, conversation: Conversation) -> None:
        self._registries[conversation.environment].add("agent_handoffs_total", conversation.agent, handoff.reason)

    def _feedback(self, feedback: Feedback, conversation: Conversation) -> None:
        if feedback.thumbs is not None:
            sentiment = "positive" if feedback.thumbs > 0 else "negative"
            self._registries[conversation.environment].add("agent_feedback_total", conversation.agent, sentiment)

    def _execution_started(self, execution: Execution, _: Conversation) -> None:
        registry = self._registries[execution.environment]
        registry.add("agent_queries_in_progress", execution.agent)
        registry.add("http_requests_in_progress", QUERY_METHOD, QUERY_HANDLER)

    def _execution_ended(self, execution: Execution, _: Conversation) -> None:
        registry = self._registries[execution.environment]
        agent, version, status = execution.agent, execution.version, execution.status
        registry.add("agent_queries_in_progress", agent, amount=-1)
        registry.add("http_requests_in_progress", QUERY_METHOD, QUERY_HANDLER, amount=-1)
        registry.add("http_requests_total", QUERY_METHOD, QUERY_HANDLER, QUERY_STATUS[status])
        registry.observe("http_request_duration_seconds", QUERY_METHOD, QUERY_HANDLER, amount=execution.duration)
        registry.add("agent_queries_total", agent, status, version)
        if status != CANCELLED:  # a query that its user gave up has no time to an answer
            outcome = FAILED_OUTCOME if status in FAILED else SUCCESS
            registry.observe("agent_query_duration_seconds", agent, version, outcome, amount=execution.duration)
        if execution.error_type:
            registry.add("agent_errors_total", agent, execution.error_type, SEVERITIES[execution.error_type])
        if execution.retries:
            registry.add("agent_retries_total", agent, execution.error_type or "llm", amount=execution.retries)
        for span in execution.spans:
            if span.kind == "phase":
                registry.observe("agent_phase_duration_seconds", agent, span.name, amount=span.duration)
            elif span.kind == "dependency":
                kind = DEPENDENCIES[span.name]
                registry.observe("agent_dependency_duration_seconds", agent, span.name, kind, amount=span.duration)
        for call in execution.calls:
            _count_call(registry, agent, call)
        for tool in execution.tools:
            _count_tool(registry, agent, tool)
        _count_guardrails(registry, int(execution.trace_id[:8], 16))

    def _workflow_ended(self, workflow: Workflow, _: None) -> None:
        self.business.add("agent_workflow_runs_total", workflow.workflow_type, workflow.status)
        self.business.observe("agent_workflow_duration_seconds", workflow.workflow_type, amount=workflow.duration)

    def _ticket_changed(self, ticket: Ticket, change: TicketChange) -> None:
        if change.from_status is None:
            self.business.add("tickets_created_total", ticket.priority)
        if change.to_status == "resolved":
            self.business.add("tickets_resolved_total", ticket.priority)

    def _document_finished(self, document: Document, _: None) -> None:
        self.business.add("kb_document_uploads_total", normalise("failed" if document.failed else "done"), document.file_type)

    def _search(self, search: Search, _: None) -> None:
        self.business.add("kb_searches_total", SUCCESS)
        self.business.observe("kb_search_duration_seconds", amount=search.duration)
        self.business.observe("kb_search_results", amount=search.results)

    def _login(self, login: Login, _: None) -> None:
        self.business.add("auth_login_attempts_total", "success" if login.success else "failure")
        if login.success:
            self.logins.append(login.at)

    def _message_queued(self, message: QueuedMessage, _: None) -> None:
        self.waiting[message.queue][str(message.message_id)] = message.at

    def _message_left_queue(self, message: QueuedMessage, _: None) -> None:
        self.waiting[message.queue].pop(str(message.message_id), None)


def _count_call(registry: Registry, agent: str, call: LlmCall) -> None:
    labels = (call.operation, call.provider, call.model)
    registry.observe("gen_ai_client_operation_duration_seconds", *labels, call.error_type, amount=call.duration)
    read, written = call.input_tokens + call.cache_read_tokens, call.output_tokens + call.reasoning_tokens
    registry.observe("gen_ai_client_token_usage", *labels, "input", amount=read)
    registry.add("gen_ai_client_inference_usage_input_tokens_total", *labels, TEXT, amount=read)
    if call.operation == "chat":
        registry.observe("gen_ai_client_token_usage", *labels, "output", amount=written)
        registry.add("gen_ai_client_inference_usage_output_tokens_total", *labels, TEXT, amount=written)
    if call.cache_read_tokens:
        name = "gen_ai_client_inference_usage_cache_read_input_tokens_total"
        registry.add(name, *labels, TEXT, amount=call.cache_read_tokens)
    if call.reasoning_tokens:
        name = "gen_ai_client_inference_usage_reasoning_output_tokens_total"
        registry.add(name, *labels, TEXT, amount=call.reasoning_tokens)
    if call.first_token is not None:
        first = call.first_token - call.at
        registry.observe("gen_ai_client_operation_time_to_first_chunk_seconds", *labels, amount=first)
        name = "gen_ai_client_operation_time_per_output_chunk_seconds"
        registry.observe(name, *labels, amount=(call.duration - first) / max(1, written))
    cost = (call.input_cost_usd or 0.0) + (call.output_cost_usd or 0.0)
    registry.add("gen_ai_usage_cost_usd_total", *labels, agent, amount=cost)


def _count_tool(registry: Registry, agent: str, call: ToolCall) -> None:
    registry.add("agent_tool_calls_total", call.tool, agent, call.status)
    registry.observe("agent_tool_call_duration_seconds", call.tool, amount=call.duration)
    error_type = {SUCCESS: "", ERROR: "tool"}.get(call.status, "timeout")
    labels = (expected.MCP_METHOD, call.tool, error_type)
    registry.observe("mcp_client_operation_duration_seconds", *labels, amount=call.duration)
    registry.observe("mcp_server_operation_duration_seconds", *labels, amount=call.duration * MCP_SERVER_SHARE)
    if call.api:
        registry.add("agent_external_api_requests_total", call.api, str(call.api_status))
        registry.observe("agent_external_api_duration_seconds", call.api, amount=call.duration)


def _count_guardrails(registry: Registry, lot: int) -> None:
    """Every query passes all guardrails; `lot` (32 bits, uniform) decides the few that one of them acts upon."""
    injection, personal, toxic = lot % 311 == 0, lot % 29 == 0, lot % 523 == 0
    registry.add("agent_guardrail_decisions_total", "prompt_injection", "block" if injection else "allow")
    registry.add("agent_guardrail_decisions_total", "personal_data", "redact" if personal else "allow")
    registry.add("agent_guardrail_decisions_total", "toxicity", "block" if toxic else "allow")

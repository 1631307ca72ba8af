"""Who answers for a figure, and why: each source for its own metrics, and one of them where two could say the same.

A figure has one owner, so that panels, rules and alerts never disagree about it. What else knows it is there to be held against
it, or to be asked about single rows.
"""

from __future__ import annotations

from dataclasses import dataclass

from contract.metrics import Source

REASONS = {
    Source.PLATFORM: "It counts where things happen, so a figure is there with the next scrape, whatever becomes of the "
    "database and of Langfuse. What pages somebody comes from here.",
    Source.POSTGRES: "A row is what happened, corrections of later days included. Figures about people, tickets, documents and "
    "goals come from here, counted by the exporter as rows come and change.",
    Source.LANGFUSE: "It knows each model call with its prompt, price, scores and conversation. Money and quality come from "
    "here, by the ledger that the exporter keeps; calls are in it about a minute late.",
    Source.EXPORTER: "Nobody else knows how the exporter itself does.",
    Source.FOREIGN: "They are the words of other programs about themselves, read as they are.",
}
"""Why the metrics of a source are asked of it."""


@dataclass(frozen=True)
class Owned:
    """A figure that several metrics could give: panels, rules and alerts read `owner`; `others` are of other sources."""

    figure: str
    owner: str
    others: tuple[str, ...]
    why: str


_ENDS = "A row is there when the platform writes it; an alert cannot wait for that. The tab Executions shows what the rows say."
_WAITS = "Whoever works the queue off says so at once; the database may be why it grows."
_CALLS = (
    "Langfuse has a call about a minute late, and none while it is down. What a call was for and how good it was is known "
    "there alone."
)

OWNED = (
    Owned("Queries of agents", "agent_queries_total", ("platform_executions_total",), _ENDS),
    Owned("Time of a query", "agent_query_duration_seconds", ("platform_execution_duration_seconds",), _ENDS),
    Owned("Errors of agents by kind", "agent_errors_total", ("platform_execution_errors_total",), _ENDS),
    Owned("Repeated attempts", "agent_retries_total", ("platform_execution_retries_total",), _ENDS),
    Owned(
        "Queries being worked on", "agent_queries_in_progress", ("platform_executions_in_progress",),
        "A row without an end may be of a process that has died.",
    ),
    Owned(
        "Ended conversations", "platform_conversations_ended_total", ("agent_conversations_ended_total",),
        "Whether the goal was achieved stands in the row, and is often judged after the end.",
    ),
    Owned(
        "Handoffs to people", "platform_handoffs_total", ("agent_handoffs_total",),
        "Their share is one of ended conversations, which are rows; and a row says when somebody took over.",
    ),
    Owned(
        "Thumbs", "platform_feedback_total", ("agent_feedback_total",),
        "They come when the conversation is long over, with the stars and words that are rows only.",
    ),
    Owned("Calls of tools", "agent_tool_calls_total", ("platform_tool_calls_total",), _ENDS),
    Owned("Time of a tool call", "agent_tool_call_duration_seconds", ("platform_tool_call_duration_seconds",), _ENDS),
    Owned("Workflows", "agent_workflow_runs_total", ("platform_workflow_runs_total",), _ENDS),
    Owned("Time of a workflow", "agent_workflow_duration_seconds", ("platform_workflow_duration_seconds",), _ENDS),
    Owned(
        "Open sessions with agents", "agent_sessions_active", ("platform_sessions_active",),
        "A row is open until its end is written, which nobody does for who just went away.",
    ),
    Owned(
        "Tickets opened", "platform_tickets_created_total", ("tickets_created_total",),
        "All else about tickets is of rows. One graph of the tab Support tickets draws both: they part where rows are missing.",
    ),
    Owned(
        "Tickets resolved", "platform_tickets_resolved_total", ("tickets_resolved_total",),
        "All else about tickets is of rows, the share that was opened again included.",
    ),
    Owned(
        "Logins", "auth_login_attempts_total", ("platform_logins_total",),
        "When logins fail because the database does, no row says so.",
    ),
    Owned(
        "Searches of the knowledge base", "kb_searches_total", ("platform_kb_searches_total",),
        "A search that failed leaves no row.",
    ),
    Owned(
        "Time of a search", "kb_search_duration_seconds", ("platform_kb_search_duration_seconds",),
        "A search that failed leaves no row.",
    ),
    Owned(
        "Documents uploaded", "kb_document_uploads_total", ("platform_documents_uploaded_total",),
        "An upload that was refused leaves no row.",
    ),
    Owned("Messages that wait in a queue", "offline_queue_messages", ("platform_queue_messages",), _WAITS),
    Owned(
        "Model calls and their time", "gen_ai_client_operation_duration_seconds",
        ("langfuse_generations_total", "langfuse_generation_duration_seconds"), _CALLS,
    ),
    Owned(
        "Time to the first token", "gen_ai_client_operation_time_to_first_chunk_seconds",
        ("langfuse_time_to_first_token_seconds",), _CALLS,
    ),
    Owned("Tokens as they are used", "gen_ai_client_token_usage", ("langfuse_tokens_total",), _CALLS),
    Owned("Cost as it arises", "gen_ai_usage_cost_usd_total", ("langfuse_cost_usd_total",), _CALLS),
    Owned(
        "Cost of a month, and budgets", "platform_cost_usd", ("gen_ai_usage_cost_usd_total",),
        "A bill is read from single calls with the prices that held, also of days at which the platform was not scraped.",
    ),
)  # fmt: skip

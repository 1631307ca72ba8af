"""Labels of the contract: what each means and how many values it may take.

A label has either a closed list of values or a cap. Values beyond the cap go to `OVERFLOW`, and are counted. No label ever
carries an id, an address, a text a user wrote, or a raw path.
"""

from __future__ import annotations

from dataclasses import dataclass

from contract.advice import KINDS

OVERFLOW = "other"
SERIES_LIMIT = 10_000
"""Of one metric, unless the site says otherwise."""


@dataclass(frozen=True)
class Label:
    """One label. Exactly one of `values` (closed list) and `cap` (greatest number of different values) is set."""

    name: str
    help: str
    values: tuple[str, ...] = ()
    cap: int = 0

    @property
    def size(self) -> int:
        """The greatest number of values, overflow included."""
        return len(self.values) or self.cap + 1


WINDOWS = ("1h", "24h", "7d", "30d", "mtd")
PRIORITIES = ("low", "normal", "high", "urgent")
ERROR_TYPES = ("timeout", "validation", "llm", "tool", "rate_limit", "auth", "internal", "other")


def _closed(name: str, help_: str, *values: str) -> Label:
    return Label(name, help_, values=values)


def _open(name: str, help_: str, cap: int) -> Label:
    return Label(name, help_, cap=cap)


_ALL = (
    _closed("advice", "rule that advises", *KINDS),
    _open("agent", "agent name", 200),
    _open("alertmanager", "address of an Alertmanager", 6),
    _open("api", "external interface", 40),
    _open("cache", "cache name", 10),
    _closed(
        "code",
        "class of an HTTP answer, or why there was none",
        "2xx",
        "3xx",
        "4xx",
        "401",
        "429",
        "5xx",
        "timeout",
        "connection",
        "body",
    ),
    _open("collector", "collector of the exporter", 40),
    _open("datname", "database name", 20),
    _closed("decision", "what a guardrail did", "allow", "block", "redact"),
    _open("dependency", "what an agent waits for", 20),
    _open("environment", "where it runs; also a target label of the platform's scrape jobs", 6),
    _closed("error_type", "kind of failure", *ERROR_TYPES),
    _open("feature", "feature of the platform", 40),
    _open("file_type", "type of a document", 12),
    _open("function", "edge function", 40),
    _closed(
        "gen_ai_operation_name",
        "OTel: chat, embeddings, …",
        "chat",
        "text_completion",
        "embeddings",
        "generate_content",
        "execute_tool",
        "invoke_agent",
    ),
    _open("gen_ai_provider_name", "OTel: model provider", 12),
    _open("gen_ai_request_model", "OTel: model asked for", 40),
    _closed("gen_ai_token_modality", "OTel: kind of content", "text", "image", "audio", "video"),
    _closed("gen_ai_token_type", "OTel: side of the call", "input", "output"),
    _open("gen_ai_tool_name", "OTel: tool", 40),
    _closed("goal", "what came of a conversation", "achieved", "missed", "unknown"),
    _closed("group", "NPS group of an answer", "promoter", "passive", "detractor"),
    _open("guardrail", "guardrail name", 20),
    _open("handler", "route template, never a raw path", 60),
    _open("instance", "scrape target", 50),
    _open("integration", "way in which Alertmanager delivers", 20),
    _open("job", "scrape job", 20),
    _closed(
        "kind",
        "kind of a dependency or of a service level",
        "llm",
        "database",
        "vector",
        "cache",
        "external_api",
        "first_response",
        "resolution",
    ),
    _open("mcp_method_name", "OTel: MCP method", 20),
    _closed("measure", "what is reconciled or compared", "calls", "tokens", "cost_usd", "errors", "latency"),
    _closed("method", "HTTP method", "GET", "POST", "PUT", "PATCH", "DELETE"),
    _closed("mode", "how a source's changes are captured", "snapshot", "ids", "window", "scan"),
    _open("model", "model as the client sent it", 40),
    _open("name", "score name", 40),
    _open("operation", "kind of a database, cache or store operation", 20),
    _closed("outcome", "how it ended", "resolved", "handoff", "abandoned", "failed", "success"),
    _closed("phase", "part of one request", "auth", "preprocess", "retrieval", "llm", "tool", "postprocess"),
    _open("pool", "connection pool", 10),
    _closed("priority", "ticket priority", *PRIORITIES),
    _open("prompt_version", "version of the prompt", 400),
    _open("query", "query of the exporter", 80),
    _open("queue", "queue name", 20),
    _closed("rating", "stars of a feedback", "1", "2", "3", "4", "5"),
    _open("reason", "why a conversation was handed over, a call repeated or a notification not delivered", 12),
    _closed(
        "result",
        "how an attempt ended",
        "success",
        "failure",
        "hit",
        "miss",
        "ok",
        "error",
        "met",
        "breached",
        "pending",
        "loaded",
        "found",
        "empty",
    ),
    _open("role", "role of a user, or of a message's author", 12),
    _open("rule_group", "rule file and group", 400),
    _open("scope", "what a budget or a service level covers", 200),
    _open("subject", "what is forecast, by day", 12),
    _closed("sentiment", "of a feedback", "positive", "negative"),
    _closed("severity", "how bad", "info", "warning", "error", "critical"),
    _closed("side", "of a comparison of versions", "new", "previous"),
    _open("source", "where a figure comes from", 20),
    _closed(
        "state",
        "of a pooled connection, an alert or a silence",
        "active",
        "idle",
        "suppressed",
        "unprocessed",
        "pending",
        "expired",
    ),
    _open("status", "how it ended, or where it stands; words are mapped in contract.status", 12),
    _open("store", "vector store", 6),
    _open("table", "table of the platform, or of schema analytics", 80),
    _open("tool", "tool name", 60),
    _open("statement", "number of a slow statement, as pg_stat_statements counts them", 20),
    _open("tab", "tab of the dashboards", 40),
    _closed("type", "kind of token", "input", "output", "cache_read", "cache_write", "reasoning"),
    _open("version", "version of an agent", 400),
    _closed("window", "trailing window of a figure; mtd is the calendar month to date, UTC", *WINDOWS),
    _open("workflow_type", "kind of workflow", 20),
)
LABELS: dict[str, Label] = {label.name: label for label in _ALL}

_WORDS = {"cost_usd": "cost"}


def _in_words(value: str) -> str:
    return _WORDS.get(value, value.replace("_", " "))


UNSPOKEN: dict[str, dict[str, str]] = {
    label.name: {value: _in_words(value) for value in label.values if "_" in value}
    for label in _ALL
    if any("_" in value for value in label.values)
}
"""Values of closed lists that only programs write, by their label, each with the words that people read in their place."""

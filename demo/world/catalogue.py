"""The platform's fixed facts: agents, models, tools, words. Nothing here changes with the seed or with time."""

from __future__ import annotations

from typing import NamedTuple


class Model(NamedTuple):
    """A model. Prices are USD per million tokens, None for a model without a price; `speed` is output tokens per second."""

    name: str
    provider: str  # OpenTelemetry name of the provider
    operation: str  # chat | embeddings
    input_usd: float | None
    output_usd: float | None
    cache_read_usd: float | None
    speed: float
    cache_share: float  # part of the input that a warm prompt cache serves
    reasoning_share: float  # part of the output that is reasoning


MODELS = (
    Model("gpt-4.1", "openai", "chat", 2.0, 8.0, 0.5, 105.0, 0.30, 0.0),
    Model("gpt-4.1-mini", "openai", "chat", 0.4, 1.6, 0.1, 140.0, 0.28, 0.0),
    Model("claude-sonnet-4-5", "anthropic", "chat", 3.0, 15.0, 0.3, 95.0, 0.42, 0.0),
    Model("gemini-2.5-flash", "gcp.gemini", "chat", 0.3, 2.5, 0.075, 190.0, 0.22, 0.30),
    Model("llama-3.3-70b", "self_hosted", "chat", None, None, None, 80.0, 0.0, 0.0),
    Model("text-embedding-3-small", "openai", "embeddings", 0.02, 0.0, 0.02, 0.0, 0.0, 0.0),
)
MODEL = {model.name: model for model in MODELS}
EMBEDDING_MODEL = "text-embedding-3-small"


class Tool(NamedTuple):
    """A tool of an agent; `api` is the external interface that it calls, "" for none."""

    name: str
    api: str
    failure: float  # share of failing calls


TOOLS = (
    Tool("search_orders", "orders-api", 0.008),
    Tool("update_order", "orders-api", 0.012),
    Tool("lookup_invoice", "billing-api", 0.010),
    Tool("issue_refund", "billing-api", 0.015),
    Tool("crm_lookup", "crm-api", 0.012),
    Tool("create_quote", "crm-api", 0.014),
    Tool("web_search", "search-api", 0.020),
    Tool("read_document", "", 0.004),
    Tool("run_query", "", 0.010),
    Tool("reset_password", "directory-api", 0.010),
    Tool("check_device", "directory-api", 0.018),
    Tool("create_ticket", "", 0.003),
)
TOOL = {tool.name: tool for tool in TOOLS}
APIS = tuple(sorted({tool.api for tool in TOOLS if tool.api}))


class Agent(NamedTuple):
    """An agent. `median_seconds` and `spread` shape its lognormal time to answer; `weight` is its share of the traffic."""

    agent_id: int
    name: str
    type: str
    department: str
    owner_team: str
    weight: float
    median_seconds: float
    spread: float
    failure: float  # share of executions that fail when nothing is wrong
    retrieval: float  # share of executions that look something up
    tool_use: float  # share of executions that call tools
    context_tokens: int  # typical input of a model call
    models: tuple[str, ...]  # in order of releases; the first is the usual one
    tools: tuple[str, ...]
    intents: tuple[str, ...]
    capacity: float  # configured queries per second


AGENTS = (
    Agent(1, "support", "conversational", "Customer Service", "agents", 0.34, 0.95, 0.42, 0.016, 0.50, 0.40, 9300,
          ("claude-sonnet-4-5", "gpt-4.1"), ("search_orders", "update_order", "create_ticket", "read_document"),
          ("order_status", "return_item", "complaint", "how_to", "delivery_problem"), 8.0),
    Agent(2, "billing", "conversational", "Finance", "finance", 0.20, 0.80, 0.44, 0.012, 0.30, 0.55, 7400,
          ("gpt-4.1", "gpt-4.1-mini"), ("lookup_invoice", "issue_refund", "create_ticket"),
          ("invoice_question", "refund", "payment_failed", "change_plan"), 5.0),
    Agent(3, "sales", "conversational", "Sales", "agents", 0.16, 1.10, 0.45, 0.018, 0.35, 0.35, 8500,
          ("gemini-2.5-flash", "gpt-4.1-mini"), ("crm_lookup", "create_quote", "web_search"),
          ("product_question", "pricing", "quote", "demo_request"), 4.0),
    Agent(4, "research", "analyst", "Research", "platform", 0.12, 1.75, 0.46, 0.022, 0.75, 0.45, 15900,
          ("claude-sonnet-4-5", "gemini-2.5-flash"), ("web_search", "read_document", "run_query"),
          ("summary", "comparison", "data_question", "literature"), 2.0),
    Agent(5, "it-helpdesk", "task", "IT", "platform", 0.18, 1.00, 0.43, 0.017, 0.30, 0.45, 6600,
          ("llama-3.3-70b", "gpt-4.1-mini"), ("reset_password", "check_device", "create_ticket", "read_document"),
          ("password_reset", "access_request", "device_problem", "software_install"), 4.0),
)  # fmt: skip
AGENT = {agent.name: agent for agent in AGENTS}

DEPARTMENTS = (
    ("Customer Service", "service"),
    ("Finance", "finance"),
    ("Sales", "revenue"),
    ("Research", "insights"),
    ("IT", "operations"),
    ("Human Resources", "people"),
)
"""Name and team, in order of their ids (from 1)."""
DEPARTMENT_ID = {name: number for number, (name, _) in enumerate(DEPARTMENTS, 1)}

ENVIRONMENTS = (("production", 0.88), ("staging", 0.09), ("development", 0.03))
CHANNELS = (("web", 0.52), ("mobile", 0.22), ("slack", 0.12), ("email", 0.08), ("api", 0.06))
ROLES = (("member", 0.84), ("manager", 0.11), ("analyst", 0.035), ("admin", 0.015))
STAFF = 12
"""The first users are support staff: role `support`, assignees of tickets."""
COUNTRIES = (("US", 0.34), ("DE", 0.18), ("GB", 0.12), ("FR", 0.10), ("IN", 0.10), ("BR", 0.06), ("JP", 0.06), ("ZA", 0.04))

ERROR_SHARES = (
    ("llm", 0.30), ("timeout", 0.20), ("tool", 0.20), ("rate_limit", 0.12),
    ("validation", 0.08), ("internal", 0.07), ("auth", 0.03),
)  # fmt: skip
ERROR_TEXTS = {
    "llm": "The model answered with an error",
    "timeout": "No answer within the time limit",
    "tool": "A tool failed",
    "rate_limit": "The provider refused more requests",
    "validation": "The answer did not have the expected form",
    "internal": "Unexpected error",
    "auth": "The session was no longer valid",
    "other": "Unknown error",
}
SEVERITIES = {"internal": "critical", "llm": "error", "timeout": "error", "tool": "error", "auth": "error",
              "rate_limit": "warning", "validation": "warning", "other": "error"}  # fmt: skip

DEPENDENCIES = {
    "openai": "llm", "anthropic": "llm", "gcp.gemini": "llm", "self_hosted": "llm",
    "postgres": "database", "pgvector": "vector", "redis": "cache", **dict.fromkeys(APIS, "external_api"),
}  # fmt: skip
"""What an agent waits for, and its kind."""


class WorkflowType(NamedTuple):
    name: str
    weight: float
    median_seconds: float
    agents: tuple[str, ...]


WORKFLOWS = (
    WorkflowType("order_resolution", 0.40, 45.0, ("support", "billing")),
    WorkflowType("quote_to_order", 0.22, 90.0, ("sales", "billing")),
    WorkflowType("market_report", 0.13, 240.0, ("research", "sales")),
    WorkflowType("employee_onboarding", 0.25, 150.0, ("it-helpdesk", "support", "research")),
)

TICKET_CATEGORIES = (("delivery", 0.26), ("billing", 0.24), ("access", 0.20), ("bug", 0.18), ("question", 0.12))
TICKET_PRIORITIES = (("low", 0.22), ("normal", 0.50), ("high", 0.21), ("urgent", 0.07))
SLA_SECONDS = {
    "urgent": (3600.0, 8 * 3600.0),
    "high": (4 * 3600.0, 24 * 3600.0),
    "normal": (8 * 3600.0, 72 * 3600.0),
    "low": (24 * 3600.0, 120 * 3600.0),
}
"""First response and resolution are due so long after a ticket was opened."""
HANDOFF_REASONS = (
    ("user_request", 0.36),
    ("low_confidence", 0.26),
    ("policy", 0.16),
    ("repeated_failure", 0.14),
    ("escalation", 0.08),
)
FILE_TYPES = (("pdf", 0.46), ("docx", 0.20), ("html", 0.14), ("md", 0.10), ("csv", 0.06), ("txt", 0.04))
FILE_TOPICS = (
    "handbook",
    "price-list",
    "policy",
    "release-notes",
    "contract",
    "report",
    "manual",
    "minutes",
    "catalogue",
    "guide",
)
FEATURES = (
    ("chat", 0.34), ("search", 0.20), ("history", 0.14), ("export", 0.08), ("upload", 0.07),
    ("share", 0.06), ("workflows", 0.06), ("voice", 0.03), ("api_keys", 0.02),
)  # fmt: skip
QUEUES = (("notifications", 0.55), ("mobile-sync", 0.30), ("webhooks", 0.15))
FEEDBACK_CATEGORIES = (("quality", 0.45), ("speed", 0.20), ("correctness", 0.20), ("usability", 0.15))

GOOD_COMMENTS = (
    "Fast and helpful answer", "Solved my problem at once", "Clear steps, thank you", "Exactly what I needed",
    "Good explanation", "Better than waiting on the phone", "The refund was done in a minute", "Friendly and precise",
    "It found the right document", "Saved me a lot of time", "Great summary", "Easy to use", "The quote was correct",
    "Password reset worked the first time", "Nice that it remembers the order", "Answer with sources, very good",
    "Works well on the phone", "Quick and to the point",
)  # fmt: skip
BAD_COMMENTS = (
    "The answer was wrong", "Too slow today", "It did not understand my question", "I had to repeat everything",
    "Could not find my order", "The link did not work", "Too long an answer", "It stopped halfway",
    "I wanted to talk to a person", "The refund did not arrive", "Old information in the answer", "Search found nothing",
    "The error message did not help", "Wrong invoice was shown", "It asked the same twice", "Answer in the wrong language",
)  # fmt: skip

HTTP_HANDLERS = (
    ("POST", "/api/conversations"),
    ("POST", "/api/conversations/{id}/messages"),
    ("GET", "/api/conversations/{id}"),
    ("POST", "/api/feedback"),
    ("GET", "/api/search"),
    ("POST", "/api/documents"),
    ("GET", "/api/documents/{id}"),
    ("POST", "/api/login"),
    ("GET", "/api/tickets"),
    ("POST", "/api/tickets"),
    ("PATCH", "/api/tickets/{id}"),
    ("POST", "/api/workflows"),
    ("GET", "/api/me"),
    ("GET", "/health"),
)
"""Method and route template of the platform's HTTP interface."""
USER_AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/130.0", "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_6) Safari/605.1",
    "Mozilla/5.0 (X11; Linux x86_64) Firefox/132.0", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0) Mobile/15E148",
    "Mozilla/5.0 (Linux; Android 15) Chrome/130.0 Mobile",
)  # fmt: skip

"""The named queries of endpoints that are asked of the roll-ups: subjects by some of their labels."""

from __future__ import annotations

from api.catalogue.model import Query
from api.catalogue.subjects import SUBJECTS


def _of(subject: str, key: str, words: str, by: str, measures: str, order: str = "") -> Query:
    return SUBJECTS[subject].query(key, words, by.split(), measures.split(), order)


_TALK = "conversations_started conversations_ended goals_achieved goals_missed success_ratio handoffs handoff_ratio messages"
_WORK = "executions executions_failed error_ratio tokens"
_TOKENS = "input_tokens output_tokens cache_read_tokens cache_write_tokens reasoning_tokens"
_DURATIONS = "p50 p95 p99"
_TICKETS = "created responded resolved first_response_in_time resolution_in_time mean_seconds reopened_share"
_FEEDBACK = "positive negative thumbs_up_share ratings mean_stars promoters passives detractors nps"
_AGENTS = (
    "executions failed error_ratio p50 p95 p99 conversations success_ratio handoff_ratio positive negative calls tokens "
    "cost_usd cost_per_conversation"
)

USAGE = _of("usage", "usage.totals", "What was used in the range", "", f"{_TALK} {_WORK}")
USAGE_DAYS = _of("usage", "usage.days", "The same by day", "day", f"{_TALK} {_WORK}")
USAGE_ENVIRONMENTS = _of("usage", "usage.environments", "The same by environment", "environment", f"{_TALK} {_WORK}")
FEATURES = _of("features", "usage.features", "Uses of each feature", "feature", "uses", "uses DESC, feature")
INTENTS = _of(
    "intents", "usage.intents", "What conversations were about", "intent", "conversations achieved missed goal_share",
    "conversations DESC, intent",
)  # fmt: skip

CONVERSATIONS = _of("usage", "conversations.totals", "Conversations of the range", "", _TALK)
CONVERSATION_DAYS = _of("usage", "conversations.days", "Conversations by day", "day", _TALK)
OUTCOMES = _of(
    "conversations", "conversations.outcomes", "How conversations with each agent ended", "agent",
    "ended solved handed_over abandoned failed", "ended DESC, agent",
)  # fmt: skip
HANDOFFS = _of("handoffs", "conversations.handoffs", "Why people took over", "reason", "handoffs", "handoffs DESC, reason")

TICKETS = _of("tickets", "tickets.totals", "Tickets of the range", "", f"{_TICKETS} {_DURATIONS}")
TICKET_DAYS = _of("tickets", "tickets.days", "Tickets by day", "day", _TICKETS)
TICKET_PRIORITIES = _of("tickets", "tickets.priorities", "Tickets by priority", "priority", f"{_TICKETS} {_DURATIONS}")

DOCUMENT_DAYS = _of("documents", "documents.days", "Uploads by day", "day", "uploaded bytes done failed")
DOCUMENT_TYPES = _of(
    "documents", "documents.uploads", "Uploads by type of file", "file_type", "uploaded bytes done failed",
    "uploaded DESC, file_type",
)  # fmt: skip

FEEDBACK = _of("feedback", "feedback.totals", "Feedback of the range", "", _FEEDBACK)
FEEDBACK_DAYS = _of("feedback", "feedback.days", "Feedback by day", "day", _FEEDBACK)
FEEDBACK_AGENTS = _of("feedback", "feedback.agents", "Feedback on each agent", "agent", _FEEDBACK)

TOKENS = _of("models", "tokens.totals", "Tokens of the range", "", f"calls {_TOKENS} token_efficiency")
TOKEN_MODELS = _of(
    "models", "tokens.models", "Tokens by model and type", "model", f"calls {_TOKENS} token_efficiency",
    "input_tokens DESC, model",
)  # fmt: skip
TOKEN_DAYS = _of("models", "tokens.days", "Tokens by day", "day", f"calls {_TOKENS}")

COST = _of(
    "costs",
    "costs.totals",
    "Cost of the range",
    "",
    "calls tokens cost_usd cost_per_execution cost_per_conversation cost_per_success",
)
COST_DAYS = _of("models", "costs.days", "Cost by day", "day", "calls cost_usd failed_cost_usd unpriced")
COST_MODELS = _of(
    "models", "costs.models", "Cost by model", "model", "calls cost_usd cost_per_call failed_cost_usd unpriced",
    "cost_usd DESC, model",
)  # fmt: skip
COST_MODEL_DAYS = _of("models", "costs.model_days", "Cost by model and day", "day model", "calls cost_usd unpriced")
COST_AGENTS = _of(
    "costs", "costs.agents", "Cost by agent", "agent",
    "calls tokens cost_usd cost_per_execution cost_per_conversation cost_per_success", "cost_usd DESC, agent",
)  # fmt: skip
COST_GROUPS = _of(
    "user_groups", "costs.groups", "Cost by department and role of who asked", "department role", "calls tokens cost_usd",
    "cost_usd DESC, department, role",
)  # fmt: skip

MODELS = _of(
    "models", "models.compared", "One row a model", "model",
    f"calls failed call_error_ratio mean_seconds p50 p90 p95 p99 {_TOKENS} token_efficiency cost_usd cost_per_call",
    "calls DESC, model",
)  # fmt: skip
MODEL_DAYS = _of("models", "models.days", "Models by day", "day model", "calls call_error_ratio p50 p95 cost_usd cost_per_call")
FIRST_TOKENS = _of(
    "first_tokens", "models.first_tokens", "Wait for the first token", "model", "streamed mean_seconds p50 p95 p99",
    "streamed DESC, model",
)  # fmt: skip
PROMPTS = _of(
    "prompts", "models.prompts", "Prompts and their versions", "prompt_name prompt_version model",
    "calls call_error_ratio input_tokens output_tokens cost_usd p50 p95", "calls DESC, prompt_name, prompt_version, model",
)  # fmt: skip

AGENTS = _of("agents", "agents.compared", "One row an agent", "agent", _AGENTS, "executions DESC, agent")
AGENT_DAYS = _of("agents", "agents.days", "Agents by day", "day agent", "executions error_ratio p95 cost_usd")
TOOLS = _of(
    "tools", "tools.compared", "One row a tool", "tool", f"calls succeeded failed success_share mean_seconds {_DURATIONS}",
    "calls DESC, tool",
)  # fmt: skip
TOOL_DAYS = _of("tools", "tools.days", "Tools by day", "day tool", "calls failed success_share p95")
WORKFLOWS = _of(
    "workflows", "workflows.compared", "One row a type of workflow", "workflow_type",
    f"runs succeeded failed success_share mean_seconds {_DURATIONS} agents_each tool_calls tokens", "runs DESC, workflow_type",
)  # fmt: skip
WORKFLOW_DAYS = _of("workflows", "workflows.days", "Workflows by day", "day workflow_type", "runs failed p95")
SESSIONS = _of(
    "sessions", "sessions.totals", "Sessions of the range", "",
    f"started ended queries successful_queries failed_queries query_success_share queries_each tokens {_DURATIONS}",
)  # fmt: skip
SESSION_HOURS = _of("sessions", "sessions.hours", "Sessions by hour", "hour", "started ended queries failed_queries tokens")
ERRORS = _of("executions", "errors.totals", "Executions that failed", "", "executions failed error_ratio retries")
TRACE_DAYS = _of(
    "executions",
    "traces.days",
    "Executions, each of which is one trace, by day",
    "day",
    "executions failed error_ratio model_calls model_calls_failed tokens cost_usd",
)
ERROR_HOURS = _of("executions", "errors.hours", "Failures by hour", "hour", "executions failed error_ratio")
ERROR_AGENTS = _of(
    "executions", "errors.agents", "Failures by agent and version", "agent version", "executions failed error_ratio",
    "failed DESC, agent, version",
)  # fmt: skip

USER_DAYS = _of(
    "users",
    "users.days",
    "New users and what they did, by day",
    "day",
    "users_created messages logins logins_failed login_success feature_uses",
)

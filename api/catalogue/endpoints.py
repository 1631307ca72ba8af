"""What stands under which address: an endpoint is a few named queries, for those who may see them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from api.catalogue import named, outlook, own, people, single, stock
from api.catalogue.model import Query


class Role(StrEnum):
    """Who asks. An administrator sees single rows and keys of users too, a person of the business figures of all, and with
    `self` a person sees the own rows."""

    ADMIN = "admin"
    BUSINESS = "business"
    SELF = "self"


@dataclass(frozen=True)
class Endpoint:
    """`path` may name parameters in braces. `queries` are for administrators and the business, `rows` are added for
    administrators alone, and `own` is what a person sees of the own rows; where there is nothing for a role, it is refused.
    """

    path: str
    summary: str
    queries: tuple[Query, ...] = ()
    rows: tuple[Query, ...] = ()
    own: tuple[Query, ...] = ()

    def of(self, role: Role) -> tuple[Query, ...]:
        """What a role sees."""
        return {Role.ADMIN: (*self.queries, *self.rows), Role.BUSINESS: self.queries, Role.SELF: self.own}[role]

    @property
    def every(self) -> tuple[Query, ...]:
        return (*self.queries, *self.rows, *self.own)

    @property
    def filters(self) -> tuple[str, ...]:
        return tuple(sorted({name for query in self.every for name in query.filters}))

    @property
    def needs(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for query in self.every for name in query.needs))

    @property
    def ranged(self) -> bool:
        return any(query.ranged for query in self.every)


_V1, _PLAIN = "/api/v1/analytics", "/api/analytics"

ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        f"{_V1}/users/stats",
        "Users: how many, how they grow, how many are active, who stays",
        (people.USERS, people.ACTIVE, named.USER_DAYS, people.RETENTION),
    ),
    Endpoint(
        f"{_V1}/conversations/stats",
        "Conversations: how many, how they end, how long they are",
        (
            named.CONVERSATIONS, named.CONVERSATION_DAYS, named.OUTCOMES, named.HANDOFFS, people.CONVERSATIONS_PER_USER,
            people.CONVERSATION_LENGTH,
        ),
    ),
    Endpoint(
        f"{_V1}/tickets/stats",
        "Tickets: status, priority, resolution, what was promised",
        (
            named.TICKETS, named.TICKET_DAYS, named.TICKET_PRIORITIES, stock.TICKET_STATUSES, stock.TICKET_BACKLOG,
            stock.TICKET_PROMISES, stock.TICKET_RESOLUTION,
        ),
    ),
    Endpoint(
        f"{_V1}/documents/stats",
        "Documents: status, type, chunks, uploads, searches",
        (stock.DOCUMENTS, named.DOCUMENT_DAYS, named.DOCUMENT_TYPES, stock.CHUNKS, stock.SEARCHES),
    ),
    Endpoint(
        f"{_V1}/feedback/stats",
        "Feedback: ratings, their course, how many answer",
        (named.FEEDBACK, named.FEEDBACK_DAYS, named.FEEDBACK_AGENTS, stock.RATINGS, stock.RESPONSE_RATE),
    ),
    Endpoint(
        f"{_V1}/langfuse/token-usage",
        "Tokens by model and type",
        (named.TOKENS, named.TOKEN_MODELS, named.TOKEN_DAYS),
    ),
    Endpoint(
        f"{_V1}/langfuse/cost-estimation",
        "Cost by model and day, and the prices behind it",
        (named.COST_MODELS, named.COST_DAYS, named.COST_MODEL_DAYS, stock.PRICES),
    ),
    Endpoint(
        f"{_V1}/langfuse/model-performance",
        "Time, errors and the wait for the first token, by model",
        (named.MODELS, named.FIRST_TOKENS, named.MODEL_DAYS),
    ),
    Endpoint(f"{_V1}/langfuse/trace-stats", "Traces and scores", (named.TRACE_DAYS, stock.SCORES)),
    Endpoint(
        f"{_PLAIN}/summary",
        "The most important figures together",
        (named.USAGE, named.COST, named.FEEDBACK, named.TICKETS, people.ACTIVE),
        own=(own.USAGE, own.TICKETS, own.AGENTS, own.MODELS),
    ),
    Endpoint(
        f"{_PLAIN}/usage",
        "What is used, and how that changes",
        (named.USAGE, named.USAGE_DAYS, named.USAGE_ENVIRONMENTS, named.INTENTS, named.FEATURES),
        own=(own.USAGE, own.TICKETS, own.DAYS),
    ),
    Endpoint(
        f"{_PLAIN}/costs",
        "What it costs, for whom, and what would save",
        (named.COST, named.COST_DAYS, named.COST_MODELS, named.COST_AGENTS, named.COST_GROUPS, outlook.SAVINGS),
        own=(own.COST_DAYS, own.MODELS),
    ),
    Endpoint(
        f"{_PLAIN}/models",
        "Models compared",
        (named.MODELS, named.FIRST_TOKENS, named.MODEL_DAYS, named.PROMPTS),
        own=(own.MODELS,),
    ),
    Endpoint(
        f"{_PLAIN}/forecasts",
        "What is to come, and how good forecasts were",
        (outlook.FORECASTS, outlook.TRIALS),
    ),
    Endpoint(f"{_PLAIN}/advice", "What to do, and what it would gain", (outlook.SAVINGS, outlook.WAITING)),
    Endpoint(
        f"{_PLAIN}/users",
        "What users do; administrators see who is most active",
        (people.USERS, people.ACTIVE, named.USER_DAYS),
        rows=(people.MOST_ACTIVE,),
    ),
    Endpoint(f"{_PLAIN}/agents/usage", "Agents compared", (named.AGENTS, named.AGENT_DAYS), own=(own.AGENTS,)),
    Endpoint(f"{_PLAIN}/tools/usage", "Tools compared", (named.TOOLS, named.TOOL_DAYS)),
    Endpoint(f"{_PLAIN}/workflows/performance", "Workflows compared", (named.WORKFLOWS, named.WORKFLOW_DAYS)),
    Endpoint(
        f"{_PLAIN}/errors/summary",
        "What fails, where, and since when",
        (named.ERRORS, named.ERROR_HOURS, named.ERROR_AGENTS, single.ERROR_KINDS),
        rows=(single.LATEST_ERRORS,),
    ),
    Endpoint(
        f"{_PLAIN}/sessions/activity",
        "Sessions of users",
        (named.SESSIONS, named.SESSION_HOURS),
        rows=(single.LATEST_SESSIONS,),
        own=(own.SESSIONS,),
    ),
    Endpoint(
        f"{_PLAIN}/executions/{{execution_id}}",
        "One execution and its tools",
        rows=(single.EXECUTION, single.EXECUTION_TOOLS),
        own=(own.EXECUTION,),
    ),
    Endpoint(
        f"{_PLAIN}/sessions/{{session_id}}",
        "One session and what was executed in it",
        rows=(single.SESSION, single.SESSION_EXECUTIONS),
        own=(own.SESSION, own.SESSION_EXECUTIONS),
    ),
)  # fmt: skip


def named_queries(role: Role) -> dict[str, Query]:
    """Every query that a role may ask by its name, those about one row aside."""
    found = {query.key: query for endpoint in ENDPOINTS for query in endpoint.of(role) if not query.needs}
    return dict(sorted(found.items()))


def every_query() -> Iterator[Query]:
    """Each query once."""
    yield from {query.key: query for endpoint in ENDPOINTS for query in endpoint.every}.values()

"""What happens on the synthetic platform. All times are seconds since the epoch (float, UTC), durations are seconds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple


class LlmCall(NamedTuple):
    """One call of a model. `cost_usd` is None for a model without a price; `first_token` is None when not streamed."""

    observation_id: str
    at: float
    duration: float
    first_token: float | None
    model: str
    provider: str
    operation: str  # chat | embeddings
    input_tokens: int  # without the cached part
    output_tokens: int  # without the reasoning part
    cache_read_tokens: int
    reasoning_tokens: int
    input_cost_usd: float | None
    output_cost_usd: float | None
    failed: bool
    error_type: str  # "" or one of contract.labels.ERROR_TYPES
    prompt_name: str
    prompt_version: int

    @property
    def end(self) -> float:
        return self.at + self.duration


class ToolCall(NamedTuple):
    usage_id: str  # uuid text
    at: float
    duration: float
    tool: str
    status: str  # success | error | timeout
    api: str  # "" when no external interface was called
    api_status: int  # HTTP status, 0 without api


class Span(NamedTuple):
    """A part of an execution; phases and dependencies. `offset` from the execution's start."""

    name: str
    kind: str  # phase | dependency | tool
    offset: float
    duration: float
    failed: bool


class Execution(NamedTuple):
    """One query to an agent, from start to answer."""

    execution_id: str  # uuid text
    trace_id: str  # 32 hex digits
    conversation_id: int
    session_id: str  # uuid text
    user_id: int
    agent: str
    version: str
    environment: str
    intent: str
    at: float
    duration: float
    status: str  # success | error | timeout | cancelled
    error_type: str  # "" or one of contract.labels.ERROR_TYPES
    retries: int
    calls: tuple[LlmCall, ...]
    tools: tuple[ToolCall, ...]
    spans: tuple[Span, ...]
    question_id: int  # message ids
    answer_id: int
    question_tokens: int
    answer_tokens: int  # 0 when there was no answer

    @property
    def end(self) -> float:
        return self.at + self.duration


class Feedback(NamedTuple):
    feedback_id: int
    at: float
    message_id: int
    trace_id: str
    rating: int | None
    thumbs: int | None  # 1 | -1
    nps: int | None
    category: str
    comment: str | None


class Handoff(NamedTuple):
    handoff_id: int
    at: float
    reason: str
    accepted_at: float
    resolved_at: float
    ticket_id: int | None = None  # a ticket of the same hour that goes on with it


class Conversation(NamedTuple):
    """A conversation whole, from first question to last. It never lasts longer than MAX_CONVERSATION_SECONDS."""

    conversation_id: int
    session_id: str
    user_id: int
    agent: str
    environment: str
    channel: str
    intent: str
    at: float
    end: float
    goal_achieved: bool | None
    outcome: str  # resolved | handoff | abandoned | failed
    executions: tuple[Execution, ...]
    feedback: tuple[Feedback, ...]
    handoff: Handoff | None

    @property
    def settled(self) -> float:
        """When the last thing that belongs to it has happened; at most MAX_CONVERSATION_SECONDS after its start."""
        last = self.feedback[-1].at if self.feedback else self.end
        return max(last, self.end, self.handoff.resolved_at if self.handoff else 0.0)


class TicketChange(NamedTuple):
    at: float
    from_status: str | None
    to_status: str


class Ticket(NamedTuple):
    """A ticket with its whole life, in order. The first change creates it (`from_status` None)."""

    ticket_id: int
    user_id: int
    conversation_id: int | None
    assignee_id: int | None
    priority: str
    category: str
    changes: tuple[TicketChange, ...]
    first_response_at: float
    sla_first_response_due_at: float
    sla_resolution_due_at: float


class Document(NamedTuple):
    """An upload: processing from `at`, done or failed at `finished_at`."""

    document_id: int
    user_id: int
    file_name: str
    file_type: str
    size_bytes: int
    at: float
    finished_at: float
    failed: bool
    chunk_tokens: tuple[int, ...]


class Search(NamedTuple):
    search_id: int
    user_id: int
    at: float
    duration: float
    results: int
    top_score: float | None
    clicked: bool


class Login(NamedTuple):
    login_id: int
    user_id: int
    at: float
    success: bool


class FeatureUse(NamedTuple):
    use_id: int
    user_id: int
    feature: str
    at: float
    session_id: str | None


class Workflow(NamedTuple):
    workflow_id: str
    workflow_type: str
    at: float
    duration: float
    status: str
    agents: tuple[str, ...]
    tool_calls: int
    api_calls: int
    tokens: int
    session_id: str
    user_id: int
    satisfaction: float | None
    completion: float
    environment: str


class QueuedMessage(NamedTuple):
    """Leaves the offline queue at `done_at`."""

    message_id: int
    queue: str
    at: float
    done_at: float
    attempts: int
    dead: bool


class User(NamedTuple):
    user_id: int
    at: float
    role: str
    status: str
    department: str
    country_code: str


class Deployment(NamedTuple):
    deployment_id: int
    agent: str
    version: str
    environment: str
    at: float
    retired_at: float | None
    commit_ref: str
    model: str
    prompt_version: int


class Hour(NamedTuple):
    """Everything that begins within one hour of the world, each list in order of time."""

    start: float
    conversations: tuple[Conversation, ...]
    tickets: tuple[Ticket, ...]
    documents: tuple[Document, ...]
    searches: tuple[Search, ...]
    logins: tuple[Login, ...]
    features: tuple[FeatureUse, ...]
    workflows: tuple[Workflow, ...]
    queued: tuple[QueuedMessage, ...]


MAX_CONVERSATION_SECONDS = 2 * 3600.0
MAX_TICKET_SECONDS = 30 * 86400.0


@dataclass(frozen=True)
class Incident:
    """Something that goes wrong between `start` and `end`. It changes executions and requests that begin within."""

    kind: str  # latency | errors | cost | silence
    start: float
    end: float

    def covers(self, at: float) -> bool:
        return self.start <= at < self.end


Value = str | int | float
"""What a setting is set to."""


@dataclass(frozen=True)
class Tuned:
    """A setting of an agent in an environment, for what begins at `start` or later."""

    agent: str
    environment: str
    setting: str
    value: Value
    start: float


@dataclass(frozen=True)
class WorldSpec:
    """What determines the world. `anchor` is the end of the loaded history and lies on a whole minute; `days` its length.

    `scale` 1.0 means about 2,400 conversations on an ordinary working day at the anchor; tests use less. `ahead` is by how many
    seconds people's weeks and days are ahead of the calendar's: with it a night can be as busy as a working afternoon.
    """

    seed: int
    anchor: float
    days: int = 90
    scale: float = 1.0
    incidents: tuple[Incident, ...] = ()
    ahead: float = 0.0
    settings: tuple[Tuned, ...] = ()
    """In order of their starts. Those that hold from the beginning are the platform's own."""

    @property
    def beginning(self) -> float:
        """Start of the first hour of the history."""
        return (self.anchor - self.days * 86400.0) // 3600.0 * 3600.0

    @property
    def born(self) -> WorldSpec:
        """The same world, of which nobody has wanted anything yet: no incidents and no settings."""
        return replace(self, incidents=(), settings=())

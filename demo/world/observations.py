"""Rows of an observability service, as the synthetic platform reports them.

Times are seconds since the epoch (float, UTC). An execution is one root row of type AGENT with its model calls below.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from demo.world.catalogue import ERROR_TEXTS
from demo.world.model import Conversation, Execution, LlmCall


class Observation(NamedTuple):
    """One step of a trace: a model call (GENERATION, EMBEDDING), a tool call, an agent run, a span or an event.

    The row without `parent_id` is the root of its trace. `end` is None for events and open work, `completion_start` (the first
    token) is None when the answer was not streamed. `usage` maps kinds of tokens to counts and has `total`; `cost` maps kinds
    to USD and is empty for a model without a price.
    """

    id: str
    trace_id: str
    parent_id: str | None
    type: str
    name: str
    level: str  # DEBUG | DEFAULT | WARNING | ERROR
    status_message: str | None
    start: float
    end: float | None
    completion_start: float | None
    model: str | None
    usage: dict[str, int]
    cost: dict[str, float]
    prompt_name: str | None
    prompt_version: int | None
    user_id: str | None
    session_id: str | None
    trace_name: str | None
    tags: tuple[str, ...]
    environment: str
    version: str | None
    release: str | None


class Score(NamedTuple):
    """A judgement of a trace or, with `observation_id`, of one observation.

    NUMERIC and BOOLEAN scores carry `value` (0 or 1 for BOOLEAN), CATEGORICAL ones `string_value`.
    """

    id: str
    trace_id: str | None
    observation_id: str | None
    name: str
    source: str  # API | ANNOTATION | EVAL
    data_type: str  # NUMERIC | BOOLEAN | CATEGORICAL
    value: float | None
    string_value: str | None
    timestamp: float
    environment: str


ObservationSink = Callable[[list[Observation], list[Score]], None]
"""Takes what has become known since the last call. Rows of an execution come together, once it has ended."""


def observations(conversation: Conversation, since: float = 0.0, until: float = float("inf")) -> Iterator[Observation]:
    """Rows of the executions that ended in (since, until]: the root first, then its calls."""
    for execution in conversation.executions:
        if since < execution.end <= until:
            yield from _of_execution(conversation, execution)


def scores(conversation: Conversation, since: float = 0.0, until: float = float("inf")) -> Iterator[Score]:
    """Scores given in (since, until]: an evaluation's helpfulness on one trace in five, a grade beside it now and then."""
    for execution in conversation.executions:
        lot = int(execution.trace_id[:6], 16)
        at = execution.end + 2.0
        if lot % 5 or execution.status != "success" or not since < at <= until:
            continue
        # The lot is uniform: its upper digits give the value, so that nothing more has to be drawn.
        value = round(0.55 + 0.45 * ((lot >> 8) / 0x10000) ** 0.5, 3)
        trace = execution.trace_id
        yield Score(f"{trace}-h", trace, None, "helpfulness", "EVAL", "NUMERIC", value, None, at, execution.environment)
        if lot % 25 == 0:
            grounded = float(value > 0.62)
            yield Score(f"{trace}-g", trace, None, "grounded", "EVAL", "BOOLEAN", grounded, None, at,
                        execution.environment)  # fmt: skip
            tone = "friendly" if value > 0.7 else "neutral"
            yield Score(f"{trace}-t", trace, None, "tone", "ANNOTATION", "CATEGORICAL", None, tone, at, execution.environment)


def _of_execution(conversation: Conversation, execution: Execution) -> Iterator[Observation]:
    root = execution.trace_id[:16]
    failed = execution.status in ("error", "timeout")
    whose = (
        f"user-{execution.user_id}", execution.session_id, execution.agent, (execution.agent, conversation.channel),
        execution.environment, execution.version, f"r{execution.version}",
    )  # fmt: skip
    yield Observation(
        root, execution.trace_id, None, "AGENT", execution.agent, _level(failed), _message(failed, execution.error_type),
        execution.at, execution.end, None, None, {}, {}, None, None, *whose,
    )  # fmt: skip
    for call in execution.calls:
        chat = call.operation == "chat"
        yield Observation(
            call.observation_id, execution.trace_id, root, "GENERATION" if chat else "EMBEDDING",
            call.prompt_name if chat else "embed", _level(call.failed), _message(call.failed, call.error_type),
            call.at, call.end, call.first_token, call.model, usage(call), cost(call), call.prompt_name if chat else None,
            call.prompt_version if chat else None, *whose,
        )  # fmt: skip


def _level(failed: bool) -> str:
    return "ERROR" if failed else "DEFAULT"


def _message(failed: bool, error_type: str) -> str | None:
    return ERROR_TEXTS[error_type] if failed else None


def usage(call: LlmCall) -> dict[str, int]:
    """Tokens of a call by kind; the kinds do not overlap, `total` is their sum, kinds that are zero are left out."""
    found = {"input": call.input_tokens}
    if call.operation == "chat":
        found["output"] = call.output_tokens
    if call.cache_read_tokens:
        found["input_cached_tokens"] = call.cache_read_tokens
    if call.reasoning_tokens:
        found["output_reasoning_tokens"] = call.reasoning_tokens
    found["total"] = sum(found.values())
    return found


def cost(call: LlmCall) -> dict[str, float]:
    """USD of a call by side and in total; empty when the model has no price."""
    if call.input_cost_usd is None or call.output_cost_usd is None:
        return {}
    return {"input": call.input_cost_usd, "output": call.output_cost_usd, "total": call.input_cost_usd + call.output_cost_usd}

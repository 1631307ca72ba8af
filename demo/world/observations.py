"""Rows of an observability service, as the synthetic platform reports them.

Times are seconds since the epoch (float, UTC).
"""

from __future__ import annotations

from typing import NamedTuple


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

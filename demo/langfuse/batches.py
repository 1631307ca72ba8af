"""`POST /ingestion`: the batches of old clients. Each event is taken or refused by itself; the answer is always 207.

Observations carry the properties that their trace has when they come. An update changes only what it names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from demo.langfuse import intake, scores, times
from demo.langfuse.errors import ApiError, deprecation, invalid_data
from demo.langfuse.lists import Time
from demo.langfuse.rows import Rows, Trace
from demo.langfuse.standin import Ask, StandIn
from demo.world.observations import Observation

SCORE, LOG, TRACE = "score-create", "sdk-log", "trace-create"
_OBSERVATIONS = {f"{kind.lower()}-{verb}" for kind in (*intake.TYPES, "OBSERVATION") for verb in ("create", "update")}
_MAX_EVENTS = 10_000


class _Form(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Batch(_Form):
    batch: list[Any] = Field(max_length=_MAX_EVENTS)


class Event(_Form):
    """`id` is the event's own; what it is about has an id in the body."""

    id: str
    type: str
    timestamp: Time
    body: dict[str, Any]


class TraceBody(_Form):
    id: str
    timestamp: Time | None = None
    name: str | None = None
    userId: str | None = None
    sessionId: str | None = None
    tags: list[str] | None = None
    environment: str | None = None
    version: str | None = None
    release: str | None = None


class ObservationBody(_Form):
    id: str
    traceId: str | None = None
    parentObservationId: str | None = None
    type: str | None = None
    name: str | None = None
    level: str | None = None
    statusMessage: str | None = None
    startTime: Time | None = None
    endTime: Time | None = None
    completionStartTime: Time | None = None
    model: str | None = None
    usageDetails: dict[str, int] | None = None
    costDetails: dict[str, float] | None = None
    promptName: str | None = None
    promptVersion: int | None = None
    environment: str | None = None
    version: str | None = None


def take(standin: StandIn, ask: Ask) -> dict[str, Any]:
    """Takes the events of a batch one by one; says of each by its id what became of it."""
    batch = Batch.model_validate(ask.body).batch
    answer: dict[str, Any] = {"successes": [], "errors": []}
    for raw in batch:
        try:
            event = Event.model_validate(raw)
            _take(standin, event)
            answer["successes"].append({"id": event.id, "status": 201})
        except (ApiError, ValidationError) as error:
            refused = invalid_data(error) if isinstance(error, ValidationError) else error
            body = {"status": refused.status, "message": refused.body["message"], "error": refused.body.get("error")}
            answer["errors"].append({"id": _named(raw, "id") or "unknown", **body})
    if standin.mode.cloud and any(_named(raw, "type") in {TRACE, *_OBSERVATIONS} for raw in batch):
        answer["_deprecation"] = deprecation("POST /api/public/otel/v1/traces")
    return answer


def _named(raw: Any, key: str) -> str | None:
    value = raw.get(key) if isinstance(raw, Mapping) else None
    return value if isinstance(value, str) else None


def _take(standin: StandIn, event: Event) -> None:
    if event.type == SCORE:
        scores.keep(standin, event.body, _seconds(event.timestamp))
    elif event.type == LOG:
        pass  # the real server writes it to its own log
    elif not standin.mode.legacy:
        what = f'Event type "{event.type}" is not accepted by /api/public/ingestion in events_only mode.'
        raise ApiError(400, {"message": "Event type not accepted", "error": f"{what} This endpoint only accepts score events."})
    elif event.type == TRACE:
        _take_trace(standin, event)
    elif event.type in _OBSERVATIONS:
        _take_observation(standin, event)
    else:
        raise ApiError(400, {"message": "Invalid request data", "error": f"unknown event type {event.type}"})


def _take_trace(standin: StandIn, event: Event) -> None:
    body = TraceBody.model_validate(event.body)
    known = standin.store.trace(body.id) or Trace(body.id, _seconds(event.timestamp))
    named = {
        "timestamp": _seconds(body.timestamp) if body.timestamp else None,
        "name": body.name,
        "user_id": body.userId,
        "session_id": body.sessionId,
        "tags": None if body.tags is None else tuple(body.tags),
        "environment": intake.environment(body.environment) if body.environment else None,
        "version": body.version,
        "release": body.release,
    }
    standin.take(Rows(traces=(known._replace(**_given(named)),)), old_path=True)


def _take_observation(standin: StandIn, event: Event) -> None:
    body = ObservationBody.model_validate(event.body)
    kind = (body.type or event.type.rpartition("-")[0]).upper()
    known = standin.store.observation(body.id) or _begun(standin, body, _seconds(event.timestamp))
    named = {
        "parent_id": body.parentObservationId,
        "type": kind if kind in intake.TYPES else None,
        "name": body.name,
        "level": body.level if body.level in intake.LEVELS else None,
        "status_message": body.statusMessage,
        "start": _seconds(body.startTime) if body.startTime else None,
        "end": _seconds(body.endTime) if body.endTime else None,
        "completion_start": _seconds(body.completionStartTime) if body.completionStartTime else None,
        "model": body.model,
        "usage": body.usageDetails,
        "prompt_name": body.promptName,
        "prompt_version": body.promptVersion,
        "environment": intake.environment(body.environment) if body.environment else None,
        "version": body.version,
    }
    row = known._replace(**_given(named))
    kept = {} if body.usageDetails else row.cost  # new amounts are priced anew
    row = row._replace(cost=intake.cost(standin, row.model, row.usage, body.costDetails or kept))
    standin.take(Rows((row,)), old_path=True)


def _begun(standin: StandIn, body: ObservationBody, at: float) -> Observation:
    """A row of which nothing is known but its trace."""
    trace = standin.store.trace(body.traceId or body.id) or Trace(body.traceId or body.id, at)
    return Observation(
        body.id, trace.id, None, "SPAN", "", "DEFAULT", None, at, None, None, None, {}, {}, None, None,
        trace.user_id, trace.session_id, trace.name, trace.tags, trace.environment, None, trace.release,
    )  # fmt: skip


def _given(named: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in named.items() if value is not None}


def _seconds(text: str) -> float:
    return times.from_iso(text) / times.SECOND

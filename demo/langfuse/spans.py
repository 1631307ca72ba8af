"""The platform's observations as spans of OpenTelemetry, in OTLP's JSON: what a client of Langfuse sends.

Every span carries the properties of its trace, for the server hands nothing down. 64-bit integers are text.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from demo.langfuse import times
from demo.world.observations import Observation, Score

_LEVEL_ERROR, _STATUS_ERROR = "ERROR", 2


def batch(observations: Iterable[Observation]) -> dict[str, Any]:
    """The body of a request to `/otel/v1/traces`."""
    return {
        "resourceSpans": [{"resource": {}, "scopeSpans": [{"scope": {"name": "demo"}, "spans": list(map(span, observations))}]}]
    }


def span(o: Observation) -> dict[str, Any]:
    failed = o.level == _LEVEL_ERROR
    found = {
        "traceId": o.trace_id,
        "spanId": o.id,
        "name": o.name,
        "startTimeUnixNano": _nanoseconds(o.start),
        "endTimeUnixNano": "0" if o.end is None else _nanoseconds(o.end),
        "attributes": [{"key": key, "value": _value(value)} for key, value in _attributes(o) if value not in (None, "", ())],
        "status": {"code": _STATUS_ERROR, "message": o.status_message or ""} if failed else {},
    }
    return found | ({"parentSpanId": o.parent_id} if o.parent_id else {})


def _attributes(o: Observation) -> Iterator[tuple[str, Any]]:
    yield "langfuse.observation.type", o.type.lower()
    yield "langfuse.observation.level", o.level
    yield "langfuse.observation.status_message", o.status_message
    yield "langfuse.observation.model.name", o.model
    yield "langfuse.observation.usage_details", json.dumps(o.usage) if o.usage else None
    yield "langfuse.observation.cost_details", json.dumps(o.cost) if o.cost else None
    yield "langfuse.observation.prompt.name", o.prompt_name
    yield "langfuse.observation.prompt.version", o.prompt_version
    if o.completion_start is not None:
        yield "langfuse.observation.completion_start_time", times.to_iso(times.from_seconds(o.completion_start))
    yield "langfuse.user.id", o.user_id
    yield "langfuse.session.id", o.session_id
    yield "langfuse.trace.name", o.trace_name
    yield "langfuse.trace.tags", o.tags
    yield "langfuse.environment", o.environment
    yield "langfuse.version", o.version
    yield "langfuse.release", o.release


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, tuple):
        return {"arrayValue": {"values": [_value(each) for each in value]}}
    return {"intValue": str(value)} if isinstance(value, int) else {"stringValue": str(value)}


def _nanoseconds(seconds: float) -> str:
    # By way of microseconds: a float of seconds is not exact to the nanosecond.
    return str(times.from_seconds(seconds) * 1000)


def score_events(scores: Iterable[Score]) -> dict[str, Any]:
    """The body of a request to `/ingestion`, the only way to send a score of an earlier time. Its ids make it repeatable."""
    return {"batch": [_score_event(score) for score in scores]}


def _score_event(s: Score) -> dict[str, Any]:
    body = {
        "id": s.id,
        "traceId": s.trace_id,
        "observationId": s.observation_id,
        "name": s.name,
        "value": s.value if s.string_value is None else s.string_value,
        "dataType": s.data_type,
        "environment": s.environment,
    }
    return {
        "id": f"event-{s.id}",
        "type": "score-create",
        "timestamp": times.to_iso(times.from_seconds(s.timestamp)),
        "body": body,
    }

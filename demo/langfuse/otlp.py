"""`POST /otel/v1/traces`: spans of OpenTelemetry (OTLP over HTTP, as JSON) become observations.

One span with a bad id, or with attributes that are no list, refuses the whole batch. Attributes that cannot be read are left
out. Nothing is handed down from a span to its children: every span carries the properties of its trace.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from demo.langfuse import intake, times
from demo.langfuse.errors import ApiError
from demo.langfuse.rows import Rows
from demo.langfuse.standin import Ask, StandIn
from demo.world.observations import Observation

NEWEST_INGESTION = 4
"""Value of the header x-langfuse-ingestion-version that takes the direct way."""

_GENERATIONS = {"chat", "completion", "text_completion", "generate_content"}
Attributes = Mapping[str, Any]
Nanoseconds = Annotated[int, Field(ge=0, lt=2**63)]
"""Since the epoch."""


class _Form(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Value(_Form):
    """A value that says its type. 64-bit integers come as text."""

    stringValue: str | None = None
    boolValue: bool | None = None
    intValue: int | None = None
    doubleValue: float | None = None
    arrayValue: Values | None = None

    def plain(self) -> Any:
        if self.arrayValue is not None:
            return [value.plain() for value in self.arrayValue.values]
        found = (self.stringValue, self.boolValue, self.intValue, self.doubleValue)
        return next((value for value in found if value is not None), None)


class Values(_Form):
    values: list[Value] = Field(default_factory=list)


class Attribute(_Form):
    key: str
    value: Value = Value()


class Resource(_Form):
    attributes: list[Attribute] = Field(default_factory=list)


class Status(_Form):
    code: int = 0
    message: str | None = None


class Span(_Form):
    traceId: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{32}$")]
    spanId: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{16}$")]
    parentSpanId: Annotated[str, Field(pattern=r"^([0-9a-fA-F]{16})?$")] | None = None
    name: str = ""
    startTimeUnixNano: Nanoseconds
    endTimeUnixNano: Nanoseconds = 0
    attributes: list[Attribute] = Field(default_factory=list)
    status: Status = Status()


class ScopeSpans(_Form):
    spans: list[Span] = Field(default_factory=list)


class ResourceSpans(_Form):
    resource: Resource = Resource()
    scopeSpans: list[ScopeSpans] = Field(default_factory=list)


class Batch(_Form):
    resourceSpans: list[ResourceSpans] = Field(default_factory=list)


def take(standin: StandIn, ask: Ask) -> dict[str, Any]:
    """Stores the spans of a batch. Raises ApiError or ValidationError."""
    sent = ask.headers.get("x-langfuse-ingestion-version")
    if sent is not None and not (sent.isascii() and sent.isdigit() and int(sent) <= NEWEST_INGESTION):
        known = f'Maximum supported: "{NEWEST_INGESTION}".'
        raise ApiError(400, {"error": f'Unsupported x-langfuse-ingestion-version: "{sent}". {known}'})
    batch = Batch.model_validate(ask.body)
    rows = tuple(_observations(standin, batch))
    standin.take(Rows(rows), old_path=sent is None or int(sent) < NEWEST_INGESTION)
    return {}


def _observations(standin: StandIn, batch: Batch) -> Iterator[Observation]:
    for group in batch.resourceSpans:
        resource = _plain(group.resource.attributes)
        for scope in group.scopeSpans:
            for span in scope.spans:
                yield _observation(standin, span, _plain(span.attributes), resource)


def _plain(attributes: list[Attribute]) -> dict[str, Any]:
    return {attribute.key: attribute.value.plain() for attribute in attributes}


def _observation(standin: StandIn, span: Span, own: Attributes, resource: Attributes) -> Observation:
    both = {**resource, **own}
    model = _text(
        own, "langfuse.observation.model.name", "gen_ai.response.model", "gen_ai.request.model"
    )  # fmt: skip
    usage = _usage(own)
    level = _text(own, "langfuse.observation.level")
    version = _text(own, "langfuse.observation.prompt.version")
    return Observation(
        id=span.spanId.lower(),
        trace_id=span.traceId.lower(),
        parent_id=(span.parentSpanId or "").lower() or None,
        type=_type(own, model),
        name=span.name,
        level=level if level in intake.LEVELS else "ERROR" if span.status.code == 2 else "DEFAULT",
        status_message=_text(own, "langfuse.observation.status_message") or span.status.message or None,
        start=span.startTimeUnixNano / 1e9,
        end=span.endTimeUnixNano / 1e9 if span.endTimeUnixNano else None,
        completion_start=_instant(_text(own, "langfuse.observation.completion_start_time")),
        model=model,
        usage=usage,
        cost=intake.cost(standin, model, usage, _cost(own)),
        prompt_name=_text(own, "langfuse.observation.prompt.name"),
        prompt_version=int(version) if version and version.isdigit() else None,
        user_id=_text(own, "langfuse.user.id", "user.id"),
        session_id=_text(own, "langfuse.session.id", "session.id"),
        trace_name=_text(own, "langfuse.trace.name"),
        tags=_tags(own.get("langfuse.trace.tags")),
        environment=intake.environment(
            _text(both, "langfuse.environment", "deployment.environment.name", "deployment.environment")
        ),
        version=_text(own, "langfuse.version") or _text(resource, "service.version"),
        release=_text(both, "langfuse.release"),
    )


def _text(attributes: Attributes, *names: str) -> str | None:
    """The first of the named attributes that has a value."""
    found = next((attributes[name] for name in names if attributes.get(name) not in (None, "")), None)
    return None if found is None else str(found)


def _type(own: Attributes, model: str | None) -> str:
    named = (_text(own, "langfuse.observation.type") or "").upper()
    if named in intake.TYPES:
        return named
    operation = _text(own, "gen_ai.operation.name")
    if operation in _GENERATIONS:
        return "GENERATION"
    if operation == "embeddings":
        return "EMBEDDING"
    return "GENERATION" if model else "SPAN"


def _usage(own: Attributes) -> dict[str, int]:
    if found := _numbers(_text(own, "langfuse.observation.usage_details")):
        return {kind: int(units) for kind, units in found.items()}
    named = {"input": own.get("gen_ai.usage.input_tokens"), "output": own.get("gen_ai.usage.output_tokens")}
    return {kind: units for kind, units in named.items() if isinstance(units, int)}


def _cost(own: Attributes) -> dict[str, float]:
    if found := _numbers(_text(own, "langfuse.observation.cost_details")):
        return found
    total = own.get("gen_ai.usage.cost")
    return {"total": float(total)} if isinstance(total, (int, float)) else {}


def _numbers(text: str | None) -> dict[str, float]:
    """A map of numbers in JSON text; empty for anything else."""
    try:
        found = json.loads(text or "")
        numbers = {str(key): float(value) for key, value in found.items() if value is not None}
    except (ValueError, TypeError, AttributeError):
        return {}
    return numbers if all(map(math.isfinite, numbers.values())) else {}


def _instant(text: str | None) -> float | None:
    try:
        return times.from_iso((text or "").strip('"')) / times.SECOND  # some clients send the text as JSON
    except ValueError:
        return None


def _tags(sent: Any) -> tuple[str, ...]:
    return tuple(map(str, sent)) if isinstance(sent, list) else (str(sent),) if sent else ()

"""Rows of scores: version 3 of the endpoint with cursor, version 2 with pages; and writing one."""

# ruff: noqa: S608  statements are put together from names of ours, values are bound
from __future__ import annotations

import json
import math
from collections.abc import Mapping
from sqlite3 import Row
from typing import Annotated, Any, Literal
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from demo.langfuse.errors import invalid_data
from demo.langfuse.filters import Values
from demo.langfuse.lists import (
    Commas,
    Page,
    Parameters,
    Time,
    half_open,
    one_of,
    read_cursor,
    read_parameters,
    split,
    write_cursor,
)  # fmt: skip
from demo.langfuse.standin import PROJECT, Ask, StandIn
from demo.langfuse.times import to_iso
from demo.world.observations import Score

_PLACE: Mapping[str, type] = {"v": int, "lastTimestamp": int, "lastId": str}
_COMMA_COLUMNS = {
    "id": "id", "name": "name", "source": "source", "dataType": "data_type", "environment": "environment",
    "traceId": "trace_id", "sessionId": "session_id", "observationId": "observation_id",
}  # fmt: skip
_UPPER = ("source", "dataType")


class CursorForm(Parameters):
    """Parameters of version 3: an unknown one is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    limit: Annotated[int, Field(ge=1, le=100)] = 50
    cursor: str | None = None
    fields: Commas = ""
    id: Commas | None = None
    name: Commas | None = None
    source: Commas | None = None
    dataType: Commas | None = None
    environment: Commas | None = None
    configId: Commas | None = None
    queueId: Commas | None = None
    authorUserId: Commas | None = None
    value: Commas | None = None
    valueMin: float | None = None
    valueMax: float | None = None
    traceId: Commas | None = None
    sessionId: Commas | None = None
    observationId: Commas | None = None
    experimentId: Commas | None = None
    fromTimestamp: Time | None = None
    toTimestamp: Time | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> CursorForm:
        if unknown := [name for name in split(self.fields) if name not in ("details", "subject", "annotation")]:
            raise ValueError(f"Unknown field group: {', '.join(unknown)}. Allowed: details, subject, annotation")
        if self.observationId is not None and self.traceId is None:
            raise ValueError("observationId requires traceId")
        subjects = [self.traceId or self.observationId, self.sessionId, self.experimentId]
        if sum(subject is not None for subject in subjects) > 1:
            raise ValueError("traceId, sessionId and experimentId are mutually exclusive")
        types = [name.upper() for name in split(self.dataType)]
        if (self.valueMin is not None or self.valueMax is not None) and types != ["NUMERIC"]:
            raise ValueError("valueMin and valueMax require dataType=NUMERIC")
        if self.value is not None:
            _values_of(self.value, types)
        return self


def _values_of(text: str, types: list[str]) -> tuple[str, list[Any]]:
    """Column and values that a `value` parameter means."""
    wanted = split(text)
    if types == ["CATEGORICAL"]:
        return "string_value", list(wanted)
    if types == ["BOOLEAN"] and all(value in ("true", "false") for value in wanted):
        return "value", [float(value == "true") for value in wanted]
    if types == ["NUMERIC"]:
        numbers = [float(value) for value in wanted]
        if all(map(math.isfinite, numbers)):
            return "value", numbers
    raise ValueError("value requires a single dataType of NUMERIC, BOOLEAN or CATEGORICAL, and values of that type")


def list_by_cursor(standin: StandIn, ask: Ask) -> dict[str, Any]:
    """`GET /v3/scores`: newest first, half-open in time."""
    form = read_parameters(CursorForm, ask)
    place = read_cursor(form.cursor, _PLACE) if form.cursor is not None else None
    values = Values()
    where = [f"ready <= {values.add(standin.readable)}"]
    where += half_open("started", form.fromTimestamp, form.toTimestamp, values)
    for name, column in _COMMA_COLUMNS.items():
        if (text := getattr(form, name)) is not None:
            where.append(one_of(column, split(text.upper() if name in _UPPER else text), values))
    if form.value is not None:
        column, wanted = _values_of(form.value, [form.dataType.upper() if form.dataType else ""])
        where.append(one_of(column, wanted, values))
    for operator, bound in ((">=", form.valueMin), ("<=", form.valueMax)):
        if bound is not None:
            where.append(f"value {operator} {values.add(bound)}")
    if form.configId or form.queueId or form.authorUserId or form.experimentId:
        where.append("0")  # the synthetic platform has no annotation queues and no experiments
    if place is not None:
        where.append(f"(started, id) < ({values.add(place['lastTimestamp'])}, {values.add(place['lastId'])})")
    order = f"ORDER BY started DESC, id DESC LIMIT {form.limit + 1}"
    rows = standin.store.select(f"SELECT * FROM scores WHERE {' AND '.join(where)} {order}", values)
    meta: dict[str, Any] = {"limit": form.limit}
    if len(rows) > form.limit:
        last = rows[form.limit - 1]
        meta["cursor"] = write_cursor({"v": 1, "lastTimestamp": last["started"], "lastId": last["id"]})
    return {"data": [_polymorphic(row, split(form.fields)) for row in rows[: form.limit]], "meta": meta}


def _core(row: Row) -> dict[str, Any]:
    at = to_iso(row["started"])
    same = {name: row[name] for name in ("id", "name", "source", "environment")}
    return same | {"dataType": row["data_type"], "timestamp": at, "createdAt": at, "updatedAt": at}


def _polymorphic(row: Row, groups: list[str]) -> dict[str, Any]:
    """A score whose value is a number, a truth value or a text, by its type."""
    value = {"BOOLEAN": bool(row["value"]), "CATEGORICAL": row["string_value"]}.get(row["data_type"], row["value"])
    found = _core(row) | {"projectId": PROJECT["id"], "value": value}
    if "details" in groups:
        found |= {"comment": None, "configId": None, "metadata": {}}
    if "annotation" in groups:
        found |= {"authorUserId": None, "queueId": None}
    if "subject" in groups:
        found["subject"] = _subject(row)
    return found


def _subject(row: Row) -> dict[str, Any]:
    if row["observation_id"]:
        return {"kind": "observation", "id": row["observation_id"], "traceId": row["trace_id"]}
    if row["trace_id"]:
        return {"kind": "trace", "id": row["trace_id"]}
    return {"kind": "session", "id": row["session_id"]}


class PageForm(Page):
    userId: str | None = None
    name: str | None = None
    fromTimestamp: Time | None = None
    toTimestamp: Time | None = None
    environment: list[str] = Field(default_factory=list)
    source: Literal["API", "ANNOTATION", "EVAL"] | None = None
    operator: Literal["<", ">", "<=", ">=", "=", "!="] | None = None
    value: float | None = None
    scoreIds: Commas | None = None
    sessionId: str | None = None
    traceId: str | None = None
    observationId: Commas | None = None
    dataType: Literal["NUMERIC", "BOOLEAN", "CATEGORICAL", "TEXT", "CORRECTION"] | None = None
    traceTags: list[str] = Field(default_factory=list)


def list_by_page(standin: StandIn, ask: Ask) -> dict[str, Any]:
    """`GET /v2/scores` of version 3, with the properties of each score's trace."""
    form = read_parameters(PageForm, ask)
    values = Values()
    where = [f"s.ready <= {values.add(standin.readable)}"]
    where += half_open("s.started", form.fromTimestamp, form.toTimestamp, values)
    single = {"s.name": form.name, "s.source": form.source, "s.data_type": form.dataType, "s.trace_id": form.traceId}
    single |= {"s.session_id": form.sessionId, "t.user_id": form.userId}
    where += [f"{column} = {values.add(wanted)}" for column, wanted in single.items() if wanted is not None]
    several = {"s.environment": form.environment, "s.id": split(form.scoreIds), "s.observation_id": split(form.observationId)}
    where += [one_of(column, wanted, values) for column, wanted in several.items() if wanted]
    where += [f"EXISTS (SELECT 1 FROM json_each(t.tags) WHERE value = {values.add(tag)})" for tag in form.traceTags]
    if form.operator and form.value is not None:
        where.append(f"s.value {form.operator} {values.add(form.value)}")
    source = f"FROM scores s LEFT JOIN traces t ON t.id = s.trace_id WHERE {' AND '.join(where)}"
    total = standin.store.select(f"SELECT count(*) {source}", values)[0][0]
    columns = "s.*, t.id AS trace, t.user_id, t.tags, t.environment AS trace_environment, t.session_id AS trace_session"
    order = f"ORDER BY s.started DESC, s.id DESC LIMIT {form.limit} OFFSET {form.offset}"
    rows = standin.store.select(f"SELECT {columns} {source} {order}", values)
    return {"data": [plain(row) | {"trace": _trace(row)} for row in rows], "meta": form.meta(total)}


def plain(row: Row) -> dict[str, Any]:
    """A score with number and text beside each other, as versions 1 and 2 return it."""
    found = _core(row) | {
        "traceId": row["trace_id"],
        "observationId": row["observation_id"],
        "sessionId": row["session_id"],
        "value": row["value"] if row["value"] is not None else 0,
        **dict.fromkeys(("datasetRunId", "authorUserId", "comment", "configId", "queueId")),
        "metadata": {},
    }
    if row["data_type"] == "BOOLEAN":
        found["stringValue"] = "True" if row["value"] else "False"
    elif row["data_type"] == "CATEGORICAL":
        found["stringValue"] = row["string_value"]
    return found


def _trace(row: Row) -> dict[str, Any] | None:
    if row["trace"] is None:
        return None
    return {
        "userId": row["user_id"],
        "tags": json.loads(row["tags"]),
        "environment": row["trace_environment"],
        "sessionId": row["trace_session"],
    }


class NewScore(BaseModel):
    """The body of `POST /scores`. Without a type it follows from the value: a number or a text."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    id: str | None = None
    name: str
    value: float | str
    dataType: Literal["NUMERIC", "BOOLEAN", "CATEGORICAL"] | None = None
    traceId: str | None = None
    observationId: str | None = None
    sessionId: str | None = None
    environment: Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,40}$")] = "default"
    source: Literal["API", "ANNOTATION"] = "API"

    @property
    def kind(self) -> str:
        return self.dataType or ("CATEGORICAL" if isinstance(self.value, str) else "NUMERIC")

    @model_validator(mode="after")
    def _fits_together(self) -> NewScore:
        if self.traceId is None and self.sessionId is None:
            raise ValueError("Provide either traceId, sessionId or datasetRunId")
        if isinstance(self.value, str) != (self.kind == "CATEGORICAL"):
            raise ValueError(f"A {self.kind} score needs a {'text' if self.kind == 'CATEGORICAL' else 'number'} as value")
        if self.kind == "BOOLEAN" and self.value not in (0, 1):
            raise ValueError("A BOOLEAN score is 0 or 1")
        return self


def create(standin: StandIn, ask: Ask) -> dict[str, Any]:
    """`POST /scores`"""
    return {"id": keep(standin, ask.body, standin.clock())}


def keep(standin: StandIn, body: Any, at: float) -> str:
    """Stores a score of a time (seconds since the epoch) that was sent just now; its id.

    One with a known id replaces the old one. Raises InvalidData.
    """
    try:
        new = NewScore.model_validate(body)
    except ValidationError as error:
        raise invalid_data(error) from None
    number, text = (None, new.value) if isinstance(new.value, str) else (new.value, None)
    score = Score(
        id=new.id or str(uuid4()),
        trace_id=new.traceId,
        observation_id=new.observationId,
        name=new.name,
        source=new.source,
        data_type=new.kind,
        value=number,
        string_value=text,
        timestamp=at,
        environment=new.environment,
    )
    standin.store.insert_score(score, new.sessionId, standin.clock())
    return score.id

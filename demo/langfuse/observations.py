"""Rows of observations: version 2 of the endpoint with cursor and field groups, version 1 with pages."""

# ruff: noqa: S608  statements are put together from names of ours, values are bound
from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from sqlite3 import Row
from typing import Annotated, Any, Literal

from pydantic import Field

from demo.langfuse.errors import InvalidRequest, NotFound
from demo.langfuse.filters import METADATA, TIME, OptionsFilter, TextFilter, Values
from demo.langfuse.lists import (
    Columns,
    Page,
    Parameters,
    Time,
    conditions,
    half_open,
    read_cursor,
    read_filters,
    read_parameters,
    split,
    write_cursor,
)  # fmt: skip
from demo.langfuse.rows import USD
from demo.langfuse.standin import PROJECT, Ask, Price, StandIn
from demo.langfuse.times import to_iso
from demo.langfuse.views import BOOLEAN, NUMBER, STRING, STRINGS

Level = Literal["DEBUG", "DEFAULT", "WARNING", "ERROR"]

COLUMNS: Columns = {
    "id": ("e.id", STRING),
    "type": ("e.type", STRING),
    "name": ("e.name", STRING),
    "traceId": ("e.trace_id", STRING),
    "parentObservationId": ("e.parent_id", STRING),
    "startTime": ("e.started", TIME),
    "endTime": ("e.ended", TIME),
    "environment": ("e.environment", STRING),
    "level": ("e.level", STRING),
    "statusMessage": ("e.status_message", STRING),
    "version": ("e.version", STRING),
    "userId": ("e.user_id", STRING),
    "sessionId": ("e.session_id", STRING),
    "isRootObservation": ("(e.parent_id IS NULL)", BOOLEAN),
    "traceName": ("e.trace_name", STRING),
    "traceTags": ("e.tags", STRINGS),
    "tags": ("e.tags", STRINGS),
    "latency": ("((e.ended / 1000 - e.started / 1000) / 1000.0)", NUMBER),
    "timeToFirstToken": ("((e.first_token / 1000 - e.started / 1000) / 1000.0)", NUMBER),
    "inputTokens": ("e.input_tokens", NUMBER),
    "outputTokens": ("e.output_tokens", NUMBER),
    "totalTokens": ("e.total_tokens", NUMBER),
    "inputCost": (f"(e.input_cost * 1.0 / {USD})", NUMBER),
    "outputCost": (f"(e.output_cost * 1.0 / {USD})", NUMBER),
    "totalCost": (f"(e.total_cost * 1.0 / {USD})", NUMBER),
    "model": ("e.model", STRING),
    "providedModelName": ("e.model", STRING),
    "promptName": ("e.prompt_name", STRING),
    "promptVersion": ("e.prompt_version", NUMBER),
    "metadata": ("NULL", METADATA),
}


class Common(Parameters):
    name: str | None = None
    userId: str | None = None
    type: str | None = None
    traceId: str | None = None
    level: Level | None = None
    parentObservationId: str | None = None
    environment: list[str] = Field(default_factory=list)
    fromStartTime: Time | None = None
    toStartTime: Time | None = None
    version: str | None = None
    filter: str | None = None

    def where(self, values: Values, readable: int) -> list[str]:
        """Conditions of the parameters. A column that `filter` names is left to it."""
        filters = read_filters(self.filter)
        named = {filter_.column for filter_ in filters}
        for column in ("name", "userId", "sessionId", "type", "traceId", "level", "parentObservationId", "version"):
            wanted = getattr(self, column, None)
            if wanted is not None and column not in named:
                filters.append(TextFilter(column=column, type="string", operator="=", value=wanted))
        if self.environment and "environment" not in named:
            wanted = self.environment
            filters.append(OptionsFilter(column="environment", type="stringOptions", operator="any of", value=wanted))
        found = [f"e.ready <= {values.add(readable)}", *conditions(filters, COLUMNS, values)]
        return found if "startTime" in named else found + half_open("e.started", self.fromStartTime, self.toStartTime, values)


class CursorForm(Common):
    fields: str = "core,basic"
    limit: Annotated[int, Field(ge=1, le=1000)] = 50
    cursor: str | None = None
    sessionId: str | None = None
    isRootObservation: bool | None = None
    parseIoAsJson: bool = False


class PageForm(Common, Page):
    pass


_PLACE: Mapping[str, type] = {"lastStartTimeTo": int, "lastTraceId": str, "lastId": str, "copy": int}


def list_by_cursor(standin: StandIn, ask: Ask) -> dict[str, Any]:
    """`GET /v2/observations`: newest first, half-open in time."""
    form = read_parameters(CursorForm, ask)
    if form.parseIoAsJson:
        raise InvalidRequest("parseIoAsJson is no longer supported: input and output are always returned as text.")
    place = read_cursor(form.cursor, _PLACE) if form.cursor is not None else None
    if not standin.mode.events:
        what = "The observations v2 API is only available in a Langfuse v4 write mode."
        raise NotFound(f"{what} Learn more at: https://langfuse.com/docs/v4")
    values = Values()
    where = form.where(values, standin.readable)
    if form.isRootObservation is not None:
        where.append(f"(e.parent_id IS NULL) = {values.add(form.isRootObservation)}")
    order = "e.started, e.trace_id, e.id, e.copy"
    if place is not None:
        # The first condition says the same as the second, in words that the index on time understands.
        at = [values.add(place[key]) for key in _PLACE]
        where += [f"e.started <= {at[0]}", f"({order}) < ({', '.join(at)})"]
    falling = order.replace(",", " DESC,")
    rows = standin.store.select(
        f"SELECT e.* FROM events e WHERE {' AND '.join(where)} ORDER BY {falling} DESC LIMIT {form.limit + 1}", values
    )
    groups = {"core", *split(form.fields)}
    shown = rows[: form.limit]
    meta = {}
    if len(rows) > form.limit:
        last = shown[-1]
        place = {
            "lastStartTimeTo": last["started"],
            "lastTraceId": last["trace_id"],
            "lastId": last["id"],
            "copy": last["copy"],
        }
        meta = {"cursor": write_cursor(place)}
    return {"data": [_grouped(row, groups, standin) for row in shown], "meta": meta}


def list_by_page(standin: StandIn, ask: Ask) -> dict[str, Any]:
    """`GET /observations` of version 3."""
    form = read_parameters(PageForm, ask)
    values = Values()
    source = f"FROM observations e WHERE e.copy = 0 AND {' AND '.join(form.where(values, standin.readable))}"
    total = standin.store.select(f"SELECT count(*) {source}", values)[0][0]
    order = f"ORDER BY e.started DESC, e.id DESC LIMIT {form.limit} OFFSET {form.offset}"
    rows = standin.store.select(f"SELECT e.* {source} {order}", values)
    return {"data": [full(row, standin) for row in rows], "meta": form.meta(total)}


def one(standin: StandIn, ask: Ask) -> dict[str, Any]:
    """`GET /observations/{id}` of version 3."""
    values = {"id": ask.path["id"], "readable": standin.readable}
    rows = standin.store.select("SELECT * FROM observations WHERE id = :id AND copy = 0 AND ready <= :readable", values)
    if not rows:
        raise NotFound("Observation not found within authorized project")
    return full(rows[0], standin)


def _time(micros: int | None) -> str | None:
    return None if micros is None else to_iso(micros)


def _seconds(start: int, end: int | None) -> float | None:
    return None if end is None else (end // 1000 - start // 1000) / 1000


def _usd(text: str) -> dict[str, float]:
    return {kind: units / USD for kind, units in json.loads(text).items()}


def _core(row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "traceId": row["trace_id"],
        "startTime": to_iso(row["started"]),
        "endTime": _time(row["ended"]),
        "projectId": PROJECT["id"],
        "parentObservationId": row["parent_id"],
        "type": row["type"],
    }


def _basic(row: Row) -> dict[str, Any]:
    same = {name: row[name] for name in ("name", "level", "version", "environment")}
    return same | {
        "statusMessage": row["status_message"],
        "bookmarked": False,
        "public": False,
        "userId": row["user_id"],
        "sessionId": row["session_id"],
        "isRootObservation": row["parent_id"] is None,
    }


def _usage(row: Row) -> dict[str, Any]:
    return {
        "usageDetails": json.loads(row["usage"]),
        "costDetails": _usd(row["cost"]),
        "totalCost": (row["total_cost"] or 0) / USD,
        "usagePricingTierName": None,
    }


def _times(row: Row) -> dict[str, Any]:
    written = to_iso(row["ready"])
    return {"completionStartTime": _time(row["first_token"]), "createdAt": written, "updatedAt": written}


def _speed(row: Row) -> dict[str, Any]:
    return {
        "latency": _seconds(row["started"], row["ended"]),
        "timeToFirstToken": _seconds(row["started"], row["first_token"]),
    }


_GROUPS: Mapping[str, Callable[[Row], dict[str, Any]]] = {
    "core": _core,
    "basic": _basic,
    "time": _times,
    "io": lambda _: {"input": None, "output": None},
    "metadata": lambda _: {"metadata": {}},
    "model": lambda row: {"providedModelName": row["model"], "modelParameters": {}},
    "usage": _usage,
    "prompt": lambda row: {"promptId": None, "promptName": row["prompt_name"], "promptVersion": row["prompt_version"]},
    "metrics": _speed,
    "trace_context": lambda row: {
        "tags": json.loads(row["tags"]),
        "release": row["release"],
        "traceName": row["trace_name"],
    },
}


def _prices(price: Price | None) -> dict[str, float | None]:
    return {f"{kind}Price": price.usd.get(kind) if price else None for kind in ("input", "output", "total")}


def _grouped(row: Row, groups: set[str], standin: StandIn) -> dict[str, Any]:
    """The asked groups of fields. Prices come as text, and only with the group of the model."""
    found: dict[str, Any] = {}
    for group, fields in _GROUPS.items():
        if group in groups:
            found |= fields(row)
    price = standin.price(row["model"]) if "model" in groups else None
    found["modelId"] = price.model if price else None
    if "model" in groups:
        found["internalModelId"] = found["modelId"]
    return found | {name: None if usd is None else format(Decimal(repr(usd)), "f") for name, usd in _prices(price).items()}


def full(row: Row, standin: StandIn) -> dict[str, Any]:
    """A row with all fields, as version 3 returns it."""
    price = standin.price(row["model"])
    tokens = {"input": row["input_tokens"], "output": row["output_tokens"], "total": row["total_tokens"], "unit": "TOKENS"}
    found: dict[str, Any] = {}
    for group in ("core", "basic", "time", "io", "metadata", "usage", "prompt", "metrics"):
        found |= _GROUPS[group](row)
    for newer in ("bookmarked", "public", "userId", "sessionId", "isRootObservation", "totalCost", "usagePricingTierName"):
        del found[newer]
    priced = row["total_cost"] is not None
    costs = {name: row[f"{name}_cost"] / USD if priced else None for name in ("input", "output", "total")}
    return found | _prices(price) | {
        "model": row["model"],
        "modelId": price.model if price else None,
        "modelParameters": {},
        "usage": tokens,
        **{f"calculated{name.title()}Cost": usd for name, usd in costs.items()},
    }  # fmt: skip

"""Traces and sessions, which only version 3 has."""

# ruff: noqa: S608  statements are put together from names of ours, values are bound
from __future__ import annotations

import json
import re
from sqlite3 import Row
from typing import Any

from pydantic import Field, field_validator

from demo.langfuse import observations, scores
from demo.langfuse.errors import NotFound
from demo.langfuse.filters import METADATA, TIME, Values
from demo.langfuse.lists import Columns, Page, Time, conditions, half_open, one_of, read_filters, read_parameters
from demo.langfuse.rows import USD
from demo.langfuse.standin import PROJECT, Ask, StandIn
from demo.langfuse.times import to_iso
from demo.langfuse.views import STRING, STRINGS

_ORDER = {
    "id": "t.id", "timestamp": "t.started", "name": "t.name", "userId": "t.user_id", "release": "t.release",
    "version": "t.version", "sessionId": "t.session_id",
}  # fmt: skip
_COLUMNS: Columns = {
    **{name: (sql, STRING) for name, sql in _ORDER.items() if name != "timestamp"},
    "timestamp": ("t.started", TIME),
    "environment": ("t.environment", STRING),
    "tags": ("t.tags", STRINGS),
    "metadata": ("NULL", METADATA),
}


class TraceForm(Page):
    userId: str | None = None
    name: str | None = None
    sessionId: str | None = None
    fromTimestamp: Time | None = None
    toTimestamp: Time | None = None
    orderBy: str = "timestamp.desc"
    tags: list[str] = Field(default_factory=list)
    version: str | None = None
    release: str | None = None
    environment: list[str] = Field(default_factory=list)
    filter: str | None = None

    @field_validator("orderBy")
    @classmethod
    def _is_order(cls, value: str) -> str:
        if not re.fullmatch(rf"({'|'.join(_ORDER)})\.(asc|desc)", value):
            raise ValueError("Invalid orderBy. Use [field].[asc/desc], for example timestamp.asc")
        return value

    def where(self, values: Values, readable: int) -> list[str]:
        found = [f"t.ready <= {values.add(readable)}"]
        if self.filter is not None:
            return found + conditions(read_filters(self.filter), _COLUMNS, values)
        found += half_open("t.started", self.fromTimestamp, self.toTimestamp, values)
        single = {"user_id": self.userId, "name": self.name, "session_id": self.sessionId}
        single |= {"version": self.version, "release": self.release}
        found += [f"t.{column} = {values.add(wanted)}" for column, wanted in single.items() if wanted is not None]
        found += [f"EXISTS (SELECT 1 FROM json_each(t.tags) WHERE value = {values.add(tag)})" for tag in self.tags]
        return [*found, one_of("t.environment", self.environment, values)] if self.environment else found


def list_traces(standin: StandIn, ask: Ask) -> dict[str, Any]:
    """`GET /traces`"""
    form = read_parameters(TraceForm, ask)
    values = Values()
    source = f"FROM traces t WHERE {' AND '.join(form.where(values, standin.readable))}"
    total = standin.store.select(f"SELECT count(*) {source}", values)[0][0]
    name, direction = form.orderBy.split(".")
    order = f"ORDER BY {_ORDER[name]} {direction}, t.id LIMIT {form.limit} OFFSET {form.offset}"
    rows = standin.store.select(f"SELECT t.* {source} {order}", values)
    return {"data": [_with_ids(row, standin) for row in rows], "meta": form.meta(total)}


def one_trace(standin: StandIn, ask: Ask) -> dict[str, Any]:
    """`GET /traces/{id}`"""
    values = {"id": ask.path["id"], "readable": standin.readable}
    rows = standin.store.select("SELECT * FROM traces WHERE id = :id AND ready <= :readable", values)
    if not rows:
        raise NotFound(f"Trace {ask.path['id']} not found within authorized project")
    parts, judgements = _belonging(rows[0]["id"], standin)
    return _plain(rows[0]) | _figures(parts) | {
        "observations": [observations.full(part, standin) for part in parts],
        "scores": [scores.plain(score) for score in judgements],
    }  # fmt: skip


def _belonging(trace_id: str, standin: StandIn) -> tuple[list[Row], list[Row]]:
    values = {"id": trace_id, "readable": standin.readable}
    where = "WHERE trace_id = :id AND ready <= :readable"
    parts = standin.store.select(f"SELECT * FROM observations {where} AND copy = 0 ORDER BY started, id", values)
    return parts, standin.store.select(f"SELECT * FROM scores {where} ORDER BY started, id", values)


def _with_ids(row: Row, standin: StandIn) -> dict[str, Any]:
    parts, judgements = _belonging(row["id"], standin)
    ids = {"observations": [part["id"] for part in parts], "scores": [score["id"] for score in judgements]}
    return _plain(row) | _figures(parts) | ids


def _figures(parts: list[Row]) -> dict[str, Any]:
    """Time in seconds from the first start to the last end, and cost in USD."""
    ends = [part["ended"] for part in parts if part["ended"] is not None]
    seconds = (max(ends) // 1000 - min(part["started"] for part in parts) // 1000) / 1000 if ends else 0
    return {"latency": seconds, "totalCost": sum(part["total_cost"] or 0 for part in parts) / USD}


def _plain(row: Row) -> dict[str, Any]:
    same = {name: row[name] for name in ("id", "name", "release", "version", "environment")}
    return same | {
        "timestamp": to_iso(row["started"]),
        "sessionId": row["session_id"],
        "userId": row["user_id"],
        "tags": json.loads(row["tags"]),
        "public": False,
        "bookmarked": False,
        "input": None,
        "output": None,
        "metadata": {},
        "projectId": PROJECT["id"],
        "htmlPath": f"/project/{PROJECT['id']}/traces/{row['id']}",
    }


class SessionForm(Page):
    fromTimestamp: Time | None = None
    toTimestamp: Time | None = None
    environment: list[str] = Field(default_factory=list)


_SESSIONS = (
    "SELECT session_id AS id, min(started) AS started, environment FROM traces "
    "WHERE session_id IS NOT NULL AND ready <= {readable} GROUP BY session_id"
)


def list_sessions(standin: StandIn, ask: Ask) -> dict[str, Any]:
    """`GET /sessions`, newest first"""
    form = read_parameters(SessionForm, ask)
    values = Values()
    sessions = _SESSIONS.format(readable=values.add(standin.readable))
    where = half_open("started", form.fromTimestamp, form.toTimestamp, values)
    where += [one_of("environment", form.environment, values)] if form.environment else []
    source = f"FROM ({sessions}) WHERE {' AND '.join(where) or '1'}"
    total = standin.store.select(f"SELECT count(*) {source}", values)[0][0]
    order = f"ORDER BY started DESC, id LIMIT {form.limit} OFFSET {form.offset}"
    rows = standin.store.select(f"SELECT * {source} {order}", values)
    return {"data": [_session(row) for row in rows], "meta": form.meta(total)}


def one_session(standin: StandIn, ask: Ask) -> dict[str, Any]:
    """`GET /sessions/{id}` with all its traces"""
    values = {"id": ask.path["id"], "readable": standin.readable}
    where = "WHERE session_id = :id AND ready <= :readable"
    rows = standin.store.select(f"SELECT *, session_id AS session FROM traces {where} ORDER BY started, id", values)
    if not rows:
        raise NotFound("Session not found within authorized project")
    first = {"id": rows[0]["session_id"], "started": rows[0]["started"], "environment": rows[0]["environment"]}
    return _session(first) | {"traces": [_plain(row) for row in rows]}


def _session(row: Row | dict[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "createdAt": to_iso(row["started"]),
        "projectId": PROJECT["id"],
        "environment": row["environment"],
    }

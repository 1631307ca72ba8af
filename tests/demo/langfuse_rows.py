"""Rows and a client for tests of the Langfuse stand-in."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

from demo.langfuse.app import application
from demo.langfuse.standin import MODES, Keys, Price, StandIn
from demo.langfuse.store import Store
from demo.world.observations import Observation, Score

DAY = "2026-11-20"
KEYS = Keys("pk-lf-test", "sk-lf-test")


def at(clock: str, day: str = DAY) -> float:
    """Seconds of a UTC time of day, for example 10:00:00.100."""
    return datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=UTC).timestamp()


def iso(clock: str, day: str = DAY) -> str:
    return f"{day}T{clock}Z"


def observation(id_: str, start: float, seconds: float | None = 1.0, **others: Any) -> Observation:
    """A finished generation of its own trace, unless told otherwise."""
    defaults: dict[str, Any] = {
        "trace_id": f"t-{id_}", "parent_id": None, "type": "GENERATION", "name": "call", "level": "DEFAULT",
        "status_message": None, "completion_start": None, "model": "gpt-x", "usage": {}, "cost": {}, "prompt_name": None,
        "prompt_version": None, "user_id": None, "session_id": None, "trace_name": None, "tags": (),
        "environment": "production", "version": None, "release": None,
    }  # fmt: skip
    end = None if seconds is None else start + seconds
    return Observation(**{"id": id_, "start": start, "end": end, **defaults, **others})


def score(id_: str, timestamp: float, value: float | str = 1.0, **others: Any) -> Score:
    """A number given to trace t1 by the interface, unless told otherwise."""
    number, text = (None, value) if isinstance(value, str) else (value, None)
    defaults: dict[str, Any] = {
        "trace_id": "t1", "observation_id": None, "name": "quality", "source": "API",
        "data_type": "NUMERIC" if text is None else "CATEGORICAL", "environment": "production",
    }  # fmt: skip
    return Score(**{"id": id_, "timestamp": timestamp, "value": number, "string_value": text, **defaults, **others})


@dataclass
class Desk:
    """A stand-in and somebody who asks it. `now` is its clock and stands still."""

    mode: str = "v4"
    now: float = field(default_factory=lambda: at("20:00:00"))
    numbers_as_strings: bool = False
    plan: str = "hobby"

    def __post_init__(self) -> None:
        how = {"numbers_as_strings": self.numbers_as_strings, "plan": self.plan}
        self.standin = StandIn(Store(":memory:"), MODES[self.mode], KEYS, lambda: self.now, **how)
        self.transport = httpx.ASGITransport(application(self.standin))
        self.insert = self.standin.store.insert

    def send(self, method: str, path: str, **more: Any) -> httpx.Response:
        async def send() -> httpx.Response:
            async with httpx.AsyncClient(transport=self.transport, base_url="http://standin") as client:
                return await client.request(method, path, **more)

        return asyncio.run(send())

    def get(self, path: str, auth: tuple[str, str] | None = (KEYS.public, KEYS.secret), **parameters: Any) -> httpx.Response:
        return self.send("GET", f"/api/public/{path}", params=parameters, auth=auth)

    def rows(self, path: str, **parameters: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.page(path, **parameters)["data"]
        return found

    def page(self, path: str, **parameters: Any) -> dict[str, Any]:
        answer = self.get(path, **parameters)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def ask(self, **question: Any) -> httpx.Response:
        """The answer to a question, over the whole day unless told otherwise."""
        window = {"fromTimestamp": iso("00:00:00"), "toTimestamp": iso("23:59:59")}
        asked = {"view": "observations", "metrics": metrics("count_count"), **window, **question}
        return self.get("v2/metrics" if self.standin.mode.events else "metrics", query=json.dumps(asked))

    def metrics(self, **question: Any) -> list[dict[str, Any]]:
        answer = self.ask(**question)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["data"]
        return found


def metrics(*keys: str) -> list[dict[str, str]]:
    """`sum_totalCost` as the interface wants it."""
    return [{"aggregation": key.split("_")[0], "measure": key.split("_")[1]} for key in keys]


def by(*fields: str) -> list[dict[str, str]]:
    return [{"field": name} for name in fields]


def where(column: str, type_: str, operator: str, value: Any) -> dict[str, Any]:
    return {"column": column, "type": type_, "operator": operator, "value": value}


_NOON = at("12:00:00")
_CALL = observation(
    "o1", _NOON, 2.5, trace_id="t1", parent_id="root", user_id="u1", session_id="s1", trace_name="chat", tags=("x",),
    completion_start=_NOON + 0.25, usage={"input": 10, "output": 5}, cost={"input": 0.00001, "output": 0.00002},
    prompt_name="answer", prompt_version=3, version="1.2", release="r1", status_message="ok",
)  # fmt: skip


def desk_with_a_call(mode: str = "v4") -> Desk:
    """A priced call below the root of its trace."""
    desk = Desk(mode)
    desk.standin.prices = (Price("gpt-x", {"input": 0.000001, "output": 0.000004}),)
    desk.insert([observation("root", _NOON, 3.0, trace_id="t1", user_id="u1", session_id="s1", trace_name="chat"), _CALL])
    return desk

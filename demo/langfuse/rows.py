"""Rows as they are stored: what was reported, with its totals, in the order of the columns.

Times are integers of microseconds, costs integers of 1e-12 USD (the real server's twelve decimals), so sums are exact.
Totals of the usage and cost maps stand in columns beside the maps.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from sqlite3 import Row
from typing import Any, NamedTuple

from demo.langfuse.times import SECOND, from_seconds
from demo.world.observations import Observation, Score

USD = 10**12
"""Cost units in a dollar."""

OBSERVATION_COLUMNS = (
    "id", "trace_id", "parent_id", "type", "name", "level", "started", "ended", "first_token", "ready", "model",
    "input_tokens", "output_tokens", "total_tokens", "input_cost", "output_cost", "total_cost",
    "prompt_name", "prompt_version", "user_id", "session_id", "trace_name", "tags", "environment", "version", "release",
    "status_message", "usage", "cost", "late",
)  # fmt: skip
TRACE_COLUMNS = (
    "id", "started", "ready", "name", "user_id", "session_id", "tags", "environment", "version", "release", "late",
)  # fmt: skip
SCORE_COLUMNS = (
    "id", "trace_id", "observation_id", "session_id", "name", "source", "data_type", "value", "string_value",
    "started", "ready", "environment",
)  # fmt: skip


class Trace(NamedTuple):
    """A trace that was sent by itself, as old clients do. Other traces come from the rows without parent."""

    id: str
    timestamp: float
    name: str | None = None
    user_id: str | None = None
    session_id: str | None = None
    tags: tuple[str, ...] = ()
    environment: str = "default"
    version: str | None = None
    release: str | None = None


class Rows(NamedTuple):
    """What is reported at once."""

    observations: tuple[Observation, ...] = ()
    scores: tuple[Score, ...] = ()
    traces: tuple[Trace, ...] = ()


class _Amounts(NamedTuple):
    """How to read maps with the same keys: millions of rows share a handful of key sets."""

    keys: tuple[str, ...]
    text: str  # template of the JSON text
    inputs: tuple[int, ...]  # places of the kinds that count as input, by the server's rule: the word is in the key
    outputs: tuple[int, ...]

    def totals(self, amounts: Sequence[int]) -> tuple[int, int]:
        return sum([amounts[i] for i in self.inputs]), sum([amounts[i] for i in self.outputs])


@lru_cache(maxsize=1024)
def _amounts(keys: tuple[str, ...]) -> _Amounts:
    text = ",".join(f"{json.dumps(key).replace('%', '%%')}:%d" for key in keys)
    inputs, outputs = (tuple(i for i, key in enumerate(keys) if word in key.lower()) for word in ("input", "output"))
    return _Amounts(keys, f"{{{text}}}", inputs, outputs)


def _usage(usage: dict[str, int]) -> tuple[int, int, int, str]:
    """Input, output and total tokens, and the map as text. A missing total is the sum of all kinds."""
    if not usage:
        return 0, 0, 0, "{}"
    if "total" not in usage:
        usage = {**usage, "total": sum(usage.values())}
    kinds, tokens = _amounts(tuple(usage)), tuple(usage.values())
    return *kinds.totals(tokens), usage["total"], kinds.text % tokens


def _cost(cost: dict[str, float]) -> tuple[int, int, int | None, str]:
    """Input, output and total cost, and the map as text. Without a total it is known only for input and output alone."""
    if not cost:
        return 0, 0, None, "{}"
    if "total" not in cost and cost.keys() <= {"input", "output"}:
        cost = {**cost, "total": sum(cost.values())}
    kinds, units = _amounts(tuple(cost)), tuple([round(usd * USD) for usd in cost.values()])
    return *kinds.totals(units), units[kinds.keys.index("total")] if "total" in cost else None, kinds.text % units


def observation_of(row: Row) -> Observation:
    """The observation that a stored row was made of, with the totals that it did not name."""
    cost = {kind: units / USD for kind, units in json.loads(row["cost"]).items()}
    end, first_token = (None if row[name] is None else row[name] / SECOND for name in ("ended", "first_token"))
    return Observation(
        row["id"], row["trace_id"], row["parent_id"], row["type"], row["name"], row["level"], row["status_message"],
        row["started"] / SECOND, end, first_token, row["model"], json.loads(row["usage"]), cost, row["prompt_name"],
        row["prompt_version"], row["user_id"], row["session_id"], row["trace_name"], tuple(json.loads(row["tags"])),
        row["environment"], row["version"], row["release"],
    )  # fmt: skip


def trace_of(row: Row) -> Trace:
    same = (row[name] for name in ("environment", "version", "release"))
    tags = tuple(json.loads(row["tags"]))
    return Trace(row["id"], row["started"] / SECOND, row["name"], row["user_id"], row["session_id"], tags, *same)


@lru_cache(maxsize=4096)
def _tags(tags: tuple[str, ...]) -> str:
    return json.dumps(tags)


def observation_row(o: Observation, arrived: int, late: int) -> tuple[Any, ...]:
    # Taken apart at once: reading thirty attributes by name would be half of the time of a bulk load.
    (
        id_, trace_id, parent_id, type_, name, level, message, start, end, first_token, model, usage, cost, prompt_name,
        prompt_version, user_id, session_id, trace_name, tags, environment, version, release,
    ) = o  # fmt: skip
    started = round(start * SECOND)
    ended = None if end is None else round(end * SECOND)
    received, produced, total, usage_text = _usage(usage)
    input_cost, output_cost, total_cost, cost_text = _cost(cost)
    return (
        id_, trace_id, parent_id or None, type_, name, level,
        started, ended, None if first_token is None else round(first_token * SECOND),
        max(arrived, started if ended is None else ended),
        model or None, received, produced, total, input_cost, output_cost, total_cost,
        prompt_name or None, prompt_version, user_id or None, session_id or None, trace_name or None,
        _tags(tuple(tags)), environment, version or None, release or None, message, usage_text, cost_text, late,
    )  # fmt: skip


def trace_row(t: Trace, arrived: int, late: int) -> tuple[Any, ...]:
    started = from_seconds(t.timestamp)
    return (
        t.id, started, max(arrived, started), t.name, t.user_id, t.session_id, _tags(tuple(t.tags)), t.environment, t.version,
        t.release, late,
    )  # fmt: skip


def score_row(s: Score, arrived: int = 0, session_id: str | None = None) -> tuple[Any, ...]:
    at = from_seconds(s.timestamp)
    return (
        s.id, s.trace_id, s.observation_id, session_id, s.name, s.source, s.data_type, s.value, s.string_value,
        at, max(arrived, at), s.environment,
    )  # fmt: skip

"""The ledger's rows and the place in each list, as tables of schema `analytics` hold them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import astuple, fields
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from psycopg import sql

from exporters.database.sessions import Connection
from exporters.langfuse.calls import NANO, Call, Score
from exporters.langfuse.reading import Reading

CALLS, SCORES = "observations", "scores"
"""Langfuse's lists, as `analytics.sync_state` names them."""

_STATE = [sql.Identifier("step_seconds" if field.name == "step" else field.name) for field in fields(Reading)]
_CALL_COLUMNS = {
    "observation_id": "text", "trace_id": "text", "session_id": "text", "user_key": "text", "agent": "text",
    "version": "text", "environment": "text", "model": "text", "provider": "text", "type": "text", "level": "text",
    "status": "text", "error_type": "text", "started_at": "timestamptz", "ended_at": "timestamptz",
    "latency_ms": "double precision", "ttft_ms": "double precision", "input_tokens": "bigint", "output_tokens": "bigint",
    "cache_read_tokens": "bigint", "cache_write_tokens": "bigint", "reasoning_tokens": "bigint", "total_tokens": "bigint",
    "input_cost_usd": "numeric", "output_cost_usd": "numeric", "total_cost_usd": "numeric", "cost_source": "text",
    "prompt_name": "text", "prompt_version": "integer", "release": "text", "changed_at": "timestamptz",
    "conversation_id": "text", "user_role": "text", "department": "text",
}  # fmt: skip
_SCORE_COLUMNS = {
    "score_id": "text", "name": "text", "source": "text", "environment": "text", "data_type": "text",
    "value": "double precision", "string_value": "text", "trace_id": "text", "observation_id": "text", "session_id": "text",
    "at": "timestamptz", "changed_at": "timestamptz",
}  # fmt: skip


_COMMA = sql.SQL(", ")


def read_state(connection: Connection, source: str) -> Reading | None:
    """Where reading of a list stands; None when it never began."""
    query = sql.SQL("SELECT {} FROM analytics.sync_state WHERE source = %s").format(_COMMA.join(_STATE))
    row = connection.execute(query, (source,)).fetchone()
    if row is None:
        return None
    values = dict(zip((field.name for field in fields(Reading)), row, strict=True))
    return Reading(**values | {"step": timedelta(seconds=values["step"])})


def complete_since(connection: Connection) -> datetime | None:
    """From when on the ledger has every call that Langfuse gave; None when reading never began."""
    reading = read_state(connection, CALLS)
    return None if reading is None else reading.past


def insert_state(connection: Connection, source: str, reading: Reading) -> None:
    """Begins a list, unless another process was faster."""
    query = sql.SQL("INSERT INTO analytics.sync_state (source, {}) VALUES (%s, {}) ON CONFLICT (source) DO NOTHING").format(
        _COMMA.join(_STATE), _COMMA.join([sql.Placeholder()] * len(_STATE))
    )
    connection.execute(query, [source, *_state_values(reading)])


def write_state(connection: Connection, source: str, reading: Reading) -> None:
    changes = _COMMA.join(sql.SQL("{} = %s").format(name) for name in _STATE)
    query = sql.SQL("UPDATE analytics.sync_state SET {} WHERE source = %s").format(changes)
    connection.execute(query, [*_state_values(reading), source])


def _state_values(reading: Reading) -> list[Any]:
    return [value.total_seconds() if isinstance(value, timedelta) else value for value in astuple(reading)]


def stored_calls(connection: Connection, keys: Sequence[str]) -> dict[str, Call]:
    """The calls that are in the ledger, of those with these ids."""
    query = sql.SQL("SELECT {} FROM analytics.llm_calls WHERE observation_id = ANY(%s)")
    rows = connection.execute(query.format(_names(_CALL_COLUMNS)), (list(keys),))
    return {row[0]: _stored_call(row) for row in rows}


def counted_traces(connection: Connection, traces: Sequence[str]) -> set[str]:
    """Those of these traces that have a call in the ledger which counts, as `Call.counts` says it."""
    rows = connection.execute(
        "SELECT DISTINCT trace_id FROM analytics.llm_calls WHERE trace_id = ANY(%s)"
        " AND (ended_at IS NOT NULL OR total_tokens > 0 OR total_cost_usd IS NOT NULL)",
        (list(traces),),
    )
    return {trace for (trace,) in rows}


def stored_scores(connection: Connection, keys: Sequence[str]) -> dict[str, Score]:
    query = sql.SQL("SELECT {} FROM analytics.llm_scores WHERE score_id = ANY(%s)")
    rows = connection.execute(query.format(_names(_SCORE_COLUMNS)), (list(keys),))
    return {row[0]: Score(*row) for row in rows}


def upsert_calls(connection: Connection, calls: Sequence[Call]) -> None:
    """Writes calls over what is stored under their ids."""
    _upsert(connection, "llm_calls", _CALL_COLUMNS, map(_call_values, calls))


def upsert_scores(connection: Connection, scores: Sequence[Score]) -> None:
    _upsert(connection, "llm_scores", _SCORE_COLUMNS, scores)


def place_scores(connection: Connection, traces: Sequence[str]) -> None:
    """Notes with the scores of these traces what they judge: the call that they name, else the last answer of the trace."""
    connection.execute(
        "UPDATE analytics.llm_scores AS s SET model = c.model, agent = c.agent, prompt_name = c.prompt_name,"
        " prompt_version = c.prompt_version FROM (SELECT DISTINCT ON (o.score_id) o.score_id, c.model, c.agent, c.prompt_name,"
        "  c.prompt_version FROM analytics.llm_scores AS o JOIN analytics.llm_calls AS c USING (trace_id)"
        "  WHERE o.trace_id = ANY(%s) AND c.type = 'GENERATION'"
        "  ORDER BY o.score_id, (c.observation_id = o.observation_id) IS TRUE DESC, c.started_at DESC, c.observation_id) AS c"
        " WHERE s.score_id = c.score_id AND (s.model, s.agent, s.prompt_name, s.prompt_version)"
        "  IS DISTINCT FROM (c.model, c.agent, c.prompt_name, c.prompt_version)",
        (list(traces),),
    )


def _upsert(connection: Connection, table: str, columns: dict[str, str], rows: Iterable[tuple[Any, ...]]) -> None:
    key, *others = map(sql.Identifier, columns)
    statement = sql.SQL("INSERT INTO {} ({}) SELECT * FROM unnest({}) ON CONFLICT ({}) DO UPDATE SET {}").format(
        sql.Identifier("analytics", table),
        _names(columns),
        _COMMA.join(sql.SQL("%s::{}[]").format(sql.SQL(type_)) for type_ in columns.values()),
        key,
        _COMMA.join(sql.SQL("{0} = excluded.{0}").format(name) for name in others),
    )
    connection.execute(statement, [list(column) for column in zip(*rows, strict=True)])


def _names(columns: dict[str, str]) -> sql.Composed:
    return _COMMA.join(map(sql.Identifier, columns))


def _call_values(call: Call) -> tuple[Any, ...]:
    """A call as its row. Durations in milliseconds, money in dollars."""
    return (
        *call[: call._fields.index("first_token_at")],
        _milliseconds(call.duration), _milliseconds(call.first_token), *call.tokens, call.total_tokens,
        _usd(call.input_cost), _usd(call.output_cost), _usd(call.total_cost), *call[call._fields.index("cost_source") :],
    )  # fmt: skip


def _stored_call(row: tuple[Any, ...]) -> Call:
    named = dict(zip(_CALL_COLUMNS, row, strict=True))
    first_token = None if named["ttft_ms"] is None else timedelta(microseconds=round(named["ttft_ms"] * 1000))
    return Call(
        **{name: named[name] for name in Call._fields if name in named},
        first_token_at=None if first_token is None else named["started_at"] + first_token,
        tokens=tuple(named[f"{kind}_tokens"] for kind in ("input", "output", "cache_read", "cache_write", "reasoning")),
        input_cost=_nano(named["input_cost_usd"]),
        output_cost=_nano(named["output_cost_usd"]),
        total_cost=_nano(named["total_cost_usd"]),
    )


def _milliseconds(micros: int | None) -> float | None:
    return None if micros is None else micros / 1000


def _usd(nano: int | None) -> Decimal | None:
    return None if nano is None else Decimal(nano).scaleb(-9)


def _nano(usd: Decimal | None) -> int | None:
    return None if usd is None else int(usd * NANO)

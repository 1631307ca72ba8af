"""Rows of the stand-in in SQLite.

Times are integers of microseconds, costs integers of 1e-12 USD (the real server's twelve decimals), so sums are exact.
Totals of the usage and cost maps stand in columns beside the maps. `copy` numbers the repeated deliveries of one row: the
event table of version 4 shows them all until they are merged. `ready` is when the work ended; what is not ready is not read.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from demo.langfuse import aggregates
from demo.langfuse.times import SECOND, from_seconds
from demo.world.observations import Observation, Score

USD = 10**12
"""Cost units in a dollar."""

_OBSERVATION_COLUMNS = (
    "id", "trace_id", "parent_id", "type", "name", "level", "started", "ended", "first_token", "ready", "model",
    "input_tokens", "output_tokens", "total_tokens", "input_cost", "output_cost", "total_cost",
    "prompt_name", "prompt_version", "user_id", "session_id", "trace_name", "tags", "environment", "version", "release",
    "status_message", "usage", "cost",
)  # fmt: skip
_TRACE_COLUMNS = ("id", "started", "ready", "name", "user_id", "session_id", "tags", "environment", "version", "release")
_SCORE_COLUMNS = (
    "id", "trace_id", "observation_id", "session_id", "name", "source", "data_type", "value", "string_value",
    "started", "ready", "environment",
)  # fmt: skip

_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS observations ({", ".join(_OBSERVATION_COLUMNS)}, copy INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS traces ({", ".join(_TRACE_COLUMNS)}, PRIMARY KEY (id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS scores ({", ".join(_SCORE_COLUMNS)}, PRIMARY KEY (id)) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS observations_id ON observations (id, copy);
CREATE INDEX IF NOT EXISTS observations_started ON observations (started);
CREATE INDEX IF NOT EXISTS observations_trace ON observations (trace_id);
CREATE INDEX IF NOT EXISTS traces_started ON traces (started);
CREATE INDEX IF NOT EXISTS scores_started ON scores (started);
CREATE INDEX IF NOT EXISTS scores_trace ON scores (trace_id);
"""


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


@lru_cache(maxsize=4096)
def _tags(tags: tuple[str, ...]) -> str:
    return json.dumps(tags)


def _observation_row(o: Observation) -> tuple[Any, ...]:
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
        started, ended, None if first_token is None else round(first_token * SECOND), started if ended is None else ended,
        model or None, received, produced, total, input_cost, output_cost, total_cost,
        prompt_name or None, prompt_version, user_id or None, session_id or None, trace_name or None,
        _tags(tuple(tags)), environment, version or None, release or None, message, usage_text, cost_text,
    )  # fmt: skip


def _trace_row(t: Trace) -> tuple[Any, ...]:
    started = from_seconds(t.timestamp)
    return (t.id, started, started, t.name, t.user_id, t.session_id, _tags(tuple(t.tags)), t.environment, t.version, t.release)


def _score_row(s: Score, session_id: str | None = None) -> tuple[Any, ...]:
    at = from_seconds(s.timestamp)
    return (
        s.id, s.trace_id, s.observation_id, session_id, s.name, s.source, s.data_type, s.value, s.string_value,
        at, at, s.environment,
    )  # fmt: skip


def _insert(table: str, columns: tuple[str, ...], how: str = "INSERT OR REPLACE") -> str:
    return f"{how} INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"


_INSERT_OBSERVATION = _insert("observations", _OBSERVATION_COLUMNS)
_INSERT_SCORE = _insert("scores", _SCORE_COLUMNS)
# The earliest row without parent names its trace.
_INSERT_TRACE = (
    _insert("traces", _TRACE_COLUMNS, "INSERT")
    + " ON CONFLICT (id) DO UPDATE SET "
    + ", ".join(f"{column} = excluded.{column}" for column in _TRACE_COLUMNS[1:])
    + " WHERE excluded.started <= traces.started"
)


class Store:
    """All rows. Safe to use from several threads; one statement runs at a time."""

    def __init__(self, path: Path | str) -> None:
        """Opens or creates the storage at a path; `:memory:` keeps it in memory."""
        self._lock = Lock()
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=30)
        self._connection.row_factory = sqlite3.Row
        aggregates.register(self._connection)
        # One process reads and writes, and the rows can be loaded again: no waiting for the disk.
        for pragma in (
            "page_size = 16384",
            "journal_mode = TRUNCATE",
            "synchronous = OFF",
            "cache_size = -100000",
            "temp_store = MEMORY",
        ):
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.executescript(_SCHEMA)

    def insert(
        self, observations: Iterable[Observation] = (), scores: Iterable[Score] = (), traces: Iterable[Trace] = ()
    ) -> None:
        """Writes rows in one transaction; a row whose id is known replaces the old one."""
        roots: list[tuple[Any, ...]] = []

        def rows() -> Iterable[tuple[Any, ...]]:
            for o in observations:
                row = _observation_row(o)
                if row[2] is None:
                    roots.append((row[1], row[6], row[9], row[21], *row[19:21], *row[22:26]))
                yield row

        with self._lock, _transaction(self._connection) as connection:
            connection.executemany(_INSERT_OBSERVATION, rows())
            connection.executemany(_INSERT_TRACE, roots)
            connection.executemany(_INSERT_TRACE, map(_trace_row, traces))
            connection.executemany(_INSERT_SCORE, map(_score_row, scores))

    def insert_score(self, score: Score, session_id: str | None) -> None:
        with self._lock:
            self._connection.execute(_INSERT_SCORE, _score_row(score, session_id))

    def repeat(self, observation_ids: Iterable[str]) -> None:
        """Delivers known observations once more, as a client does that retries after a lost answer."""
        columns = ", ".join(_OBSERVATION_COLUMNS)
        statement = (
            f"INSERT INTO observations ({columns}, copy) SELECT {columns}, "  # noqa: S608  names of ours
            "(SELECT max(copy) + 1 FROM observations WHERE id = o.id) FROM observations o WHERE id = ? AND copy = 0"
        )
        with self._lock, _transaction(self._connection) as connection:
            connection.executemany(statement, ((key,) for key in observation_ids))

    def merge(self) -> None:
        """Removes repeated deliveries, as the background merge of the real server does some time later."""
        with self._lock:
            self._connection.execute("DELETE FROM observations WHERE copy > 0")

    def delete_traces(self, trace_ids: Iterable[str]) -> None:
        """Removes traces with all that belongs to them."""
        keys = [(key,) for key in trace_ids]
        with self._lock, _transaction(self._connection) as connection:
            connection.executemany("DELETE FROM observations WHERE trace_id = ?", keys)
            connection.executemany("DELETE FROM scores WHERE trace_id = ?", keys)
            connection.executemany("DELETE FROM traces WHERE id = ?", keys)

    def select(self, statement: str, values: Mapping[str, Any]) -> list[sqlite3.Row]:
        with self._lock:
            return self._connection.execute(statement, values).fetchall()

    def close(self) -> None:
        with self._lock:
            self._connection.close()


class _transaction:
    """Writes all or nothing."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def __enter__(self) -> sqlite3.Connection:
        self.connection.execute("BEGIN IMMEDIATE")
        return self.connection

    def __exit__(self, kind: object, *_: object) -> None:
        self.connection.execute("COMMIT" if kind is None else "ROLLBACK")

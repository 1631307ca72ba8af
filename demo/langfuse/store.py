"""Rows of the stand-in in SQLite.

`copy` numbers the repeated deliveries of one row: the events of version 4 show them all until they are merged. `ready` is when
the work ended, or arrived if that was later; what is not ready is not read. Events become ready `late` microseconds after the
same row of version 3.
"""

# ruff: noqa: S608  statements are put together from names of ours, values are bound
from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path
from threading import Lock
from typing import Any

from demo.langfuse import aggregates
from demo.langfuse.rows import (
    OBSERVATION_COLUMNS,
    SCORE_COLUMNS,
    TRACE_COLUMNS,
    Trace,
    observation_of,
    observation_row,
    score_row,
    trace_of,
    trace_row,
)  # fmt: skip
from demo.langfuse.times import from_seconds
from demo.world.observations import Observation, Score

_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS observations ({", ".join(OBSERVATION_COLUMNS)}, copy INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS traces ({", ".join(TRACE_COLUMNS)}, PRIMARY KEY (id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS scores ({", ".join(SCORE_COLUMNS)}, PRIMARY KEY (id)) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS observations_id ON observations (id, copy);
CREATE INDEX IF NOT EXISTS observations_started ON observations (started);
CREATE INDEX IF NOT EXISTS observations_trace ON observations (trace_id);
CREATE INDEX IF NOT EXISTS traces_started ON traces (started);
CREATE INDEX IF NOT EXISTS scores_started ON scores (started);
CREATE INDEX IF NOT EXISTS scores_trace ON scores (trace_id);
"""

_EVENT_COLUMNS = (*OBSERVATION_COLUMNS[:-1], "copy")
_EVENTS = ", ".join("ready + late AS ready" if name == "ready" else name for name in _EVENT_COLUMNS)
_OF_TRACE = {
    "id": "'t-' || id", "trace_id": "id", "type": "'SPAN'", "level": "'DEFAULT'", "name": "coalesce(name, '')",
    "trace_name": "name", "ready": "ready + late", "tags": "tags", "usage": "'{}'", "cost": "'{}'", "copy": "0",
    **{name: name for name in ("started", "user_id", "session_id", "environment", "version", "release")},
    **dict.fromkeys(("input_tokens", "output_tokens", "total_tokens", "input_cost", "output_cost"), "0"),
}  # fmt: skip
_EVENTS_OF_TRACES = ", ".join(f"{_OF_TRACE.get(name, 'NULL')} AS {name}" for name in _EVENT_COLUMNS)


def _insert(table: str, columns: tuple[str, ...], how: str = "INSERT OR REPLACE") -> str:
    return f"{how} INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"


_INSERT_OBSERVATION = _insert("observations", OBSERVATION_COLUMNS)
_INSERT_SCORE = _insert("scores", SCORE_COLUMNS)
# The earliest row without parent names its trace.
_INSERT_TRACE = (
    _insert("traces", TRACE_COLUMNS, "INSERT")
    + " ON CONFLICT (id) DO UPDATE SET "
    + ", ".join(f"{column} = excluded.{column}" for column in TRACE_COLUMNS[1:])
    + " WHERE excluded.started <= traces.started"
)


class Store:
    """All rows. Safe to use from several threads; one statement runs at a time."""

    def __init__(self, path: Path | str) -> None:
        """Opens or creates the storage at a path; `:memory:` keeps it in memory. Events are the observations alone."""
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
        for table in ("observations", "traces"):
            # A file of an older version has all but this column.
            if "late" not in {column["name"] for column in self._connection.execute(f"PRAGMA table_info({table})")}:
                self._connection.execute(f"ALTER TABLE {table} ADD COLUMN late INTEGER NOT NULL DEFAULT 0")
        self.show_events()

    def show_events(self, with_traces: bool = False) -> None:
        """Chooses what the events of version 4 are: the observations, and perhaps a row of type SPAN for every trace."""
        events = f"SELECT {_EVENTS} FROM observations"
        if with_traces:
            events += f" UNION ALL SELECT {_EVENTS_OF_TRACES} FROM traces"
        with self._lock:
            self._connection.executescript(f"DROP VIEW IF EXISTS events; CREATE TEMP VIEW events AS {events};")

    def insert(
        self,
        observations: Iterable[Observation] = (),
        scores: Iterable[Score] = (),
        traces: Iterable[Trace] = (),
        arrived: float = 0.0,
        late: float = 0.0,
    ) -> None:
        """Writes rows in one transaction; a row whose id is known replaces the old one.

        `arrived`: seconds since the epoch before which they cannot be read. `late`: seconds that the events take longer.
        """
        at, delay = from_seconds(arrived), from_seconds(late)
        roots: list[tuple[Any, ...]] = []

        def rows() -> Iterable[tuple[Any, ...]]:
            for o in observations:
                row = observation_row(o, at, delay)
                if row[2] is None:
                    roots.append((row[1], row[6], row[9], row[21], *row[19:21], *row[22:26], delay))
                yield row

        with self._lock, _transaction(self._connection) as connection:
            connection.executemany(_INSERT_OBSERVATION, rows())
            connection.executemany(_INSERT_TRACE, roots)
            connection.executemany(_INSERT_TRACE, (trace_row(trace, at, delay) for trace in traces))
            connection.executemany(_INSERT_SCORE, (score_row(score, at) for score in scores))

    def insert_score(self, score: Score, session_id: str | None, arrived: float) -> None:
        with self._lock:
            self._connection.execute(_INSERT_SCORE, score_row(score, from_seconds(arrived), session_id))

    def observation(self, id_: str) -> Observation | None:
        """A stored observation."""
        rows = self.select("SELECT * FROM observations WHERE id = :id AND copy = 0", {"id": id_})
        return observation_of(rows[0]) if rows else None

    def trace(self, id_: str) -> Trace | None:
        """A stored trace."""
        rows = self.select("SELECT * FROM traces WHERE id = :id", {"id": id_})
        return trace_of(rows[0]) if rows else None

    def repeat(self, observation_ids: Iterable[str]) -> None:
        """Delivers known observations once more, as a client does that retries after a lost answer."""
        columns = ", ".join(OBSERVATION_COLUMNS)
        statement = (
            f"INSERT INTO observations ({columns}, copy) SELECT {columns}, "
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

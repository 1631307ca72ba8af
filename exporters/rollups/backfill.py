"""Counting the rows that were there before the column: in chunks, from the newest to the oldest, resumable at any time.

A chunk is a stretch of (time, key) of rows without a stamp, counted by the very statement that counts what is new: so a row
that is updated meanwhile is seen either without a stamp, or with one. Where nothing is new, none of these rows was counted
before, which makes it a shorter statement.
"""

# ruff: noqa: S608 -- every text that is put into SQL here is a constant of ours, or was quoted by psycopg

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from exporters.rollups.advance import CAPTURES
from exporters.rollups.capture.snapshot import STAMP
from exporters.rollups.changes import SPREAD
from exporters.rollups.fold import ADDED_UP, LOCK, PLANNING, placing
from exporters.rollups.model import quoted
from exporters.rollups.state import Connection, State, lock
from exporters.rollups.statement import Form, render

FIRST_ROWS = 20_000
_MOST_ROWS = 500_000
_LEAST_ROWS = 1_000

_LATER = "SET LOCAL synchronous_commit = off"
"""Nobody waits for the disk: should the server crash at once, a chunk is lost with its cursor, and is counted anew."""

Transaction = Callable[[], AbstractContextManager[Connection]]
"""Opens a transaction under limits; `Session.transaction` and `Seat.transaction` are such."""


@dataclass(frozen=True)
class Chunk:
    """What a step counted, in rows; `done` says that no old rows are left."""

    source: str
    rows: int
    done: bool


def step(connection: Connection, form: Form, rows: int, minutes: str = "26 hours") -> Chunk | None:
    """Counts about `rows` old rows of a source, and what is new, inside a transaction of the caller.

    Buckets older than the interval `minutes` are counted by the hour. None when somebody else is at this source, or nothing is
    left to do.
    """
    state = lock(connection, form.source.name)
    if state is None or state.backfilled:
        return None
    connection.execute(PLANNING)
    connection.execute(_LATER)
    found = connection.execute(_bound(form, state, rows).encode()).fetchone()
    moment, key = f"r.{form.source.contract.time}", _key(form)
    below = f"r.{STAMP} IS NULL AND {_before(form, state)}"
    if found is None:  # the last chunk, with the rows that stand nowhere in the order of time
        nowhere = f"({moment} IS NULL OR {moment} = 'infinity')"
        condition = f"r.{STAMP} IS NULL AND ({_before(form, state)} OR {nowhere})"
        cursor = ("NULL", "NULL")
    else:
        since, last = quoted(found[0]) + "::timestamptz", quoted(found[1])
        condition = f"{below} AND {moment} >= {since} AND ({moment}, {key}) >= ({since}, {last})"
        cursor = (since, last)
    looked = _count(connection, form, state, condition, cursor, minutes)
    return Chunk(form.source.name, looked, found is None)


def _count(
    connection: Connection, form: Form, state: State, condition: str, cursor: tuple[str, str], minutes: str
) -> int:
    """Counts the rows of which `condition` is true, and what is new, and moves the cursor; how many they were."""
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
    recent = f"(SELECT now() - interval {quoted(minutes)})"  # so put, it is reckoned once
    capture = CAPTURES[state.mode]
    touched = replace(capture.touched(connection, form, state), backfilled=cursor, since=recent)
    no_news = f"NOT ({capture.news(form, state)})"
    alone = replace(touched, rows=(condition,), provided=no_news, all_new=True, further=(), truncated=None)
    row = connection.execute(render(form, alone, placing(minutes, ADDED_UP)).encode()).fetchone()
    if row is None:
        also = replace(touched, rows=(*touched.rows, condition))
        row = connection.execute(render(form, also, placing(minutes, SPREAD)).encode()).fetchone()
    return row[0] if row else 0


def run(
    transaction: Transaction,
    forms: Mapping[str, Form],
    progress: Callable[[Chunk], None] = lambda _chunk: None,
    chunk_seconds: float = 1.0,
    share: float = 1.0,
    minutes: str = "26 hours",
) -> int:
    """Counts all old rows of all sources; the number of rows. Each chunk is to take `chunk_seconds`.

    With a `share` below 1 the database rests between chunks, so that it is at work for that part of the time. A source that
    somebody else is counting is left to them.
    """
    counted = 0
    for form in forms.values():
        rows, done = FIRST_ROWS, False
        while not done:
            begun = time.monotonic()
            with transaction() as connection:
                chunk = step(connection, form, rows, minutes)
            if chunk is None:
                break
            taken = time.monotonic() - begun
            rows = _adapted(rows, taken, chunk_seconds)
            counted, done = counted + chunk.rows, chunk.done
            progress(chunk)
            if not done:
                time.sleep(taken * (1 / share - 1))
    return counted


def _adapted(rows: int, taken: float, wanted: float) -> int:
    """At most doubled, so that one quick chunk does not make the next one long."""
    return max(_LEAST_ROWS, min(_MOST_ROWS, 2 * rows, int(rows * wanted / max(taken, 0.001))))


def _key(form: Form) -> str:
    return f'r.{form.source.key}::text COLLATE "C"'


def _before(form: Form, state: State) -> str:
    """Condition: not counted by the backfill yet. The plain comparison of the time is there for its index."""
    moment = f"r.{form.source.contract.time}"
    time_, key = quoted(state.backfill_time or "") + "::timestamptz", quoted(state.backfill_key or "")
    return f"{moment} <= {time_} AND ({moment}, {_key(form)}) < ({time_}, {key})"


def _bound(form: Form, state: State, rows: int) -> str:
    """Selects time and key of the oldest row of the next chunk; no row when fewer are left.

    The time is found in its index alone, which does not tell which rows have no stamp: where some have one, fewer are counted.
    Only rows that tie with it are sorted by their keys.
    """
    moment, key = f"r.{form.source.contract.time}", _key(form)
    time_, last = quoted(state.backfill_time or "") + "::timestamptz", quoted(state.backfill_key or "")
    old = f"FROM {form.stamped} AS r WHERE {moment} <= {time_}"
    counted, before = "(SELECT n FROM counted)", f"(SELECT count(*) {old} AND {moment} > (SELECT moment FROM last))"
    return (
        f"WITH counted AS MATERIALIZED (SELECT count(*) AS n {old} AND {moment} = {time_} AND {key} >= {last}),"
        f" last AS MATERIALIZED (SELECT {moment} AS moment {old} ORDER BY 1 DESC OFFSET {rows - 1} + {counted} LIMIT 1)"
        f" SELECT {moment}::text, {key} {old} AND {_before(form, state)} AND {moment} = (SELECT moment FROM last)"
        f" ORDER BY 2 DESC OFFSET {rows - 1} + {counted} - greatest({counted}, {before}) LIMIT 1"
    )

"""Holding what was counted against the rows that are there: one hour of a source at a time, by chance but reproducible.

A sample recounts the rows whose own time lies in the hour, by the index on that time, and compares them with what the tier of
hours says of the fact that counts each row by this time. Fewer counted than found: rows were lost. More: rows were counted
twice, or deleted since, which takes nothing away from what happened. An hour from which no row is left says nothing.
"""

# ruff: noqa: S608 -- every text that is put into SQL here is a constant of ours, or was quoted by psycopg

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from exporters.rollups.advance import advance
from exporters.rollups.capture.ids import PORTION
from exporters.rollups.model import Fact, Source, plausible, quoted
from exporters.rollups.state import Connection, lock
from exporters.rollups.statement import Form

_TRIES = 3
_HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Sample:
    """Rows of one hour (from `hour` on, UTC), as they were counted and as they are found; the `drift` of the last day."""

    source: str
    hour: datetime
    counted: int
    recounted: int
    drift: int


def audited_fact(source: Source) -> Fact | None:
    """The fact that counts every row of a source once, at the row's own time; None when the source has none such."""
    for fact in source.facts:
        at = source.image.get(fact.at)
        if at is not None and at.sql == f"r.{source.contract.time}" and fact.when == "true" and fact.once is None:
            return fact
    return None


def step(connection: Connection, form: Form, seed: int) -> Sample | None:
    """One sample, inside a transaction of the caller; `seed` decides on the hour, recent ones more often.

    None when the source has no fact to hold against, is not counted to its end yet, has no rows, or is being counted by
    somebody else.
    """
    fact = audited_fact(form.source)
    state = lock(connection, form.source.name) if fact is not None else None
    if fact is None or state is None or not state.backfilled:
        return None
    hour = _hour(connection, form, seed)
    if hour is None:
        return None
    counted = recounted = 0
    for _ in range(_TRIES):  # rows that come between the step and the sample are no drift: then once more
        done = advance(connection, form)
        if done is None or done.looked >= PORTION:
            return None
        counted, recounted = _counted(connection, fact, hour), _recounted(connection, form, hour)
        if counted == recounted:
            break
    if recounted == 0:
        counted = 0
    return Sample(form.source.name, hour, counted, recounted, _note(connection, form, hour, counted, recounted))


def _hour(connection: Connection, form: Form, seed: int) -> datetime | None:
    """An hour between the first row and the last that is not of a far future; the nearer, the likelier."""
    time = f"r.{form.source.contract.time}"
    first, last = (f"date_bin('1 hour', {end}({time}), 'epoch')" for end in ("min", "max"))
    there = f"FROM {form.table} AS r WHERE {plausible(time)} AND {time} < now() + interval '1 day'"
    row = connection.execute(f"SELECT {first}, {last} {there}".encode()).fetchone()
    if row is None or row[0] is None:
        return None
    begin, end = row
    hours = (end - begin) // _HOUR
    back = int(Random(f"{form.source.name} {seed}").random() ** 2 * (hours + 1))
    at: datetime = end - back * _HOUR
    return at


def _counted(connection: Connection, fact: Fact, hour: datetime) -> int:
    row = connection.execute(
        "SELECT coalesce(sum(n), 0)::bigint FROM analytics.hours WHERE fact = %s AND bucket = %s", (fact.name, hour)
    ).fetchone()
    return int(row[0]) if row else 0


def _recounted(connection: Connection, form: Form, hour: datetime) -> int:
    time = f"r.{form.source.contract.time}"
    begin, end = (f"timestamptz {quoted(str(at))}" for at in (hour, hour + _HOUR))
    row = connection.execute(
        f"SELECT count(*) FROM {form.table} AS r WHERE {time} >= {begin} AND {time} < {end}".encode()
    ).fetchone()
    return int(row[0]) if row else 0


def _note(connection: Connection, form: Form, hour: datetime, counted: int, recounted: int) -> int:
    """Writes the sample down, forgets those of yesterday, and gives the drift of what is left."""
    name = form.source.name
    connection.execute(
        "INSERT INTO analytics.audits (source, bucket, audited_at, counted, recounted) VALUES (%s, %s, now(), %s, %s)"
        " ON CONFLICT (source, bucket) DO UPDATE"
        " SET audited_at = excluded.audited_at, counted = excluded.counted, recounted = excluded.recounted",
        (name, hour, counted, recounted),
    )
    connection.execute("DELETE FROM analytics.audits WHERE source = %s AND audited_at < now() - interval '1 day'", (name,))
    row = connection.execute(
        "UPDATE analytics.sources SET audited_at = now(), drift ="
        " (SELECT sum(counted - recounted) FROM analytics.audits WHERE source = %(source)s)"
        " WHERE source = %(source)s RETURNING drift",
        {"source": name},
    ).fetchone()
    return int(row[0]) if row else 0

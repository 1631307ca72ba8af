"""What is too old, in pieces of whole hours: few enough rows for one transaction, and one file of an archive."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg import sql

from provisioning.retention.tables import Kept

CHUNK_ROWS = 50_000
_HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Chunk:
    """Rows from `begin` until before `end`, both full hours (UTC); `rows` is how many there were when they were counted."""

    begin: datetime
    end: datetime
    rows: int


def chunks(connection: psycopg.Connection[Any], kept: Kept, most_rows: int = CHUNK_ROWS) -> list[Chunk]:
    """All rows of a table that are too old, oldest first. A chunk has more than `most_rows` only where one hour has."""
    query = sql.SQL("SELECT date_trunc('hour', {time}, 'UTC'), count(*) FROM {table} WHERE {old} GROUP BY 1 ORDER BY 1").format(
        time=sql.Identifier(kept.time), table=sql.Identifier(kept.schema, kept.table), old=old(kept)
    )
    return _joined(connection.execute(query), most_rows)


def dated(kept: Kept) -> sql.Composed:
    """What is true of rows that say when they are of. Programs write -infinity, or the first of all years, for no time."""
    return sql.SQL("{time} BETWEEN '0002-01-01Z' AND '9998-12-31Z'").format(time=sql.Identifier(kept.time))


def old(kept: Kept) -> sql.Composed:
    """What is true of rows that are too old."""
    return sql.SQL("{dated} AND {time} < {before}").format(
        dated=dated(kept), time=sql.Identifier(kept.time), before=sql.Literal(kept.before)
    )


def condition(kept: Kept, chunk: Chunk) -> sql.Composed:
    """What is true of the rows of a chunk."""
    return sql.SQL("{time} >= {begin} AND {time} < {end}").format(
        time=sql.Identifier(kept.time), begin=sql.Literal(chunk.begin), end=sql.Literal(chunk.end)
    )


def _joined(hours: Iterable[tuple[datetime, int]], most_rows: int) -> list[Chunk]:
    found: list[Chunk] = []
    for hour, rows in hours:
        last = found[-1] if found else None
        if last is not None and last.rows + rows <= most_rows:
            found[-1] = Chunk(last.begin, hour + _HOUR, last.rows + rows)
        else:
            found.append(Chunk(hour, hour + _HOUR, rows))
    return found

"""Removing what is too old, chunk by chunk, each in a transaction with its row in the audit log.

Of what is archived, the file is whole before the rows are removed, and only the very rows that are in it are: the transaction
sees one moment, and is done again when somebody changed one of them meanwhile. Ended anywhere, the next run goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from exporters.database.plan import briefly, patiently
from exporters.rollups import retention as tiers
from exporters.rollups.sources import SOURCES
from exporters.rollups.state import states
from provisioning.actions.audit import add
from provisioning.findings import InputError
from provisioning.retention import archive as files
from provisioning.retention.archive import Manifest, Written
from provisioning.retention.chunks import CHUNK_ROWS, Chunk, chunks, condition
from provisioning.retention.tables import Kept

Connection = psycopg.Connection[Any]
Say = Callable[[str], None]
ACTION = "retention apply"
_LOCK = 0x0B5E_A6ED
_TRIES = 5
_LEANING = """
SELECT DISTINCT conrelid::regclass::text FROM pg_constraint
WHERE contype = 'f' AND confrelid = %s::regclass AND confdeltype NOT IN ('a', 'r') AND conrelid <> confrelid ORDER BY 1
"""
_RECORDED = "SELECT EXISTS (SELECT FROM analytics.audit_log WHERE action = %s AND after @> %s)"


@dataclass(frozen=True)
class Removed:
    """What was done to a table. `left` says why old rows stay."""

    kept: Kept
    rows: int
    files: int = 0
    left: str = ""


@contextmanager
def alone(connection: Connection, archive: Path | None = None) -> Iterator[None]:
    """Nobody else applies a retention to this database, or writes to this archive, meanwhile. Raises InputError otherwise."""
    row = connection.execute("SELECT pg_try_advisory_lock(%s)", (_LOCK,)).fetchone()
    if not (row and row[0]):
        raise InputError("error: somebody else is applying the retention of this database; wait until they are done")
    try:
        with files.alone(archive) if archive is not None else nullcontext():
            yield
    finally:
        if not connection.closed:
            connection.execute("SELECT pg_advisory_unlock(%s)", (_LOCK,))


def apply(connection: Connection, kept: Kept, archive: Path | None, who: str, say: Say, most_rows: int = CHUNK_ROWS) -> Removed:
    """Removes what is too old of one table; with `archive`, everything but memories goes there first.

    `connection` is in autocommit mode, and both are `alone`. Raises InputError, OSError, or what the server says.
    """
    if kept.tier == "memory":
        return Removed(kept, _forget(connection, kept, who, most_rows))
    if archive is not None:
        _settle(connection, kept, archive, say)
    if why := obstacle(connection, kept, archive):
        return Removed(kept, 0, left=why)
    rows = count = 0
    database = files.identity(connection) if archive is not None else ""
    for chunk in chunks(connection, kept, most_rows):
        removed = _remove(connection, kept, chunk, archive, who, database)
        rows, count = rows + removed, count + (archive is not None and removed > 0)
    return Removed(kept, rows, count)


def obstacle(connection: Connection, kept: Kept, archive: Path | None) -> str:
    """Why old rows of a table may not be removed; empty when they may."""
    if kept.archived and archive is None:
        return "they go into an archive first: say --archive FOLDER"
    if kept.tier != "platform":
        return ""
    name = sql.Identifier(kept.schema, kept.table).as_string(connection)
    if leaning := [table for (table,) in connection.execute(_LEANING, (name,))]:
        return f"rows of {', '.join(leaning)} would be removed or changed with them, by their foreign keys"
    uncounted = {state.source for state in states(connection) if not state.backfilled or state.rebuild_needed}
    if waiting := [source.name for source in SOURCES.values() if source.relation == kept.relation and source.name in uncounted]:
        return f"they are not all counted yet ({', '.join(waiting)}): `observatory db status` says how far it is"
    return ""


def _forget(connection: Connection, kept: Kept, who: str, most_rows: int) -> int:
    """Keys that counting remembers are nobody's to look at: they are removed without an archive."""
    aged: tiers.Aged = "firsts" if kept.table == "firsts" else "user_seen"
    gone, all_ = most_rows, 0
    while gone:
        with connection.transaction():
            gone = tiers.step(connection, aged, kept.before, most_rows)
            if gone:
                add(connection, who, ACTION, kept.name, {"rows": gone}, None)
        all_ += gone
    return all_


def _remove(connection: Connection, kept: Kept, chunk: Chunk, archive: Path | None, who: str, database: str) -> int:
    for _ in range(_TRIES):
        try:
            return patiently(
                connection, f"removing old rows of {kept.name}", lambda: _once(connection, kept, chunk, archive, who, database)
            )
        except psycopg.errors.SerializationFailure:
            continue  # a row of it was changed meanwhile, so the file is not what is there
    raise InputError(
        f"error: {kept.name}: rows before {chunk.end:%Y-%m-%d %H:%M} UTC are changed all the time; nothing of them was removed"
    )


def _once(connection: Connection, kept: Kept, chunk: Chunk, archive: Path | None, who: str, database: str) -> int:
    written: Written | None = None
    try:
        with connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            briefly(connection)
            if archive is not None:
                written = files.write(connection, kept, chunk, archive, database)
            delete = sql.SQL("DELETE FROM {} WHERE {}").format(sql.Identifier(kept.schema, kept.table), condition(kept, chunk))
            rows = connection.execute(delete).rowcount
            if written is not None and rows != written.manifest.rows:
                raise InputError(
                    f"error: {kept.name}: {rows} rows would be removed where {written.manifest.rows} are archived: a trigger"
                    " or a rule of this table keeps rows; nothing was removed"
                )
            _record(connection, kept, chunk, who, rows, written.manifest if written else None)
    except BaseException:
        if written is not None and not connection.closed:  # else nobody knows whether it was committed; the next run finds out
            written.discard()
        raise
    if written is not None:
        written.finish()
    return rows


def _record(connection: Connection, kept: Kept, chunk: Chunk, who: str, rows: int, manifest: Manifest | None) -> None:
    before: Mapping[str, Any] = {"rows": rows, "from": chunk.begin.isoformat(), "before": chunk.end.isoformat()}
    add(connection, who, ACTION, kept.name, before, manifest.recorded() if manifest else None)


def _settle(connection: Connection, kept: Kept, archive: Path, say: Say) -> None:
    """Names or removes the files that an interrupted run left, by whether their rows are gone."""
    for written in files.unfinished(archive, kept, files.identity(connection)):
        manifest = written.manifest
        row = connection.execute(_RECORDED, (ACTION, Jsonb(manifest.recorded()))).fetchone()
        if row and row[0]:
            written.finish()
            say(f"{kept.name}: {manifest.file} of an interrupted run is whole, and its rows were removed")
        else:
            written.discard()
            say(f"{kept.name}: {manifest.file} of an interrupted run is written again, for its rows are still there")

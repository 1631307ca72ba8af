"""Capture by snapshots: a column holds the transaction that wrote a row, the watermark is a snapshot of transactions.

Rows that are visible now and were not then carry a transaction that had not begun then (from the old snapshot's xmax on) or
was running (its xip). Nothing is lost behind late commits, and nothing waits for them. Rows from before the column have none;
the backfill counts them. A final row that changes keeps what it carries; a line with its key, and with what it was, says so.
"""

# ruff: noqa: S608 -- every text that is put into SQL here is a constant of ours, or was quoted by psycopg

from __future__ import annotations

from exporters.rollups.model import quoted
from exporters.rollups.state import Connection, State
from exporters.rollups.statement import Form, Touched

STAMP = "observatory_xid"
_ABOUT_ONE = "(q.names IS NOT NULL OR q.image IS NOT NULL)"
"""The condition that a line is about one row, and not about a table that was truncated."""
_IMAGE = "coalesce(q.image, jsonb_object(q.names, q.texts || q.times::text[]))"
_BEFORE_ALL = "3:3:"
"""A snapshot before every transaction of ours: all rows that carry a stamp are new."""
_STATISTICS = (
    "SELECT EXISTS (SELECT FROM pg_stats JOIN pg_class AS c ON c.oid = to_regclass(%s) AND c.relname = tablename"
    " JOIN pg_namespace AS n ON n.oid = c.relnamespace AND n.nspname = schemaname WHERE attname = %s)"
)


class SnapshotCapture:
    """For tables that have our column, its partial index and the triggers of `exporters.rollups.triggers`."""

    def first_watermark(self, _connection: Connection, _form: Form) -> str:
        return _BEFORE_ALL

    def news(self, form: Form, state: State) -> str:
        conditions = _few_newer(str(state.watermark))
        found = [f"EXISTS (SELECT FROM {form.stamped} AS r WHERE {condition})" for condition in conditions]
        found.append(f"EXISTS (SELECT FROM analytics.retractions WHERE source = {quoted(form.source.name)})")
        return " OR ".join(found)

    def touched(self, connection: Connection, form: Form, state: State) -> Touched:
        """Without statistics a planner takes a third of any table to be newer than anything, and would read it whole."""
        snapshot = str(state.watermark)
        row = connection.execute(_STATISTICS, (form.driving, STAMP)).fetchone()
        rows = _newer(snapshot) if row and row[0] else _few_newer(snapshot)
        cursor = None if state.backfilled else (quoted(state.backfill_time or ""), quoted(state.backfill_key or ""))
        return newer_than(form, quoted(snapshot), rows, cursor)


def newer_than(form: Form, snapshot: str, rows: tuple[str, ...], cursor: tuple[str, str] | None) -> Touched:
    """What was not visible in a snapshot, or has changed or gone since; `rows` are the conditions on the stamp.

    `cursor` (time and key) tells which rows without a stamp were counted: those from it on, or all when it is None.
    """
    name = quoted(form.source.name)
    columns = ", ".join(f"{_was(form, column)} AS {column}" for column in form.own_types)
    moment = _was(form, form.source.contract.time)
    lines = f"FROM analytics.retractions AS q WHERE q.source = {name}"
    return Touched(
        rows=(*rows, *_changed(form, snapshot, cursor, lines)),
        keys=f"SELECT q.key {lines}",
        watermark="to_jsonb(pg_current_snapshot()::text)",
        truncated=f"EXISTS (SELECT {lines} AND NOT {_ABOUT_ONE})",
        stamped=True,
        retracted=(  # a row that was changed again kept its stamp: as it was counted, it is in the first line
            f"SELECT DISTINCT ON (q.key) q.key, {columns}"
            f" FROM analytics.retractions AS q, {_IMAGE} AS o (image)"
            f" WHERE q.source = {name} AND {_ABOUT_ONE}"
            f" AND {_was_counted('q.old_stamp', moment, 'q.key', snapshot, cursor)} ORDER BY q.key, q.noted_at"
        ),
        further=(f"retired AS (DELETE {lines})",),
    )


def _was(form: Form, column: str) -> str:
    """A column of a row as it was, from a line and its `image`.

    Keys are kept with a collation that the column's index need not have: without one of their own they take the column's.
    """
    said = 'q.key COLLATE "default"' if column == form.source.key else f"o.image ->> {quoted(column)}"
    return f"({said})::{form.own_types[column]}"


def _changed(form: Form, snapshot: str, cursor: tuple[str, str] | None, lines: str) -> tuple[str, ...]:
    """Conditions on `r`: it was counted, and there are lines about it. Nothing is looked for where there are none."""
    if not form.keyed:
        return ()
    key = form.source.key
    keys = f"SELECT {_was(form, key)} {lines} AND {_ABOUT_ONE}"
    counted = _was_counted(f"r.{STAMP}", f"r.{form.source.contract.time}", f'r.{key}::text COLLATE "C"', snapshot, cursor)
    return (f"EXISTS (SELECT {lines}) AND r.{key} = ANY (ARRAY({keys})) AND {counted}",)


def _was_counted(stamp: str, moment: str, key: str, snapshot: str, cursor: tuple[str, str] | None) -> str:
    """The condition that a version of a row was visible in a snapshot, and if it is from before the column, was counted.

    What is dated at infinity stands nowhere in the order of time, and is counted last.
    """
    counted = "true"
    if cursor is not None:
        at = f"({cursor[0]}::timestamptz, {cursor[1]})"
        counted = f"({at} = ('-infinity', '') OR {moment} < 'infinity' AND ({moment}, {key}) >= {at})"  # the former: all
    return f"(pg_visible_in_snapshot({stamp}, {snapshot}::pg_snapshot) OR {stamp} IS NULL AND {counted})"


def few_newer(xmin: str, xmax: str, running: str) -> tuple[str, str]:
    """Conditions on `r`: it is of a transaction that had not begun in a snapshot, or of one that was running.

    The planner is told that few rows are, so that it goes by the stamps' index. After a load, when most rows are of one
    transaction, or without statistics it takes any stamp for that of many rows, and would read a table from its beginning to
    find one. A range of unknown bounds is taken for 0.5 % of the rows, and a computed number that equals another for 0.5 % of
    these. Who was running stands between the snapshot's bounds.
    """
    stamp = f"r.{STAMP}"
    later = f"{stamp} >= {xmax} AND {stamp} < '18446744073709551615' AND ({stamp} >= {xmax})::integer = 1"
    among = f"{stamp} = ANY ({running}) AND {stamp} >= {xmin} AND {stamp} < {xmax} AND ({stamp} >= {xmin})::integer = 1"
    return later, among


def _few_newer(snapshot: str) -> tuple[str, ...]:
    xmin, xmax, running = snapshot.split(":")
    later, among = few_newer(f"'{xmin}'::xid8", f"'{xmax}'::xid8", f"'{{{running}}}'::xid8[]")
    return (later, among) if running else (later,)


def _newer(snapshot: str) -> tuple[str, ...]:
    _, xmax, running = snapshot.split(":")
    later = f"r.{STAMP} >= '{xmax}'::xid8"
    return (later, f"r.{STAMP} = ANY ('{{{running}}}'::xid8[])") if running else (later,)

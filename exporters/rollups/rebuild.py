"""Counting a source anew, after its table was restored, emptied or exchanged.

The rows are counted a second time, under other names of facts, while whoever reads sees the old figures. Then, in the same
transaction, the new figures take the place of the old ones: cells of facts, and the counters that metrics make of them by
fewer labels, become the greater of both, for what happened, happened;
stocks are what was found; buckets of time are what was found wherever there are rows from that time, and stay where the rows
are long gone. All is read from one snapshot, which becomes the watermark. Interrupted, it leaves no trace, and begins anew.
"""

# ruff: noqa: S608 -- every text that is put into SQL here is a constant of ours, a number, or was quoted by psycopg

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import LiteralString

import psycopg

from exporters.database.sessions import limits
from exporters.rollups.capture import ids, window
from exporters.rollups.capture.choice import Mode
from exporters.rollups.capture.snapshot import STAMP
from exporters.rollups.changes import SPREAD, STOCK
from exporters.rollups.fold import LOCK, fold, placing
from exporters.rollups.model import FIGURES, Fact, Source, quoted
from exporters.rollups.state import Connection
from exporters.rollups.statement import Form, Touched, render

CHUNK_ROWS = 200_000
_AGAIN = "_again"
_TRIES = 20
_STATEMENT_SECONDS = 600.0
_TIERS = ("minute", "hour", "day")


class RebuildRefused(Exception):
    """The source cannot be counted anew, in words."""


@dataclass(frozen=True)
class Progress:
    """Rows that were counted anew so far."""

    source: str
    rows: int


def rebuild(
    connection: Connection,
    form: Form,
    progress: Callable[[Progress], None] = lambda _progress: None,
    minutes: str = "26 hours",
    chunk_rows: int = CHUNK_ROWS,
) -> int:
    """Counts all rows of a source anew; how many there were. `connection` is in autocommit mode and has the rights of the
    owner of the platform's table.

    Other processes leave this source alone, and do not fold, until it is done. Raises RebuildRefused when the source is not
    counted at all, or when others do not stop counting it.
    """
    mode = _mode(connection, form.source)
    if mode == "snapshot":
        with _limited(connection):
            _stamp_future_anew(connection, form)
    for _ in range(_TRIES):
        with _limited(connection):
            horizon = window.horizon(connection, "-infinity") if mode == "window" else ""
        try:
            with _limited(connection, "REPEATABLE READ"):
                if _lock(connection, form.source):
                    return _recount(connection, form, mode, horizon, progress, minutes, chunk_rows)
        except psycopg.errors.SerializationFailure:
            pass  # somebody finished a step between our first look and our lock
        time.sleep(0.2)
    raise RebuildRefused(f"{form.source.name} is always being counted by somebody; stop the exporters for a moment")


@contextmanager
def _limited(connection: Connection, isolation: LiteralString = "READ COMMITTED") -> Iterator[None]:
    with connection.transaction():
        connection.execute(f"SET TRANSACTION ISOLATION LEVEL {isolation}")
        connection.execute(limits(_STATEMENT_SECONDS, read_only=False))
        yield


def _mode(connection: Connection, source: Source) -> Mode:
    row = connection.execute("SELECT mode FROM analytics.sources WHERE source = %s", (source.name,)).fetchone()
    if row is None:
        raise RebuildRefused(f"{source.name} is not counted; run `observatory db install`")
    mode: Mode = row[0]
    return mode


def _stamp_future_anew(connection: Connection, form: Form) -> None:
    """Rows of another cluster may carry transactions that are yet to come here; they would count as new again and again."""
    connection.execute(
        f"UPDATE {form.driving} SET {STAMP} = pg_current_xact_id()"
        f" WHERE {STAMP} >= pg_snapshot_xmax(pg_current_snapshot())".encode()
    )


def _lock(connection: Connection, source: Source) -> bool:
    row = connection.execute(
        "SELECT pg_try_advisory_xact_lock(%s) FROM analytics.sources WHERE source = %s FOR UPDATE SKIP LOCKED",
        (LOCK, source.name),
    ).fetchone()
    return bool(row and row[0])


def _recount(
    connection: Connection,
    form: Form,
    mode: Mode,
    horizon: str,
    progress: Callable[[Progress], None],
    minutes: str,
    chunk_rows: int,
) -> int:
    name = form.source.name
    fold(connection, minutes)
    for table in ("shadows", "retractions", "seen"):
        connection.execute(f"DELETE FROM analytics.{table} WHERE source = %s".encode(), (name,))
    again = replace(form, source=_renamed(form.source))
    watermark = _watermark(connection, form, mode, horizon)
    rows, last = 0, None
    while True:
        bound = _bound(connection, form, last, chunk_rows)
        touched = Touched(
            rows=(_between(form, last, bound),),
            keys="",
            watermark=watermark,
            remember="true" if mode == "scan" else "is_open",
        )
        row = connection.execute(render(again, touched, placing(minutes, SPREAD)).encode()).fetchone()
        rows += row[0] if row else 0
        progress(Progress(name, rows))
        if bound is None:
            break
        last = bound
    _exchange(connection, form.source)
    connection.execute(
        "UPDATE analytics.sources SET backfill_time = NULL, backfill_key = NULL, backfill_rows = %(rows)s,"
        " backfill_total = %(rows)s, problem = NULL, rebuild_needed = false, halted = false, drift = NULL,"
        " driving = to_regclass(nullif(%(driving)s, ''))::oid,"
        " system_identifier = (SELECT system_identifier::text FROM pg_control_system()) WHERE source = %(source)s",
        {"rows": rows, "driving": form.driving, "source": name},
    )
    return rows


def _renamed(source: Source) -> Source:
    """The source with other names of facts and stocks, which no metric shows. When users were last seen keeps its name: it only
    ever grows, and who wrote since the last step is seen here alone.
    """
    return replace(
        source,
        facts=tuple(replace(fact, name=fact.name + _AGAIN, yields=()) for fact in source.facts),
        stocks=tuple(replace(stock, name=stock.name + _AGAIN) for stock in source.stocks),
    )


def _watermark(connection: Connection, form: Form, mode: Mode, horizon: str) -> str:
    """The watermark (an SQL expression) of a source all of whose rows were counted that this transaction sees."""
    if mode == "ids":
        return f"{quoted(ids.watermark_now(connection, form))}::jsonb"
    if mode == "window":
        time_ = form.source.contract.time
        connection.execute(
            f"INSERT INTO analytics.seen (source, key, at)"
            f" SELECT {quoted(form.source.name)}, r.{form.source.key}::text, r.{time_}"
            f" FROM {form.table} AS r WHERE r.{time_} >= {quoted(horizon)}::timestamptz".encode()
        )
        return f"to_jsonb({quoted(horizon)}::text)"
    return "to_jsonb(pg_current_snapshot()::text)" if mode == "snapshot" else "'null'::jsonb"


def _bound(connection: Connection, form: Form, last: str | None, rows: int) -> str | None:
    """The last key of the next chunk; None when fewer rows are left."""
    key = f"r.{form.source.key}"
    found = connection.execute(
        f"SELECT {key}::text FROM {form.table} AS r WHERE {_between(form, last, None)}"
        f" ORDER BY {key} OFFSET {rows - 1} LIMIT 1".encode()
    ).fetchone()
    return str(found[0]) if found else None


def _between(form: Form, last: str | None, bound: str | None) -> str:
    key, type_ = f"r.{form.source.key}", form.own_types[form.source.key]
    ends = [f"{key} > {quoted(last)}::{type_}"] if last is not None else []
    ends += [f"{key} <= {quoted(bound)}::{type_}"] if bound is not None else []
    return " AND ".join(ends) or "true"


def _exchange(connection: Connection, source: Source) -> None:
    """Puts what was counted anew in the place of what there is."""
    facts = [fact.name for fact in source.facts]
    stocks = [STOCK + stock.name for stock in source.stocks]
    cells = {"facts": facts, "stocks": stocks, "names": [*facts, *stocks]}
    listed = f"SELECT f AS fact, f || '{_AGAIN}' AS again FROM unnest(%(names)s::text[]) AS f"
    connection.execute(
        f"INSERT INTO analytics.totals (fact, labels, n) SELECT names.fact, a.labels, 0 FROM ({listed}) AS names"
        " JOIN analytics.totals AS a ON a.fact = names.again ORDER BY 1, 2 ON CONFLICT DO NOTHING".encode(),
        cells,
    )
    for tier in _TIERS:
        _exchange_tier(connection, tier, listed, cells)
    for fact in source.facts:
        for projection in fact.projections:
            connection.execute(_amended(fact, projection).encode())
    greatest = ", ".join(f"{column} = greatest(t.{column}, a.{column})" for column in FIGURES)
    connection.execute(
        f"UPDATE analytics.totals AS t SET {greatest}"
        f" FROM ({listed}) AS names JOIN analytics.totals AS a ON a.fact = names.again"
        " WHERE t.fact = names.fact AND t.labels = a.labels AND t.fact = ANY (%(facts)s)".encode(),
        cells,
    )
    connection.execute(
        f"UPDATE analytics.totals AS t SET n = coalesce((SELECT a.n FROM ({listed}) AS names JOIN analytics.totals AS a"
        " ON a.fact = names.again WHERE names.fact = t.fact AND a.labels = t.labels), 0)"
        " WHERE t.fact = ANY (%(stocks)s)".encode(),
        cells,
    )
    connection.execute(f"DELETE FROM analytics.totals WHERE fact IN (SELECT again FROM ({listed}) AS names)".encode(), cells)
    connection.execute(
        f"WITH anew AS (DELETE FROM analytics.firsts AS f USING ({listed}) AS names WHERE f.fact = names.again"
        " RETURNING names.fact, f.key, f.at)"
        " INSERT INTO analytics.firsts (fact, key, at)"
        " SELECT fact, key, at FROM anew ORDER BY 1, 2 ON CONFLICT DO NOTHING".encode(),
        cells,
    )


def _amended(fact: Fact, projection: Fact) -> str:
    """Sets a projection's amends so that its counters are the greater of what they were and of what was counted anew.

    The cells that will be added up may be more than either, where a label that no metric shows has become another unseen: such
    amends are below zero.
    """
    names, shown = list(fact.labels), projection.shown
    labels = ", ".join(f"t.labels[{names.index(label) + 1}]" for label in projection.labels)
    sides = ", ".join(f"t.{one} AS was_{one}, a.{one} AS anew_{one}, greatest(t.{one}, a.{one}) AS is_{one}" for one in shown)
    known = ", ".join(f"{one}, NULL, NULL" for one in shown)
    total = "coalesce(analytics.total({}), 0)".format
    amounts = [f"greatest({total('was_' + one)}, {total('anew_' + one)}) - {total('is_' + one)}" for one in shown]
    named = dict(zip(shown, amounts, strict=True))
    inserted = {"n": "0"} | named
    return (
        f"INSERT INTO analytics.totals (fact, labels, {', '.join(inserted)})"
        f" SELECT {quoted(projection.name)}, labels, {', '.join(inserted.values())} FROM"
        f" (SELECT ARRAY[{labels}]::text[] AS labels, false AS known, {sides} FROM analytics.totals AS t"
        f" LEFT JOIN analytics.totals AS a ON a.fact = {quoted(fact.name + _AGAIN)} AND a.labels = t.labels"
        f" WHERE t.fact = {quoted(fact.name)}"
        f" UNION ALL SELECT labels, true, {known} FROM analytics.totals WHERE fact = {quoted(projection.name)}) AS cells"
        f" GROUP BY labels HAVING bool_or(known) OR {' OR '.join(f'{amount} <> 0' for amount in amounts)} ORDER BY labels"
        f" ON CONFLICT (fact, labels) DO UPDATE SET {', '.join(f'{one} = excluded.{one}' for one in shown)}"
    )


def _exchange_tier(connection: Connection, tier: str, listed: str, cells: dict[str, list[str]]) -> None:
    """Buckets from the first to the last that was counted anew, fact by fact."""
    table = f"analytics.rollup_{tier}"
    connection.execute(
        f"WITH spans AS (SELECT names.fact, min(r.bucket) AS first, max(r.bucket) AS last FROM ({listed}) AS names"
        f" JOIN analytics.totals AS a ON a.fact = names.again JOIN {table} AS r USING (series) GROUP BY 1)"
        f" DELETE FROM {table} AS r USING spans JOIN analytics.totals AS t USING (fact)"
        " WHERE r.series = t.series AND r.bucket BETWEEN spans.first AND spans.last".encode(),
        cells,
    )
    connection.execute(
        f"UPDATE {table} AS r SET series = t.series FROM ({listed}) AS names JOIN analytics.totals AS a ON a.fact = names.again"
        " JOIN analytics.totals AS t ON t.fact = names.fact AND t.labels = a.labels WHERE r.series = a.series".encode(),
        cells,
    )

"""Counting what is new: one short transaction a source, exactly once, by any number of processes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from psycopg.types.json import Jsonb

from exporters.rollups import planned
from exporters.rollups.capture import Capture
from exporters.rollups.capture.choice import Mode
from exporters.rollups.capture.ids import IdsCapture
from exporters.rollups.capture.scan import ScanCapture
from exporters.rollups.capture.snapshot import SnapshotCapture
from exporters.rollups.capture.window import WindowCapture
from exporters.rollups.model import quoted
from exporters.rollups.state import Connection, lock, states
from exporters.rollups.statement import Form, render

CAPTURES: dict[Mode, Capture] = {
    "snapshot": SnapshotCapture(),
    "ids": IdsCapture(),
    "window": WindowCapture(),
    "scan": ScanCapture(),
}
"""The ways of capture that there are."""


@dataclass(frozen=True)
class Step:
    """What one step of a source did, in rows: looked at, of these final rows that were corrected, rows that are gone."""

    source: str
    looked: int
    corrected: int
    gone: int


def register(connection: Connection, form: Form, mode: Mode) -> None:
    """Begins to count a source, or only renews its function when it is counted already.

    Call it, as the owner of schema `analytics`, once everything that `mode` needs is installed. `tell_news` comes last.

    Rows that are there already are left to the backfill, where the mode tells them from new ones.
    """
    if mode == "snapshot":
        connection.execute(planned.function(form).encode())
    watermark = CAPTURES[mode].first_watermark(connection, form)
    backfilled = mode == "snapshot"
    connection.execute(
        "INSERT INTO analytics.sources (source, mode, driving, system_identifier, watermark, backfill_time, backfill_key,"
        " backfill_total)"
        " SELECT %(source)s, %(mode)s, to_regclass(nullif(%(driving)s, ''))::oid,"
        " (SELECT system_identifier::text FROM pg_control_system()),"
        " %(watermark)s, CASE WHEN %(old)s THEN 'infinity'::timestamptz END, CASE WHEN %(old)s THEN '' END,"
        " coalesce((SELECT CASE WHEN reltuples < 0 THEN pg_relation_size(oid) / 100 ELSE reltuples END FROM pg_class"
        " WHERE %(old)s AND oid = to_regclass(nullif(%(driving)s, ''))), 0)"
        " ON CONFLICT (source) DO NOTHING",
        {
            "source": form.source.name,
            "mode": mode,
            "driving": form.driving,
            "watermark": Jsonb(watermark),
            "old": backfilled,
        },
    )


def tell_news(connection: Connection, forms: Mapping[str, Form]) -> None:
    """Makes, or renews, the function that tells which of the sources that are captured by snapshots have something new."""
    stamped = [forms[state.source] for state in states(connection) if state.mode == "snapshot" and state.source in forms]
    if stamped:
        connection.execute(planned.news_function(stamped).encode())


def news(connection: Connection, forms: Mapping[str, Form]) -> list[str]:
    """The sources that have something to count, by one query for all. Reads only."""
    asked = []
    for state in states(connection):
        if (form := forms.get(state.source)) is not None:
            condition = CAPTURES[state.mode].news(form, state)
            asked.append(f"SELECT {quoted(state.source)} WHERE {condition or 'true'}")
    if not asked:
        return []
    return [source for (source,) in connection.execute(" UNION ALL ".join(asked).encode())]


def advance_all(connection: Connection, forms: Mapping[str, Form]) -> dict[str, Step]:
    """One step of every source that takes it by a function in the database, by one statement in a transaction as `advance`'s.

    What is missing from the answer was not touched, and is left to `news` and `advance`: it is captured in another way, or has
    much to do, or somebody else is at it. An error means that no source was advanced; `advance` tells which of them fails.
    """
    found = planned.steps(connection, (form for form in forms.values() if form.planned))
    return {source: Step(source, *counts) for source, counts in found.items()}


def advance(connection: Connection, form: Form) -> Step | None:
    """One step of a source, inside a transaction that the caller has opened under limits (UTC, jit off).

    None when somebody else is advancing this source, or when it is not registered.
    """
    if form.planned and (counts := planned.step(connection, form)):
        return Step(form.source.name, *counts)
    state = lock(connection, form.source.name)
    if state is None:
        return None
    touched = CAPTURES[state.mode].touched(connection, form, state)
    row = connection.execute(render(form, touched).encode()).fetchone()
    return Step(form.source.name, *row) if row else None

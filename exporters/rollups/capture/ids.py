"""Capture by growing ids: what lies above the highest id that was counted is new, and so is what fills a gap below it.

It needs no change of the platform's table, only an integer key that a sequence fills. New rows are counted once each, however
late they are committed, as long as their ids arrive within the grace of `gaps`. Rows that are still open are read again by
their keys; a change or deletion of a final row is not seen. A long history is counted from its oldest id on, a portion a step.
"""

# ruff: noqa: S608 -- every text that is put into SQL here is a constant of ours, a number, or was quoted by psycopg

from __future__ import annotations

import json
from dataclasses import astuple
from typing import Any

from exporters.rollups.capture.gaps import Gap, advance
from exporters.rollups.capture.scan import gone
from exporters.rollups.model import quoted
from exporters.rollups.state import Connection, State
from exporters.rollups.statement import Form, Touched

PORTION = 50_000
"""The most new ids of one step; the rest waits for the next."""


class IdsCapture:
    """For tables with one integer key that only grows. The watermark: `last` id and `gaps` below it."""

    def first_watermark(self, connection: Connection, form: Form) -> dict[str, Any]:
        """Ids from 1 on may still come, or from the lowest negative one."""
        row = connection.execute(f"SELECT least(min({form.source.key}) - 1, 0) FROM {form.table} AS r".encode()).fetchone()
        return {"last": int(row[0]) if row else 0, "gaps": []}

    def news(self, form: Form, state: State) -> str:
        key, name = form.source.key, quoted(form.source.name)
        last, gaps = _read(state)
        found = [
            f"SELECT FROM {form.table} AS r WHERE r.{key} > {last}",
            f"SELECT FROM analytics.shadows WHERE source = {name}",
        ]
        if gaps:
            found.append(_fillers(form, gaps))
        return " OR ".join(f"EXISTS ({each})" for each in found)

    def touched(self, connection: Connection, form: Form, state: State) -> Touched:
        """Looks first which ids are new, then lets the step read exactly these: it may see more, and must not count it yet."""
        key = form.source.key
        last, gaps = _read(state)
        above = _ranges(
            connection, f"SELECT {key} AS id FROM {form.table} AS r WHERE r.{key} > {last} ORDER BY 1 LIMIT {PORTION}"
        )
        late = _ranges(connection, _fillers(form, gaps))
        xmin, xmax, now = above.snapshot
        left, highest = advance(gaps, last, [*late.ranges, *above.ranges], xmin=xmin, xmax=xmax, now=now)
        watermark = _written(highest, left)
        open_keys = (
            f"SELECT s.key::{form.own_types[key]} FROM analytics.shadows AS s WHERE s.source = {quoted(form.source.name)}"
        )
        return Touched(
            rows=(*(_within(key, each.ranges) for each in (late, above) if each.ranges), f"r.{key} = ANY (ARRAY({open_keys}))"),
            compare=True,
            keys=gone(form),
            watermark=f"{quoted(watermark)}::jsonb",
        )


def watermark_now(connection: Connection, form: Form) -> str:
    """The watermark of a table all of whose visible rows were counted: gaps are looked for among the newest ids."""
    key = form.source.key
    newest = _ranges(connection, f"SELECT {key} AS id FROM {form.table} AS r ORDER BY 1 DESC LIMIT {PORTION}")
    xmin, xmax, now = newest.snapshot
    begin = newest.ranges[0][0] - 1 if newest.ranges else 0
    is_all = sum(high - low + 1 for low, high in newest.ranges) < PORTION
    left, highest = advance((), min(begin, 0) if is_all else begin, newest.ranges, xmin=xmin, xmax=xmax, now=now)
    return _written(highest, left)


def _written(last: int, gaps: tuple[Gap, ...]) -> str:
    return json.dumps({"last": last, "gaps": [astuple(gap) for gap in gaps]})


class _Found:
    """Ranges of ids, and xmin, xmax and time (seconds of the epoch) of the snapshot that showed them."""

    def __init__(self, rows: list[tuple[Any, ...]]) -> None:
        (self.snapshot,) = {(int(row[2]), int(row[3]), float(row[4])) for row in rows}
        self.ranges = [(int(low), int(high)) for low, high, *_ in rows if low is not None]


def _ranges(connection: Connection, ids: str) -> _Found:
    """The ids of a query as ranges without a hole."""
    statement = (
        f"WITH ids AS ({ids}), islands AS (SELECT min(id) AS low, max(id) AS high FROM"
        " (SELECT id, id - row_number() OVER (ORDER BY id) AS island FROM ids) AS numbered GROUP BY island)"
        " SELECT low, high, pg_snapshot_xmin(s)::text, pg_snapshot_xmax(s)::text, extract(epoch FROM now())"
        " FROM pg_current_snapshot() AS s LEFT JOIN islands ON true ORDER BY low"
    )
    return _Found(connection.execute(statement.encode()).fetchall())


def _read(state: State) -> tuple[int, list[Gap]]:
    return int(state.watermark["last"]), [Gap(*gap) for gap in state.watermark["gaps"]]


def _fillers(form: Form, gaps: list[Gap]) -> str:
    """Selects the ids that have come into gaps."""
    lows, highs = ",".join(str(gap.low) for gap in gaps), ",".join(str(gap.high) for gap in gaps)
    return (
        f"SELECT r.{form.source.key} AS id FROM unnest('{{{lows}}}'::bigint[], '{{{highs}}}'::bigint[]) AS g (low, high)"
        f" JOIN {form.table} AS r ON r.{form.source.key} BETWEEN g.low AND g.high"
    )


def _within(key: str, ranges: list[tuple[int, int]]) -> str:
    """Condition on `r`: its key lies in one of the ranges. The bounds are for the index, the ranges for the truth."""
    exact = ",".join(f"[{low},{high}]" for low, high in ranges)
    bounds = f"r.{key} BETWEEN {ranges[0][0]} AND {ranges[-1][1]}"
    return bounds if len(ranges) == 1 else f"{bounds} AND '{{{exact}}}'::int8multirange @> r.{key}::bigint"

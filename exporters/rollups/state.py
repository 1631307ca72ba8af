"""How far each source was counted: one row a source in `analytics.sources`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, LiteralString

import psycopg

if TYPE_CHECKING:
    from exporters.rollups.capture.choice import Mode

Connection = psycopg.Connection[Any]


@dataclass(frozen=True)
class State:
    """One row of `analytics.sources`.

    Of the rows that were there before, those from (`backfill_time` as text, `backfill_key`) on are counted; all when these
    are None. Counts are rows; `backfill_total` is an estimate. `problem` is a sentence for people, or None;
    a source that was `halted` is not counted.
    """

    source: str
    mode: Mode
    driving: int | None
    system_identifier: str
    watermark: Any
    backfill_time: str | None
    backfill_key: str | None
    backfill_rows: int
    backfill_total: int
    counted: int
    corrections: int
    drift: int | None
    audited_at: datetime | None
    advanced_at: datetime
    problem: str | None
    rebuild_needed: bool
    halted: bool

    @property
    def backfilled(self) -> bool:
        return self.backfill_key is None


_COLUMNS: LiteralString = (
    "source, mode, driving, system_identifier, watermark, backfill_time::text, backfill_key, backfill_rows, backfill_total,"
    " counted, corrected, drift, audited_at, advanced_at, problem, rebuild_needed, halted"
)
STATES: LiteralString = f"SELECT {_COLUMNS} FROM analytics.sources ORDER BY source"  # noqa: S608
"""Asks for the states of all sources that are counted, by name; `State(*row)` is one."""


def states(connection: Connection) -> list[State]:
    """All sources that are counted, by name."""
    return [State(*row) for row in connection.execute(STATES)]


def modes(connection: Connection) -> dict[str, Mode]:
    """How each source that is counted is captured, by name; of a schema of an earlier version as well."""
    return dict(connection.execute("SELECT source, mode FROM analytics.sources").fetchall())


def lock(connection: Connection, source: str) -> State | None:
    """The state of a source, which nobody else advances until the transaction ends; None when somebody does, and when it
    is not counted or was halted.

    A locked row is read as it is now, not as it was when the statement began. So what another process has just counted is seen.
    """
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM analytics.sources WHERE source = %s AND NOT halted FOR UPDATE SKIP LOCKED",  # noqa: S608
        (source,),
    ).fetchone()
    return State(*row) if row else None

"""Open tickets: how old the oldest is, and how many were not served when they were due.

Time alone changes these figures, so they are worked out anew from the open tickets on each run; never from all tickets.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from psycopg import sql

from exporters.business.figures import Tally
from exporters.business.frame import Rows
from exporters.rollups.model import plausible
from exporters.snapshot import Sample, sample
from exporters.windows import Window

_KINDS = {"first_response": ("responded", "response_due"), "resolution": ("resolved", "resolution_due")}


def oldest_open(tickets: sql.Composable, now: datetime) -> sql.Composed:
    """Priority and age in seconds of the oldest of these open tickets (columns as in the image of tickets)."""
    return sql.SQL(
        "SELECT priority, extract(epoch FROM {now} - min(created))::float8 FROM ({tickets}) AS tickets"
        " WHERE {meant} AND created <= {now} GROUP BY priority"
    ).format(now=now, tickets=tickets, meant=sql.SQL(plausible("created")))


def ages(rows: Rows) -> Iterator[Sample]:
    for priority, age in rows:
        yield sample("platform_ticket_oldest_open_age_seconds", priority, value=age)


def past_due(tickets: sql.Composable, windows: Sequence[Window], now: datetime) -> sql.Composed:
    """One row: for each kind of service level, how many of these open tickets were due in each window and are not served."""
    counts = [
        sql.SQL("count(*) FILTER (WHERE {served} IS NULL AND {due} >= {start} AND {due} < {until})").format(
            served=sql.Identifier(served), due=sql.Identifier(due), start=window.start, until=min(window.end, now)
        )
        for served, due in _KINDS.values()
        for window in windows
    ]
    return sql.SQL("SELECT {} FROM ({}) AS tickets").format(sql.SQL(", ").join(counts), tickets)


def past_due_tally(rows: Rows, windows: Sequence[Window]) -> Tally:
    (counts,) = rows
    each = iter(counts)
    return {(kind,): {window.name: next(each) for window in windows} for kind in _KINDS}

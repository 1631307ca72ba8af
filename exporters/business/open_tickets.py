"""Open tickets: how old the oldest is, how many were not served when they were due, and how many soon will be due.

Time alone changes these figures, so they are worked out anew from the open tickets on each run; never from all tickets.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from psycopg import sql

from contract.labels import PRIORITIES
from exporters.business.figures import Tally
from exporters.database.sessions import Rows
from exporters.rollups.model import plausible
from exporters.snapshot import Sample, sample
from exporters.windows import Window

_KINDS = {"first_response": ("responded", "response_due"), "resolution": ("resolved", "resolution_due")}
SOON = timedelta(hours=1)
"""A ticket that is due within this time is at risk."""

YIELDS = ("platform_ticket_oldest_open_age_seconds", "platform_tickets_sla_at_risk", "platform_tickets_overdue")
"""The metrics that `ages` and `deadlines` give."""

COLUMNS = ("priority", "created", *(column for pair in _KINDS.values() for column in pair))
"""Columns of the image of tickets that are asked for."""


def question(tickets: sql.Composable, windows: Sequence[Window], now: datetime) -> sql.Composed:
    """Asks of these open tickets (columns as in the image of tickets) what `ages`, `past_due` and `deadlines` make of the rows.

    A row a priority: the age of the oldest in seconds; then, for each kind of service level, how many were due in each window
    and are not served; at last, for each kind, how many of those that are not served are due soon, and how many were due.
    """
    counts = [
        sql.SQL("count(*) FILTER (WHERE {served} IS NULL AND {due} >= {start} AND {due} < {until})").format(
            served=sql.Identifier(served), due=sql.Identifier(due), start=window.start, until=min(window.end, now)
        )
        for served, due in _KINDS.values()
        for window in windows
    ]
    counts += [
        sql.SQL("count(*) FILTER (WHERE {served} IS NULL AND {due} < {until} AND ({due} < {now}) = {over})").format(
            served=sql.Identifier(served), due=sql.Identifier(due), until=now + SOON, now=now, over=over
        )
        for served, due in _KINDS.values()
        for over in (False, True)
    ]
    return sql.SQL(
        "SELECT priority, extract(epoch FROM {now} - min(created) FILTER (WHERE {meant} AND created <= {now}))::float8,"
        " {counts} FROM ({tickets}) AS tickets GROUP BY priority"
    ).format(now=now, meant=sql.SQL(plausible("created")), counts=sql.SQL(", ").join(counts), tickets=tickets)


def ages(rows: Rows) -> Iterator[Sample]:
    """How old the oldest open ticket of each priority is."""
    for priority, age, *_ in rows:
        if age is not None:
            yield sample("platform_ticket_oldest_open_age_seconds", priority, value=age)


def past_due(rows: Rows, windows: Sequence[Window]) -> Tally:
    """How many open tickets are past due, by kind of service level and window."""
    number = len(_KINDS) * len(windows)
    counts = iter([sum(column) for column in list(zip(*rows, strict=True))[2 : 2 + number]] or [0] * number)
    return {(kind,): {window.name: next(counts) for window in windows} for kind in _KINDS}


def deadlines(rows: Rows) -> Iterator[Sample]:
    """How many open tickets are due soon, and how many are overdue; 0 for a priority without any."""
    found = dict.fromkeys(PRIORITIES, (0,) * (2 * len(_KINDS))) | {row[0]: row[-2 * len(_KINDS) :] for row in rows}
    for priority, counts in found.items():
        for place, kind in enumerate(_KINDS):
            at_risk, overdue = counts[2 * place : 2 * place + 2]
            yield sample("platform_tickets_sla_at_risk", kind, priority, value=at_risk)
            yield sample("platform_tickets_overdue", kind, priority, value=overdue)

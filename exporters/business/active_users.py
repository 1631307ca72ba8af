"""Active users, asked of the platform's own messages: whoever wrote one in a window, and in the equal window before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from psycopg import sql

from exporters.business.raw import image
from exporters.database.mapping import Mapping
from exporters.database.sessions import Rows
from exporters.rollups.sources.talk import MESSAGES
from exporters.snapshot import Sample, sample
from exporters.windows import Window, before

ACTIVE, ACTIVE_BEFORE = "platform_users_active", "platform_users_active_before"

COMPARED = ("24h", "7d", "30d")
"""Windows whose predecessor is told too: a calendar month has none of its length, an hour none of its kind."""


def counts(windows: Sequence[Window], mapping: Mapping) -> sql.Composed:
    """One row: the active users of each window, then those of the window before each that is compared."""
    seen = MESSAGES.last_seen
    assert seen is not None
    spans = [*windows, *(before(window) for window in windows if window.name in COMPARED)]
    within = [
        sql.SQL("bool_or(at >= {} AND at < {}) AS {}").format(span.start, span.end, sql.Identifier(f"w{number}"))
        for number, span in enumerate(spans)
    ]
    totals = [sql.SQL("count(*) FILTER (WHERE {})").format(sql.Identifier(f"w{number}")) for number, _ in enumerate(spans)]
    return sql.SQL(
        "SELECT {totals} FROM (SELECT {within} FROM (SELECT {user} AS user_id, {at} AS at FROM ({image}) AS image"
        " WHERE ({when}) AND {at} >= {since} AND {at} < {until}) AS messages GROUP BY user_id) AS users"
    ).format(
        totals=sql.SQL(", ").join(totals),
        within=sql.SQL(", ").join(within),
        user=sql.SQL(seen.user),
        at=sql.SQL(seen.at),
        image=image(MESSAGES, mapping),
        when=sql.SQL(seen.when),
        since=min(span.start for span in spans),
        until=max(span.end for span in spans),
    )


def samples(rows: Rows, windows: Sequence[Window]) -> Iterator[Sample]:
    (found,) = rows
    each = iter(found)
    for window in windows:
        yield sample(ACTIVE, window.name, value=next(each))
    for window in windows:
        if window.name in COMPARED:
            yield sample(ACTIVE_BEFORE, window.name, value=next(each))

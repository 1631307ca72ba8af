"""How many users were active in windows that ended at past moments, followed from message to message."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import psycopg

from contract.labels import WINDOWS
from demo.history.steps import Changes, read
from exporters.langfuse.month_end import month_start

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
COMPARED = {"24h": float(_DAY), "7d": 7.0 * _DAY, "30d": 30.0 * _DAY}
"""Windows that are held against the one before, with their lengths in seconds."""

_LENGTHS = {"1h": float(_HOUR), **COMPARED}
_STEPS = {"24h": _MINUTE, "7d": _HOUR, "30d": _HOUR}
"""How often the exporter notes each."""

_FETCH = 20_000


def changes(connection: psycopg.Connection[Any], since: float, until: float) -> dict[str, Changes]:
    """When the number of distinct active users changes, by window: a user is active for a window after each own message, and
    in the month to date until the month ends.

    Right from `since` on, for windows that end at most one window before it too.
    """
    sql = """
        SELECT user_id, extract(epoch FROM created_at)::float8 FROM app.messages
        WHERE role = 'user' AND user_id IS NOT NULL
          AND created_at > to_timestamp(%(since)s) AND created_at <= to_timestamp(%(until)s)
        ORDER BY created_at
    """
    active_until: dict[str, dict[int, float]] = {window: {} for window in WINDOWS}
    found: dict[str, Changes] = {window: [] for window in WINDOWS}
    with connection.cursor(name="active") as cursor:
        cursor.itersize = _FETCH
        for user, at in cursor.execute(sql.encode(), {"since": since - 2 * max(_LENGTHS.values()), "until": until}):
            month_ends = _month_end(int(at // _DAY))
            for window, active in active_until.items():
                ended = active.get(user)
                if ended is None or ended <= at:
                    found[window] += ((at, 1),) if ended is None else ((ended, -1), (at, 1))
                active[user] = at + _LENGTHS[window] if window in _LENGTHS else month_ends
    for window, active in active_until.items():
        found[window] += ((ends, -1) for ends in active.values())
    return found


@cache
def _month_end(day: int) -> float:
    """When the month of a day (counted from the epoch) ends."""
    begin = month_start(datetime.fromtimestamp(day * _DAY, UTC))
    return month_start(begin + timedelta(days=32)).timestamp()


def before(dsn: str, until: float) -> Iterator[tuple[str, float, int]]:
    """What the exporter would have noted until `until`: window, moment, and the users who were active when it ended then.

    Raises psycopg.Error when the platform's messages cannot be read.
    """
    with psycopg.connect(dsn) as connection:
        # The first moment of each lies up to a step before the window does.
        found = changes(connection, until - max(_STEPS.values()), until)
    for window, step in _STEPS.items():
        moments = range(int((until - COMPARED[window]) // step) * step, int(until) + 1, step)
        yield from ((window, at, count) for at, count in zip(moments, read(found[window], moments), strict=True))

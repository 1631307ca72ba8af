"""How many users were active in windows that ended at past moments, followed from message to message."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg

from demo.history.steps import Changes, read

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
WINDOWS = {"24h": float(_DAY), "7d": 7.0 * _DAY, "30d": 30.0 * _DAY}
"""Lengths in seconds."""

_STEPS = {"24h": _MINUTE, "7d": _HOUR, "30d": _HOUR}
"""How often the exporter notes each."""

_FETCH = 20_000


def changes(connection: psycopg.Connection[Any], since: float, until: float) -> dict[str, Changes]:
    """When the number of distinct active users changes, by window: a user is active for a window after each own message.

    Right from `since` on, for windows that end at most one window before it too.
    """
    sql = """
        SELECT user_id, extract(epoch FROM created_at)::float8 FROM app.messages
        WHERE role = 'user' AND user_id IS NOT NULL
          AND created_at > to_timestamp(%(since)s) AND created_at <= to_timestamp(%(until)s)
        ORDER BY created_at
    """
    latest: dict[str, dict[int, float]] = {window: {} for window in WINDOWS}
    found: dict[str, Changes] = {window: [] for window in WINDOWS}
    with connection.cursor(name="active") as cursor:
        cursor.itersize = _FETCH
        for user, at in cursor.execute(sql.encode(), {"since": since - 2 * max(WINDOWS.values()), "until": until}):
            for window, seconds in WINDOWS.items():
                ends = latest[window].get(user, float("-inf")) + seconds
                if ends <= at:
                    found[window] += ((ends, -1), (at, 1)) if ends > float("-inf") else ((at, 1),)
                latest[window][user] = at
    for window, seconds in WINDOWS.items():
        found[window] += ((at + seconds, -1) for at in latest[window].values())
    return found


def before(dsn: str, until: float) -> Iterator[tuple[str, float, int]]:
    """What the exporter would have noted until `until`: window, moment, and the users who were active when it ended then.

    Raises psycopg.Error when the platform's messages cannot be read.
    """
    with psycopg.connect(dsn) as connection:
        found = changes(connection, until, until)
    for window, step in _STEPS.items():
        moments = range(int((until - WINDOWS[window]) // step) * step, int(until) + 1, step)
        yield from ((window, at, count) for at, count in zip(moments, read(found[window], moments), strict=True))

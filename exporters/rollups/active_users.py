"""How many users were active at past moments: noted once a minute, so that a window can be held against the one before it.

A user counts once, in the bucket of the latest own message. Who has written again since the moment that is noted is found by
the message before.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from exporters.rollups.sources.talk import MESSAGES
from exporters.rollups.state import Connection

BY_MINUTE = {"24h": timedelta(hours=24)}
BY_HOUR = {"7d": timedelta(days=7), "30d": timedelta(days=30)}
"""Windows that are noted every minute, and every full hour."""

_KEPT, _LATELY = timedelta(days=62), timedelta(minutes=10)

_NOTE = """
INSERT INTO analytics.users_active_history (window_name, at, n)
SELECT %(window)s, %(at)s, coalesce(sum(n), 0) FROM (
    SELECT analytics.total(n) AS n FROM analytics.{tier} WHERE fact = %(fact)s AND bucket >= %(since)s AND bucket < %(at)s
    UNION ALL
    SELECT count(*) FROM analytics.user_seen
    WHERE user_id = ANY (ARRAY(SELECT unnest(users) FROM analytics.seen_lately WHERE at >= %(at)s))
    AND last_at >= %(at)s AND earlier_at >= %(since)s AND earlier_at < %(at)s
) AS counted
ON CONFLICT DO NOTHING
"""


def note(connection: Connection, now: datetime) -> None:
    """Notes the users who were active up to the minute (or hour) of `now`; call it within that minute, after an advance.

    Runs inside a transaction of the caller. What is noted already stays.
    """
    minute = now.astimezone(UTC).replace(second=0, microsecond=0)
    due = [(name, length, "minutes") for name, length in BY_MINUTE.items()]
    if minute == minute.replace(minute=0):
        due += [(name, length, "hours") for name, length in BY_HOUR.items()]
    assert MESSAGES.last_seen is not None
    for name, length, tier in due:
        parameters = {"window": name, "at": minute, "since": minute - length, "fact": MESSAGES.last_seen.fact}
        connection.execute(_NOTE.format(tier=tier).encode(), parameters)
    connection.execute("DELETE FROM analytics.users_active_history WHERE at < %s", (minute - _KEPT,))
    connection.execute("DELETE FROM analytics.seen_lately WHERE at < %s", (minute - _LATELY,))

"""The past of what is forecast: a value for every whole day, from the first known one to yesterday (UTC)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from psycopg import sql

from contract.forecasts import CAPACITY, MOST_AGENTS, MOST_DAYS, Subject
from exporters.database.mapping import Mapping
from exporters.database.sessions import Rows
from exporters.rollups.sources.talk import ASKER

_AGAIN_DAYS, _CHUNK_DAYS = 3, 14
"""Days whose active users are counted again, because messages come late; and days that are counted in one statement."""

_LIMITS = """
SELECT DISTINCT ON (scope) scope, rps FROM analytics.capacity_limits WHERE valid_from <= now()
ORDER BY scope, valid_from DESC
"""
COUNTED = "SELECT max(day) FROM analytics.active_users_daily"
LIMITS = sql.SQL(_LIMITS)


def midnight(now: datetime) -> datetime:
    """The first moment of the day, in UTC: only days before it are whole."""
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def question(text: str, now: datetime) -> sql.Composed:
    """The text of a subject, for the days that may be learnt from."""
    until = midnight(now)
    bounds = {"since": sql.Literal(until - timedelta(days=MOST_DAYS)), "until": sql.Literal(until)}
    return sql.SQL(text).format(**bounds)


def uncounted(counted: date | None, now: datetime) -> list[tuple[datetime, datetime]]:
    """Spans of days whose active users are not counted for good yet, oldest first."""
    until = midnight(now)
    begin = until - timedelta(days=MOST_DAYS)
    if counted is not None:
        begin = max(begin, datetime(counted.year, counted.month, counted.day, tzinfo=UTC) - timedelta(days=_AGAIN_DAYS))
    starts = []
    while begin < until:
        starts.append((begin, min(begin + timedelta(days=_CHUNK_DAYS), until)))
        begin += timedelta(days=_CHUNK_DAYS)
    return starts


def count_active(mapping: Mapping, begin: datetime, end: datetime) -> sql.Composed:
    """Notes how many users wrote something on each day: a table of their own, for a year of messages is never read twice."""
    return sql.SQL(
        "INSERT INTO analytics.active_users_daily (day, users)"
        " SELECT date_trunc('day', m.created_at, 'UTC'), count(DISTINCT m.user_id) FROM {messages} AS m"
        " WHERE m.role = {asker} AND m.user_id IS NOT NULL AND m.created_at >= {begin} AND m.created_at < {end} GROUP BY 1"
        " ON CONFLICT (day) DO UPDATE SET users = excluded.users"
    ).format(messages=mapping.table("messages"), asker=sql.Literal(ASKER), begin=begin, end=end)


def filled(rows: Iterable[tuple[datetime, float | None]], subject: Subject | None, now: datetime) -> list[float]:
    """The values of all days in a row. Days before the first one that happened are not known."""
    known = {day.astimezone(UTC).date(): float(amount) for day, amount in rows if amount is not None}
    counted = subject is None or subject.counted
    day, until = min(known, default=None), midnight(now).date()
    values: list[float] = []
    while day is not None and day < until:
        values.append(known.get(day, 0.0 if counted or not values else values[-1]))
        day += timedelta(days=1)
    return values


def agents(rows: Rows, limits: Rows, now: datetime) -> dict[str, list[float]]:
    """The series of those agents that come nearest to their limit in the last four weeks, of `BUSIEST_HOURS` and `LIMITS`."""
    allowed = {str(scope): float(rps) for scope, rps in limits}
    by_agent: dict[str, list[tuple[datetime, float]]] = {}
    for agent, day, amount in rows:
        if agent in allowed:
            by_agent.setdefault(agent, []).append((day, amount))
    series = {agent: filled(days, None, now) for agent, days in by_agent.items()}
    nearest = sorted(series, key=lambda agent: (-max(series[agent][-28:], default=0.0) / allowed[agent], agent))
    return {CAPACITY + agent: series[agent] for agent in nearest[:MOST_AGENTS]}

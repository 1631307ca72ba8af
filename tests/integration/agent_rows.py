"""What agents did in production on the days that a week touches and on as many before, from the rows of the platform."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from tests.integration.model_calls import Row, ledger, midnight
from tests.integration.moment import Moment
from tests.integration.reckoning import utc

WEEK = 7 * 86400.0


class Query(NamedTuple):
    """An execution in production that has ended."""

    day: datetime
    agent: str
    failed: bool
    seconds: float


class Talk(NamedTuple):
    """A conversation in production, by the day on which it began or ended."""

    day: datetime
    agent: str
    goal: bool | None


def spans(moment: Moment) -> tuple[datetime, datetime, datetime]:
    """Where the days before begin, where the days of the range begin, and the moment."""
    now = datetime.fromtimestamp(moment.at, UTC)
    begin = midnight(now - timedelta(seconds=WEEK))
    return midnight(begin - (now - begin)), begin, now


def queries(moment: Moment) -> list[Query]:
    rows = moment.sql(
        "SELECT end_time, agent_name, status IN ('failure', 'timeout'), duration_ms / 1000.0"
        f" FROM app.agent_executions WHERE end_time >= '{spans(moment)[0].isoformat()}' AND end_time <= :now"
        " AND environment = 'production' AND status <> 'in_progress'"
    )
    return [Query(midnight(utc(at)), agent, failed, float(took)) for at, agent, failed, took in rows]


def talks(moment: Moment, column: str) -> list[Talk]:
    rows = moment.sql(
        f"SELECT c.{column}, a.name, c.goal_achieved FROM app.conversations c JOIN app.agents a ON a.id = c.agent_id"
        f" WHERE c.{column} >= '{spans(moment)[0].isoformat()}' AND c.{column} <= :now AND c.environment = 'production'"
    )
    return [Talk(midnight(utc(at)), agent, goal) for at, agent, goal in rows]


def handoffs(moment: Moment) -> list[tuple[datetime, str, str]]:
    """Day, agent and reason."""
    rows = moment.sql(
        "SELECT h.at, a.name, h.reason FROM app.handoffs h JOIN app.conversations c ON c.id = h.conversation_id"
        f" JOIN app.agents a ON a.id = c.agent_id WHERE h.at >= '{spans(moment)[1].isoformat()}' AND h.at <= :now"
        " AND c.environment = 'production'"
    )
    return [(midnight(utc(at)), agent, reason) for at, agent, reason in rows]


def feedback(moment: Moment) -> list[tuple[datetime, str, int | None, int | None, int | None]]:
    """Time, agent, stars, thumb and recommendation."""
    return [
        (utc(at), *rest)
        for at, *rest in moment.sql(
            "SELECT f.created_at, a.name, f.rating, f.thumbs, f.nps FROM app.feedback f"
            " JOIN app.conversations c ON c.id = f.conversation_id JOIN app.agents a ON a.id = c.agent_id"
            f" WHERE f.created_at >= '{spans(moment)[1].isoformat()}' AND f.created_at <= :to AND c.environment = 'production'"
        )
    ]


def calls(moment: Moment) -> list[Row]:
    since = spans(moment)[0]
    return [row for row in ledger(moment).rows if row.at >= since and row.environment == "production"]


def lately(moment: Moment, rows: list[Any]) -> list[Any]:
    """Those of the range's days."""
    return [row for row in rows if row.day >= spans(moment)[1]]


def achieved(rows: list[Talk]) -> float | None:
    known = [row.goal for row in rows if row.goal is not None]
    return sum(known) / len(known) if known else None

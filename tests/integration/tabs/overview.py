"""Overview."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

from tests.integration.moment import Moment
from tests.integration.tabs import Fault


def conversations(moment: Moment) -> None:
    [shown] = moment.panel("overview/conversations").values()
    assert shown == moment.number(
        "SELECT count(*) FROM app.conversations WHERE environment = 'production' AND created_at <= :now"
    )


def outcomes(moment: Moment) -> None:
    rows = moment.sql(
        "SELECT created_at, outcome FROM app.conversations "
        "WHERE environment = 'production' AND created_at BETWEEN :from AND :to"
    )
    counted: Counter[tuple[datetime, str]] = Counter()
    for created, outcome in rows:
        counted[created.astimezone(UTC).replace(minute=0, second=0, microsecond=0), outcome or "open"] += 1
    shown = {
        (hour.astimezone(UTC), outcome): count for hour, outcome, count in moment.panel_sql("overview/conversation_outcomes")
    }
    assert shown == counted and sum(counted.values()) > 20


FIGURES = {"overview/conversations": conversations, "overview/conversation_outcomes": outcomes}
FAULTS = (
    Fault("overview/conversations", "environment=", "environment!="),
    Fault("overview/conversation_outcomes", "created_at", "ended_at"),
    Fault("overview/conversation_outcomes", "count(*)", "count(DISTINCT c.user_key)"),
)

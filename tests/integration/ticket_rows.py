"""The rows of tickets, for what is reckoned from them."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from tests.integration.moment import DAY, Moment
from tests.integration.reckoning import ends, within

MONTH = 30 * DAY
OPEN = ("open", "in_progress", "waiting")
TARGETS = ("first response", "resolution")


class Ticket(NamedTuple):
    id: int
    user: int
    assignee: int | None
    status: str
    priority: str
    category: str | None
    opened: datetime
    answered: datetime | None
    resolved: datetime | None
    reopened: int
    answer_due: datetime | None
    resolution_due: datetime | None

    @property
    def open(self) -> bool:
        return self.status in OPEN

    def promise(self, kind: str) -> tuple[datetime | None, datetime | None]:
        """When it was kept, and when it is due."""
        return (self.answered, self.answer_due) if kind == TARGETS[0] else (self.resolved, self.resolution_due)


def tickets(moment: Moment) -> list[Ticket]:
    return [
        Ticket(*row)
        for row in moment.sql(
            "SELECT id, user_id, assignee_id, status, priority, category, created_at, first_response_at, resolved_at,"
            " reopened_count, sla_first_response_due_at, sla_resolution_due_at FROM app.tickets"
        )
    ]


def resolved(moment: Moment) -> list[Ticket]:
    since, until = ends(moment, MONTH)
    return [ticket for ticket in tickets(moment) if within(ticket.resolved, since, until)]


def opened(moment: Moment) -> list[Ticket]:
    since, until = ends(moment, MONTH)
    return [ticket for ticket in tickets(moment) if within(ticket.opened, since, until)]


def took(ticket: Ticket) -> float:
    assert ticket.resolved
    return (ticket.resolved - ticket.opened).total_seconds()

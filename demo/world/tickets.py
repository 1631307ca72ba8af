"""Tickets and their lives. They come from a stream of their own, so that a month of them is found in an instant."""

from __future__ import annotations

from bisect import bisect_left
from math import exp
from random import Random

from demo.world.catalogue import SLA_SECONDS, STAFF, TICKET_CATEGORIES, TICKET_PRIORITIES
from demo.world.conversations import Arrival
from demo.world.model import MAX_TICKET_SECONDS, Ticket, TicketChange, WorldSpec
from demo.world.rhythm import DAY, HOUR, NORMAL, count, cumulative, stream

_PRIORITIES, _PRIORITY_SUMS = cumulative(TICKET_PRIORITIES)
_CATEGORIES, _CATEGORY_SUMS = cumulative(TICKET_CATEGORIES)
_SHARE_OF_CONVERSATIONS = 0.055
_FROM_CONVERSATIONS = 0.60
_TICKETS_AN_HOUR = 10_000


def of_hour(spec: WorldSpec, people: list[Arrival], hour: float) -> tuple[Ticket, ...]:
    """Tickets opened in an hour. Most belong to a conversation on production that began some minutes before."""
    rng = stream(spec, "tickets", int(hour // HOUR))
    found: list[tuple[float, int, int | None]] = []
    taken: set[int] = set()
    for _ in range(count(rng, _SHARE_OF_CONVERSATIONS * len(people))):
        arrival, delay = people[int(rng.random() * len(people))], round(120.0 + 360.0 * rng.random(), 3)
        linked = (
            rng.random() < _FROM_CONVERSATIONS
            and arrival.environment == "production"
            and arrival.conversation_id not in taken
            and arrival.at + delay < hour + HOUR
        )
        if linked:
            taken.add(arrival.conversation_id)
            found.append((arrival.at + delay, arrival.user_id, arrival.conversation_id))
        else:
            found.append((arrival.at, arrival.user_id, None))
    found.sort(key=lambda item: item[0])
    first = int(hour // HOUR) * _TICKETS_AN_HOUR
    return tuple(_ticket(rng, first + number, *item) for number, item in enumerate(found))


def _ticket(rng: Random, identity: int, at: float, user: int, conversation: int | None) -> Ticket:
    priority = _PRIORITIES[bisect_left(_PRIORITY_SUMS, rng.random())]
    category = _CATEGORIES[bisect_left(_CATEGORY_SUMS, rng.random())]
    respond_by, resolve_by = SLA_SECONDS[priority]
    # Shares of the time allowed: about one first response in fifteen and one resolution in ten are late.
    response = at + min(2.5 * DAY, respond_by * _share(rng, 0.26, 0.9))
    resolved = max(response + 300.0, at + min(13 * DAY, resolve_by * _share(rng, 0.33, 0.8)))
    changes = [TicketChange(at, None, "open"), TicketChange(response, "open", "in_progress")]
    if rng.random() < 0.35:
        waits = response + (resolved - response) * (0.1 + 0.3 * rng.random())
        changes.append(TicketChange(waits, "in_progress", "waiting"))
        changes.append(TicketChange(waits + (resolved - waits) * (0.3 + 0.5 * rng.random()), "waiting", "in_progress"))
    changes.append(TicketChange(resolved, "in_progress", "resolved"))
    if rng.random() < 0.06:
        again = resolved + (0.1 + 2.0 * rng.random()) * DAY
        resolved = again + (0.05 + 1.5 * rng.random()) * DAY
        changes.append(TicketChange(again, "resolved", "in_progress"))
        changes.append(TicketChange(resolved, "in_progress", "resolved"))
    closed = min(resolved + (1.0 + 3.0 * rng.random()) * DAY, at + MAX_TICKET_SECONDS)
    changes.append(TicketChange(closed, "resolved", "closed"))
    assignee = 1 + int(rng.random() * STAFF) if rng.random() < 0.93 else None
    return Ticket(
        identity, user, conversation, assignee, priority, category, tuple(changes), response, at + respond_by, at + resolve_by
    )


def _share(rng: Random, median: float, spread: float) -> float:
    return median * exp(spread * NORMAL[int(rng.random() * 4096)])

"""Everything that happens, one moment after the other: what counters count and what a live platform lives through."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import heapify, heappop, heappush
from typing import Any, NamedTuple

from demo.world.model import MAX_TICKET_SECONDS, Conversation, Document, Hour, QueuedMessage, Ticket, Workflow
from demo.world.world import SETTLED_HOURS, World

KINDS = (
    "user_created",  # User
    "deployed",  # Deployment
    "conversation_started",  # Conversation
    "execution_started",  # Execution, detail Conversation
    "execution_ended",  # Execution, detail Conversation; its model and tool calls are counted now
    "handoff",  # Handoff, detail Conversation
    "handoff_accepted",  # Handoff, detail Conversation
    "handoff_resolved",  # Handoff, detail Conversation
    "conversation_ended",  # Conversation
    "feedback",  # Feedback, detail Conversation
    "ticket_changed",  # Ticket, detail TicketChange; the first change opens it
    "ticket_answered",  # Ticket: its first response
    "document_uploaded",  # Document
    "document_finished",  # Document
    "search",  # Search
    "login",  # Login
    "feature_used",  # FeatureUse
    "workflow_started",  # Workflow
    "workflow_ended",  # Workflow
    "message_queued",  # QueuedMessage
    "message_left_queue",  # QueuedMessage; `dead` says that it was given up
)


class Happening(NamedTuple):
    """Something at one moment. `kind` is one of KINDS, which says what `subject` and `detail` (else None) are."""

    at: float
    kind: str
    subject: Any
    detail: Any = None


def happenings(world: World, since: float, until: float) -> Iterator[Happening]:
    """What happens in (since, until], in order of time; equal times in a fixed order.

    It looks back far enough to know what was already under way at `since`. Hours are made once each, in turn, so that any
    length of time costs little memory.
    """
    first = int(since // 3600) - SETTLED_HOURS
    waiting: list[tuple[float, int, int, Happening]] = []
    number = 0
    rare: Iterable[Happening] = (*_rare(world, since, until), *_old_tickets(world, first, since))
    for happening in rare:
        if since < happening.at <= until:
            number += 1
            waiting.append((happening.at, 0, number, happening))
    heapify(waiting)
    for index in range(first, int(until // 3600) + 1):
        for happening in of_hour(world.hour(index * 3600.0), since):
            if since < happening.at <= until:
                number += 1
                heappush(waiting, (happening.at, 1, number, happening))
        # Later hours begin nothing earlier than their own start.
        while waiting and waiting[0][0] < (index + 1) * 3600.0:
            yield heappop(waiting)[3]
    while waiting:
        yield heappop(waiting)[3]


def _rare(world: World, since: float, until: float) -> Iterator[Happening]:
    for user in world.users(until):
        if user.at > since:
            yield Happening(user.at, "user_created", user)
    for deployment in world.deployments(until):
        yield Happening(deployment.at, "deployed", deployment)


def _old_tickets(world: World, first: int, since: float) -> Iterator[Happening]:
    for index in range(first - int(MAX_TICKET_SECONDS // 3600) - 1, first):
        for ticket in world.tickets(index * 3600.0):
            if ticket.changes[-1].at > since:
                yield from _of_ticket(ticket)


def of_hour(hour: Hour, since: float = 0.0) -> Iterator[Happening]:
    """All that ever comes of what begins in an hour, in no order; what is over by `since` may be left out."""
    for conversation in hour.conversations:
        if conversation.settled > since:
            yield from _of_conversation(conversation)
    for ticket in hour.tickets:
        yield from _of_ticket(ticket)
    for document in hour.documents:
        yield from _of_document(document)
    for workflow in hour.workflows:
        yield from _of_workflow(workflow)
    for message in hour.queued:
        yield from _of_message(message)
    for search in hour.searches:
        yield Happening(search.at, "search", search)
    for login in hour.logins:
        yield Happening(login.at, "login", login)
    for use in hour.features:
        yield Happening(use.at, "feature_used", use)


def _of_conversation(conversation: Conversation) -> Iterator[Happening]:
    yield Happening(conversation.at, "conversation_started", conversation)
    for execution in conversation.executions:
        yield Happening(execution.at, "execution_started", execution, conversation)
        yield Happening(execution.end, "execution_ended", execution, conversation)
    handoff = conversation.handoff
    if handoff is not None:
        yield Happening(handoff.at, "handoff", handoff, conversation)
        yield Happening(handoff.accepted_at, "handoff_accepted", handoff, conversation)
        yield Happening(handoff.resolved_at, "handoff_resolved", handoff, conversation)
    yield Happening(conversation.end, "conversation_ended", conversation)
    for feedback in conversation.feedback:
        yield Happening(feedback.at, "feedback", feedback, conversation)


def _of_ticket(ticket: Ticket) -> Iterator[Happening]:
    for change in ticket.changes:
        yield Happening(change.at, "ticket_changed", ticket, change)
    yield Happening(ticket.first_response_at, "ticket_answered", ticket)


def _of_document(document: Document) -> Iterator[Happening]:
    yield Happening(document.at, "document_uploaded", document)
    yield Happening(document.finished_at, "document_finished", document)


def _of_workflow(workflow: Workflow) -> Iterator[Happening]:
    yield Happening(workflow.at, "workflow_started", workflow)
    yield Happening(workflow.at + workflow.duration, "workflow_ended", workflow)


def _of_message(message: QueuedMessage) -> Iterator[Happening]:
    yield Happening(message.at, "message_queued", message)
    yield Happening(message.done_at, "message_left_queue", message)

"""Rows of tickets, documents, workflows, queues, searches, logins and features; and whole hours."""

from __future__ import annotations

from demo.database.rows.conversations import traces_from, write_conversation
from demo.database.rows.text import NULL, Lines, by, moment, names
from demo.world.model import Document, Hour, QueuedMessage, Ticket, Workflow

_TEXT = {"success": "success", "error": "failure", "timeout": "timeout", "cancelled": "cancelled"}


def write_hour(lines: Lines, hour: Hour, at: float) -> None:
    """Everything that began in an hour, as it stands `at`; what begins later is left out."""
    kept_from = traces_from(at)
    for conversation in hour.conversations:
        if conversation.at <= at:
            write_conversation(lines, conversation, at, kept_from)
    for ticket in hour.tickets:
        write_ticket(lines, ticket, at)
    for document in hour.documents:
        write_document(lines, document, at)
    for workflow in hour.workflows:
        write_workflow(lines, workflow, at)
    for message in hour.queued:
        write_queued(lines, message, at)
    write_moments(lines, hour, float("-inf"), at)


def write_moments(lines: Lines, hour: Hour, since: float, until: float) -> None:
    """What has no duration in the database: searches, logins and uses of features in (since, until]."""
    lines["kb_searches"] += [
        f"{search.search_id}\t{search.user_id}\t{moment(search.at)}\t{search.duration * 1000:.3f}\t{search.results}\t"
        f"{NULL if search.top_score is None else search.top_score}\t{'t' if search.clicked else 'f'}\n"
        for search in hour.searches
        if since < search.at <= until
    ]
    lines["login_events"] += [
        f"{login.login_id}\t{login.user_id}\t{moment(login.at)}\t{'success' if login.success else 'failure'}\n"
        for login in hour.logins
        if since < login.at <= until
    ]
    lines["feature_usage_events"] += [
        f"{use.use_id}\t{use.user_id}\t{use.feature}\t{moment(use.at)}\t{use.session_id or NULL}\n"
        for use in hour.features
        if since < use.at <= until
    ]


def write_ticket(lines: Lines, ticket: Ticket, at: float) -> None:
    """A ticket belongs to nobody and to no category until somebody first answers it. Questions are promised an answer only."""
    changes = [change for change in ticket.changes if change.at <= at]
    if not changes:
        return
    status = changes[-1].to_status
    answered = ticket.first_response_at <= at
    times = {change.to_status: change.at for change in changes}
    resolved = times["resolved"] if status in ("resolved", "closed") else None
    reopened = sum(1 for change in changes if change.from_status == "resolved" and change.to_status == "in_progress")
    conversation = NULL if ticket.conversation_id is None else ticket.conversation_id
    assignee = ticket.assignee_id if answered and ticket.assignee_id is not None else NULL
    category = ticket.category if answered else NULL
    resolution_due = NULL if ticket.category == "question" else moment(ticket.sla_resolution_due_at)
    lines["tickets"].append(
        f"{ticket.ticket_id}\t{ticket.user_id}\t{conversation}\t{assignee}\t{status}\t{ticket.priority}\t{category}\t"
        f"{moment(changes[0].at)}\t{moment(changes[-1].at)}\t{by(ticket.first_response_at, at)}\t{by(resolved, at)}\t"
        f"{by(times.get('closed'), at)}\t{reopened}\t{moment(ticket.sla_first_response_due_at)}\t"
        f"{resolution_due}\n"
    )
    lines["ticket_events"] += [
        f"{ticket.ticket_id}\t{moment(change.at)}\t{change.from_status or NULL}\t{change.to_status}\n" for change in changes
    ]


def write_document(lines: Lines, document: Document, at: float) -> None:
    """A document; its chunks are there once it is done."""
    if document.at > at:
        return
    finished = document.finished_at <= at
    status = "processing" if not finished else "failed" if document.failed else "done"
    updated = moment(document.finished_at if finished else document.at)
    error = "The file could not be read" if status == "failed" else NULL
    lines["documents"].append(
        f"{document.document_id}\t{document.user_id}\t{document.file_name}\t{document.file_type}\t{status}\t{document.size_bytes}\t"
        f"{moment(document.at)}\t{updated}\t{error}\n"
    )
    if status == "done":
        lines["chunks"] += [
            f"{document.document_id * 100 + number}\t{document.document_id}\t{updated}\t{tokens}\n"
            for number, tokens in enumerate(document.chunk_tokens)
        ]


def write_workflow(lines: Lines, workflow: Workflow, at: float) -> None:
    if workflow.at > at:
        return
    w = workflow
    end = w.at + w.duration
    if end > at:
        state = f"{NULL}\t{NULL}\tin_progress\t{names(w.agents)}\t{len(w.agents)}\t0\t0\t0"
        judged = f"{NULL}\t{NULL}"
    else:
        state = (
            f"{moment(end)}\t{w.duration * 1000:.3f}\t{_TEXT[w.status]}\t{names(w.agents)}\t{len(w.agents)}\t{w.tool_calls}\t"
            f"{w.api_calls}\t{w.tokens}"
        )
        judged = f"{NULL if w.satisfaction is None else w.satisfaction}\t{w.completion}"
    lines["workflow_metrics"].append(
        f"{w.workflow_id}\t{w.workflow_type}\t{moment(w.at)}\t{state}\t{w.session_id}\t{w.user_id}\t{judged}\t{w.environment}\n"
    )


def write_queued(lines: Lines, message: QueuedMessage, at: float) -> None:
    """A queued message stays as a row when it has left: done, or dead."""
    if message.at > at:
        return
    left = message.done_at <= at
    status = "waiting" if not left else "dead" if message.dead else "done"
    dead = moment(message.done_at) if status == "dead" else NULL
    enqueued = moment(message.at)
    lines["offline_queue"].append(
        f"{message.message_id}\t{message.queue}\t{enqueued}\t{enqueued}\t{message.attempts if left else 0}\t{status}\t{dead}\n"
    )

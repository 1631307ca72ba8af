"""What people are served with: tickets, documents, searches, queues; and who they are: users, logins, features."""

from __future__ import annotations

from contract import buckets
from contract.definitions import DOCUMENT_STATUSES, TICKET_OPEN_STATUSES, TICKET_STATUSES
from contract.labels import PRIORITIES
from contract.status import SUCCESS, sql_normalise
from exporters.rollups.model import Fact, Source, Stock, Yield
from exporters.rollups.sources.words import (
    microseconds,
    microseconds_between,
    one_of,
    quoted,
    text,
    time,
    truth,
    whole,
    word,
)

_SECONDS = 1e-6
_TICKET_OPEN = f"r.status IN ({quoted(TICKET_OPEN_STATUSES)})"
_WAITING = "'waiting'"


def _service_level(name: str, kind: str, served: str, due: str) -> Fact:
    return Fact(
        name,
        when=f"{served} IS NOT NULL AND {due} IS NOT NULL",
        at=served,
        labels={
            "kind": f"'{kind}'",
            "result": f"CASE WHEN {served} <= {due} THEN 'met' ELSE 'breached' END",
            "priority": "priority",
        },
        yields=(Yield("platform_ticket_sla_total"),),
    )


TICKETS = Source(
    "tickets",
    "tickets",
    image={
        "status": text(one_of("r.status", TICKET_STATUSES)),
        "priority": text(one_of("r.priority", PRIORITIES)),
        "category": text(word("r.category")),
        "open": truth(_TICKET_OPEN),
        "assigned": truth("r.assignee_id IS NOT NULL"),
        "created": time("r.created_at"),
        "responded": time("r.first_response_at"),
        "resolved": time("r.resolved_at"),
        "response_due": time("r.sla_first_response_due_at"),
        "resolution_due": time("r.sla_resolution_due_at"),
        "response": microseconds_between("r.created_at", "r.first_response_at"),
        "resolution": microseconds_between("r.created_at", "r.resolved_at"),
        "reopens": whole("r.reopened_count"),
    },
    open=_TICKET_OPEN,
    facts=(
        Fact(
            "tickets_created",
            at="created",
            labels={"priority": "priority"},
            yields=(Yield("platform_tickets_created_total"),),
        ),
        Fact(
            "tickets_responded",
            when="responded IS NOT NULL",
            at="responded",
            labels={"priority": "priority"},
            sums={"duration_us": "response"},
            histogram="response",
            bounds=buckets.TICKET,
            yields=(Yield("platform_ticket_first_response_seconds", "histogram", _SECONDS),),
        ),
        Fact(
            "tickets_resolved",
            when="resolved IS NOT NULL",
            at="resolved",
            labels={
                "priority": "priority",
                "category": "category",
                "reopened": "CASE WHEN reopens > 0 THEN 'yes' ELSE 'no' END",
            },
            sums={"duration_us": "resolution"},
            histogram="resolution",
            bounds=buckets.TICKET,
            yields=(
                Yield("platform_tickets_resolved_total"),
                Yield("platform_ticket_resolution_seconds", "histogram", _SECONDS),
            ),
        ),
        Fact(
            "ticket_reopens",
            when="reopens > 0",
            at="created",
            labels={"priority": "priority"},
            sums={"reopens": "reopens"},
            yields=(Yield("platform_ticket_reopens_total", "reopens"),),
        ),
        _service_level("ticket_sla_responses", "first_response", "responded", "response_due"),
        _service_level("ticket_sla_resolutions", "resolution", "resolved", "resolution_due"),
    ),
    stocks=(
        Stock("tickets", labels={"status": "status", "priority": "priority"}, yields=(Yield("platform_tickets"),)),
        Stock(
            "tickets_unassigned",
            when="open AND NOT assigned",
            labels={"priority": "priority"},
            yields=(Yield("platform_tickets_unassigned"),),
        ),
    ),
)

DOCUMENTS = Source(
    "documents",
    "documents",
    image={
        "file_type": text(word("r.file_type")),
        "status": text(one_of("r.status", DOCUMENT_STATUSES)),
        "bytes": whole("r.size_bytes"),
        "created": time("r.created_at"),
        "updated": time("r.updated_at"),
    },
    open="r.status = 'processing'",
    facts=(
        Fact(
            "documents_uploaded",
            at="created",
            labels={"file_type": "file_type"},
            sums={"bytes": "bytes"},
            yields=(Yield("platform_documents_uploaded_total"),),
        ),
        Fact(
            "documents_processed",
            when="status <> 'processing'",
            at="updated",
            labels={"file_type": "file_type", "status": "status"},
            yields=(Yield("platform_documents_processed_total"),),
        ),
    ),
    stocks=(Stock("documents", labels={"status": "status"}, yields=(Yield("platform_documents"),)),),
)

CHUNKS = Source(
    "chunks",
    "chunks",
    image={"tokens": whole("r.token_count"), "at": time("r.created_at")},
    facts=(
        Fact("chunks", at="at", labels={}, sums={"tokens": "tokens"}, yields=(Yield("platform_document_chunks_made_total"),)),
    ),
    stocks=(Stock("document_chunks", labels={}, yields=(Yield("platform_document_chunks"),)),),
)

SEARCHES = Source(
    "kb_searches",
    "kb_searches",
    image={
        "result": text("CASE WHEN r.result_count > 0 THEN 'found' ELSE 'empty' END"),
        "results": whole("r.result_count"),
        "clicks": whole("r.clicked::integer"),
        "duration": microseconds("r.duration_ms", "r.at", "r.at"),
        "at": time("r.at"),
    },
    facts=(
        Fact(
            "kb_searches",
            at="at",
            labels={"result": "result"},
            sums={"duration_us": "duration", "results": "results", "clicks": "clicks"},
            histogram="duration",
            bounds=buckets.SEARCH,
            yields=(
                Yield("platform_kb_searches_total"),
                Yield("platform_kb_search_duration_seconds", "histogram", _SECONDS),
            ),
        ),
    ),
)

QUEUE = Source(
    "queue",
    "offline_queue",
    image={"queue": text(word("r.queue")), "status": text(word("r.status"))},
    open=f"r.status = {_WAITING}",
    stocks=(
        Stock(
            "queue_messages", when=f"status = {_WAITING}", labels={"queue": "queue"}, yields=(Yield("platform_queue_messages"),)
        ),
    ),
)

USERS = Source(
    "users",
    "users",
    image={"role": text(word("r.role")), "at": time("r.created_at")},
    facts=(Fact("users_created", at="at", labels={"role": "role"}, yields=(Yield("platform_users_created_total"),)),),
    stocks=(Stock("users", labels={"role": "role"}, yields=(Yield("platform_users"),)),),
)

LOGINS = Source(
    "logins",
    "login_events",
    image={
        "result": text(f"CASE WHEN {sql_normalise('r.result')} = '{SUCCESS}' THEN 'success' ELSE 'failure' END"),
        "at": time("r.at"),
    },
    facts=(Fact("logins", at="at", labels={"result": "result"}, yields=(Yield("platform_logins_total"),)),),
)

FEATURES = Source(
    "features",
    "feature_usage_events",
    image={"feature": text(word("r.feature")), "at": time("r.at")},
    facts=(Fact("feature_uses", at="at", labels={"feature": "feature"}, yields=(Yield("platform_feature_uses_total"),)),),
)

SERVICE = (TICKETS, DOCUMENTS, CHUNKS, SEARCHES, QUEUE, USERS, LOGINS, FEATURES)

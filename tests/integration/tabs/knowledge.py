"""The knowledge base, from the rows of documents, their chunks and searches."""

from __future__ import annotations

import math
from collections import Counter
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import pytest

from tests.integration.moment import DAY, Moment
from tests.integration.reckoning import close, ends, grouped, keys, midnight, percentile, ratio, utc
from tests.integration.tabs import Fault

WEEK = 7 * DAY


class Document(NamedTuple):
    id: int
    user: int
    type: str
    status: str
    size: int
    uploaded: datetime
    changed: datetime


def documents(moment: Moment) -> list[Document]:
    rows = moment.sql("SELECT id, user_id, file_type, status, size_bytes, created_at, updated_at FROM app.documents")
    return [Document(*row) for row in rows]


def uploaded(moment: Moment) -> list[Document]:
    since, until = ends(moment, WEEK)
    return [document for document in documents(moment) if since <= document.uploaded <= until]


def rows_of(moment: Moment, name: str) -> list[tuple[Any, ...]]:
    return moment.panel_sql(f"knowledge/{name}", seconds=WEEK)


def state(moment: Moment) -> None:
    """Five failures of one type within an hour are the least that is judged; two less leave room for the ends of the hour."""
    since = moment.postgres - timedelta(hours=1)
    failures = Counter(
        document.type for document in documents(moment) if document.status == "failed" and document.changed >= since
    )
    shown = moment.panel("knowledge/state")
    assert max(failures.values(), default=0) > 3 or shown["Documents are processed"] == 1
    assert set(shown.values()) <= {0, 1, 2} and len(shown) == 5


def number_of_documents(moment: Moment) -> None:
    [shown] = moment.panel("knowledge/documents").values()
    assert shown == len(documents(moment)) > 100


def chunks(moment: Moment) -> None:
    counted = moment.number("SELECT count(*) FROM app.chunks")
    done = sum(document.status == "done" for document in documents(moment))
    assert moment.panel("knowledge/chunks") == pytest.approx({"chunks": counted, "per document": counted / done}, rel=1e-12)


def by_status(moment: Moment) -> None:
    counted = Counter(document.status for document in documents(moment))
    shown = moment.panel("knowledge/by_status")
    assert shown.pop("total") == counted.total()
    assert {status: count for status, count in shown.items() if count} == counted


def uploads(moment: Moment) -> None:
    counted = Counter((midnight(document.uploaded), document.status) for document in uploaded(moment))
    assert {(utc(day), status): count for day, status, count in rows_of(moment, "uploads")} == counted
    assert counted.total() > 20


def types(moment: Moment) -> None:
    named = ("pdf", "docx", "txt", "md")
    counted = Counter(document.type.upper() if document.type in named else "other" for document in documents(moment))
    assert dict(rows_of(moment, "types")) == counted and len(counted) == 5


def processing(moment: Moment) -> None:
    waiting = [document.uploaded for document in documents(moment) if document.status == "processing"]
    longest = (ends(moment, WEEK)[1] - min(waiting)).total_seconds() if waiting else None
    [shown] = rows_of(moment, "processing")
    assert shown == (len(waiting), pytest.approx(longest, abs=1e-3) if waiting else None)


def processing_time(moment: Moment) -> None:
    since, until = ends(moment, WEEK)
    ended = [document for document in documents(moment) if document.status == "done" and since <= document.changed <= until]
    shown = {utc(day): rest for day, *rest in rows_of(moment, "processing_time")}
    expected = grouped(ended, lambda document: midnight(document.changed))
    assert shown.keys() == expected.keys()
    for day, found in expected.items():
        times = [(document.changed - document.uploaded).total_seconds() for document in found]
        assert shown[day] == pytest.approx([percentile(0.5, times), percentile(0.9, times)], rel=1e-9), day


def by_type(moment: Moment) -> None:
    of_document = Counter(document for (document,) in moment.sql("SELECT document_id FROM app.chunks"))
    shown = {file_type: rest for file_type, *rest in rows_of(moment, "by_type")}
    expected = grouped(uploaded(moment), lambda document: document.type)
    assert shown.keys() == expected.keys()
    for file_type, found in expected.items():
        counted = Counter(document.status for document in found)
        over = counted["done"] + counted["failed"]
        cut = [of_document[document.id] for document in found if of_document[document.id]]
        assert shown[file_type] == [
            len(found), counted["done"], counted["processing"], counted["failed"],
            pytest.approx(counted["failed"] / over, rel=1e-12) if over else None,
            sum(document.size for document in found),
            pytest.approx(sum(cut) / len(cut), rel=1e-12) if cut else None,
        ], file_type  # fmt: skip


def uploaders(moment: Moment) -> None:
    known = keys(moment)
    expected = [
        (
            known[str(user)],
            len(found),
            sum(document.status == "failed" for document in found),
            sum(document.size for document in found),
            max(document.uploaded for document in found),
        )
        for user, found in grouped(uploaded(moment), lambda document: document.user).items()
    ]
    expected.sort(key=lambda row: (-row[1], row[0]))
    assert sorted(rows_of(moment, "uploaders")) == sorted(expected[:50])


def failed(moment: Moment) -> None:
    since, until = ends(moment, WEEK)
    known = keys(moment)
    expected = sorted(
        (document.changed, document.id, document.type, document.size, known[str(document.user)])
        for document in documents(moment)
        if document.status == "failed" and since <= document.changed <= until
    )
    assert [(*row[:5],) for row in rows_of(moment, "failed")] == expected[::-1][:100]


def searches(moment: Moment) -> list[tuple[datetime, int, float, bool]]:
    return [
        (at, results, score, clicked)
        for at, results, score, clicked in moment.sql(
            "SELECT at, result_count, top_score, clicked FROM app.kb_searches WHERE at BETWEEN :from AND :to", WEEK
        )
    ]


def found(moment: Moment) -> None:
    shown = {utc(day): rest for day, *rest in rows_of(moment, "found")}
    expected = grouped(searches(moment), lambda search: midnight(search[0]))
    assert shown.keys() == expected.keys() and len(shown) >= 7
    for day, asked in expected.items():
        answered = [search for search in asked if search[1] > 0]
        opened, score = sum(search[3] for search in asked), math.fsum(search[2] for search in answered)
        nothing = 1 - len(answered) / len(asked)
        values = [len(asked), nothing, ratio(opened, len(answered)), ratio(score, len(answered))]
        assert shown[day] == close(values), day


def results_spread(moment: Moment) -> None:
    counted: Counter[str] = Counter()
    for _, results, *_ in searches(moment):
        bounds = ((0, "0"), (1, "1"), (3, "2-3"), (5, "4-5"), (10, "6-10"))
        counted[next((name for most, name in bounds if results <= most), "over 10")] += 1
    assert dict(rows_of(moment, "results_spread")) == counted and len(counted) == 6


FIGURES = {
    "knowledge/state": state,
    "knowledge/documents": number_of_documents,
    **{
        f"knowledge/{check.__name__}": check
        for check in (
            chunks, by_status, uploads, types, processing, processing_time, by_type, uploaders, failed, found, results_spread,
        )
    },
}  # fmt: skip
FAULTS = (
    Fault("knowledge/documents", "platform_documents", "platform_tickets"),
    Fault("knowledge/by_type", "d.status = 'done'", "d.status = 'failed'"),
    Fault("knowledge/found", "s.result_count = 0", "s.result_count = 1"),
    Fault("knowledge/processing_time", "- d.created_at", "- d.updated_at"),
    Fault("knowledge/types", "lower(d.file_type)", "upper(d.file_type)"),
)

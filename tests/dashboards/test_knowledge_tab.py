"""Knowledge base: what the tab holds, that its limits are the alerts', and how searches and documents are told apart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from contract.analytics import shown_columns, shown_name
from contract.relations import RELATIONS, SQL_TYPES, Shown
from contract.settings import Settings, Thresholds
from dashboards.knowledge import TAB
from dashboards.lib.queries import PromQuery, SqlQuery
from provisioning.interpolation import Span, sql_macros, substitute
from recording_rules import registry

NOW = datetime(2026, 11, 18, 15, tzinfo=UTC)
CONTENTS = {
    "headline": ["state", "empty_now", "search_now", "upload_success_now", "searches_now", "documents", "chunks"],
    "traffic": ["search_rate", "uploads"],
    "errors": ["empty_share", "results", "upload_success"],
    "latency": ["search_duration", "vector_store", "retrieval", "processing_time"],
    "documents": ["by_status", "types", "processing"],
    "found": ["found", "results_spread"],
    "types": ["by_type", "uploaders"],
    "failed": ["failed"],
}


@pytest.fixture
def connection(database: str) -> psycopg.Connection[tuple[object, ...]]:
    """Tables called as the views that panels read."""
    connection = psycopg.connect(database, autocommit=True)
    connection.execute("CREATE SCHEMA analytics")
    for name in ("documents", "chunks", "kb_searches"):
        columns = ", ".join(
            f"{shown_name(column)} {'text' if column.shown is Shown.USER else SQL_TYPES.get(column.type, column.type)}"
            for column in shown_columns(RELATIONS[name])
        )
        connection.execute(f"CREATE TABLE analytics.{name} ({columns})".encode())
    return connection


def ask(connection: psycopg.Connection[tuple[object, ...]], name: str) -> list[tuple[object, ...]]:
    """What a panel asks of the two days before now."""
    panel = next(panel for panel in TAB.panels(Settings()) if panel.name == name)
    [query] = panel.targets
    assert isinstance(query, SqlQuery)
    span = Span(NOW.timestamp() - 2 * 86400, NOW.timestamp(), 60)
    return connection.execute(sql_macros(substitute(query.sql, lambda *_: None), span).encode()).fetchall()


def test_the_table_of_contents() -> None:
    assert {row.name: [panel.name for panel in row.panels] for row in TAB.rows(Settings())} == CONTENTS


def test_limits_are_those_of_the_alerts() -> None:
    thresholds = Thresholds(empty_search_ratio=0.4, search_seconds=2.5, upload_failure_ratio=0.1, vector_seconds=0.25)
    limits = {
        panel.name: panel.limits.steps[0][0] for panel in TAB.panels(Settings(thresholds=thresholds)) if panel.limits.steps
    }
    assert limits["empty_now"] == limits["empty_share"] == 0.4
    assert limits["search_now"] == limits["search_duration"] == 2.5
    assert limits["upload_success_now"] == limits["upload_success"] == 0.9
    assert limits["vector_store"] == 0.25


def test_a_day_of_uploads_is_read_from_recorded_series() -> None:
    for name in ("upload_success_now", "upload_success"):
        [query] = next(panel for panel in TAB.panels(Settings()) if panel.name == name).targets
        assert isinstance(query, PromQuery)
        assert "status:uploads:rate1d" in registry.recorded_series() and "status:uploads:rate1d" in query.expr
        assert "kb_document_uploads_total" not in query.expr


def test_a_search_is_opened_only_when_it_found_something(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    for number, (results, score, clicked) in enumerate([(0, None, None), (3, 0.9, True), (12, 0.5, False)]):
        connection.execute(
            "INSERT INTO analytics.kb_searches VALUES (%s, 'somebody', %s, 20, %s, %s, %s)",
            (number, NOW - timedelta(minutes=number), results, score, clicked),
        )
    [(_, searches, nothing, opened, score)] = ask(connection, "found")
    assert (searches, nothing, opened, score) == pytest.approx((3, 1 / 3, 1 / 2, 0.7))
    counted = {"0": 1, "1": 0, "2-3": 1, "4-5": 0, "6-10": 0, "over 10": 1}
    assert dict(ask(connection, "results_spread")) == counted


def test_documents_that_still_wait_are_neither_done_nor_failed(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    for number, (file_type, status) in enumerate([("pdf", "done"), ("pdf", "failed"), ("pdf", "processing"), ("odt", "done")]):
        connection.execute(
            "INSERT INTO analytics.documents VALUES (%s, 'somebody', NULL, %s, %s, 1000, %s, %s, NULL)",
            (number, file_type, status, NOW - timedelta(hours=2), NOW - timedelta(hours=1)),
        )
    connection.execute("INSERT INTO analytics.chunks VALUES (1, 0, %s, 10), (2, 0, %s, 10)", (NOW, NOW))
    assert dict(ask(connection, "types")) == {"PDF": 3, "other": 1}
    assert ask(connection, "by_type") == [("pdf", 3, 1, 1, 1, 0.5, 3000, 2), ("odt", 1, 1, 0, 0, 0, 1000, None)]
    assert ask(connection, "processing") == [(1, 7200)]

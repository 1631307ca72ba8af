"""Triggers that somebody switched off, and a right that was taken away, as the exporter's own process says it."""

from __future__ import annotations

from datetime import UTC, datetime

import psycopg
import pytest

from exporters.rollups.capture import window
from tests.business.figures import of
from tests.business.installed import Exporter
from tests.business.life import Life

NOW = datetime.now(UTC).replace(microsecond=0)


def test_a_source_whose_changes_were_not_seen_asks_for_a_rebuild(installed_database: str) -> None:
    Life(installed_database, NOW).write()
    exporter = Exporter.of(installed_database)
    at = NOW.timestamp()
    try:
        assert exporter.collect(at) == {}
        assert set(of(exporter.served(at), "platform_rollup_rebuild_needed").values()) == {0.0}
        with psycopg.connect(installed_database, autocommit=True) as connection:
            connection.execute("ALTER TABLE app.tickets DISABLE TRIGGER ALL")
            connection.execute("DELETE FROM app.tickets")
            connection.execute("ALTER TABLE app.tickets ENABLE TRIGGER ALL")
        assert exporter.collect(at + 61) == {}
        needed = of(exporter.served(at + 61), "platform_rollup_rebuild_needed")
    finally:
        exporter.close()
    assert {source for (source,), value in needed.items() if value} == {"tickets"}


def test_a_source_whose_writers_are_hidden_hides_no_other(installed_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def hidden(*_: object) -> str:
        raise window.HiddenTransactions("the role that advances has to be a member of pg_read_all_stats")

    monkeypatch.setattr(window, "horizon", hidden)
    Life(installed_database, NOW).write()
    with psycopg.connect(installed_database, autocommit=True) as connection:
        connection.execute(
            "UPDATE analytics.sources SET mode = 'window', watermark = to_jsonb('-infinity'::text) WHERE source = 'handoffs'"
        )
    exporter = Exporter.of(installed_database)
    try:
        assert exporter.collect(NOW.timestamp()) == {}
        found = of(exporter.served(NOW.timestamp()), "exporter_query_success")
    finally:
        exporter.close()
    assert {query for (source, query), well in found.items() if source == "rollups" and not well} == {"advance_handoffs"}

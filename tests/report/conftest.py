"""A small board of its own, drawn once against a real Prometheus and a real PostgreSQL."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from contract.settings import Settings
from dashboards.lib.tables import shortened
from provisioning.interpolation import Span
from provisioning.report import changes
from provisioning.report.drawn import Board, Drawn
from provisioning.report.model import Report, Section
from tests.provisioning.conftest import Scraped, free_port, scraped

__all__ = ["scraped"]

PROMETHEUS = {"type": "prometheus", "uid": "prometheus"}
POSTGRES = {"type": "grafana-postgresql-datasource", "uid": "postgres"}
AMOUNTS = "SELECT made AS time, what, amount FROM amounts WHERE $__timeFilter(made) ORDER BY made, what"
DRAWN_AS_BARS = "SELECT made AS time, amount, -amount AS owed FROM amounts WHERE $__timeFilter(made) ORDER BY 1"
DATA = """
CREATE TABLE amounts (made timestamptz NOT NULL, what text NOT NULL, amount double precision);
INSERT INTO amounts VALUES
    (to_timestamp({end} - 60), '=1+1', 12.5), (to_timestamp({end} - 50), '<script>alert(1)</script>', -3),
    (to_timestamp({end} - 40), 'żółw & "co"', NULL), (to_timestamp({end} - 660), 'before', 5);
"""


def _panel(number: int, kind: str, title: str, source: dict[str, str], target: dict[str, Any], **more: Any) -> dict[str, Any]:
    place = {"x": 0, "y": 8 * number, "w": 12, "h": 8}
    asked = {"refId": "A", "datasource": source, **target}
    return {"id": number, "type": kind, "title": title, "gridPos": place, "datasource": source, "targets": [asked], **more}


def _sql(text: str) -> dict[str, Any]:
    return {"rawSql": text, "rawQuery": True, "format": "table", "editorMode": "code"}


BOARD = {
    "uid": "observatory-small",
    "title": "Small <board>",
    "schemaVersion": 42,
    "templating": {"list": []},
    "panels": [
        _panel(1, "stat", "Sum", POSTGRES, _sql("SELECT sum(amount) AS total FROM amounts WHERE $__timeFilter(made)"),
               fieldConfig={"defaults": {"unit": "s", "decimals": 2}, "overrides": []}),
        _panel(2, "table", "All", POSTGRES, _sql(AMOUNTS),
               fieldConfig={"defaults": {}, "overrides": [{"matcher": {"id": "byName", "options": "amount"},
                                                           "properties": [{"id": "unit", "value": "currencyUSD"}]},
                                                          shortened("what").to_json_data()]}),
        _panel(3, "timeseries", "In progress", PROMETHEUS, {"expr": "agent_queries_in_progress", "legendFormat": "{{agent}}"},
               options={"legend": {"calcs": ["mean", "max"]}}),
        _panel(4, "table", "Broken", POSTGRES, _sql("SELECT nothing FROM amounts")),
        _panel(5, "table", "Empty", POSTGRES, _sql("SELECT what FROM amounts WHERE false")),
        _panel(6, "table", "Course", PROMETHEUS, {"expr": "agent_queries_in_progress"},
               transformations=[{"id": "timeSeriesTable", "options": {}}],
               fieldConfig={"defaults": {}, "overrides": [{"matcher": {"id": "byName", "options": "Trend"},
                                                           "properties": [{"id": "unit", "value": "s"}]}]}),
        _panel(7, "timeseries", "Bars", POSTGRES, _sql(DRAWN_AS_BARS),
               fieldConfig={"defaults": {"custom": {"drawStyle": "bars"}}, "overrides": []}),
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def span(scraped: Scraped) -> Span:
    end = int(time.time())
    return Span(end - 600, end, 15)


@pytest.fixture(scope="module")
def settings(scraped: Scraped, module_database: str, span: Span) -> Iterator[Settings]:
    with psycopg.connect(module_database) as connection:
        connection.execute(DATA.format(end=int(span.end)).encode())
    closed = f"http://127.0.0.1:{free_port()}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OBSERVATORY_POSTGRES_DSN", module_database)
        yield Settings.model_validate(
            {"sources": {"prometheus": {"url": scraped.url, "scrape_interval": "1s"}, "alertmanager": {"url": closed}}}
        )


@pytest.fixture(scope="module")
def before(span: Span) -> Span:
    return Span(2 * span.start - span.end, span.start, span.step)


@pytest.fixture(scope="module")
def both(settings: Settings, span: Span, before: Span, tmp_path_factory: pytest.TempPathFactory) -> tuple[Drawn, Drawn]:
    """The board over the range, with pictures, and over the one before."""
    board = Board(settings, "small", tmp_path_factory.mktemp("board"))
    board.file.write_text(json.dumps(BOARD))
    return board.draw(span, [], None, pictures=True), board.draw(before, [], None, pictures=False)


@pytest.fixture(scope="module")
def report(both: tuple[Drawn, Drawn], span: Span, before: Span) -> Report:
    now, then = both
    changed = Section("changes", "What changed", (changes.compared(now.sections, then.sections),))
    return Report("small", now.title, span, before, {"agent": "All"}, ("<remark>",), (changed, *now.sections))

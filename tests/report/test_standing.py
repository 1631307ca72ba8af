"""Alerts, service levels and ages, as Prometheus tells them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from contract.settings import Settings
from provisioning.interpolation import Span
from provisioning.report import standing
from tests.provisioning.conftest import free_port

SPAN = Span(1_800_000_000 - 3600, 1_800_000_000, 15)
LEVEL = {"environment": "production", "scope": "all", "slo": "in-time", "team": "agents"}


def _alert(name: str, times: list[float], **labels: str) -> dict[str, Any]:
    return {"metric": {"alertname": name, "severity": "critical", **labels}, "values": [[at, "1"] for at in times]}


class _Prometheus(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query).get("query", [""])[0]
        self.send_response(200)
        self.end_headers()
        kind = "matrix" if "query_range" in self.path else "vector"
        self.wfile.write(json.dumps({"status": "success", "data": {"resultType": kind, "result": _answer(query)}}).encode())

    def log_message(self, format: str, *args: Any) -> None:
        pass


def _answer(query: str) -> list[dict[str, Any]]:
    at = SPAN.end
    if query.startswith("ALERTS"):
        over = [at - 600 + 15 * number for number in range(4)]
        return [_alert("Still", [at - 15, at], agent="clerk"), _alert("Over", over)]
    if query.startswith("1 - "):
        return [{"metric": LEVEL, "value": [at, "0.992"]}]
    if "remaining" in query:
        return [{"metric": LEVEL, "value": [at, "-0.6"]}]
    if "objective" in query:
        return [{"metric": {"slo": "in-time", "team": "agents"}, "value": [at, "0.995"]}]
    if "data_timestamp" in query:
        return [{"metric": {"source": "rollups"}, "value": [at, str(at - 90)]}]
    return []


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Prometheus)
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    monkeypatch.setenv("OBSERVATORY_POSTGRES_DSN", f"postgresql://nobody@127.0.0.1:{free_port()}/none")
    url, closed = f"http://127.0.0.1:{server.server_port}", f"http://127.0.0.1:{free_port()}"
    yield Settings.model_validate({"sources": {"prometheus": {"url": url}, "alertmanager": {"url": closed}}})
    server.shutdown()
    server.server_close()


def test_alerts_of_the_range(settings: Settings) -> None:
    alerts, levels, sources, ages = standing.sections(settings, SPAN)
    assert alerts.tables[0].texts == (
        ("Over", "critical", "", "2027-01-15T07:50:00Z", "2027-01-15T07:50:45Z", "60", "over"),
        ("Still", "critical", "agent=clerk", "2027-01-15T07:59:45Z", "2027-01-15T08:00:00Z", "30", "firing"),
    )
    assert levels.tables[0].texts == (("in-time", "all", "production", "agents", "99.5 %", "99.2 %", "-60 %", "missed"),)
    assert [row[1] for row in sources.tables[0].texts] == ["yes", "no", "no"]
    assert ages.tables[0].rows == (("rollups", "2027-01-15T07:58:30Z", 90.0),)


def test_a_source_that_does_not_answer_is_said(settings: Settings) -> None:
    lost = Settings.model_validate({"sources": {"prometheus": {"url": f"http://127.0.0.1:{free_port()}"}}})
    alerts, levels, _, ages = standing.sections(lost, SPAN)
    assert all("cannot be reached" in section.note and not section.tables for section in (alerts, levels, ages))

"""`make success`: what it says of figures that are met, missed, and not measured."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from click.testing import CliRunner

from benchmarks import live, success, viewers
from benchmarks.measure import Bar, Measure
from benchmarks.program import ProgramError
from benchmarks.run import Run
from benchmarks.success import PARTS, Part
from provisioning.findings import InputError

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def grafana(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[dict[str, Any]]]:
    """The users of a server that answers as Grafana does."""
    users: list[dict[str, Any]] = []

    class Users(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.path == "/api/org/users" and self.headers["Authorization"] == "Bearer admin"
            body = json.dumps(users if known else {"message": "Permission denied"}).encode()
            self.send_response(200 if known else 403)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Users)
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OBSERVATORY_GRAFANA_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("OBSERVATORY_GRAFANA_TOKEN", "admin")
    yield users
    server.shutdown()
    server.server_close()


def _seen(hours: float, disabled: bool = False) -> dict[str, Any]:
    at = (NOW - timedelta(hours=hours)).isoformat().replace("+00:00", "Z")
    return {"login": "someone", "lastSeenAt": at, "isDisabled": disabled}


def test_viewers_are_those_who_were_there_within_a_day(grafana: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    grafana += [_seen(1), _seen(24), _seen(24.1), _seen(1, disabled=True), _seen(100_000)]
    found = viewers.of_grafana(NOW)
    assert (found.users, found.active, found.share) == (4, 2, 50.0)
    grafana.clear()
    with pytest.raises(InputError, match="Grafana has no users"):
        viewers.of_grafana(NOW)
    monkeypatch.setenv("OBSERVATORY_GRAFANA_TOKEN", "editor")
    with pytest.raises(InputError, match="the token needs the role Admin"):
        viewers.of_grafana(NOW)
    monkeypatch.delenv("OBSERVATORY_GRAFANA_TOKEN")
    with pytest.raises(InputError, match="no token for Grafana"):
        viewers.of_grafana(NOW)


def test_what_to_do_to_measure_viewers_is_said_and_tabs_are_counted(
    grafana: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    Path("observatory.yaml").write_text("api: {viewers_log: grafana.log}\n")
    at = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    page = "http://127.0.0.1:3000/d/observatory-cost/cost"
    line = f'logger=context userId=7 orgId=1 uname=ada t={at} level=info msg="Request Completed" path=/ referer={page}\n'
    Path("grafana.log").write_text(2 * line)
    grafana.append({**_seen(0), "lastSeenAt": at})
    with Run(tmp_path / "run") as run:
        measures = {measure.what: measure.ours for measure in success.engagement(run)}
        assert measures["of 1 users of Grafana were there within a day"] == 100
        seen = {what: count for what, count in measures.items() if "tab" in what}
        assert seen.pop("looked at the tab cost within a day") == 1 and len(seen) > 10 and not any(seen.values())
        for broken, said in (("", "no token for Grafana"), ("admin", "No such file")):
            monkeypatch.setenv("OBSERVATORY_GRAFANA_TOKEN", broken)
            Path("grafana.log").unlink(missing_ok=True)
            with pytest.raises(ProgramError, match=f"{said}.*OBSERVATORY_GRAFANA_URL.*api.viewers_log"):
                list(success.engagement(run))


@pytest.mark.parametrize(("limit", "code"), [(5.0, 0), (3.0, 1)])
def test_what_is_missed_ends_with_1_and_what_is_not_measured_is_said(
    limit: float, code: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def measured(_: Run) -> Iterator[Measure]:
        yield Measure("four", 4.0, "ms", Bar(limit))

    def impossible(_: Run) -> Iterator[Measure]:
        raise ProgramError("nobody is there to be asked")
        yield

    monkeypatch.setattr(success, "FOLDER", tmp_path)
    monkeypatch.setitem(PARTS, "tabs", Part("Loading", measured))
    monkeypatch.setitem(PARTS, "viewers", Part("Viewers", impossible))
    done = CliRunner().invoke(success.main, ["--only", "tabs", "--only", "viewers"])
    assert done.exit_code == code, done.output
    assert "four" in done.output and "not measured  Viewers: nobody is there to be asked" in done.output
    assert json.loads((tmp_path / "success.json").read_text())["measures"][0]["met"] is (code == 0)


def test_two_do_not_measure_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(success, "FOLDER", tmp_path)
    with Run(tmp_path):
        done = CliRunner().invoke(success.main, ["--only", "viewers"])
    assert done.exit_code == 3 and done.output.startswith("error: "), done.output


def test_a_counter_is_read_off_a_page() -> None:
    page = b'platform_executions_total{agent="alive",status="success"} 3.0\nplatform_executions_total{agent="b"} 9\n# alive 4\n'
    assert live._counted(page) == 3

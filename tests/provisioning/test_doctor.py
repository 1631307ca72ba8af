"""The doctor against a real Prometheus and a real PostgreSQL: data, and every reason for none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
import requests
from click.testing import CliRunner

from contract.settings import Settings
from provisioning import cli, deadline, doctor
from provisioning.doctor import subjects
from provisioning.doctor.answers import Answer, Item, Report, SourceHealth
from provisioning.doctor.postgres import Postgres, SqlError
from provisioning.doctor.prometheus import Prometheus
from provisioning.findings import InputError, Unreachable
from provisioning.interpolation import Span
from provisioning.rules.history import History
from tests.provisioning.conftest import asked, free_port


@pytest.mark.parametrize("instant", [True, False])
def test_data(sources: Settings, instant: bool) -> None:
    answer = asked(sources, "sum by (agent) (rate(agent_queries_total[$__rate_interval]))", instant=instant)
    assert (answer.state, answer.rows, answer.why) == ("data", 1, "")


@pytest.mark.parametrize(
    ("sql", "state", "why"),
    [
        ("SELECT count(*) FROM app.users WHERE $__timeFilter(created_at)", "data", ""),
        ("SELECT 1 FROM app.users WHERE created_at < '2000-01-01'", "empty", "no rows in the range and under the filters"),
        ("SELECT 1 FROM app.tickets", "empty", "app.tickets has no rows"),
        ("SELECT 1 FROM app.feedback", "error", 'missing: relation "app.feedback" does not exist'),
        ("SELECT age FROM app.users", "error", 'column "age" does not exist'),
        ("DELETE FROM app.users RETURNING id", "error", "changes data"),
        ("SELECT $__nothing(created_at) FROM app.users", "error", "no macro $__nothing"),
        ("SELECT 100 % 7 FROM app.users", "data", ""),
    ],
)
def test_what_postgresql_says(sources: Settings, sql: str, state: str, why: str) -> None:
    answer = asked(sources, sql, "sql")
    assert answer.state == state and why in answer.why


def test_a_query_that_takes_too_long_is_ended(database: str) -> None:
    """Panels, variables, and whether there are rows at all: while a table is rebuilt, nobody may read it."""
    one = Postgres(database, "here", statement_seconds=0.1)
    with psycopg.connect(database) as connection:
        connection.execute("CREATE TABLE rebuilt ()")
        asked = (
            lambda: one.rows("SELECT pg_sleep(3600)"),
            lambda: one.first_column("SELECT * FROM rebuilt"),
            lambda: one.has_rows("public", "rebuilt"),
        )
        connection.commit()
        connection.execute("LOCK TABLE rebuilt IN ACCESS EXCLUSIVE MODE")
        for ask in asked:
            with pytest.raises(SqlError, match=r"took longer than 0\.1 s"):
                ask()


def test_a_kept_connection_outlives_refusals_and_is_replaced_when_it_is_lost(database: str) -> None:
    with Postgres(database, "here").keeping() as kept, psycopg.connect(database) as another:
        [first] = kept.first_column("SELECT pg_backend_pid()")
        with pytest.raises(SqlError, match="missing"):
            kept.rows("SELECT FROM nowhere")
        with pytest.raises(SqlError, match="changes data"):
            kept.rows("CREATE TABLE app.mine ()")
        assert kept.first_column("SELECT pg_backend_pid()") == [first]
        assert another.execute("SELECT pg_terminate_backend(%s, 5000)", (int(first),)).fetchone() == (True,)
        [second] = kept.first_column("SELECT pg_backend_pid()")
        assert second != first, "what was lost while nobody asked is nobody's answer"
        with pytest.raises(Unreachable, match="terminating connection"):
            kept.rows("SELECT pg_terminate_backend(pg_backend_pid(), 5000)")
        assert kept.first_column("SELECT pg_backend_pid()") != [second]


def test_prometheus_refuses_a_query(sources: Settings) -> None:
    answer = asked(sources, "sum(")
    assert answer.state == "error" and "parse error" in answer.why


def test_the_whole_examination(sources: Settings) -> None:
    report = doctor.run(sources)
    assert [(source.name, source.reachable) for source in report.sources] == [
        ("Prometheus", True), ("PostgreSQL", True), ("Alertmanager", False), ("Langfuse", None),
    ]  # fmt: skip
    items = {item.key: item for item in report.items}
    assert items["overview/$environment"].state == "data"
    assert items["overview/users"].ill and items["overview/users"].why == "source down: no target of job exporter answers"
    assert items["overview/firing_alerts"].state == "empty" and not items["overview/firing_alerts"].ill
    assert items["overview/conversation_outcomes"].ill and "missing: relation" in items["overview/conversation_outcomes"].why
    assert items["CostBudgetExceeded"].ill, "an alert whose source is down can never fire"
    assert not items["agent_status:queries:rate5m"].ill
    quiet = items["AgentErrorsPage"]
    assert quiet.state == "empty" and not quiet.ill, "no failure was ever counted: nothing is missing, all is well"
    assert report.ill and report.unreachable
    answer = json.loads(report.as_json("f"))
    assert answer["items"][0]["kind"] == "variable"
    kinds = {trouble["check"].removeprefix("doctor/") for trouble in answer["troubles"]}
    assert report.troubled and {"connections", "tables", "endpoints", "environment"} <= kinds, "what is in the way is said too"
    assert "UNREACHABLE" in report.as_text() and "fine, empty" in report.as_text()


def test_one_tab_has_no_rules(sources: Settings) -> None:
    kinds = {item.kind for item in doctor.run(sources, "overview").items}
    assert kinds == {"panel", "variable", "annotation"}
    with pytest.raises(InputError, match="did you mean overview"):
        doctor.run(sources, "overvew")


def test_a_wrong_password_and_a_closed_port_are_told_apart(guarded: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings.model_validate({"sources": {"prometheus": {"url": f"http://127.0.0.1:{free_port()}"}}})
    monkeypatch.setenv("OBSERVATORY_POSTGRES_DSN", f"{guarded} password=right")
    health = {source.name: source for source in doctor.run(settings, "overview").sources}
    assert health["PostgreSQL"].reachable is True and "cannot be reached" in health["Prometheus"].message

    monkeypatch.setenv("OBSERVATORY_POSTGRES_DSN", f"{guarded} password=topsecret")
    health = {source.name: source for source in doctor.run(settings, "overview").sources}
    assert "password authentication failed" in health["PostgreSQL"].message and "topsecret" not in str(health)

    monkeypatch.setenv("OBSERVATORY_POSTGRES_DSN", f"host=127.0.0.1 port={free_port()} dbname=postgres user=x")
    report = doctor.run(settings, "overview")
    assert "Connection refused" in str(report.sources) and not report.ill and report.unreachable
    assert {item.state for item in report.items} == {"unasked"}


def test_both_ways_to_the_database_are_tried(guarded: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "password").write_text("right")
    closed = f"http://127.0.0.1:{free_port()}"
    settings = Settings.model_validate(
        {
            "sources": {
                "prometheus": {"url": closed},
                "alertmanager": {"url": closed},
                "postgres": {"host": f"127.0.0.1:{free_port()}", "password_file": str(tmp_path / "password")},
            }
        }
    )

    def found() -> dict[str, bool | None]:
        report = doctor.run(settings, "overview")
        return {source.name: source.reachable for source in report.sources if source.name.startswith("PostgreSQL")}

    monkeypatch.setenv("OBSERVATORY_POSTGRES_DSN", f"{guarded} password=right")
    assert found() == {"PostgreSQL (Grafana)": False, "PostgreSQL (exporter)": True}
    monkeypatch.setenv("OBSERVATORY_POSTGRES_DSN", f"{guarded} password=wrong")
    assert found() == {"PostgreSQL (Grafana)": False, "PostgreSQL (exporter)": False}
    monkeypatch.delenv("OBSERVATORY_POSTGRES_DSN")
    assert found() == {"PostgreSQL": False}


@pytest.fixture
def trickle() -> Iterator[tuple[str, list[str]]]:
    """Address of a server that sends a byte of its answer now and then, and never all; and what it was asked."""
    stop, paths = Event(), list[str]()

    class Trickling(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", "100000")
            self.end_headers()
            while not stop.wait(0.05):
                try:
                    self.wfile.write(b" ")
                except OSError:
                    return

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Trickling)
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", paths
    stop.set()
    server.shutdown()
    server.server_close()


def test_a_server_that_trickles_is_left(trickle: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadline, "SECONDS", 0.5)
    url, paths = trickle
    prometheus = Prometheus(url)
    for _ in range(20):
        with pytest.raises(Unreachable, match="in time"):
            prometheus.ready()
    assert len(paths) == 1, "every further question would have waited as long"
    settings = Settings.model_validate({"sources": {"alertmanager": {"url": url}}})
    assert "in time" in doctor.asker.sources.alertmanager_health(settings).message


@pytest.mark.parametrize(
    "body",
    [
        '{"status": "success"}',
        '{"status": "success", "data": null}',
        '{"status": "success", "data": [7]}',
        '{"status": "success", "data": "fine"}',
    ],
)
def test_another_program_is_not_taken_for_prometheus(monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    """Many say so that all is well, and have data of their own."""
    answer = requests.Response()
    answer.status_code, answer._content = 200, body.encode()
    monkeypatch.setattr(requests.Session, "request", lambda *_, **__: answer)
    one, span = Prometheus("http://127.0.0.1:9"), Span(0, 60, 15)
    for ask in (one.ready, lambda: one.instant("up", 60), lambda: one.range("up", span), lambda: one.loaded_rules):
        with pytest.raises(Unreachable, match="not Prometheus"):
            ask()
    with pytest.raises(Unreachable, match="not Prometheus"):
        History("http://127.0.0.1:9").ready()


def test_what_was_not_asked_is_no_success() -> None:
    items = (Item("panel", "a/b", (Answer("p", "unasked", "gone"),)),)
    assert Report((SourceHealth("Prometheus", "http://x", True, "version 3"),), items).unreachable


class _Langfuse(BaseHTTPRequestHandler):
    status = 200
    version = "4.16.0"

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        keyed = bool(self.headers.get("Authorization"))
        known = {
            "/api/public/health": {"status": "OK", "version": type(self).version},
            "/api/public/projects": {"data": [{"id": "1", "name": "support"}]},
        }
        status = type(self).status if keyed else 200
        body = json.dumps(known[path]).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def langfuse(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[_Langfuse]]:
    server = HTTPServer(("127.0.0.1", 0), _Langfuse)
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    monkeypatch.setenv("LANGFUSE_BASE_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("LANGFUSE_PUBLIC_KEY", "pk")
    monkeypatch.setenv("LANGFUSE_SECRET_KEY", "sk")
    yield _Langfuse
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("status", "reachable", "message"),
    [
        (200, True, "version 4.16.0, project support"),
        (401, False, "refuses the keys (401)"),
        (500, False, "answers 500, but not as expected"),
    ],
)
def test_langfuse(
    langfuse: type[_Langfuse], monkeypatch: pytest.MonkeyPatch, status: int, reachable: bool, message: str
) -> None:
    monkeypatch.setattr(langfuse, "status", status)
    health = doctor.asker.sources.langfuse_health(Settings())
    assert health.reachable is reachable and message in health.message


def test_a_version_that_is_no_text_can_be_printed(langfuse: type[_Langfuse], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(langfuse, "version", "4\ud800")
    report = Report((doctor.asker.sources.langfuse_health(Settings()),), ())
    monkeypatch.setattr(doctor, "run", lambda settings, tab, log_folder: report)
    for form in ("text", "json"):
        done = CliRunner().invoke(cli.main, ["doctor", "--format", form])
        assert done.exit_code == 0 and "version 4?" in done.output


def test_one_key_of_langfuse_alone_is_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGFUSE_PUBLIC_KEY", "pk")
    health = doctor.asker.sources.langfuse_health(Settings())
    assert health.reachable is False and "LANGFUSE_SECRET_KEY" in health.message


def test_a_login_in_langfuses_address_is_not_shown(langfuse: type[_Langfuse], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGFUSE_BASE_URL", "http://root:hidden@127.0.0.1:1")
    health = doctor.asker.sources.langfuse_health(Settings())
    assert health.reachable is False and "LANGFUSE_BASE_URL" in health.message and "hidden" not in str(health)


def test_a_secret_that_everybody_may_read(tmp_path: Path) -> None:
    from provisioning.secrets import too_open

    secret = tmp_path / "dsn"
    secret.write_text("postgresql://x")
    tmp_path.chmod(0o755)
    secret.chmod(0o644)
    settings = Settings.model_validate({"sources": {"postgres": {"dsn_file": str(secret)}}})
    assert [finding.place for finding in too_open(settings)] == ["sources.postgres.dsn_file"]
    secret.chmod(0o600)
    assert too_open(settings) == []


@pytest.mark.parametrize(
    ("states", "fine", "state", "ill"),
    [
        (("data", "empty"), False, "data", False),
        (("empty",), False, "empty", True),
        (("empty",), True, "empty", False),
        (("data", "error"), True, "error", True),
        (("unasked", "data"), False, "unasked", False),
    ],
)
def test_what_a_panel_of_several_queries_is(states: tuple[Any, ...], fine: bool, state: str, ill: bool) -> None:
    item = Item("panel", "tab/panel", tuple(Answer("place", each, each) for each in states), fine)
    assert (item.state, item.ill) == (state, ill)


def test_a_report_counts() -> None:
    source = SourceHealth("Prometheus", "http://x", False, "gone")
    items = (Item("panel", "a/b", (Answer("p", "unasked", "gone"),)), Item("panel", "a/c", (Answer("p", "empty", "why"),)))
    text = Report((source,), items).as_text()
    assert "EMPTY        panel      a/c" in text and "a/b" not in text
    assert text.endswith("2 looked at: 1 without the data they should have, 1 not asked")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("now", 0),
        ("now-6h", 6 * 3600),
        ("now-90d", 90 * 86400),
        ("now/d", 47 * 60 + 13 * 3600 + 20),
        ("now-1d/d", 86400 + 47 * 60 + 13 * 3600 + 20),
    ],
)
def test_moments(text: str, seconds: int) -> None:
    now = 1_763_646_440.0  # 2025-11-20 13:47:20 UTC
    assert now - subjects._moment(text, now) == seconds

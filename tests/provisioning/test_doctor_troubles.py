"""What stands in the way: each trouble is made, and the doctor says what causes it and what mends it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from contract.settings import Settings
from dashboards.catalogue import TABS
from provisioning import installed
from provisioning.doctor.answers import SourceHealth
from provisioning.doctor.asker import Asker
from provisioning.doctor.postgres import Postgres
from provisioning.doctor.prometheus import Prometheus
from provisioning.doctor.sources import postgres_health, prometheus_health
from provisioning.doctor.troubles import connections, dashboards, endpoints, environment, logs, tables
from provisioning.findings import Finding
from tests.provisioning.conftest import TABLES, free_port

ROOT = Path(__file__).resolve().parents[2]
Page = tuple[int, str]


def said(findings: Iterable[Finding]) -> str:
    found = list(findings)
    assert all(finding.remedy or finding.check != "doctor/connections" for finding in found)
    return "\n".join(str(finding) for finding in found)


@pytest.fixture
def server() -> Iterator[tuple[str, dict[str, Page]]]:
    """Address of a server, and its pages by path: status and text. Others are 404."""
    pages: dict[str, Page] = {}

    class Pages(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, text = pages.get(self.path.partition("?")[0], pages.get("*", (404, "{}")))
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        do_POST = do_GET

        def log_message(self, format: str, *args: Any) -> None:
            pass

    here = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    Thread(target=here.serve_forever, args=(0.05,), daemon=True).start()
    yield f"127.0.0.1:{here.server_port}", pages
    here.shutdown()
    here.server_close()


def test_packages_that_are_not_there_or_not_those(tmp_path: Path) -> None:
    assert list(installed.hidden()) == []
    lock = tmp_path / "runtime.lock"
    lock.write_text("no-such-package-of-ours==1.0 \\\n    --hash=sha256:00\nclick==0.1\n    # via x\n")
    text = said(installed.troubles(lock))
    assert "error: " in text and "no-such-package-of-ours is not installed" in text and "`make venv`" in text
    assert "warning: " in text and "0.1 is what was tested" in text


def _python(program: str, *path: Path) -> subprocess.CompletedProcess[str]:
    environment_ = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (*path, ROOT)))}
    return subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, env=environment_)


@pytest.mark.parametrize("room", ["alert_rules", "contract"])
def test_a_folder_that_hides_ours(tmp_path: Path, room: str) -> None:
    """Also where it is imported before there is a command."""
    (tmp_path / room).mkdir()
    (tmp_path / room / "__init__.py").touch()
    done = _python("import sys; sys.argv[1:] = ['build']; from provisioning.__main__ import main; main()", tmp_path)
    assert done.returncode == 2 and "take that folder out of PYTHONPATH" in done.stderr
    assert done.stderr.startswith(f"error: {tmp_path}/{room}: Python imports `{room}` from there, not from {ROOT}")


def test_a_command_whose_package_is_missing_says_so() -> None:
    start = "import sys; sys.modules['promql_parser'] = None; from provisioning.cli import main; main(['doctor'])"
    done = _python(start)
    assert done.returncode == 2 and "the Python package promql_parser is not installed" in done.stderr
    assert "Traceback" not in done.stderr and "run `make venv`" in done.stderr


def test_secrets_that_are_not_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in environment.KNOWN:
        monkeypatch.delenv(name, raising=False)
    text = said(environment.troubles(Settings()))
    assert "error: OBSERVATORY_POSTGRES_DSN: no connection string of PostgreSQL: set OBSERVATORY_POSTGRES_DSN" in text
    assert "OBSERVATORY_POSTGRES_ADVANCE_DSN or sources.postgres.advance_dsn_file: is not set" in text
    assert "OBSERVATORY_USER_KEY or database.user_key_file: is not set" in text and "no keys: cost and model calls" in text

    monkeypatch.setenv("OBSERVATORY_POSTGRES_DNS", "canary")
    monkeypatch.setenv("OBSERVATORY_POSTGRES_DSN", "postgresql://canary@host/app")
    monkeypatch.setenv("OBSERVATORY_USER_KEY", " ")
    monkeypatch.setenv("LANGFUSE_PUBLIC_KEY", "canary")
    missing = tmp_path / "advance"
    settings = Settings.model_validate({"sources": {"postgres": {"advance_dsn_file": str(missing)}}})
    text = said(environment.troubles(settings))
    assert "OBSERVATORY_POSTGRES_DNS: is a variable that nothing here reads" in text
    assert "did you mean OBSERVATORY_POSTGRES_DSN?" in text
    assert "OBSERVATORY_USER_KEY: is set, but empty" in text
    assert "no secret key of Langfuse: set LANGFUSE_SECRET_KEY" in text
    assert f"{missing}: No such file or directory" in text
    assert "canary" not in text


def test_every_variable_that_something_reads_is_known() -> None:
    """Else the doctor would call it one that nothing reads."""
    texts = [path.read_text() for room in (*installed.ROOMS, "demo") for path in (ROOT / room).rglob("*.py")]
    read = {name for text in texts for name in re.findall(r'"((?:OBSERVATORY|LANGFUSE)_[A-Z_]+[A-Z])"', text)}
    assert read - environment.KNOWN == set()


@pytest.mark.parametrize(
    ("change", "cause", "remedy"),
    [
        ({"port": "closed", "host": "127.0.0.1"}, "no server listens there", "start PostgreSQL"),
        ({"host": "no-such-host.invalid"}, "this name has no address here", "correct the host"),
        ({"password": "wrong"}, "user or password is wrong", "ALTER ROLE"),
        ({}, "a password and none is given", "sources.postgres.password_file"),
        ({"dbname": "nowhere", "user": "postgres"}, "no database of this name", "psql -l"),
        ({"user": "nobody_of_ours"}, "no such login", "make its roles"),
    ],
)
def test_a_database_that_does_not_let_us_in(guarded: str, change: dict[str, str], cause: str, remedy: str) -> None:
    change = {name: str(free_port()) if value == "closed" else value for name, value in change.items()}
    health = postgres_health(Postgres(make_conninfo(guarded, **change), "here"))
    text = said(connections.troubles([health]))
    assert "error: PostgreSQL, here: " in text and cause in text and remedy in text
    assert "wrong'" not in text


def test_servers_that_do_not_answer(server: tuple[str, dict[str, Page]]) -> None:
    text = said(connections.troubles([prometheus_health(Prometheus(f"http://127.0.0.1:{free_port()}"))]))
    assert "nothing listens there" in text and "correct sources.prometheus.url" in text
    address, pages = server
    pages["*"] = (200, "<html>please log in</html>")
    text = said(connections.troubles([prometheus_health(Prometheus(f"http://{address}"))]))
    assert "something else answers there" in text and "login page" in text
    keys = SourceHealth("Langfuse", "http://x", False, "Langfuse refuses the keys (401)")
    assert "make new keys in the project's settings" in said(connections.troubles([keys]))
    assert said(connections.troubles([SourceHealth("Langfuse", "x", None, "no keys given")])) == ""


def test_tables_and_views_that_are_missing(
    platform_database: str, install_schema: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OBSERVATORY_POSTGRES_DSN", platform_database)
    settings = Settings()

    def text() -> str:
        return said(tables.troubles(settings, Asker.of(settings)))

    assert text().startswith("warning: schema analytics: is not there") and "`observatory db install`" in text()
    install_schema(platform_database)
    assert text() == ""
    monkeypatch.setenv("OBSERVATORY_POSTGRES_DSN", make_conninfo(platform_database, options="-c role=observatory_read"))
    assert text() == "", "what the exporter's login may not read by design is no trouble"
    monkeypatch.setenv("OBSERVATORY_POSTGRES_DSN", platform_database)
    with psycopg.connect(platform_database, autocommit=True) as connection:
        connection.execute("DROP VIEW analytics.latency_hourly")
        assert "error: schema analytics: has no latency_hourly [doctor/tables]\n    run `observatory db install`" in text()
        connection.execute("UPDATE analytics.migrations SET number = 9999 WHERE number = 14")
        assert "installed by a newer version" in text()
        connection.execute("DELETE FROM analytics.migrations WHERE number = 9999")
        assert "0014_person_logins.sql is missing [doctor/tables]\n    run `observatory db upgrade`" in text()
        connection.execute("DROP SCHEMA analytics CASCADE")
        connection.execute("DROP TABLE app.tickets")
    assert "error: database.relations.tickets: " in text()


def test_a_login_that_may_not_look(database: str, guarded: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with psycopg.connect(database) as connection:
        connection.execute(TABLES)
        connection.execute("CREATE SCHEMA analytics")
        connection.execute("COMMENT ON SCHEMA analytics IS 'Agent Observatory: by hand'")
        connection.execute("CREATE TABLE analytics.migrations (number int, name text, digest text)")
    name = psycopg.conninfo.conninfo_to_dict(database)["dbname"]
    monkeypatch.setenv("OBSERVATORY_POSTGRES_DSN", make_conninfo(guarded, dbname=str(name), password="right"))
    text = said(tables.troubles(Settings(), Asker.of(Settings())))
    assert "permission denied for schema analytics" in text and "member of observatory_read" in text


def test_pages_that_are_scraped_and_do_not_answer(server: tuple[str, dict[str, Page]]) -> None:
    address, pages = server
    closed = f"127.0.0.1:{free_port()}"
    settings = Settings.model_validate(
        {"scrape": {"exporter": [address, closed], "platform": [{"environment": "production", "address": address}]}}
    )
    pages.update({"/metrics": (200, ""), "/readyz": (503, "waits for PostgreSQL")})
    text = said(endpoints.troubles(settings))
    assert f"http://{address}/readyz: the exporter is not ready: waits for PostgreSQL" in text
    assert f"http://{closed}/metrics: the exporter does not answer: Connection refused" in text and "listens on" in text
    pages.update({"/metrics": (401, ""), "/readyz": (200, "")})
    settings = Settings.model_validate({"scrape": {"exporter": [address], "platform": settings.scrape.platform}})
    assert said(endpoints.troubles(settings)) == ""
    pages["/metrics"] = (404, "")
    text = said(endpoints.troubles(settings))
    assert "answers 404, so this is not the exporter" in text and "answers 404 where the platform's metrics should be" in text
    tls = {"tls": {"certificate_file": "c", "key_file": "k"}}
    settings = Settings.model_validate({"scrape": {"exporter": [address, closed]}, "exporter": tls})
    assert said(endpoints.troubles(settings)).count("the exporter does not answer") == 1


def test_dashboards_that_grafana_does_not_have(
    server: tuple[str, dict[str, Page]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert said(dashboards.troubles(Settings())) == "", "without a token Grafana is left alone"
    address, pages = server
    monkeypatch.setenv("OBSERVATORY_GRAFANA_TOKEN", "glsa_canary")
    settings = Settings.model_validate({"sources": {"grafana": {"url": f"http://{address}"}}})
    uids = [tab.dashboard(settings)["uid"] for tab in TABS]
    pages.update({f"/api/dashboards/uid/{uid}": (200, "{}") for uid in uids[1:]})
    pages["/api/datasources/uid/postgres"] = (200, "{}")
    text = said(dashboards.troubles(settings))
    assert f"the dashboard {uids[0]} is not there" in text and "observatory apply --only grafana" in text
    assert "there is no data source with uid prometheus" in text and text.count("error: ") == 2
    pages["*"] = pages["/api/datasources/uid/postgres"] = (401, '{"message": "Invalid API key"}')
    text = said(dashboards.troubles(settings))
    assert text.startswith("error: Grafana: ") and "canary" not in text and text.count("error: ") == 1
    settings = Settings.model_validate({"sources": {"grafana": {"url": f"http://127.0.0.1:{free_port()}"}}})
    assert "correct sources.grafana.url" in said(dashboards.troubles(settings))


def test_what_services_complain_of(server: tuple[str, dict[str, Page]], tmp_path: Path, database: str) -> None:
    address, pages = server
    (tmp_path / "exporter.log").write_text(
        'level=info event=ready\nlevel=error event="no answer" source=langfuse\nlevel=info\n'
    )
    (tmp_path / "quiet.log").write_text("level=info 0 errors\n")
    failing = [{"metric": {"source": "langfuse", "query": "models"}, "value": [0, "0"]}]
    pages["/api/v1/query"] = (200, json.dumps({"status": "success", "data": {"resultType": "vector", "result": failing}}))
    settings = Settings.model_validate({"sources": {"prometheus": {"url": f"http://{address}"}}})
    text = said(logs.troubles(Asker.of(settings), tmp_path))
    assert 'exporter.log: 1 errors among its last 3 lines, the last: level=error event="no answer"' in text
    assert "quiet.log" not in text and "exporter, source langfuse: its query models failed" in text

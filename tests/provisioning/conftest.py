"""Built files, and a real Prometheus that scrapes a small target."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests

from contract.settings import Settings
from provisioning import build
from provisioning.boards import Query
from provisioning.doctor.answers import Answer
from provisioning.doctor.asker import Asker
from provisioning.interpolation import Span

EXPOSITION = """\
# TYPE agent_queries_total counter
agent_queries_total{{agent="clerk",status="success",version="1"}} {count}
# TYPE agent_queries_in_progress gauge
agent_queries_in_progress{{agent="clerk"}} 2
"""


@pytest.fixture(scope="session")
def artefacts() -> dict[str, bytes]:
    return build.artefacts(Settings())


TABLES = """
CREATE SCHEMA app;
CREATE TABLE app.users (id bigint PRIMARY KEY, created_at timestamptz NOT NULL);
CREATE TABLE app.tickets (id bigint PRIMARY KEY, created_at timestamptz NOT NULL);
INSERT INTO app.users SELECT n, now() - n * interval '1 hour' FROM generate_series(1, 5) n;
"""
RULES = """\
groups:
  - name: with nothing to record
    rules:
      - {record: "agent_status:queries:rate5m", expr: 'agent_queries_total{status="never"}'}
      - {record: "agent:queries:rate5m", expr: 'agent_queries_total{status="never"}'}
      - {record: "agent:query_errors:ratio_rate5m", expr: 'agent_queries_total{status="never"}'}
      - {record: "kb:searches_empty:ratio_rate1h", expr: 'agent_queries_total{status="never"}'}
  - name: that cannot be evaluated
    rules:
      - record: "guardrail:blocks:ratio_rate15m"
        expr: 'label_replace(vector(1) or label_replace(vector(1), "job", "other", "", ""), "job", "same", "", "")'
  - name: of alerts
    rules:
      - {alert: Never, expr: "vector(0) > 1"}
"""


@dataclass(frozen=True)
class Scraped:
    """A real Prometheus; `since` is when it first saw two samples of its target."""

    url: str
    since: float


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def wait_for(condition: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.1)


class _Target(BaseHTTPRequestHandler):
    count = 0

    def do_GET(self) -> None:
        type(self).count += 10
        body = EXPOSITION.format(count=self.count).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="session")
def scraped(prometheus_tools: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scraped]:
    target = ThreadingHTTPServer(("127.0.0.1", 0), _Target)
    threading.Thread(target=target.serve_forever, args=(0.05,), daemon=True).start()
    folder = tmp_path_factory.mktemp("prometheus")
    port = free_port()
    jobs = f"""
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [rules.yml]
scrape_configs:
  - job_name: platform
    static_configs: [{{targets: ["127.0.0.1:{target.server_port}"], labels: {{environment: production}}}}]
  - job_name: exporter
    static_configs: [{{targets: ["127.0.0.1:{free_port()}"]}}]
"""
    (folder / "prometheus.yml").write_text(jobs)
    (folder / "rules.yml").write_text(RULES)
    server = subprocess.Popen(
        [
            prometheus_tools.prometheus,
            f"--config.file={folder}/prometheus.yml",
            f"--storage.tsdb.path={folder}/data",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: _counts(url) and _evaluated(url))
        yield Scraped(url, time.time())
    finally:
        server.terminate()
        server.wait(20)
        target.shutdown()
        target.server_close()


def _counts(url: str) -> bool:
    """Whether there was a rate a second ago: ranges end at the last whole second."""
    asked = {"query": "rate(agent_queries_total[4s] offset 1s)"}
    try:
        body = requests.get(f"{url}/api/v1/query", params=asked, timeout=2).json()
    except (requests.RequestException, ValueError):
        return False
    return bool(body.get("data", {}).get("result"))


def _evaluated(url: str) -> bool:
    groups = requests.get(f"{url}/api/v1/rules", timeout=2).json()["data"]["groups"]
    return {rule["health"] for group in groups for rule in group["rules"]} == {"ok", "err"}


@pytest.fixture
def guarded(postgres: Any) -> Iterator[str]:
    """Connection string, without the password, of a login that needs one; the right one is `right`."""
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        place = connection.execute("SHOW hba_file").fetchone()
        connection.execute("CREATE ROLE guarded LOGIN PASSWORD 'right'")
        assert place
        rules = Path(place[0])
        before = rules.read_text()
        rules.write_text(f"local all guarded scram-sha-256\nhost all guarded all scram-sha-256\n{before}")
        connection.execute("SELECT pg_reload_conf()")
        parts = psycopg.conninfo.conninfo_to_dict(postgres.dsn)
        login = psycopg.conninfo.make_conninfo(**{**parts, "user": "guarded"})
        wait_for(lambda: not _lets_in(login))
        try:
            yield login
        finally:
            rules.write_text(before)
            connection.execute("SELECT pg_reload_conf()")
            connection.execute("DROP ROLE guarded")


def _lets_in(login: str) -> bool:
    try:
        psycopg.connect(login, password="wrong").close()
    except psycopg.OperationalError:
        return False
    return True


@pytest.fixture
def sources(scraped: Scraped, database: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings for the live sources; nothing listens at the other addresses, whatever else runs on this machine."""
    with psycopg.connect(database) as connection:
        connection.execute(TABLES)
    monkeypatch.setenv("OBSERVATORY_POSTGRES_DSN", database)
    closed = f"127.0.0.1:{free_port()}"
    live = {"prometheus": {"url": scraped.url, "scrape_interval": "1s"}, "alertmanager": {"url": f"http://{closed}"}}
    return Settings.model_validate({"sources": live, "scrape": {"exporter": [closed]}})


def asked(settings: Settings, text: str, language: Any = "promql", instant: bool = True) -> Answer:
    now = time.time()
    query = Query("place", language, text, instant)
    return Asker.of(settings).answer(query, Span(now - 600, now, 1), {})

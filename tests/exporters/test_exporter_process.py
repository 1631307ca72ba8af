"""The exporter as a real process: its pages, its logs, its end."""

from __future__ import annotations

import gzip
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import requests
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from serving import CERTIFICATES, request, trusting

from exporters.negotiation import OPENMETRICS, TEXT
from exporters.process import listen

if TYPE_CHECKING:
    from tests.scripted import Script, ScriptedServer

ROOT = Path(__file__).resolve().parents[2]
SECRET = "sk-lf-never-to-be-seen"

FORM = "write host:port, port 1 to 65535, for example 127.0.0.1:9464\n"

AUTHORITY = str(CERTIFICATES / "authority.pem")

PROGRAM = """
import json, pathlib, sys
from contract.plain import plain, written
from contract.settings import Settings
from exporters.process import ConfigurationRefused, run
def load():
    try:
        return plain(written(Settings.model_validate_json(pathlib.Path(sys.argv[1]).read_text())))
    except ValueError:
        raise ConfigurationRefused("the configuration is wrong") from None
sys.exit(run(load))
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class Exporter:
    """A running exporter. Its address is known before it answers."""

    def __init__(self, folder: Path, dsn: str, langfuse: str, listen: str, **exporter: Any) -> None:
        self.settings: dict[str, Any] = {"exporter": {"listen": listen, "intervals": {"business": "1s"}, **exporter}}
        self.file, self.log = folder / "settings.json", folder / "log"
        self.write()
        secrets = {"OBSERVATORY_POSTGRES_DSN": dsn, "LANGFUSE_BASE_URL": langfuse}
        keys = {"LANGFUSE_PUBLIC_KEY": "pk", "LANGFUSE_SECRET_KEY": SECRET}
        self.url = f"{'https' if exporter.get('tls') else 'http'}://{listen}"
        self.auth: tuple[str, str] | None = None
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(self.file)],
            cwd=ROOT,
            env={**os.environ, **secrets, **keys},
            stderr=(folder / "log").open("w"),
        )

    def write(self) -> None:
        self.file.write_text(json.dumps(self.settings))

    def get(self, path: str, **headers: str) -> requests.Response:
        return requests.get(self.url + path, headers=headers, timeout=60, auth=self.auth, verify=AUTHORITY)

    def change(self, **exporter: Any) -> None:
        """Writes other settings and tells the exporter."""
        self.settings["exporter"] |= exporter
        self.write()
        self.process.send_signal(signal.SIGHUP)

    def ended(self) -> str:
        """Its log, after it has been told to end and has."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(10) == 0
        log = self.log.read_text()
        assert "Traceback" not in log
        assert SECRET not in log
        return log

    def until(self, condition: Callable[[], bool], seconds: float = 60.0) -> None:
        end = time.monotonic() + seconds
        while True:
            try:
                if condition():
                    return
            except requests.ConnectionError:
                assert self.process.poll() is None, "the exporter has ended"
            assert time.monotonic() < end, "did not happen in time"
            time.sleep(0.02)

    def figures(self) -> dict[str, float]:
        """Every sample, printed as in a query."""
        families = parse_text(self.get("/metrics").text)
        found = {}
        for family in families:
            for item in family.samples:
                labels = ",".join(f'{name}="{value}"' for name, value in sorted(item.labels.items()))
                found[f"{item.name}{{{labels}}}"] = item.value
        return found


@contextmanager
def running(folder: Path, dsn: str, langfuse: str, **settings: Any) -> Iterator[Exporter]:
    exporter = Exporter(folder, dsn, langfuse, f"127.0.0.1:{free_port()}", **settings)
    try:
        yield exporter
    finally:
        exporter.process.kill()
        exporter.process.wait()


def test_it_serves_ready_bytes_in_every_form(
    tmp_path: Path, platform_database: str, server: ScriptedServer, script: type[Script]
) -> None:
    server.scripts["/api/public/v2/metrics"] = [script.rows()]
    with running(tmp_path, platform_database, server.url) as exporter:
        exporter.until(lambda: exporter.get("/readyz").status_code == 200)
        plain = exporter.get("/metrics", **{"Accept-Encoding": "identity"})
        assert plain.headers["Content-Type"] == TEXT
        assert "Content-Encoding" not in plain.headers
        assert 'exporter_source_up{source="postgres"} 1.0' in plain.text
        assert "process_resident_memory_bytes" in plain.text
        assert "_created" not in plain.text
        packed = exporter.get("/metrics", Accept="application/openmetrics-text;version=1.0.0,*/*;q=0.1")
        assert packed.headers["Content-Type"] == OPENMETRICS
        assert packed.headers["Content-Encoding"] == "gzip"
        names = {family.name for family in parse_openmetrics(packed.text)}  # type: ignore[no-untyped-call]
        assert {"exporter_source_up", "platform_users_new", "process_cpu_seconds"} <= names
        raw = requests.get(exporter.url + "/metrics", headers={"Accept-Encoding": "gzip"}, stream=True, timeout=60)
        assert b"exporter_source_up" in gzip.decompress(raw.raw.read(decode_content=False))
        assert exporter.get("/healthz").text == "ok\n"
        ready = exporter.get("/readyz").json()
        assert ready["collectors"]["postgres"]["state"] == ready["collectors"]["langfuse"]["state"] == "up"
        landing = exporter.get("/").text
        assert "<td>postgres</td><td>up</td><td>0</td>" in landing
        assert exporter.get("/nowhere").status_code == 404


def test_sources_that_are_down_are_said_and_hide_nothing(tmp_path: Path, platform_database: str) -> None:
    with running(tmp_path, platform_database, "http://127.0.0.1:9") as exporter:
        exporter.until(lambda: exporter.get("/readyz").status_code == 200)
        collectors = exporter.get("/readyz").json()["collectors"]
        assert collectors["langfuse"]["state"] == "down"
        assert "Connection refused" in collectors["langfuse"]["reason"]
        found = exporter.figures()
        assert found['exporter_source_up{source="langfuse"}'] == 0
        assert found['exporter_source_up{source="postgres"}'] == 1
        assert found['platform_tickets{priority="high",status="open"}'] == 0
        assert exporter.get("/healthz").status_code == 200, "a source that is down is no reason to restart"
        log = exporter.ended()
    assert 'event="source is down" source=langfuse reason="no connection to http://127.0.0.1:9: Connection refused"' in log
    assert SECRET not in log
    assert "Traceback" not in log
    for line in log.splitlines():
        assert line.startswith("time=2"), line


def test_a_scrape_does_not_wait_for_a_database_that_hangs(tmp_path: Path, platform_database: str) -> None:
    with psycopg.connect(platform_database) as other:
        other.execute("LOCK TABLE app.agents IN ACCESS EXCLUSIVE MODE")
        with running(tmp_path, platform_database, "http://127.0.0.1:9", query_timeout="5s") as exporter:
            exporter.until(lambda: exporter.get("/healthz").status_code == 200)
            assert exporter.get("/readyz").status_code == 503, "the first run still waits for the lock"
            times = []
            for _ in range(20):
                begun = time.perf_counter()
                assert exporter.get("/metrics").status_code == 200
                times.append(time.perf_counter() - begun)
            assert sorted(times)[10] < 0.1
            exporter.process.send_signal(signal.SIGINT)
            assert exporter.process.wait(10) == 0, "it ends at once, though a query is still waiting"


def test_a_database_that_comes_back_is_seen(tmp_path: Path, platform_database: str) -> None:
    with psycopg.connect(platform_database, autocommit=True) as connection:
        connection.execute("ALTER SCHEMA app RENAME TO away")
        with running(tmp_path, platform_database, "http://127.0.0.1:9") as exporter:
            exporter.until(lambda: exporter.get("/readyz").status_code == 200)
            assert exporter.figures()['exporter_query_success{query="users",source="postgres"}'] == 0
            assert exporter.figures()['exporter_source_up{source="postgres"}'] == 0
            sentence = "has no schema app, where the platform's tables should be"
            assert sentence in exporter.get("/readyz").json()["collectors"]["postgres"]["reason"]
            assert sentence in unescape(exporter.get("/").text)
            connection.execute("ALTER SCHEMA away RENAME TO app")
            exporter.until(lambda: exporter.figures()['exporter_query_success{query="users",source="postgres"}'] == 1)
            connection.execute("INSERT INTO app.users (id, created_at, role, status) VALUES (1, now(), 'admin', 'active')")
            exporter.until(lambda: exporter.figures().get('platform_users{role="admin"}') == 1)
            connection.execute("DELETE FROM app.users")
            exporter.until(lambda: 'platform_users{role="admin"}' not in exporter.figures())


@pytest.mark.parametrize(
    "address", ["127.0.0.1:²", "127.0.0.1:٣", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:-1", ":9464", f"{'ä' * 99}:9464"]
)
def test_what_is_no_address_is_answered_with_the_right_form(address: str) -> None:
    with pytest.raises(ValueError, match=f"is not an address to listen on; {FORM.strip()}$"):
        listen(address)


def test_of_two_that_begin_at_once_one_is_told_before_it_serves() -> None:
    with listen(f"127.0.0.1:{free_port()}") as first, pytest.raises(OSError, match="Address already in use"):
        listen(f"127.0.0.1:{first.getsockname()[1]}")


def test_a_server_that_refuses_for_ever_and_repeats_our_keys(
    tmp_path: Path, platform_database: str, server: ScriptedServer, script: type[Script]
) -> None:
    server.scripts["/api/public/v2/metrics"] = [
        script.status(400, f"what is {SECRET}?"),
        script.status(429, SECRET, Retry_After="99999999999"),
    ]
    with running(tmp_path, platform_database, server.url) as exporter:
        exporter.until(lambda: exporter.get("/readyz").status_code == 200)
        assert exporter.get("/readyz").json()["collectors"]["langfuse"]["state"] == "down"
        assert SECRET not in exporter.get("/").text
        assert exporter.get("/healthz").text == "ok\n"
        log = exporter.ended()
    assert 'problem="refused (400): what is ***?"' in log
    assert SECRET not in log
    assert "Traceback" not in log


@pytest.mark.parametrize(
    ("address", "code", "line"),
    [
        ("taken", 3, "error: cannot listen on 127.0.0.1:{port}: Address already in use\n"),
        ("nonsense", 2, "error: exporter.listen: 'nonsense' is not an address to listen on; " + FORM),
        ("127.0.0.1:²", 2, "error: exporter.listen: '127.0.0.1:²' is not an address to listen on; " + FORM),
    ],
)
def test_an_address_that_cannot_be_had_is_one_line(tmp_path: Path, address: str, code: int, line: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        wanted = f"127.0.0.1:{port}" if address == "taken" else address
        exporter = Exporter(tmp_path, "", "http://127.0.0.1:9", wanted)
        assert exporter.process.wait(20) == code
    assert exporter.log.read_text() == line.format(port=port)


def test_another_configuration_is_taken_without_a_gap(tmp_path: Path, platform_database: str) -> None:
    with psycopg.connect(platform_database, autocommit=True) as connection:
        connection.execute("INSERT INTO app.users (id, created_at, role, status) VALUES (1, now(), 'admin', 'active')")
        with running(tmp_path, platform_database, "http://127.0.0.1:9") as exporter:
            exporter.until(lambda: exporter.get("/readyz").status_code == 200)
            assert exporter.figures()['platform_users{role="admin"}'] == 1
            connection.execute("INSERT INTO app.users (id, created_at, role, status) VALUES (2, now(), 'guest', 'active')")
            (tmp_path / "password").write_text("correct horse\n")
            basic = {"username": "prometheus", "password_file": str(tmp_path / "password")}
            exporter.change(basic_auth=basic)
            statuses = set()

            def refused() -> bool:
                answer = exporter.get("/metrics")
                statuses.add(answer.status_code)
                assert answer.status_code == 401 or 'platform_users{role="admin"}' in answer.text, "a gap"
                assert exporter.get("/readyz").status_code == 200, "a gap"
                return answer.status_code == 401

            exporter.until(refused)
            assert exporter.get("/").status_code == 401
            assert exporter.get("/nowhere").status_code == 401, "what there is, is nobody's business"
            assert exporter.get("/healthz").text == "ok\n"
            assert exporter.get("/readyz").json()["collectors"]["langfuse"]["reason"] == ""
            exporter.auth = ("prometheus", "correct horse")
            assert exporter.figures()['platform_users{role="admin"}'] == 1
            exporter.until(lambda: exporter.figures().get('platform_users{role="guest"}') == 1)
            assert "Connection refused" in exporter.get("/readyz").json()["collectors"]["langfuse"]["reason"]
            moved = f"127.0.0.1:{free_port()}"
            exporter.change(listen=moved)
            exporter.url = f"http://{moved}"
            exporter.until(lambda: exporter.get("/metrics").status_code == 200)
            exporter.until(lambda: exporter.log.read_text().count('event="configuration read again"') == 2)
            log = exporter.ended()
    assert "correct horse" not in log


def test_each_wrong_configuration_is_refused_in_one_line(tmp_path: Path, platform_database: str) -> None:
    wrong = [
        ({"listen": 9464}, "the configuration is wrong"),
        ({"listen": "nonsense"}, "'nonsense' is not an address to listen on"),
        (
            {"bearer_token_file": str(tmp_path / "lost")},
            f"exporter.bearer_token_file: {tmp_path}/lost: No such file or directory",
        ),
        ({"tls": {"certificate_file": AUTHORITY, "key_file": AUTHORITY}}, f"exporter.tls: {AUTHORITY} and {AUTHORITY} are no "),
    ]
    with running(tmp_path, platform_database, "http://127.0.0.1:9") as exporter:
        exporter.until(lambda: exporter.get("/readyz").status_code == 200)
        right = dict(exporter.settings["exporter"])
        for number, (settings, _) in enumerate(wrong):
            exporter.settings["exporter"] = dict(right)
            exporter.change(**settings)
            exporter.until(lambda n=number: exporter.log.read_text().count("configuration refused") == n + 1)  # type: ignore[misc]
            assert exporter.get("/metrics").status_code == 200
        log = exporter.ended()
    said = [line for line in log.splitlines() if "configuration refused, the one before stays" in line]
    assert [sentence in line for line, (_, sentence) in zip(said, wrong, strict=True)] == [True] * len(wrong)


def test_a_certificate_is_exchanged_while_it_runs(tmp_path: Path, platform_database: str) -> None:
    for kind in ("pem", "key"):
        (tmp_path / f"server.{kind}").write_bytes((CERTIFICATES / f"first.{kind}").read_bytes())
    tls = {"certificate_file": str(tmp_path / "server.pem"), "key_file": str(tmp_path / "server.key")}

    def number(exporter: Exporter) -> object:
        host, _, port = exporter.url.removeprefix("https://").partition(":")
        with socket.create_connection((host, int(port)), 5) as client:
            shown = trusting().wrap_socket(client, server_hostname=host)
            return (shown.getpeercert() or {})["serialNumber"]

    with running(tmp_path, platform_database, "http://127.0.0.1:9", tls=tls) as exporter:
        exporter.until(lambda: exporter.get("/readyz").status_code == 200)
        assert exporter.get("/metrics").status_code == 200
        assert number(exporter) == "01"
        for kind in ("pem", "key"):
            (tmp_path / f"server.{kind}").write_bytes((CERTIFICATES / f"second.{kind}").read_bytes())
        exporter.process.send_signal(signal.SIGHUP)
        exporter.until(lambda: number(exporter) == "02")
        assert exporter.get("/metrics").status_code == 200
        exporter.ended()


def test_abandoned_scrapes_ask_nothing_and_are_served_by_nobody_in_vain(tmp_path: Path, platform_database: str) -> None:
    with running(tmp_path, platform_database, "http://127.0.0.1:9", intervals={"business": "1h"}) as exporter:
        exporter.until(lambda: exporter.get("/readyz").status_code == 200)
        with psycopg.connect(platform_database, autocommit=True) as connection:

            def asked() -> list[Any]:
                """The last query of every other connection, and when it began."""
                return connection.execute(
                    "SELECT pid, query_start, query FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid() ORDER BY pid"
                ).fetchall()

            before = asked()
            assert before
            host, _, port = exporter.url.removeprefix("http://").partition(":")
            for _ in range(50):
                with socket.create_connection((host, int(port)), 5) as client:
                    client.sendall(request("/metrics"))
            assert exporter.get("/metrics").status_code == 200
            assert asked() == before, "nothing was asked in between"
        assert exporter.process.poll() is None

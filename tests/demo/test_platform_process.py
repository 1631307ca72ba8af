"""The living platform as a program: incidents are declared to it, and it survives whatever goes away around it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from contract.catalogue import series_catalogue
from contract.metrics import MetricType
from demo.database.load import load
from demo.platform import incidents, state
from demo.platform.follower import Follower, Present
from demo.platform.metrics import PlatformMetrics
from demo.world import spec_file
from demo.world.model import Incident, WorldSpec
from demo.world.rhythm import ahead_to_the_peak
from demo.world.world import World

ROOT = Path(__file__).resolve().parents[2]
ANCHOR = 1_795_219_200.0  # a Saturday, 00:00 UTC
SPEC = WorldSpec(seed=11, anchor=ANCHOR, days=3, scale=0.05)
Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]


# Incidents


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Path]:
    """A folder in which a platform seems to live."""
    spec_file.write(tmp_path / "world.json", SPEC)
    with incidents.presence(tmp_path) as alone:
        assert alone
        yield tmp_path


def test_an_incident_is_written_down(running: Path) -> None:
    first = incidents.declare(running, "latency", 300.0, ANCHOR)
    second = incidents.declare(running, "cost", 60.0, ANCHOR + 5)
    assert first == Incident("latency", ANCHOR + 1.0, ANCHOR + 301.0)
    assert spec_file.read(running / "world.json") == replace(SPEC, incidents=(first, second))
    assert [path.name for path in running.iterdir() if path.suffix == ".part"] == []


def test_declaring_at_the_same_time_loses_nothing(running: Path) -> None:
    threads = [threading.Thread(target=incidents.declare, args=(running, "errors", 60.0, ANCHOR + n)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(spec_file.read(running / "world.json").incidents) == 12


def test_what_cannot_be_declared_is_said(running: Path) -> None:
    with pytest.raises(incidents.UnknownKind, match="choose one of latency, errors, cost, silence"):
        incidents.declare(running, "fire", 60.0, ANCHOR)
    for seconds in (0.0, -5.0, 1e9, float("nan")):
        with pytest.raises(incidents.BadDuration, match="10s to 24h"):
            incidents.declare(running, "errors", seconds, ANCHOR)
    with pytest.raises(incidents.BadDuration, match="5 minutes"):
        incidents.seconds_of("5 minutes")
    assert incidents.seconds_of("1h30m") == 5400.0


def test_without_a_stack_nothing_is_declared(tmp_path: Path) -> None:
    with pytest.raises(incidents.NoRunningStack, match="does not exist"):
        incidents.declare(tmp_path, "errors", 60.0, ANCHOR)
    spec_file.write(tmp_path / "world.json", SPEC)
    with pytest.raises(incidents.NoRunningStack, match="not running"):
        incidents.declare(tmp_path, "errors", 60.0, ANCHOR)
    assert spec_file.read(tmp_path / "world.json") == SPEC


def test_a_file_that_describes_no_world_is_named(tmp_path: Path) -> None:
    path = tmp_path / "world.json"
    path.write_text('{"seed": "many", "anchor": 5}')
    with pytest.raises(spec_file.SpecError, match=r"world\.json does not describe a world: seed:"):
        spec_file.read(path)


def test_the_present_follows_its_file(tmp_path: Path) -> None:
    path = tmp_path / "world.json"
    spec_file.write(path, SPEC)
    present = Present(path)
    world = present.ask()
    assert present.ask() is world
    changed = replace(SPEC, incidents=(Incident("cost", 1.0, 2.0),))
    spec_file.write(path, changed)
    assert present.ask().spec == changed
    path.write_text("not json")
    assert present.ask().spec == changed


def test_a_follower_says_once_that_its_receiver_is_away(caplog: pytest.LogCaptureFixture) -> None:
    stop, calls, clock = threading.Event(), [], [0.0]

    def advance(now: float) -> None:
        calls.append(now)
        clock[0] += 1.0
        if len(calls) < 4:
            raise ConnectionError("nobody there")
        if len(calls) == 6:
            stop.set()

    caplog.set_level("INFO", "platform")
    given_up: list[bool] = []
    follower = Follower("rows", advance, (ConnectionError,), lambda: clock[0], stop, lambda: given_up.append(True), step=0.01)
    follower.start()
    follower.join(10)
    said = [record.getMessage() for record in caplog.records]
    assert said == ["rows: nobody there; trying again until it works", "rows: works again"]
    assert not given_up and follower.trouble == ""


def test_a_mistake_of_ours_ends_the_program(caplog: pytest.LogCaptureFixture) -> None:
    given_up = threading.Event()

    def advance(_: float) -> None:
        raise ZeroDivisionError

    Follower("rows", advance, (OSError,), time.time, threading.Event(), given_up.set).start()
    assert given_up.wait(10)


# The process


class _Sink(BaseHTTPRequestHandler):
    rows: list[dict[str, Any]]

    def do_POST(self) -> None:
        self.rows.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _until(condition: Callable[[], object], seconds: float = 60.0) -> object:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if found := condition():
                return found
        except requests.RequestException:
            pass
        time.sleep(0.05)
    pytest.fail("it did not happen in time")


@contextmanager
def _process(var: Path, dsn_file: Path, port: int, langfuse: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "demo.platform", "--var", str(var), "--dsn-file", str(dsn_file), "--port", str(port)]
    process = subprocess.Popen(
        [*command, "--langfuse", langfuse], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def _scrape(port: int, environment: str = "production") -> Series:
    answer = requests.get(f"http://127.0.0.1:{port}/metrics/{environment}", timeout=60)
    if answer.status_code != 200:
        return {}
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


@pytest.mark.integration
def test_a_platform_lives_goes_on_without_its_database_and_ends_when_told(tmp_path: Path, database: str) -> None:
    anchor = time.time() // 60 * 60 - 120
    ahead = ahead_to_the_peak(anchor)  # so that models are asked at night, too
    spec = WorldSpec(seed=3, anchor=anchor, days=1, scale=0.3, ahead=ahead)
    load(database, spec, lambda _rows, _scores: None, lambda _what, _share: None, workers=1)
    spec_file.write(tmp_path / "world.json", spec)
    filled = PlatformMetrics(World(spec), anchor - 7200)
    filled.advance(anchor)
    state.write(tmp_path, filled.checkpoint())
    dsn_file = tmp_path / "dsn"
    dsn_file.write_text("postgresql://nobody@127.0.0.1:1/none")

    _Sink.rows = []
    sink = ThreadingHTTPServer(("127.0.0.1", 0), _Sink)
    threading.Thread(target=sink.serve_forever, daemon=True).start()
    port = _free_port()
    base = f"http://127.0.0.1:{port}"
    with _process(tmp_path, dsn_file, port, f"http://127.0.0.1:{sink.server_port}") as process:
        first = _until(lambda: _scrape(port))
        assert isinstance(first, dict)
        for name, labels, value in filled.samples("production"):
            if series_catalogue()[name].type is not MetricType.GAUGE:
                assert first[name, tuple(sorted(labels))] >= value
        # The database is away: everything else goes on.
        _until(lambda: "database" in requests.get(f"{base}/healthz", timeout=60).json()["trouble"])
        assert requests.get(f"{base}/healthz", timeout=60).status_code == 200
        dsn_file.write_text(database)
        _until(lambda: requests.get(f"{base}/healthz", timeout=60).json()["trouble"] == {})

        def reaches() -> float:
            with psycopg.connect(database) as connection:
                row = connection.execute("SELECT extract(epoch FROM loaded_until)::float8 FROM app.observatory_demo").fetchone()
                return float(row[0]) if row else 0.0

        _until(lambda: reaches() > time.time() - 5)
        # An incident is seen at once: retries come in within seconds, and the observability service is told of them.
        errors = sum(v for (n, _), v in _scrape(port).items() if n == "agent_errors_total")
        incidents.declare(tmp_path, "errors", 60.0, time.time())
        _until(lambda: sum(v for (n, _), v in _scrape(port).items() if n == "agent_errors_total") >= errors + 2, 60)
        _until(lambda: any(row["observations"] for row in _Sink.rows))
        assert requests.get(f"{base}/metrics/moon", timeout=60).status_code == 404

        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=30)
        assert process.returncode == 0
        assert said.count("trying again until it works") == 1
        assert "Traceback" not in said
    sink.shutdown()
    saved = state.read(tmp_path)
    assert saved is not None
    assert saved["at"] == pytest.approx(time.time(), abs=10)
    assert saved["reported"] == pytest.approx(saved["at"], abs=5)


@pytest.mark.integration
def test_wrong_input_is_answered_with_one_line(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "demo.platform", "--var", str(tmp_path), "--dsn-file", str(tmp_path / "dsn"), "--port"]
    done = subprocess.run([*command, "0"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (2, f"platform: {tmp_path}/world.json is missing; `observatory up` makes it\n")
    spec_file.write(tmp_path / "world.json", SPEC)
    with incidents.presence(tmp_path):
        done = subprocess.run([*command, "0"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (2, f"platform: another one lives in {tmp_path} already\n")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = subprocess.run([*command, port], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=30)
    assert done.returncode == 3
    assert done.stderr == f"platform: port {port} of 127.0.0.1 cannot be used: Address already in use\n"

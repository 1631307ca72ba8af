"""The whole local stack, small: up, seen from outside, ended by a signal, killed, cleaned up."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import requests

from demo.stack import record
from demo.stack.processes import identify, marked
from tests.conftest import PrometheusTools

ROOT = Path(__file__).resolve().parents[2]
PARTS = {"postgres", "inbox", "langfuse", "platform", "exporter", "alertmanager", "prometheus"}
SMALL = ("--scale", "0.02", "--days", "8")
pytestmark = pytest.mark.integration


def demo(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "demo", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


class Up:
    """A running `up`, its output in a file."""

    def __init__(self, var: Path, tools: PrometheusTools, *options: str) -> None:
        self.var = var
        self.output = var.with_name("output")
        self.tools = tools
        self.process = self.start(*options)

    def start(self, *options: str) -> subprocess.Popen[bytes]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("LANGFUSE_", "OBSERVATORY_"))}
        environment |= {f"OBSERVATORY_{name.upper()}": str(path) for name, path in vars(self.tools).items()}
        command = [sys.executable, "-m", "demo", "up", "--var", str(self.var), "--no-preview", "--no-grafana", *options]
        with self.output.open("wb") as output:
            return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT)

    def wait_until_ready(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while "Ready after" not in self.output.read_text():
            assert self.process.poll() is None, self.output.read_text()
            assert time.monotonic() < deadline, self.output.read_text()
            time.sleep(0.1)

    def addresses(self) -> dict[str, str]:
        known = record.read(self.var)
        assert known is not None
        return {part.name: part.address for part in known.parts}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, prometheus_tools: PrometheusTools) -> Iterator[Up]:
    up = Up(tmp_path_factory.mktemp("stack") / "var", prometheus_tools, *SMALL)
    try:
        up.wait_until_ready(240)
        yield up
    finally:
        up.process.kill()
        up.process.wait()
        demo("down", "--var", str(up.var))


def test_the_stack_comes_lives_and_goes_without_a_trace(stack: Up) -> None:
    addresses = stack.addresses()
    assert set(addresses) == PARTS
    assert demo("status", "--var", str(stack.var)).returncode == 0, stack.output.read_text()

    again = demo("up", "--var", str(stack.var))
    assert (again.returncode, again.stderr.count("\n")) == (2, 1)
    assert f"already running in {stack.var} (process {stack.process.pid})" in again.stderr

    query = {"query": 'count by (job) (up{job=~"platform|exporter|prometheus|alertmanager"} == 1)'}
    deadline = time.monotonic() + 40
    expected = {"platform": "3", "exporter": "1", "prometheus": "1", "alertmanager": "1"}
    jobs: dict[str, str] = {}
    while jobs != expected and time.monotonic() < deadline:
        answer = requests.get(f"{addresses['prometheus']}/api/v1/query", params=query, timeout=5).json()
        jobs = {result["metric"]["job"]: result["value"][1] for result in answer["data"]["result"]}
        time.sleep(0.5)
    assert jobs == expected

    with psycopg.connect((stack.var / "secrets" / "postgres_dsn").read_text()) as connection:
        assert connection.execute("SELECT count(*) > 100 FROM app.messages").fetchone() == (True,)

    known = record.read(stack.var)
    assert known is not None
    before = time.monotonic()
    stack.process.send_signal(signal.SIGINT)
    assert stack.process.wait(20) == 0, stack.output.read_text()
    assert time.monotonic() - before < 10
    assert marked(stack.var) == []
    assert [identity for identity in known.identities if identity.alive] == []
    assert not record.path(stack.var).exists()
    assert not (stack.var / "observatory.yaml").exists()
    assert "Traceback" not in stack.output.read_text()


def test_the_next_time_is_quick_and_a_killed_stack_is_cleaned_up(stack: Up) -> None:
    stack.process = stack.start()
    before = time.monotonic()
    stack.wait_until_ready(60)
    assert time.monotonic() - before < 30, stack.output.read_text()
    known = record.read(stack.var)
    assert known is not None
    stack.process.kill()
    stack.process.wait()
    ended = demo("down", "--var", str(stack.var))
    assert ended.returncode == 0, ended.stderr
    assert marked(stack.var) == []
    assert [identity for identity in known.identities if identity.alive] == []
    assert identify(stack.process.pid) is None
    assert json.loads((stack.var / "world.json").read_text())["days"] == 8, "the world is kept for the next time"

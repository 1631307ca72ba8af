"""The Overview in a real browser, and the end: Ctrl-C leaves no process and no port behind."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from demo.stack.processes import marked
from tests.integration.conftest import COMMAND, ENVIRONMENT, ROOT, LivingStack, eventually

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("stack")]


def test_a_browser_draws_every_panel(stack: LivingStack, tmp_path: Path) -> None:
    done = stack.observatory(
        "preview", "--config", str(stack.config), "--out", str(tmp_path), "--from", "now-6h", "--to", "now", timeout=240
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    text = json.dumps(report)
    assert '"query error"' not in text and "unsupported" not in text, (tmp_path / "summary.txt").read_text()
    assert (tmp_path / "observatory-overview.png").stat().st_size > 100_000


def test_a_second_up_says_that_one_runs(stack: LivingStack) -> None:
    second = stack.observatory("up", "--var", str(stack.var), "--no-preview")
    assert second.returncode == 2 and "already running" in second.stderr and "Traceback" not in second.stderr


def _open(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_ctrl_c_leaves_nothing_behind(stack: LivingStack) -> None:
    record = json.loads((stack.var / "stack.json").read_text())
    pids = [part["identity"][0] for part in record["parts"] if part["identity"]]
    ports = [urlsplit(part["address"]).port for part in record["parts"] if part["address"]]
    assert len(pids) >= 7 and all(_open(port) for port in ports if port)
    stack.process.send_signal(signal.SIGINT)
    stack.process.wait(20)
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    eventually(lambda: not [port for port in ports if port and _open(port)], 5, "every port is free")
    assert not (stack.var / "stack.json").exists()


@pytest.fixture(scope="module")
def again(stack: LivingStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A later start over the same folder: its process and what it printed until it was ready."""
    output = tmp_path_factory.mktemp("again") / "output"
    with output.open("wb") as out:
        command = [*COMMAND, "up", "--var", str(stack.var), "--no-preview"]
        process = subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, stdout=out, stderr=subprocess.STDOUT)
    try:
        eventually(lambda: "Ready after" in output.read_text() or process.poll() is not None, 60, "the later start")
        yield process, output.read_text()
    finally:
        process.kill()
        process.wait()


def test_a_later_start_is_ready_within_30_seconds(again: tuple[subprocess.Popen[bytes], str]) -> None:
    found = re.search(r"Ready after ([0-9]+) s", again[1])
    assert found and int(found[1]) < 30, again[1]
    assert again[1].count("healthy") >= 7 and "unhealthy" not in again[1]


def test_a_killed_stack_is_cleaned_up(stack: LivingStack, again: tuple[subprocess.Popen[bytes], str]) -> None:
    process, _ = again
    process.kill()
    process.wait()
    ended = stack.observatory("down", "--var", str(stack.var))
    assert ended.returncode == 0, ended.stderr
    assert marked(stack.var) == []

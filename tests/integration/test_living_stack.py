"""One living stack until its end, as a user meets it.

Every panel has data; Ctrl-C and `down` leave nothing behind. These are the last tests of the stack,
and build on each other in this order: they end it.
"""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from dashboards.catalogue import TABS
from demo.stack.processes import marked
from tests.integration.conftest import COMMAND, ENVIRONMENT, PATIENCE, ROOT, LivingStack, eventually

pytestmark = pytest.mark.integration


def test_every_part_is_healthy(stack: LivingStack) -> None:
    def well() -> bool:
        return stack.observatory("demo", "status", "--var", str(stack.var)).returncode == 0

    eventually(well, PATIENCE, "all parts are healthy, the preview too")
    for part in ("PostgreSQL", "Inbox", "Langfuse", "platform", "Exporter", "Alertmanager", "Prometheus"):
        assert part in stack.table, stack.table


def test_no_secret_is_on_the_screen_in_a_log_or_in_the_list_of_processes(stack: LivingStack) -> None:
    files = [*(stack.var / "secrets").glob("*_password"), *(stack.var / "secrets").glob("langfuse_secret_key")]
    secrets = {file.read_text().strip() for file in (*files, stack.var / "secrets" / "user_key")}
    assert len(secrets) > 5 and all(len(secret) > 15 for secret in secrets)
    shown = {"the screen": stack.table, **{file.name: file.read_text() for file in (stack.var / "log").glob("*.log")}}
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has ended meanwhile
            shown[str(process)] = process.read_bytes().decode(errors="replace")
    assert len(shown) > 20
    assert {name for name, text in shown.items() if any(secret in text for secret in secrets)} == set()


def test_every_target_is_scraped(stack: LivingStack) -> None:
    expected = {"platform": 3.0, "exporter": 1.0, "prometheus": 1.0, "alertmanager": 1.0}

    def scraped() -> bool:
        return {labels["job"]: count for labels, count in stack.query("count by (job) (up == 1)")} == expected

    eventually(scraped, PATIENCE, f"the targets {expected} are up")


def test_doctor_finds_data_for_every_panel_within_90_seconds(stack: LivingStack) -> None:
    ill: dict[str, str] = {}

    def well() -> Any:
        done = stack.observatory("doctor", "--config", str(stack.config), "--format", "json")
        report = json.loads(done.stdout)
        ill.clear()
        ill.update({item["key"]: item["why"] for item in report["items"] if item["ill"]})
        ill.update({it["place"]: it["message"] for it in report["troubles"] if it["severity"] == "error"})
        return report if done.returncode == 0 else None

    report = eventually(well, 90, "doctor", seen=ill)
    panels = {item["key"]: item["state"] for item in report["items"] if item["kind"] == "panel"}
    assert len(panels) > 100
    assert {key for key, state in panels.items() if state != "data"} <= {key for tab in TABS for key in tab.empty_is_fine}


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
    stack.process.wait(PATIENCE)
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    eventually(lambda: not [port for port in ports if port and _open(port)], PATIENCE, "every port is free")
    assert not (stack.var / "stack.json").exists()


@pytest.fixture(scope="module")
def again(stack: LivingStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A later start over the same folder: its process and what it printed until it was ready."""
    output = tmp_path_factory.mktemp("again") / "output"
    with output.open("wb") as out:
        command = [*COMMAND, "up", "--var", str(stack.var), "--no-preview"]
        process = subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, stdout=out, stderr=subprocess.STDOUT)
    try:
        eventually(lambda: "Ready after" in output.read_text() or process.poll() is not None, PATIENCE, "the later start")
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

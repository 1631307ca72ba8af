"""Style, types, and who may import whom."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = {
    "contract": set(),
    "recording_rules": {"contract"},
    "alert_rules": {"contract", "recording_rules"},
    "exporters": {"contract"},
    "api": {"contract"},
    "dashboards": {"contract", "recording_rules", "alert_rules"},
    "provisioning": {"contract", "recording_rules", "alert_rules", "dashboards", "exporters", "api"},
    "demo": {"contract", "recording_rules", "alert_rules", "dashboards", "exporters", "provisioning"},
    "benchmarks": {"contract", "recording_rules", "alert_rules", "dashboards", "exporters", "api", "provisioning", "demo"},
}
"""Each room, and those below it. Alerts name panels as texts: the tab of alerts knows them, they know no tab."""

TRACKING = "tracking/observatory_tracking"
"""A library with a package of its own, for other people's platforms."""


_KEPT = [] if (ROOT / ".mypy_cache").is_dir() else ["--cache-dir", os.devnull]
"""Where nobody has what mypy found before, to write it down for a next time takes a fifth longer."""


@pytest.mark.parametrize("command", [["ruff", "check", "."], ["mypy", *_KEPT, *ROOMS, TRACKING]], ids=["ruff", "mypy"])
def test_style_and_types(command: list[str]) -> None:
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def _imports(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.lineno, node.module


@pytest.mark.parametrize("room", ROOMS)
def test_imports_point_down(room: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {module}"
        for path in sorted((ROOT / room).rglob("*.py"))
        for line, module in _imports(path)
        if module.split(".")[0] in {*ROOMS, "tests"} - ROOMS[room] - {room}
    ]
    assert not wrong, "\n".join(wrong)


def test_modules_stay_readable() -> None:
    """A module fits on a few screens."""
    long = {
        str(path.relative_to(ROOT)): lines
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
        if (lines := len(path.read_text().splitlines())) > 400
    }
    assert not long


def test_the_tracking_library_stands_alone() -> None:
    allowed = {"observatory_tracking", "prometheus_client", "psycopg", *sys.stdlib_module_names}
    found = {
        f"{path.name}:{line}: {module}"
        for path in (ROOT / TRACKING).glob("*.py")
        for line, module in _imports(path)
        if module.partition(".")[0] not in allowed
    }
    assert not found

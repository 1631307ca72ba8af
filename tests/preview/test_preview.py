"""The preview's own tests and type check, run as part of everything else."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

PREVIEW = Path(__file__).resolve().parents[2] / "preview"


@pytest.fixture(scope="session")
def installed() -> Path:
    done = subprocess.run([PREVIEW / "preview", "install"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return PREVIEW


def _node(preview: Path) -> str:
    """The Node.js that the preview's own script chooses."""
    shown = subprocess.run([preview / "preview", "node"], capture_output=True, text=True, check=True)
    return shown.stdout.strip()


def test_own_tests_with_a_real_browser(installed: Path) -> None:
    tests = sorted(str(path) for path in (installed / "test").glob("*.test.mjs"))
    done = subprocess.run([_node(installed), "--test", *tests], cwd=installed, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stdout[-4000:]
    assert "# skipped 0" in done.stdout, "the smoke test needs Chromium: scripts/browser.sh installs it"


def test_types(installed: Path) -> None:
    for project in ("tsconfig.json", "tsconfig.node.json"):
        done = subprocess.run(
            [_node(installed), "node_modules/typescript/bin/tsc", "-p", project],
            cwd=installed, capture_output=True, text=True, timeout=180,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout

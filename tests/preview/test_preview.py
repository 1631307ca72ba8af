"""The preview's own tests and type check, run as part of everything else."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from contract.settings import Settings
from dashboards.catalogue import TABS
from provisioning import build
from tests.exporters.serving import until

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


def test_every_board_is_clean_under_grafanas_own_types(installed: Path, tmp_path: Path) -> None:
    build.write(build.artefacts(Settings()), tmp_path)
    checked = subprocess.run([installed / "validate", tmp_path / "grafana" / "dashboards"], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert checked.stdout.count("panels, 0 errors, 0 warnings") == len(TABS), checked.stdout


def test_an_unknown_option_is_found(installed: Path, tmp_path: Path) -> None:
    board = json.loads(build.artefacts(Settings())["grafana/dashboards/Business/observatory-overview.json"])
    panel = next(panel for panel in board["panels"] if panel["type"] == "stat")
    panel["options"]["colourMode"] = "value"
    (tmp_path / "board.json").write_text(json.dumps(board))
    checked = subprocess.run([installed / "validate", tmp_path], capture_output=True, text=True)
    assert checked.returncode == 1 and "colourMode" in checked.stdout


def test_own_tests_with_a_real_browser(installed: Path) -> None:
    tests = sorted(str(path) for path in (installed / "test").glob("*.test.mjs"))
    done = subprocess.run([_node(installed), "--test", *tests], cwd=installed, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stdout[-4000:]
    assert "# skipped 0" in done.stdout, "the smoke test needs Chromium: scripts/browser.sh installs it"


def test_a_dashboard_that_is_not_there_is_said(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "board.json").write_text(json.dumps({"uid": "a-board", "title": "A board", "panels": []}))
    command = [_node(installed), installed / "src" / "cli.mjs", "--dashboards", ".", "--no-pictures"]
    done = subprocess.run([*command, "--only", "a-board,another"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "--only a-board,another: no dashboard here has this uid; there are a-board" in done.stderr


def test_it_ends_when_it_is_told_to(installed: Path, tmp_path: Path) -> None:
    """Its browser, which may have been told as well, is not waited for."""
    (tmp_path / "page.html").write_text("<p>")
    browser = tmp_path / "browser"
    browser.write_text("#!/bin/sh\necho begun > $0.begun\nexec sleep 300\n")
    browser.chmod(0o755)
    command = [_node(installed), installed / "src" / "cli.mjs", "pdf", "page.html", "page.pdf", "--chromium", browser]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL) as process:
        until((tmp_path / "browser.begun").exists)
        process.terminate()
        assert process.wait(60) == 143


def test_types(installed: Path) -> None:
    for project in ("tsconfig.json", "tsconfig.node.json"):
        done = subprocess.run(
            [_node(installed), "node_modules/typescript/bin/tsc", "-p", project],
            cwd=installed, capture_output=True, text=True, timeout=180,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout

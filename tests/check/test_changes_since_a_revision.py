"""What is new since a revision, held against a repository of the test's own."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from contract.settings import Settings
from provisioning import build
from provisioning.check import revisions, run
from provisioning.check.revisions import Since, built, changed
from provisioning.findings import Finding, InputError

PANEL = {"id": 1, "title": "Cost", "type": "stat", "gridPos": {"x": 0, "y": 0, "w": 4, "h": 4}}
BOARD = {"uid": "x", "title": "Overview", "panels": [PANEL], "templating": {"list": [{"name": "agent", "type": "custom"}]}}
RULES = {
    "groups": [{"name": "g", "interval": "15s", "rules": [{"record": "a:b:c", "expr": "1"}, {"alert": "Slow", "expr": "1"}]}]
}


def _artefacts(board: dict[str, Any] = BOARD, rules: dict[str, Any] = RULES, page: str = "# Slow") -> dict[str, bytes]:
    return {
        "grafana/dashboards/x.json": json.dumps(board).encode(),
        "prometheus/rules/g.yml": yaml.safe_dump(rules).encode(),
        "runbooks/Slow.md": page.encode(),
    }


def _found(*places: str) -> list[Finding]:
    return [Finding("error", place, "wrong", "", "x/y") for place in places]


def _new(findings: list[Finding], now: dict[str, bytes], old: list[Finding] | None = None) -> list[str]:
    """Places of what is new, when the same findings were there before."""
    before = findings if old is None else old
    return sorted(place for _, place in changed(findings, before, now, _artefacts()))


EVERYWHERE = _found(
    "dashboard Overview", "dashboard Overview, panel Cost, query A", "dashboard Overview, variable agent", "alert Slow",
    "recording rule a:b:c", "rule group g", "runbook Slow, query 1",
)  # fmt: skip


def test_what_has_not_changed_and_was_found_before_is_not_new() -> None:
    assert _new(EVERYWHERE, _artefacts()) == []


def test_what_was_not_found_before_is_new_wherever_it_stands() -> None:
    assert _new(EVERYWHERE, _artefacts(), old=EVERYWHERE[1:]) == ["dashboard Overview"]
    elsewhere = _found("exporter, rollups: x")
    assert _new(elsewhere, _artefacts(), old=[]) == ["exporter, rollups: x"]


@pytest.mark.parametrize(
    ("now", "places"),
    [
        (_artefacts({**BOARD, "panels": [{**PANEL, "unit": "s"}]}), ["dashboard Overview, panel Cost, query A"]),
        (_artefacts({**BOARD, "panels": [{**PANEL, "gridPos": {"x": 4, "y": 0, "w": 4, "h": 4}}]}), []),
        (_artefacts({**BOARD, "refresh": "30s"}), ["dashboard Overview"]),
        (_artefacts({**BOARD, "templating": {"list": [{"name": "agent"}]}}), ["dashboard Overview, variable agent"]),
        (_artefacts(page="# Slower"), ["runbook Slow, query 1"]),
        (
            _artefacts(rules={"groups": [{**RULES["groups"][0], "interval": "30s"}]}),
            ["alert Slow", "recording rule a:b:c", "rule group g"],
        ),
    ],
)
def test_what_is_built_otherwise_is_new(now: dict[str, bytes], places: list[str]) -> None:
    assert _new(EVERYWHERE, now) == places


# ---- a repository


def _git(folder: Path, *words: str) -> str:
    author = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
    return subprocess.run(["git", *author, *words], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository whose program `build` writes what its configuration says, and where it lies."""
    if shutil.which("git") is None:
        pytest.fail("git is not installed")
    folder = tmp_path / "repository"
    package = folder / "provisioning"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "cli.py").write_text(
        "import sys, pathlib\n"
        "out = pathlib.Path(sys.argv[sys.argv.index('--out') + 1])\n"
        "config = pathlib.Path(sys.argv[sys.argv.index('--config') + 1])\n"
        "said = config.read_text()\n"
        "if 'broken' in said: sys.exit(f'error: {config}: broken')\n"
        "out.mkdir(parents=True)\n"
        "(out / 'said.txt').write_text(f'{said} from {config.parent}')\n"
    )
    (folder / "observatory.yaml").write_text("first")
    _git(folder, "init", "-q")
    _git(folder, "add", ".")
    _git(folder, "commit", "-q", "-m", "first")
    (folder / "observatory.yaml").write_text("second")
    return folder


def test_the_code_of_the_revision_builds_with_its_own_configuration(repository: Path) -> None:
    found = built(Since("HEAD", repository / "observatory.yaml"), repository)
    assert found == {"said.txt": f"first from {repository}".encode()}, "places of files are those of the checkout"
    assert (repository / "observatory.yaml").read_text() == "second" and _git(repository, "worktree", "list").count("\n") == 0


def test_a_configuration_that_the_revision_has_not_is_the_one_of_now(repository: Path, tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    site.write_text("site")
    assert built(Since("HEAD", site), repository) == {"said.txt": f"site from {tmp_path}".encode()}


@pytest.mark.parametrize("revision", ["nothing", "--all", "HEAD~7", ""])
def test_an_unknown_revision_is_said_so(repository: Path, revision: str) -> None:
    with pytest.raises(InputError) as refused:
        built(Since(revision, repository / "observatory.yaml"), repository)
    assert f"there is no revision {revision}" in str(refused.value) and "unshallow" in str(refused.value)


def test_a_revision_that_does_not_build_is_said_so(repository: Path) -> None:
    (repository / "observatory.yaml").write_text("broken")
    _git(repository, "commit", "-q", "-a", "-m", "broken")
    with pytest.raises(InputError) as refused:
        built(Since("HEAD", repository / "observatory.yaml"), repository)
    assert str(refused.value).startswith("error: HEAD does not build") and "HEAD/observatory.yaml: broken" in str(refused.value)


def test_a_folder_without_git_and_a_machine_without_git_are_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="is no git repository"):
        built(Since("HEAD"), tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="git, which is not installed here"):
        built(Since("HEAD"), tmp_path)


def test_a_report_counts_what_is_as_old_as_the_revision(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings()
    artefacts = build.artefacts(settings)
    old = {**artefacts, "runbooks/AgentErrorRatioHigh.md": b"# Nothing"}
    monkeypatch.setattr(revisions, "built", lambda since: old)
    added = Finding("error", "runbook AgentErrorRatioHigh, query 1", "wrong", "", "runbooks/query")
    kept = Finding("error", "runbook SourceDown, query 1", "wrong", "", "runbooks/query")
    monkeypatch.setattr("provisioning.check.all_findings", lambda artefacts, settings, choices: iter([added, kept]))
    monkeypatch.setattr("provisioning.check.built_findings", lambda artefacts, settings: iter([added, kept]))
    report = run(settings, since=Since("HEAD"))
    assert report.findings == (added,) and report.unchanged == 1
    assert "1 more in what has not changed" in report.left_out

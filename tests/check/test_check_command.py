"""The command: exit codes, formats and options as people and CI call it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from contract.settings import Settings
from provisioning import build
from provisioning.cli import main


def _check(*words: str) -> Result:
    return CliRunner().invoke(main, ["check", "--scenarios", "none", *words], catch_exceptions=False)


@pytest.fixture(scope="module")
def artefacts() -> dict[str, bytes]:
    return build.artefacts(Settings())


@pytest.fixture(autouse=True)
def looked_at(artefacts: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """What is built is built once, and nothing is wrong with it: these tests are about what is said of findings."""
    monkeypatch.setattr("provisioning.build.artefacts", lambda settings: artefacts)
    monkeypatch.setattr("provisioning.check.built_findings", lambda artefacts, settings: iter(()))


@pytest.fixture
def wrong(tmp_path: Path) -> Path:
    file = tmp_path / "site.yaml"
    file.write_text("environments: [production]\nthresholds:\n  error_ratio: 2\n")
    return file


@pytest.fixture
def failing(tmp_path: Path) -> Path:
    """A configuration that builds, with one finding in its third line."""
    file = tmp_path / "site.yaml"
    file.write_text("waivers:\n\n- check: rules/order\n  target: recording rule x\n  owner: agents\n"
                    "  reason: it was looked at long ago\n  expires: 2020-01-31\n")  # fmt: skip
    return file


def test_a_configuration_with_findings_fails_and_says_where(failing: Path) -> None:
    result = _check("--config", str(failing), "--format", "github")
    assert result.exit_code == 1
    (said,) = [line for line in result.stdout.splitlines() if line.startswith("::error")]
    assert f"file={failing},line=3,title=waivers/expired" in said.replace("%3A", ":")
    assert "expired on 2020-01-31" in said
    assert "::notice::the scenarios of alerts were not proved" in result.stdout


def test_what_is_sound_is_written_and_nothing_else(failing: Path, artefacts: dict[str, bytes], tmp_path: Path) -> None:
    out = tmp_path / "out"
    refused = _check("--config", str(failing), "--out", str(out))
    assert refused.exit_code == 1 and not out.exists()
    done = _check("--out", str(out))
    assert done.exit_code == 0 and f"{len(artefacts)} files in {out}" in done.output
    assert {str(file.relative_to(out)) for file in out.rglob("*") if file.is_file() and file.name[0] != "."} == set(artefacts)


def test_a_wrong_configuration_is_an_annotation_too_and_ends_with_2(wrong: Path) -> None:
    result = _check("--config", str(wrong), "--format", "sarif")
    assert result.exit_code == 2
    (found,) = json.loads(result.stdout)["runs"][0]["results"]
    place = found["locations"][0]["physicalLocation"]
    assert place["region"] == {"startLine": 3} and place["artifactLocation"]["uri"].endswith("site.yaml")


def test_for_people_a_wrong_configuration_is_said_as_everywhere(wrong: Path) -> None:
    result = _check("--config", str(wrong))
    assert result.exit_code == 2 and result.stdout == "" and "site.yaml:3" in result.stderr


def test_a_waiver_of_a_check_that_there_is_not_is_refused(failing: Path) -> None:
    failing.write_text(failing.read_text().replace("rules/order", "rules/ordr").replace("2020", "2090"))
    result = _check("--config", str(failing))
    assert result.exit_code == 1 and "there is no check rules/ordr [waivers/unknown-check]" in result.stdout
    assert "did you mean rules/order?" in result.stdout


def test_nothing_is_said_of_waivers_of_what_was_not_run(failing: Path) -> None:
    later = failing.read_text().replace("2020", "2090")
    for check in ("tools/promtool", "sql/refused"):
        failing.write_text(later.replace("rules/order", check))
        assert "waivers/" not in _check("--config", str(failing)).stdout, check
    failing.write_text(later)
    assert "[waivers/without-finding]" in _check("--config", str(failing)).stdout


def test_an_unknown_revision_ends_with_2(failing: Path) -> None:
    result = _check("--config", str(failing), "--changed-since", "no-such-revision")
    assert result.exit_code == 2 and "there is no revision no-such-revision" in result.stderr


def test_a_database_that_does_not_answer_ends_with_3(failing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OBSERVATORY_POSTGRES_DSN", "postgresql://somebody:hunter2@127.0.0.1:1/nothing")
    result = _check("--config", str(failing), "--database")
    assert result.exit_code == 3 and "PostgreSQL cannot be asked" in result.stderr
    assert "hunter2" not in result.stdout + result.stderr

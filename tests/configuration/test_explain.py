"""`observatory config explain` and `show`: what counts, who said so, and never a secret."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from contract.settings import Settings
from provisioning import config
from provisioning.cli import main
from provisioning.configuration.effective import VARIABLES
from provisioning.configuration.schema import all_keys
from provisioning.yaml_source import dotted

ROOT = Path(__file__).parents[2]
CANARY = "canary-7f3a"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "overlays").mkdir()
    (tmp_path / "observatory.yaml").write_text("thresholds:\n  error_ratio: 0.06\nscrape: {exporter: ['a:1', 'b:1']}\n")
    (tmp_path / "overlays" / "live.yaml").write_text("thresholds: {error_ratio: 0.07}\n")
    return tmp_path


def says(*words: str, code: int = 0) -> str:
    done = CliRunner().invoke(main, list(words))
    assert done.exit_code == code, done.output
    return done.output


def test_a_key_is_explained_with_its_history(site: Path) -> None:
    said = says("--overlay", "live", "config", "explain", "thresholds.error_ratio")
    assert said.splitlines()[:3] == ["thresholds.error_ratio", "  queries that fail: warning", "  Queries to agents."]
    assert "  is        a number above 0 and below 1\n  default   0.05\n" in said
    assert "  now       0.07  (overlays/live.yaml:1:14, over observatory.yaml:2:3)\n" in said


def test_the_last_word_is_enough_where_it_is_clear(site: Path) -> None:
    assert says("config", "explain", "retries_per_query").startswith("thresholds.retries_per_query\n")
    assert "sources.prometheus.uid or sources.postgres.uid" in says("config", "explain", "uid", code=2)


@pytest.mark.parametrize(
    ("key", "remedy"),
    [
        ("thresholds.eror_ratio", "did you mean thresholds.error_ratio"),
        ("retries_per_qery", "did you mean thresholds.retries_per_query?"),
        ("qqqqqqqq", "`observatory config show` prints all of them"),
        ("a..b", "is no key; write for example"),
        ("thresholds.error_ratio[", "is no key; write for example"),
        ("", "is no key; write for example"),
    ],
)
def test_a_key_that_is_none_is_told_near_ones(site: Path, key: str, remedy: str) -> None:
    assert remedy in says("config", "explain", key, code=2)


def test_keys_of_lists_and_of_entries_by_name(site: Path) -> None:
    said = says("config", "explain", "scrape.exporter[1]")
    assert '  now       "b:1"  (observatory.yaml:3:28)' in said
    assert "slo[0].objective = 99.9  (the default)" in says("config", "explain", "slo.objective")
    assert "  is        a text, or null" in says("config", "explain", "database.relations.users.table")
    assert "  keys      certificate_file, key_file, client_ca_file" in says("config", "explain", "exporter.tls")


@pytest.mark.parametrize("key", all_keys())
def test_every_key_can_be_explained(site: Path, key: str) -> None:
    assert says("config", "explain", key).startswith(f"{key}\n")


def test_the_files_that_a_key_changes_are_those_of_a_build_with_another_value(site: Path) -> None:
    said = json.loads(says("config", "explain", "--files", "--format", "json", "scrape.exporter"))
    assert said["files"] == {"tried": '["a:1"]', "files": ["prometheus/targets/exporter.json"]}
    assert "read when commands and the exporter run" in says("config", "explain", "--files", "exporter.query_timeout")


def test_what_is_shown_is_the_configuration(site: Path) -> None:
    (site / "again.yaml").write_text(says("config", "show"))
    assert config.load(Path("again.yaml")) == config.chosen(None) != Settings()
    (site / "observatory.yaml").unlink()
    (site / "again.yaml").write_text(says("config", "show"))
    assert config.load(Path("again.yaml")) == Settings()


def test_only_what_was_changed_is_shown_with_its_place(site: Path) -> None:
    shown = [line.split() for line in says("--overlay", "live", "config", "show", "--changed").splitlines()]
    assert shown == [
        ["scrape:"],
        ["exporter:"],
        ["-", "a:1", "#", "observatory.yaml:3:21"],
        ["-", "b:1", "#", "observatory.yaml:3:28"],
        ["thresholds:"],
        ["error_ratio:", "0.07", "#", "overlays/live.yaml:1:14"],
    ]
    as_json = json.loads(says("--overlay", "live", "config", "show", "--changed", "--format", "json"))
    assert as_json["settings"]["thresholds"] == {"error_ratio": 0.07}
    assert as_json["origins"]["thresholds.error_ratio"] == "overlays/live.yaml:1:14"


def test_what_is_said_as_it_is_by_default_is_not_changed(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (site / "observatory.yaml").write_text((ROOT / "observatory.yaml").read_text())
    assert says("config", "show", "--changed").startswith("{}")
    monkeypatch.setenv("OBSERVATORY_GRAFANA_TOKEN", "glsa_canary")
    shown = says("config", "show", "--changed")
    assert "token_file: null" in shown and "the variable OBSERVATORY_GRAFANA_TOKEN" in shown and "canary" not in shown


def test_every_variable_comes_before_a_key_and_is_read_somewhere() -> None:
    code = "".join(
        file.read_text()
        for room in ("exporters", "provisioning")
        for file in (ROOT / room).rglob("*.py")
        if file.name != "effective.py"
    )
    for place, variable in VARIABLES.items():
        assert dotted(place) in all_keys()
        assert variable in code or variable in ("LANGFUSE_PUBLIC_KEY", "LANGFUSE_SECRET_KEY")
    assert 'f"LANGFUSE_{kind.upper()}_KEY"' in code


def test_no_secret_is_ever_shown(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (site / "secrets").mkdir()
    (site / "secrets" / "key").write_text(CANARY)
    (site / "observatory.yaml").write_text("sources: {langfuse: {secret_key_file: secrets/key}}\n")
    for variable in VARIABLES.values():
        monkeypatch.setenv(variable, f"http://{CANARY}.example.com" if variable.endswith("URL") else CANARY)
    monkeypatch.setenv("SLACK_WEBHOOK_URL_FILE", "secrets/key")
    said = [says("config", "show", *form) for form in ((), ("--changed",), ("--format", "json"))]
    said += [says("config", "explain", dotted(place)) for place in VARIABLES]
    said.append(says("config", "schema"))
    assert not [text for text in said if CANARY in text]
    assert all("secret_key_file: secrets/key" in text and "# the variable LANGFUSE_SECRET_KEY" in text for text in said[:2])
    assert (
        "  variable  LANGFUSE_SECRET_KEY, when it is set, comes before it"
        in said[3 + [*VARIABLES.values()].index("LANGFUSE_SECRET_KEY")]
    )

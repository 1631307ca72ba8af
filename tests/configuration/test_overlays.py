"""Files laid over each other: what counts, where it comes from, and what is said of mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from contract.settings import Settings
from provisioning import config
from provisioning.cli import main
from provisioning.configuration import effective
from provisioning.findings import ConfigError


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a folder for overlays."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "overlays").mkdir()
    return tmp_path


def refused(*overlays: str) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        config.load(Path("observatory.yaml"), overlays)
    return [f"{finding.place}: {finding.message}" for finding in raised.value.findings]


def test_sections_are_laid_over_each_other_and_everything_else_replaces(site: Path) -> None:
    (site / "observatory.yaml").write_text(
        "thresholds: {error_ratio: 0.06, success_ratio: 0.8}\n"
        "environments: [production, staging]\n"
        "scrape: {exporter: ['a:1', 'b:1']}\n"
        "naming: {metrics: {}}\n"
    )
    (site / "overlays" / "production.yaml").write_text("thresholds: {error_ratio: 0.07}\nscrape: {exporter: ['c:1']}\n")
    (site / "overlays" / "night.yml").write_text("thresholds: {error_ratio: 0.08}\n")
    laid = config.load(Path("observatory.yaml"), ["production", "night"])
    assert (laid.thresholds.error_ratio, laid.thresholds.success_ratio) == (0.08, 0.8)
    assert laid.environments == ("production", "staging")
    assert laid.scrape.exporter == ("c:1",)
    assert laid.exporter == Settings().exporter
    assert config.load(Path("observatory.yaml"), ["night", "production"]).thresholds.error_ratio == 0.07


def test_every_value_remembers_its_files_and_lines(site: Path) -> None:
    (site / "observatory.yaml").write_text("thresholds:\n  error_ratio: 0.06\nscrape: {exporter: ['a:1', 'b:1']}\n")
    (site / "overlays" / "production.yaml").write_text("\nthresholds: {error_ratio: 0.07}\nscrape: {exporter: ['c:1']}\n")
    with config.overlaid(["production"]):
        found = effective.read(None)
    assert found.set_in(("thresholds", "error_ratio")) == ["observatory.yaml:2:3", "overlays/production.yaml:2:14"]
    assert found.set_in(("scrape", "exporter", 0)) == ["overlays/production.yaml:3:21"]
    assert found.set_in(("scrape", "exporter", 1)) == []
    assert found.set_in(("thresholds", "success_ratio")) == []


def test_every_mistake_names_the_file_that_says_it(site: Path) -> None:
    (site / "observatory.yaml").write_text(
        "thresholds:\n  error_rati: 0.06\nbudgets: [{scope: staging}]\nexporter: {max_age: 1}\n"
    )
    (site / "overlays" / "production.yaml").write_text("environments: [production]\nexporter:\n  max_age: 90d\n")
    assert refused("production") == [
        "observatory.yaml:2:3: thresholds.error_rati: unknown key error_rati",
        "observatory.yaml:3:1: budgets: budget scope 'staging' is neither 'all' nor one of the environments production",
        "overlays/production.yaml:3:3: exporter.max_age: '90d' does not lie between 1s and 30d",
    ]


def test_an_overlay_that_is_not_there_is_told_with_the_ones_that_are(site: Path) -> None:
    (site / "observatory.yaml").write_text("exporter: {max_age: 20m}\n")
    (site / "overlays" / "production.yaml").write_text("exporter: {max_age: 30m}\n")
    done = CliRunner().invoke(main, ["--overlay", "prodution", "config", "show"])
    assert done.exit_code == 2
    assert "there is no overlay 'prodution'" in done.output and "did you mean production?" in done.output
    assert refused("../observatory") == ["overlays: there is no overlay '../observatory'"]
    (site / "overlays" / "production.jsonnet").write_text("{}")
    assert refused("production") == ["overlays: overlay production is production.jsonnet and production.yaml"]


def test_a_broken_overlay_is_broken_in_its_line(site: Path) -> None:
    (site / "observatory.yaml").write_text("exporter: {max_age: 20m}\n")
    (site / "overlays" / "production.yaml").write_text("a: 1\nb: [\n")
    assert refused("production")[0].startswith("overlays/production.yaml:3:1: not YAML")


def test_the_option_and_the_variable_name_overlays(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (site / "overlays" / "production.yaml").write_text("exporter: {max_age: 30m}\n")
    assert "overlays/production.yaml:1:12" in CliRunner().invoke(main, ["--overlay", "production", "config", "show"]).output
    assert "overlays" not in CliRunner().invoke(main, ["config", "show"]).output  # the one before ended with its command
    monkeypatch.setenv("OBSERVATORY_OVERLAY", "production")
    assert config.chosen(None).exporter.max_age == "30m"


def test_paths_start_from_the_folder_of_the_configuration_in_overlays_too(site: Path) -> None:
    (site / "there" / "overlays").mkdir(parents=True)
    (site / "there" / "observatory.yaml").write_text("database: {logins: {observatory_read: secrets/read}}\n")
    (site / "there" / "overlays" / "live.yaml").write_text("sources: {postgres: {dsn_file: secrets/dsn}}\n")
    laid = config.load(Path("there/observatory.yaml"), ["live"])
    assert laid.sources.postgres.dsn_file == "there/secrets/dsn"
    assert laid.database.logins == {"observatory_read": "there/secrets/read"}

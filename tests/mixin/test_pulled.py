"""Mixins of others become part of a build, are checked for what cannot work, and cannot do harm."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from contract.settings import Settings
from provisioning import build, config
from provisioning.check import built_findings
from provisioning.findings import ConfigError, Finding, error, warning
from provisioning.mixin import pulled
from provisioning.mixin.findings import lint_of_others, mixin_findings

HERE = Path(__file__).parent


def settings(**mixin: Any) -> Settings:
    tiny = {"name": "printers", "library": str(HERE / "tiny" / "mixin.libsonnet"), "vendor": [str(HERE / "vendor")]}
    return Settings.model_validate({"mixins": [tiny | mixin]})


def written(tmp_path: Path, text: str, **mixin: Any) -> Settings:
    file = tmp_path / "own.libsonnet"
    file.write_text(text)
    return settings(library=str(file), **mixin)


def refused(chosen: Settings) -> str:
    with pytest.raises(ConfigError) as raised:
        build.artefacts(chosen)
    return str(raised.value)


def test_its_dashboards_rules_and_alerts_are_files_of_the_build() -> None:
    built, plain = build.artefacts(settings()), build.artefacts(Settings())
    assert sorted(built.keys() - plain.keys()) == [
        "grafana/dashboards/printers/printers.json",
        "prometheus/rules/mixin-printers-alerts.yml",
        "prometheus/rules/mixin-printers-rules.yml",
    ]
    assert [name for name in plain if built[name] != plain[name]] == ["grafana/provisioning/dashboards/observatory.yml"]
    providers = yaml.safe_load(built["grafana/provisioning/dashboards/observatory.yml"])["providers"]
    assert providers[-1]["folder"] == "printers" and providers[-1]["options"]["path"].endswith("/dashboards/printers")
    board = json.loads(built["grafana/dashboards/printers/printers.json"])
    assert board["uid"] == "printers-printers" and "id" not in board and board["title"] == "Printers"


def test_its_configuration_is_laid_over_key_by_key() -> None:
    chosen = settings(config={"selector": 'job="office"', "limits": {"paper": 20}})
    rules = yaml.safe_load(pulled.rules(chosen)["prometheus/rules/mixin-printers-alerts.yml"])
    assert rules["groups"][0]["rules"][0]["expr"] == 'printer_paper_sheets{job="office"} < 20'
    board = json.loads(pulled.dashboards(chosen)["grafana/dashboards/printers/printers.json"])
    assert board["templating"]["list"][0]["current"]["value"] == "Prometheus"


def test_a_sound_mixin_has_no_errors_and_ours_are_judged_as_without_it() -> None:
    chosen = settings()
    found = set(built_findings(build.artefacts(chosen), chosen))
    without = set(built_findings(build.artefacts(Settings()), Settings()))
    more = found - without
    assert without <= found
    assert {finding.severity for finding in more} == {"warning"} and {finding.check for finding in more} == {"mixins/lint"}


def test_promtool_takes_the_whole(tmp_path: Path, prometheus_tools: Any) -> None:
    import subprocess

    chosen = settings()
    for path, body in build.artefacts(chosen).items():
        if path.startswith("prometheus/") and "/tests/" not in path:
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_bytes(body)
    said = subprocess.run(
        [prometheus_tools.promtool, "check", "config", str(tmp_path / "prometheus" / "prometheus.yml")],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert said.returncode == 0, said.stderr
    assert "mixin-printers-alerts.yml" in said.stdout


def test_paths_start_from_the_configuration(tmp_path: Path) -> None:
    shutil.copytree(HERE / "tiny", tmp_path / "mixins" / "tiny")
    shutil.copytree(HERE / "vendor", tmp_path / "vendor")
    (tmp_path / "observatory.yaml").write_text(
        "mixins: [{name: printers, library: mixins/tiny/mixin.libsonnet, vendor: [vendor], config: {limits: {paper: 3}}}]\n"
    )
    found = pulled.rules(config.load(tmp_path / "observatory.yaml"))
    assert "< 3" in found["prometheus/rules/mixin-printers-alerts.yml"].decode()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{ a: ", "own.libsonnet:1:6: unexpected end of file"),
        ("{ grafanaDashboards:: error 'no job' }", "own.libsonnet:1:23: no job"),
        ("[]", "the library is no object"),
        ("{ grafanaDashboards:: ['x'] }", "grafanaDashboards holds no dashboards by name"),
        ("{ prometheusAlerts:: { groups: {} } }", "mixins.printers, prometheusAlerts: has no list of groups"),
        ("{ grafanaDashboards:: { a: importstr '/etc/hostname' } }", "where imports have to stay"),
        (
            "{ grafanaDashboards:: { a: import '../../elsewhere.libsonnet' } }",
            'couldn\'t open import "../../elsewhere.libsonnet"',
        ),
    ],
)
def test_a_library_that_cannot_be_evaluated_says_where(tmp_path: Path, text: str, said: str) -> None:
    assert said in refused(written(tmp_path, text))


def test_files_and_folders_that_are_not_there(tmp_path: Path) -> None:
    assert "mixins.printers.library: there is no file" in refused(settings(library=str(tmp_path / "absent")))
    assert "mixins.printers.vendor: there is no folder" in refused(settings(vendor=[str(tmp_path / "absent")]))
    assert 'couldn\'t open import "panels/stat.libsonnet"' in refused(settings(vendor=[]))


def test_two_mixins_of_one_name_are_refused() -> None:
    one = {"name": "printers", "library": "x"}
    with pytest.raises(ValueError, match="two mixins are called printers"):
        Settings.model_validate({"mixins": [one, one]})


BROKEN = """{
  grafanaDashboards:: {
    'bare.json': { uid: 'bare' },
    'odd.json': { title: 'Odd', panels: { a: 1 }, tags: 'x' },
    'word.json': 'a dashboard',
  },
  prometheusAlerts:: { groups: [
    { name: 'g', rules: [
      { alert: 'Both', record: 'a', expr: 'up' },
      { alert: 'Number', expr: 1 },
      { alert: 'Labels', expr: 'up', labels: { severity: 1 } },
      'x',
    ] },
    { name: 'g', rules: [] },
    { rules: [] },
    7,
  ] },
}"""


def test_what_is_no_dashboard_and_no_rule_is_refused_all_at_once(tmp_path: Path) -> None:
    chosen = written(tmp_path, BROKEN)
    with pytest.raises(ConfigError) as boards:
        pulled.dashboards(chosen)
    assert [(finding.place.rpartition(" ")[2], finding.message[:20]) for finding in boards.value.findings] == [
        ("bare.json", "has no title, and Gr"),
        ("bare.json", "has neither a list o"),
        ("odd.json", "has neither a list o"),
        ("odd.json", "tags is 'x'"),
        ("word.json", "is no object"),
    ]
    with pytest.raises(ConfigError) as rules:
        pulled.rules(chosen)
    assert [
        (finding.place.partition(", ")[2].partition(", ")[2], finding.message[:14]) for finding in rules.value.findings
    ] == [
        ("group g", "\"{'alert': 'Bo"),
        ("group g", "\"{'alert': 'Nu"),
        ("group g, alert Labels", "labels are not"),
        ("group g", "'x' is no rule"),
        ("group g", "two groups of "),
        ("group 3", "a group has a "),
        ("group 4", "a group has a "),
    ]


ODD = """{
  grafanaDashboards:: {
    'same.json': { title: 'Same', uid: 'observatory-overview', panels: [] },
    'long.json': { title: 'Long', uid: '%s', panels: [] },
    'old.json': { title: 'Old', uid: 'old', rows: [] },
  },
  prometheusAlerts:: { groups: [{ name: 'g', rules: [{ alert: 'Quiet', expr: 'up == 0' }] }] },
}""" % ("x" * 41)


def test_what_cannot_work_is_an_error_and_the_rest_is_theirs(tmp_path: Path) -> None:
    chosen = written(tmp_path, ODD)
    found = mixin_findings(build.artefacts(chosen), chosen)
    assert {(finding.severity, finding.message.split(",")[0].split(":")[0]) for finding in found} == {
        ("error", "uid observatory-overview is the one of one of ours"),
        ("error", f"uid '{'x' * 41}'"),
        ("warning", "has rows of before Grafana 5"),
        ("warning", "has no severity"),
        ("warning", "says nothing to who is told"),
    }


def test_lint_of_others_is_one_warning_for_each_dashboard_and_check() -> None:
    found = [
        error("dashboard A, panel B", "no unit", "a unit", "dashboards/unit"),
        warning("dashboard A, panel C", "no unit", "", "dashboards/unit"),
        warning("dashboard A", "old", "", "dashboards/schema"),
    ]
    assert list(lint_of_others(found)) == [
        Finding("warning", "dashboard A", "panel B: no unit (dashboards/unit, and 1 more)", "a unit", "mixins/lint"),
        Finding("warning", "dashboard A", "old (dashboards/schema)", "", "mixins/lint"),
    ]


def test_two_dashboards_of_one_file_are_refused(tmp_path: Path) -> None:
    boards = "{ 'a/b.json': { title: 'A', panels: [] }, 'a-b.json': { title: 'B', panels: [] } }"
    with pytest.raises(ConfigError, match=r"another one has the file grafana/dashboards/printers/a-b\.json"):
        pulled.dashboards(written(tmp_path, f"{{ grafanaDashboards:: {boards} }}"))


def test_a_long_name_makes_a_uid_that_grafana_takes(tmp_path: Path) -> None:
    name = "a" * 60
    boards = f"{{ '{name}1.json': board, '{name}2.json': board }}"
    chosen = written(tmp_path, f"local board = {{ title: 'A', panels: [] }}; {{ grafanaDashboards:: {boards} }}")
    uids = [json.loads(body)["uid"] for body in pulled.dashboards(chosen).values()]
    assert len(set(uids)) == 2 and all(len(uid) == 40 for uid in uids)

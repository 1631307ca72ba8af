"""promtool is given what a test asks for and nothing else, and a proof holds for exactly that."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from provisioning.check import scenarios
from provisioning.check.excerpts import excerpt
from provisioning.check.programs import Program
from provisioning.check.proofs import Proofs
from provisioning.findings import Finding

TEST = "prometheus/tests/Slow.yml"
RULES = """\
groups:
- name: rates
  interval: 15s
  rules:
  - {record: "job:requests:rate5m", expr: "sum by (job) (rate(requests_total[5m]))"}
  - {record: "job:errors:rate5m", expr: "sum by (job) (rate(errors_total[5m]))"}
"""
FIGURES = """\
groups:
- name: figures
  rules:
  - {record: "job:requests:hundreds", expr: "job:requests:rate5m / 100"}
  - {record: "job:errors:hundreds", expr: "job:errors:rate5m / 100"}
"""
ALERTS = """\
groups:
- name: alerts
  rules:
  - {alert: Slow, expr: "job:requests:hundreds < 1"}
  - {alert: Failing, expr: "job:errors:hundreds > 1"}
"""
SLOW = """\
rule_files: [../rules/rates.yml, ../rules/figures.yml, ../rules/alerts.yml]
evaluation_interval: 15s
group_eval_order: [rates, figures, alerts]
tests:
- interval: 15s
  input_series: [{series: 'requests_total{job="a"}', values: 0+150x40}]
  alert_rule_test:
  - eval_time: 10m
    alertname: Slow
    exp_alerts: [{exp_labels: {job: a}}]
"""
BUILT = {
    TEST: SLOW.encode(),
    "prometheus/rules/rates.yml": RULES.encode(),
    "prometheus/rules/figures.yml": FIGURES.encode(),
    "prometheus/rules/alerts.yml": ALERTS.encode(),
    "prometheus/rules/others.yml": b"groups: []",
}


def _names(rule_file: bytes) -> list[str]:
    (group,) = json.loads(rule_file)["groups"]
    return [rule.get("record") or rule["alert"] for rule in group["rules"]]


def test_a_test_is_given_its_alert_and_all_that_it_reads() -> None:
    found = excerpt(TEST, BUILT)
    assert found.pop(TEST) == BUILT[TEST]
    assert {path: _names(body) for path, body in found.items()} == {
        "prometheus/rules/rates.yml": ["job:requests:rate5m"],
        "prometheus/rules/figures.yml": ["job:requests:hundreds"],
        "prometheus/rules/alerts.yml": ["Slow"],
    }
    (rates,) = json.loads(found["prometheus/rules/rates.yml"])["groups"]
    assert (rates["name"], rates["interval"]) == ("rates", "15s")


@pytest.fixture
def remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(scenarios, "Proofs", lambda version: Proofs(version, tmp_path))
    return tmp_path


def _changed(file: str, old: str, new: str) -> dict[str, bytes]:
    path = f"prometheus/rules/{file}.yml"
    assert old.encode() in BUILT[path]
    return {**BUILT, path: BUILT[path].replace(old.encode(), new.encode())}


@pytest.mark.usefixtures("prometheus_tools")
@pytest.mark.parametrize(
    ("file", "old", "new"),
    [("rates", "requests_total[5m]", "requests_total[5m] offset 1h"), ("figures", "/ 100", "/ 1"), ("alerts", "< 1", "< 0")],
)
def test_a_rule_that_a_test_reads_is_proved_anew_when_it_changes(remembered: Path, file: str, old: str, new: str) -> None:
    assert scenarios.proved(TEST, BUILT) == []
    (found,) = scenarios.proved(TEST, _changed(file, old, new))
    assert found.place == f"promtool test rules {TEST}" and "exp:" in found.message
    assert len(list(remembered.iterdir())) == 1, "what failed is not remembered"


def test_other_rules_change_nothing_of_a_proof(remembered: Path) -> None:
    proofs = Proofs("promtool, version 3.5.0", remembered)
    proof = proofs.of(excerpt(TEST, BUILT))
    assert proofs.of(excerpt(TEST, _changed("alerts", "> 1", "> 2"))) == proof
    assert proofs.of(excerpt(TEST, _changed("alerts", "< 1", "< 2"))) != proof
    assert proofs.of(excerpt(TEST, {**BUILT, TEST: SLOW.replace("10m", "9m").encode()})) != proof
    assert Proofs("promtool, version 3.6.0", remembered).of(excerpt(TEST, BUILT)) != proof


@pytest.mark.usefixtures("prometheus_tools")
def test_all_scenarios_are_proved_anew_when_that_is_asked(remembered: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    run = Program.findings

    def noted(self: Program, arguments: list[str], folder: Path, given: bytes = b"") -> list[Finding]:
        asked.append(arguments[-1])
        return run(self, arguments, folder, given)

    monkeypatch.setattr(Program, "findings", noted)
    for which, times in (("changed", 1), ("changed", 1), ("none", 1), ("all", 2)):
        assert list(scenarios.scenario_findings(BUILT, which)) == []  # type: ignore[arg-type]
        assert asked == [TEST] * times, which


@pytest.mark.usefixtures("prometheus_tools", "remembered")
def test_people_are_told_when_many_scenarios_have_to_be_proved() -> None:
    many = {f"prometheus/tests/Slow{number}.yml": SLOW.encode() for number in range(6)}
    told: list[str] = []
    assert list(scenarios.scenario_findings({**BUILT, **many}, "changed", told.append)) == []
    assert len(told) == 1 and "7 files" in told[0]
    assert list(scenarios.scenario_findings({**BUILT, **many}, "changed", told.append)) == []
    assert len(told) == 1, "what is remembered takes no time"


@pytest.mark.usefixtures("prometheus_tools")
def test_a_rule_file_that_is_missing_is_missed(remembered: Path) -> None:
    some = {path: body for path, body in BUILT.items() if "figures" not in path}
    (found,) = scenarios.proved(TEST, some)
    assert "figures.yml" in found.message and str(remembered) not in found.message

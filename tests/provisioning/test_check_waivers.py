"""Waivers: findings that a team leaves for a while, until a day that the test names."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from contract.settings import Settings
from contract.waivers import Waiver
from provisioning import config
from provisioning.check import run
from provisioning.check.waivers import waived
from provisioning.findings import ConfigError, Finding

UNUSED = Finding("warning", "recording rule x", "nobody reads this series", "remove the rule", "rules/unused")
PANEL = Finding("error", "dashboard Overview, panel Cost, query A", "unknown metric y", "", "promql/unknown-metric")


def _waiver(check: str = "rules/unused", target: str = "recording rule x", **other: Any) -> Waiver:
    said = {"owner": "agents", "reason": "the report of the quarter reads it", "expires": date(2027, 1, 31)}
    return Waiver(check=check, target=target, **{**said, **other})


def test_a_waiver_makes_a_finding_a_note_until_its_day_has_passed() -> None:
    (found,) = waived([UNUSED], [_waiver()], date(2027, 1, 31))
    assert found.severity == "note" and found.check == "rules/unused"
    assert found.message.endswith("(left until 2027-01-31 by agents: the report of the quarter reads it)")


def test_an_expired_waiver_fails_and_leaves_nothing() -> None:
    found = waived([UNUSED], [_waiver()], date(2027, 2, 1))
    assert [(finding.severity, finding.check) for finding in found] == [
        ("warning", "rules/unused"),
        ("error", "waivers/expired"),
    ]
    assert found[1].place == "waivers[0] (rules/unused, recording rule x)" and "expired on 2027-01-31" in found[1].message


@pytest.mark.parametrize(
    ("waiver", "remedy"),
    [
        (_waiver(target="recording rule y"), "did you mean recording rule x?"),
        (_waiver(check="rules/order"), "remove the waiver"),
        (_waiver(target="recording rule"), "did you mean recording rule x?"),
    ],
)
def test_a_waiver_without_a_finding_warns(waiver: Waiver, remedy: str) -> None:
    found = waived([UNUSED], [waiver], date(2027, 1, 1))
    assert [(finding.severity, finding.check) for finding in found] == [
        ("warning", "rules/unused"), ("warning", "waivers/without-finding"),
    ]  # fmt: skip
    assert found[1].remedy == remedy


@pytest.mark.parametrize("target", ["dashboard Overview", "dashboard Overview, panel Cost", PANEL.place])
def test_a_waiver_may_name_a_part_of_the_place(target: str) -> None:
    (found,) = waived([PANEL], [_waiver("promql/unknown-metric", target)], date(2027, 1, 1))
    assert found.severity == "note"


@pytest.mark.parametrize(
    ("day", "check"), [(date(2027, 1, 31), "waivers/without-finding"), (date(2027, 2, 1), "waivers/expired")]
)
def test_the_day_of_the_whole_check_can_be_given(day: date, check: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("provisioning.check.all_findings", lambda artefacts, settings, choices: iter([PANEL]))
    found = run(Settings(waivers=(_waiver(), _waiver("promql/unknown-metric", "dashboard Overview"))), day).findings
    assert [finding.check for finding in found if finding.place.startswith("waivers[0]")] == [check]
    assert (found[0].severity == "note") == (day == date(2027, 1, 31))


def test_waivers_are_read_from_the_configuration(tmp_path: Path) -> None:
    file = tmp_path / "observatory.yaml"
    text = (
        'waivers:\n- {check: rules/unused, target: "recording rule x", owner: agents, '
        'reason: "the report reads it", expires: 2027-01-31}\n'
    )
    file.write_text(text)
    assert config.load(file).waivers[0].expires == date(2027, 1, 31)
    file.write_text(text.replace("owner: agents", "owner: somebody"))
    with pytest.raises(ConfigError) as refused:
        config.load(file)
    assert "owner 'somebody' of the waiver of recording rule x is none of the teams platform, agents" in str(refused.value)
    file.write_text(text.replace("2027-01-31", "soon").replace("rules/unused", "unused"))
    with pytest.raises(ConfigError) as refused:
        config.load(file)
    assert [finding.place.split(": ")[1] for finding in refused.value.findings] == ["waivers[0].check", "waivers[0].expires"]

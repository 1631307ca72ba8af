"""Every check of expressions and of rules: what it finds, and what it leaves in peace."""

from __future__ import annotations

from typing import Any

import pytest

from contract.settings import Settings
from provisioning.check.catalogue import CHECKS
from provisioning.check.expressions import Inspector
from provisioning.check.known import known_series
from provisioning.check.lint.catalogue import EXPRESSION_CHECKS, REMOVED_FUNCTION, RULE_CHECKS, SYNTAX
from provisioning.check.rules import rule_findings
from tests.provisioning.expression_cases import INSPECTOR, RIGHT, RUNNING, WRONG, Group
from tests.provisioning.rule_cases import ONE, RULES_RIGHT, RULES_WRONG, alert, group, record


@pytest.mark.parametrize(("check", "expression", "message", "remedy"), WRONG, ids=[f"{case[0]}-{case[1]}" for case in WRONG])
def test_a_fault_is_found_and_nothing_else(check: str, expression: str, message: str, remedy: str) -> None:
    found = INSPECTOR.findings("place", expression)
    assert {finding.check for finding in found} == {check}, [str(finding) for finding in found]
    assert found[0].place == "place" and message in found[0].message and remedy in found[0].remedy


@pytest.mark.parametrize(("check", "expression"), [(check, text) for check, texts in RIGHT.items() for text in texts])
def test_what_is_right_is_left_in_peace(check: str, expression: str) -> None:
    found = INSPECTOR.findings("place", expression)
    assert found == [], check


def test_an_alert_may_not_be_decided_by_a_limit_that_else_drops_values_that_are_no_numbers() -> None:
    text = "platform_goal_success_ratio >= 0"
    assert INSPECTOR.findings("place", text) == []
    assert [finding.check for finding in INSPECTOR.findings("place", text, alert=True)] == ["promql/decided"]


def test_a_step_may_be_as_short_as_the_rule_is_evaluated() -> None:
    from datetime import timedelta

    text = f"max_over_time({RUNNING}[1h:30s])"
    assert INSPECTOR.findings("place", text, interval=timedelta(seconds=30)) == []
    (found,) = INSPECTOR.findings("place", text, interval=timedelta(minutes=1))
    assert found.check == "promql/subquery-step" and "as often as the rule is evaluated" in found.message


def test_what_a_reader_chooses_is_not_held_against_the_query() -> None:
    text = f'{RUNNING}{{agent=~"clerk",environment=~"prodution"}}'
    assert INSPECTOR.findings("place", text, chosen=frozenset({("agent", "clerk"), ("environment", "prodution")})) == []


# ---- rules


def found_in(groups: list[Group]) -> list[Any]:
    settings = Settings()
    return list(rule_findings(groups, Inspector.of(settings, known_series(groups)), settings))


@pytest.mark.parametrize(("check", "groups", "place", "message"), RULES_WRONG, ids=[f"{c[0]}-{c[3]}" for c in RULES_WRONG])
def test_a_fault_of_rules_is_found_and_nothing_else(check: str, groups: list[Group], place: str, message: str) -> None:
    found = found_in(groups)
    assert [(finding.check, finding.place) for finding in found] == [(check, place)], [str(finding) for finding in found]
    assert message in found[0].message


@pytest.mark.parametrize(("check", "groups"), [(check, groups) for check, all_ in RULES_RIGHT.items() for groups in all_])
def test_rules_that_are_right_are_left_in_peace(check: str, groups: list[Group]) -> None:
    assert found_in(groups) == [], check


def test_what_dashboards_and_people_read_is_used() -> None:
    settings, groups = Settings(), [group(ONE)]
    inspector = Inspector.of(settings, known_series(groups))
    assert list(rule_findings(groups, inspector, settings, read=["agent:running:sum"])) == []
    assert list(rule_findings(groups, inspector, settings, kept=["agent:running:sum"])) == []
    (found,) = rule_findings(groups, inspector, settings, kept=["agent:running:sum", "agent:runing:sum"])
    assert (found.check, found.remedy) == ("rules/kept-for-nothing", "did you mean agent:running:sum?")


def test_labels_that_the_server_adds_are_for_the_server() -> None:
    settings = Settings()
    one = record("agent:running:sum", f"sum by (agent) ({RUNNING})", site="north")
    groups = [group(one, alert(expr="agent:running:sum > 3", annotations={"description": "{{ $externalLabels.site }}"}))]
    inspector = Inspector.of(settings, known_series(groups))
    (found,) = rule_findings(groups, inspector, settings, external=["site"])
    assert (found.check, found.place) == ("rules/external-label", "recording rule agent:running:sum")
    (found,) = rule_findings(groups, inspector, settings, external=["sites"])
    assert (found.check, found.place) == ("alerts/template-label", "alert Slow, description")
    assert found.message == "the server has no external label site" and found.remedy == "did you mean sites?"


def test_a_delay_is_a_note_and_for_a_page_a_warning() -> None:
    severities = [found_in(groups)[0].severity for check, groups, _, _ in RULES_WRONG if check == "rules/delay"]
    assert severities == ["note", "warning"]


def test_a_metric_that_is_recorded_from_another_name_stays_a_counter() -> None:
    name, alias = "agent_query_duration_seconds_count", "gen_ai_invoke_agent_duration_seconds_count"
    adapter = group(record(name, f'label_replace({alias}, "agent", "$1", "gen_ai_agent_name", "(.*)")'))
    text = "{{ $labels.agent }}: {{ $value | humanize }}"
    reader = group(alert(expr=f"sum by (agent) (rate({name}[5m])) > 5", annotations={"description": text}), name="h")
    assert found_in([adapter, reader]) == [] and found_in([adapter]) == []


# ---- the list

IDS = {SYNTAX, REMOVED_FUNCTION, *(check.id for check in EXPRESSION_CHECKS), *(check.id for check in RULE_CHECKS)}


def test_every_check_is_shown_to_find_and_to_be_quiet() -> None:
    elsewhere = {"rules/kept-for-nothing", "rules/external-label"}  # by tests of their own
    assert {case[0] for case in (*WRONG, *RULES_WRONG)} | elsewhere == IDS
    assert RIGHT.keys() | RULES_RIGHT.keys() | elsewhere == IDS


@pytest.mark.parametrize("check", sorted(IDS))
def test_every_check_is_explained(check: str) -> None:
    assert CHECKS[check].finds and CHECKS[check].why

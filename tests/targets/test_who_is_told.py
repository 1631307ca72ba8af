"""Who would be told differently, in sentences: by tables of changes, and for the house's own alerts and routes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from alert_rules import routes, rules
from contract.settings import Settings
from provisioning.plan.paging import Side, differences
from provisioning.targets.routing import parsed as parsed_configuration
from provisioning.targets.rule_groups import normal, parsed
from recording_rules import registry

ALERT = {"alert": "Errors", "expr": "errors:ratio > 0.05", "for": "2m", "labels": {"severity": "page", "team": "agents"}}
CONFIGURATION = """
route:
  receiver: rest
  group_by: [alertname]
  repeat_interval: 4h
  routes:
  - {receiver: agents, matchers: [team=agents]}
  - {receiver: finance, matchers: [team=finance], active_time_intervals: [hours]}
time_intervals:
- name: hours
  time_intervals: [{weekdays: ['monday:friday'], times: [{start_time: 09:00, end_time: 17:00}], location: Europe/Berlin}]
inhibit_rules:
- {source_matchers: [alertname=Down], target_matchers: [alertname=Errors], equal: [environment]}
receivers:
- name: rest
- name: agents
  slack_configs: [{channel: '#agents'}]
- name: finance
  email_configs: [{to: money@example.com}]
  webhook_configs: [{url: 'http://hook.example.com/first'}]
"""
DOWN = {"alert": "Down", "expr": "up == 0", "labels": {"team": "finance"}}


def side(*alerts: Mapping[str, Any], configuration: str | None = CONFIGURATION) -> Side:
    groups = parsed(yaml.safe_dump({"groups": [{"name": "alerts", "rules": list(alerts)}]}).encode())
    return Side(tuple(groups), parsed_configuration(configuration) if configuration else None)


def changed(**parts: Any) -> dict[str, Any]:
    return {**ALERT, **parts}


def labelled(**labels: str) -> dict[str, Any]:
    return {**ALERT, "labels": {**ALERT["labels"], **labels}}  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        pytest.param(ALERT, ALERT, (), id="nothing"),
        pytest.param(ALERT, changed(expr="errors:ratio  >  0.050"), (), id="another spelling"),
        pytest.param(ALERT, changed(expr="errors:ratio > 0.1"), ("Errors: fires above 0.1 instead of 0.05",), id="limit"),
        pytest.param(
            changed(expr="left < 5 and calls > 10"),
            changed(expr="left < 5 and calls > 20"),
            ("Errors: asks for above 20 besides, instead of 10",),
            id="a further condition",
        ),
        pytest.param(ALERT, changed(expr="other:ratio > 0.05"), ("Errors: asks another question",), id="another question"),
        pytest.param(ALERT, changed(expr="errors:ratio < 0.05"), ("Errors: asks another question",), id="another side"),
        pytest.param(ALERT, changed(expr="absent(up)"), ("Errors: asks another question",), id="another form"),
        pytest.param(ALERT, changed(**{"for": "5m"}), ("Errors: holds 5m instead of 2m",), id="hold"),
        pytest.param(ALERT, changed(**{"for": "0s"}), ("Errors: fires at once instead of after 2m",), id="no hold"),
        pytest.param(
            changed(**{"for": "0s"}),
            ALERT,
            ("Errors: holds 2m before it fires, and fired at once",),
            id="a hold where none was",
        ),
        pytest.param(ALERT, changed(keep_firing_for="3m"), ("Errors: keeps firing for 3m after its end",), id="keeps firing"),
        pytest.param(ALERT, labelled(severity="warning"), ("Errors: is warning instead of page",), id="severity"),
        pytest.param(
            ALERT,
            labelled(team="finance"),
            ("Errors: was Slack #agents; now mail money@example.com and webhook http://hook.example.com/…",),
            id="another team",
        ),
        pytest.param(
            ALERT, labelled(team="x"), ("Errors: no longer tells anyone; was Slack #agents",), id="a team that is nobody"
        ),
        pytest.param(labelled(team="x"), ALERT, ("Errors: was nobody; now Slack #agents",), id="somebody where nobody was"),
        pytest.param(
            changed(expr='errors:ratio{environment="production"} > 0.05'),
            changed(expr='errors:ratio{environment=~"production|staging"} > 0.1'),
            (
                "Errors (production, staging): looks at production and staging instead of production",
                "Errors (production, staging): fires above 0.1 instead of 0.05",
            ),
            id="more environments",
        ),
    ],
)
def test_a_change_of_a_rule(before: dict[str, Any], after: dict[str, Any], said: tuple[str, ...]) -> None:
    assert differences(side(DOWN, before), side(DOWN, after)) == said


def test_alerts_that_come_and_go() -> None:
    one = side(DOWN, ALERT)
    assert differences(side(DOWN), one) == ("Errors: new; tells Slack #agents",)
    assert differences(one, side(DOWN)) == ("Errors: no longer there; told Slack #agents",)
    assert differences(side(DOWN, configuration=None), side(DOWN, ALERT, configuration=None)) == ("Errors: new",)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("'#agents'", "'#others'", ("Errors: was Slack #agents; now Slack #others",)),
        (
            "slack_configs: [{channel: '#agents'}]",
            "slack_configs: [{channel: '#agents'}]\n  email_configs: [{to: agents@example.com}]",
            ("Errors: was Slack #agents; now Slack #agents and mail agents@example.com",),
        ),
        ("matchers: [team=agents]", "match: {team: agents}", ()),
        ("matchers: [team=agents]", "matchers: [team=agents], continue: true", ()),
        ("repeat_interval: 4h", "repeat_interval: 2h", ("Down and Errors: told again every 2h instead of every 4h",)),
        ("repeat_interval: 4h", "group_wait: 0s", ("Down and Errors: told after 0s instead of 30s",)),
        (
            "group_by: [alertname]",
            "group_by: ['...']",
            ("Down and Errors: one message for each alert instead of each alertname",),
        ),
        (
            "monday:friday",
            "monday:saturday",
            (
                "Down: told only monday to saturday 09:00\N{EN DASH}17:00 (Europe/Berlin) "
                "instead of only monday to friday 09:00\N{EN DASH}17:00 (Europe/Berlin)",
            ),
        ),
        (
            "active_time_intervals",
            "mute_time_intervals",
            (
                "Down: told never monday to friday 09:00\N{EN DASH}17:00 (Europe/Berlin) "
                "instead of only monday to friday 09:00\N{EN DASH}17:00 (Europe/Berlin)",
            ),
        ),
        (
            ", active_time_intervals: [hours]",
            "",
            ("Down: told at any time instead of only monday to friday 09:00\N{EN DASH}17:00 (Europe/Berlin)",),
        ),
        ("channel: '#agents'", "channel: '#agents', send_resolved: true", ("Errors: its end is now told",)),
        ("/first", "/second", ("Down: told at another address there (webhook http://hook.example.com/…)",)),
        (
            "equal: [environment]",
            "equal: [agent]",
            (
                "Errors: now muted while Down fires for the same agent",
                "Errors: no longer muted while Down fires for the same environment",
            ),
        ),
        ("target_matchers: [alertname=Errors]", 'target_matchers: [alertname=~"Err.*|Down"]', ()),
    ],
)
def test_a_change_of_routes(old: str, new: str, said: tuple[str, ...]) -> None:
    assert old in CONFIGURATION
    configuration = CONFIGURATION.replace(old, new)
    assert differences(side(DOWN, ALERT), side(DOWN, ALERT, configuration=configuration)) == said


def test_only_the_values_of_a_free_label_that_make_a_difference_are_named() -> None:
    free = {"alert": "Free", "expr": "sum by (team, kind) (errors) > 0"}
    before = CONFIGURATION.replace(
        "- {receiver: finance", '- {receiver: agents, matchers: [kind=~"a|b", team=x]}\n  - {receiver: finance'
    )
    after = before.replace('kind=~"a|b", team=x', "team=x")
    assert differences(side(free, configuration=before), side(free, configuration=after)) == (
        "Free: for any other kind and team x: was nobody; now Slack #agents",
    )
    after = before.replace("'#agents'", "'#others'")
    assert differences(side(free, configuration=before), side(free, configuration=after)) == (
        "Free: for team agents: was Slack #agents; now Slack #others",
        "Free: for kind a and team x: was Slack #agents; now Slack #others",
        "Free: for kind b and team x: was Slack #agents; now Slack #others",
    )


def test_what_is_the_same_for_many_is_said_once() -> None:
    many = [{**ALERT, "alert": f"Errors{number}"} for number in range(6)]
    other = CONFIGURATION.replace("'#agents'", "'#others'")
    assert differences(side(*many), side(*many, configuration=other)) == (
        "6 alerts (Errors0, Errors1, Errors2 and 3 more): was Slack #agents; now Slack #others",
    )


def test_alerts_of_one_name_are_told_apart_by_their_labels() -> None:
    page, mail = ALERT, labelled(severity="mail")
    assert differences(side(page, mail), side({**page, "for": "5m"}, mail)) == (
        "Errors (severity=page, team=agents): holds 5m instead of 2m",
    )


@pytest.mark.parametrize(
    "wrong",
    [
        "route: {receiver: [a]}",
        "route: {receiver: a, active_time_intervals: [[x]]}",
        "route: {receiver: a}\nreceivers: [{name: a, slack_configs: [5]}]",
        "route: {receiver: a}\ntime_intervals: [{name: n, time_intervals: [{times: [{start_time: 09:00}]}]}]",
    ],
)
def test_a_configuration_of_another_form_is_said_and_rules_are_compared_all_the_same(wrong: str) -> None:
    said = differences(side(ALERT, configuration=wrong), side({**ALERT, "for": "5m"}))
    assert "a form that Alertmanager does not take" in said[0] and said[-1] == "Errors: holds 5m instead of 2m"


@pytest.mark.parametrize(("matcher", "why"), [("'nonsense'", "is not a matcher"), ("'team=~\"(\"'", "unterminated")])
def test_routes_that_cannot_be_followed_are_said_and_rules_are_compared_all_the_same(matcher: str, why: str) -> None:
    wrong = CONFIGURATION.replace("team=agents", matcher)
    said = differences(side(ALERT), side({**ALERT, "for": "5m"}, configuration=wrong))
    assert said[0].startswith("whom alerts reach cannot be compared: ")
    assert why in said[0]
    assert said[1:] == ("Errors: holds 5m instead of 2m",)


def test_what_others_wrote_wrongly_does_not_matter() -> None:
    wrong: list[Any] = [
        "nonsense",
        {"alert": "NoExpression"},
        {"expr": "up"},
        {"alert": "Unreadable", "expr": "sum((", "for": "soon"},
    ]
    one = side(*wrong, ALERT)
    other = side(*wrong[:3], {**wrong[3], "for": "later"}, {**ALERT, "for": "5m"})
    assert differences(one, other) == ("Errors: holds 5m instead of 2m", "Unreadable: holds later instead of soon")


def house(**parts: Any) -> Side:
    settings = Settings.model_validate(parts)
    groups = [*registry.rule_groups(settings), *rules.rule_groups(settings)]
    return Side(
        tuple(normal(group) for group in groups),
        parsed_configuration(yaml.safe_dump(routes.configuration(settings))),
    )


def test_thresholds_of_the_house_are_told_in_their_units() -> None:
    changed = {"error_ratio": 0.03, "response_seconds": 9.2, "minimum_queries": 20, "minimum_slo_events": 200}
    said = differences(house(), house(thresholds=changed))
    assert "AgentErrorRatioHigh: fires above 3% instead of 5%" in said
    assert "AgentErrorRatioCritical and AgentErrorRatioHigh: needs 20 instead of 10 events (Agent queries, 5m)" in said
    assert any("fires above 9.2s instead of 5s" in sentence for sentence in said)
    assert not any("asks another question" in sentence for sentence in said)


def test_teams_of_the_house() -> None:
    teams = [team.model_dump() for team in Settings().teams]
    teams[1] |= {"email": None}
    said = differences(house(), house(teams=teams))
    assert said[0].endswith("was Slack #agent-alerts and mail agents@example.com; now Slack #agent-alerts")
    assert "AgentErrorsPage (production)" in said[0]
    assert differences(house(), house()) == ()


def test_who_is_no_longer_told_comes_first() -> None:
    said = differences(house(), house(notifications={"paging_environments": []}, thresholds={"error_ratio": 0.03}))
    assert "AgentErrorsPage (production) and AgentResponseTimePage (production): no longer there" in said[0]
    assert "AgentErrorRatioHigh: fires above 3% instead of 5%" in said

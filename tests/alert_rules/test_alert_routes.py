"""Every alert reaches its people at the right hours, by our own reading of the routes and by Alertmanager's."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import replace
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from alert_rules import matching, routes, templates
from alert_rules.catalogue import ALERTS
from alert_rules.model import Alert, Severity
from contract.notifications import Hours, Team
from contract.settings import Settings
from recording_rules import registry

DEFAULTS = Settings()
HISTORY = "http://127.0.0.1:8025/alerts"
WITH_HISTORY = Settings.model_validate({"notifications": {"history_url": HISTORY}})
BERLIN = {"timezone": "Europe/Berlin", "days": "monday:friday", "start": "08:00", "end": "18:00"}
WITH_HOURS = Settings.model_validate(
    {
        "notifications": {"history_url": HISTORY, "deadman_url": "https://deadman.example.com/ping"},
        "teams": [
            {"name": "platform", "slack_channel": "#platform", "hours": {"days": "monday:sunday", "end": "24:00"}},
            {"name": "agents", "slack_channel": "#agents", "email": "agents@example.com", "hours": BERLIN},
            {"name": "finance", "email": "finance@example.com"},
            {"name": "support", "email": "support@example.com"},
        ],
    }
)
(ERROR_RATIO,) = (alert for alert in ALERTS if alert.name == "AgentErrorRatioHigh")
OF_ANY_TEAM = replace(ERROR_RATIO, name="ServiceLevelBurns", team="", by=("team", "agent"), concern="service-level")
GOOD_TO_KNOW = replace(ERROR_RATIO, name="VersionChanged", severity=Severity.INFO, concern="versions")
WHOLE = (*ALERTS, OF_ANY_TEAM, GOOD_TO_KNOW)

SUNDAY_NIGHT = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
MONDAY_MORNING = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)

TABLE = [
    ({"team": "agents", "severity": "critical", "paging": "true"}, ["history", "agents-page"]),
    ({"team": "agents", "severity": "critical"}, ["history", "agents-critical"]),
    ({"team": "agents", "severity": "warning"}, ["history", "agents-warning"]),
    ({"team": "finance", "severity": "critical", "concern": "cost"}, ["history", "finance-critical"]),
    ({"team": "finance", "severity": "warning"}, ["history", "finance-warning"]),
    ({"team": "finance", "severity": "info"}, ["history", "default"]),
    ({"team": "finance", "severity": "critical", "paging": "true"}, ["history", "finance-page"]),
    ({"team": "support", "severity": "critical", "paging": "true"}, ["history", "default"]),
    ({"team": "unknown", "severity": "critical"}, ["history", "default"]),
    ({"severity": "warning"}, ["history", "default"]),
    ({}, ["history", "default"]),
]


def write(settings: Settings, folder: Path, alerts: tuple[Alert, ...] | None = None) -> Path:
    path = folder / "alertmanager.yml"
    path.write_text(yaml.safe_dump(routes.configuration(settings, alerts), sort_keys=False), encoding="utf-8")
    (folder / "templates").mkdir()
    for name, text in templates.files(settings).items():
        (folder / "templates" / name).write_text(text, encoding="utf-8")
    return path


def reached(labels: dict[str, str], settings: Settings) -> list[str]:
    return matching.receivers(routes.configuration(settings)["route"], labels)


def route_to(configuration: dict[str, Any], receiver: str, **labels: str) -> dict[str, Any]:
    (found,) = (route for route in matching.taken(configuration["route"], labels) if route["receiver"] == receiver)
    return dict(found)


@pytest.mark.parametrize(("labels", "receivers"), TABLE, ids=str)
def test_labels_reach_their_receivers(labels: dict[str, str], receivers: list[str]) -> None:
    assert reached(labels, WITH_HISTORY) == receivers
    assert reached(labels, DEFAULTS) == receivers[1:]


@pytest.mark.parametrize(
    ("settings", "alerts"), [(DEFAULTS, None), (WITH_HISTORY, None), (WITH_HOURS, WHOLE)], ids=["plain", "history", "whole"]
)
def test_alertmanager_reads_the_routes_as_we_do(
    settings: Settings, alerts: tuple[Alert, ...] | None, tmp_path: Path, prometheus_tools: Any
) -> None:
    """Asked once for all labels to which every matcher of the configuration says the same."""
    path = write(settings, tmp_path, alerts)
    tree = routes.configuration(settings, alerts)["route"]
    known = [(line.labels, list(line.inside)) for line in routes.table(settings, alerts)]
    foreign = [(labels, matching.receivers(tree, labels)) for labels, _ in TABLE]
    conditions = _conditions(tree)
    told: dict[tuple[bool, ...], list[str]] = {}
    for labels, receivers in [*known, *foreign]:
        assert matching.receivers(tree, labels) == receivers, labels
        alike = tuple(condition.accepts(labels.get(condition.label, "")) for condition in conditions)
        if alike not in told:
            pairs = [f"{name}={value}" for name, value in labels.items()]
            command = [prometheus_tools.amtool, "config", "routes", "test", "--config.file", path, *pairs]
            result = subprocess.run(command, capture_output=True, text=True)
            assert result.returncode == 0, (labels, result.stderr)
            told[alike] = result.stdout.strip().split(",")
        assert told[alike] == receivers, labels
    assert len(told) > 15


def _conditions(route: dict[str, Any]) -> list[matching.Matcher]:
    """The matchers of a route and of those below it."""
    below = [condition for child in route.get("routes", ()) for condition in _conditions(child)]
    return [*map(matching.Matcher.parsed, route.get("matchers", ())), *below]


def test_who_is_told_within_hours_and_at_sunday_night() -> None:
    configuration = routes.configuration(WITH_HOURS, WHOLE)
    lines = routes.table(WITH_HOURS, WHOLE)
    for line in lines:
        assert tuple(matching.told(configuration, line.labels, MONDAY_MORNING)) == line.inside, line
        assert tuple(matching.told(configuration, line.labels, SUNDAY_NIGHT)) == line.outside, line
    waiting = {(line.labels["team"], line.labels["severity"]) for line in lines if line.inside != line.outside}
    assert waiting == {(team, severity) for team in ("agents", "platform") for severity in ("warning", "info")}
    assert all("history" in line.outside for line in lines)
    teams = {line.labels.get("team") for line in lines if line.labels["alertname"] == "ServiceLevelBurns"}
    assert teams == {"platform", "agents", "finance"}, "an alert whose series say the team may reach each of them"


def test_hours_follow_the_clock_of_the_team_and_end_at_their_end() -> None:
    configuration = routes.configuration(WITH_HOURS, WHOLE)

    def told(day: date, *times: str) -> list[bool]:
        labels = {"team": "agents", "severity": "warning"}
        moments = [datetime.combine(day, time.fromisoformat(text), UTC) for text in times]
        return ["agents-warning" in matching.told(configuration, labels, moment) for moment in moments]

    begins_and_ends = [False, True, True, False]
    assert told(date(2026, 11, 20), "06:59", "07:00", "16:59", "17:00") == begins_and_ends, "in winter"
    assert told(date(2026, 7, 17), "05:59", "06:00", "15:59", "16:00") == begins_and_ends, "in summer"


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        ("monday:friday", "monday tuesday wednesday thursday friday"),
        ("saturday:monday", "sunday monday saturday"),
        ("tuesday, thursday", "tuesday thursday"),
    ],
)
def test_days_in_a_row_and_one_by_one(days: str, expected: str) -> None:
    assert list(Hours(days=days).weekdays) == expected.split()


@pytest.mark.parametrize(
    ("hours", "message"),
    [
        ({"timezone": "Europe/Atlantis"}, "there is no time zone 'Europe/Atlantis'"),
        ({"timezone": "../etc/passwd"}, "there is no time zone"),
        ({"days": "monday:funday"}, "'monday:funday' is neither a day nor two of them"),
        ({"start": "18:00", "end": "08:00"}, "08:00 is not after the start, 18:00"),
        ({"end": 1080}, 'stands in quotes: "18:00"'),
        ({"end": "25:00"}, "should match pattern"),
    ],
)
def test_hours_that_cannot_be_are_refused(hours: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(message)):
        Hours.model_validate(hours)


def test_a_team_has_slack_or_mail_or_both() -> None:
    with pytest.raises(ValidationError, match="nobody can reach team ops; give it a slack_channel or an email"):
        Team(name="ops")
    receivers = {one["name"]: one for one in routes.configuration(WITH_HOURS, WHOLE)["receivers"]}
    assert "email_configs" not in receivers["platform-critical"]
    assert "slack_configs" not in receivers["finance-critical"]
    assert receivers["agents-info"].keys() == {"name", "slack_configs"}, "where there is Slack, only what matters is mailed"
    only_mail = Settings(teams=tuple(Team(name=name, email="a@b") for name in ("platform", "agents", "finance", "support")))
    configuration = routes.configuration(only_mail)
    assert "slack_api_url_file" not in configuration["global"]
    assert all("slack_configs" not in receiver for receiver in configuration["receivers"])


def test_the_watchdog_goes_to_the_dead_mans_switch_and_to_no_person() -> None:
    labels = {"alertname": "Watchdog", "team": "platform", "severity": "info"}
    whole = routes.configuration(WITH_HOURS, WHOLE)
    assert matching.receivers(whole["route"], labels) == ["history", "deadman"]
    (receiver,) = (one for one in whole["receivers"] if one["name"] == "deadman")
    assert receiver["webhook_configs"] == [{"url": "https://deadman.example.com/ping", "send_resolved": False}]
    without = routes.configuration(WITH_HISTORY, WHOLE)
    assert matching.receivers(without["route"], labels) == ["history", "nobody"]
    assert {"name": "nobody"} in without["receivers"]
    secret = DEFAULTS.model_copy(
        update={"notifications": DEFAULTS.notifications.model_copy(update={"deadman_url_file": "/run/secrets/deadman"})}
    )
    (receiver,) = (one for one in routes.configuration(secret, WHOLE)["receivers"] if one["name"] == "deadman")
    assert receiver["webhook_configs"] == [{"url_file": "/run/secrets/deadman", "send_resolved": False}]
    with pytest.raises(ValidationError, match="deadman_url is given too"):
        Settings.model_validate({"notifications": {"deadman_url": "http://a", "deadman_url_file": "b"}})
    nobody_watches = tuple(alert for alert in WHOLE if alert.name != "Watchdog")
    assert "deadman" not in {one["name"] for one in routes.configuration(WITH_HOURS, nobody_watches)["receivers"]}


@pytest.mark.parametrize(
    ("settings", "alerts"), [(DEFAULTS, None), (WITH_HISTORY, WHOLE), (WITH_HOURS, WHOLE)], ids=["plain", "history", "whole"]
)
def test_amtool_accepts_the_configuration_and_its_templates(
    settings: Settings, alerts: tuple[Alert, ...] | None, tmp_path: Path, prometheus_tools: Any
) -> None:
    path = write(settings, tmp_path, alerts)
    result = subprocess.run([prometheus_tools.amtool, "check-config", path], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "1 templates" in result.stdout


def test_receivers_and_hours_are_exactly_those_that_routes_use() -> None:
    def used(route: dict[str, Any], key: str) -> set[str]:
        own = route.get(key, [])
        return {own} if isinstance(own, str) else set(own).union(*(used(child, key) for child in route.get("routes", ())))

    def receivers(route: dict[str, Any]) -> set[str]:
        return {route["receiver"]}.union(*(receivers(child) for child in route.get("routes", ())))

    for settings, alerts in ((DEFAULTS, None), (WITH_HISTORY, WHOLE), (WITH_HOURS, WHOLE)):
        configuration = routes.configuration(settings, alerts)
        assert sorted(one["name"] for one in configuration["receivers"]) == sorted(receivers(configuration["route"]))
        defined = {interval["name"] for interval in configuration.get("time_intervals", ())}
        assert defined == used(configuration["route"], "active_time_intervals")


def test_pages_leave_at_once_and_what_is_slow_is_repeated_once_a_day() -> None:
    configuration = routes.configuration(DEFAULTS)
    page = route_to(configuration, "agents-page", team="agents", severity="critical", paging="true")
    parent = next(route for route in configuration["route"]["routes"] if route.get("matchers") == ['paging="true"'])
    assert page["matchers"] == ['team="agents"']
    assert (parent["group_wait"], parent["group_interval"], parent["repeat_interval"]) == ("0s", "15s", "1h")
    slow = route_to(configuration, "finance-critical", team="finance", severity="critical", concern="cost")
    critical = route_to(configuration, "agents-critical", team="agents", severity="critical", concern="agent-errors")
    assert (slow["repeat_interval"], critical["repeat_interval"]) == ("1d", "4h")
    changed = {"repeat": {"critical": "2h"}, "slow_concerns": ["agent-errors"]}
    configuration = routes.configuration(Settings.model_validate({"notifications": changed}))
    slow = route_to(configuration, "agents-critical", team="agents", severity="critical", concern="agent-errors")
    cost = route_to(configuration, "finance-critical", team="finance", severity="critical", concern="cost")
    assert (slow["repeat_interval"], cost["repeat_interval"]) == ("1d", "2h")
    with pytest.raises(ValidationError, match="critical is repeated after 1d, later than warning"):
        Settings.model_validate({"notifications": {"repeat": {"critical": "1d"}}})


def test_secrets_are_only_named_by_their_files() -> None:
    smtp = {
        "username": "observatory",
        "password_file": "/run/secrets/smtp",
        "require_tls": True,
        "smarthost": "mail.example.com:587",
    }
    slack = {"webhook_url_file": "/run/secrets/slack"}
    configuration = routes.configuration(Settings.model_validate({"notifications": {"smtp": smtp, "slack": slack}}))
    assert configuration["global"]["slack_api_url_file"] == "/run/secrets/slack"
    assert configuration["global"]["smtp_auth_password_file"] == "/run/secrets/smtp"
    assert "smtp_auth_password" not in configuration["global"]
    assert all("api_url" not in slack for receiver in configuration["receivers"] for slack in receiver.get("slack_configs", ()))


OPERATORS = """
route:
  receiver: rest
  routes:
    - {receiver: all, continue: true}
    - {receiver: regex, matchers: ['a=~"x|y"', 'b!~"p.*"'], continue: true}
    - matchers: ['c!="1"', c!=""]
      routes:
        - {receiver: quoted, matchers: ['c="a\\"b\\\\"']}
        - {receiver: bare, matchers: [c=2]}
    - {receiver: missing, matchers: ['d=""', 'e=~".*"', 'a!~"|z"']}
receivers: [{name: rest}, {name: all}, {name: regex}, {name: quoted}, {name: bare}, {name: missing}]
"""


@pytest.mark.parametrize(
    ("labels", "receivers"),
    [
        ({}, ["all"]),
        ({"a": "x"}, ["all", "regex", "missing"]),
        ({"a": "xy"}, ["all", "missing"]),
        ({"a": "y", "b": "pq"}, ["all", "missing"]),
        ({"a": "y", "d": "1"}, ["all", "regex"]),
        ({"c": "1"}, ["all"]),
        ({"c": 'a"b\\'}, ["all", "quoted"]),
        ({"c": "2", "a": "x"}, ["all", "regex", "bare"]),
        ({"c": "3"}, ["all", "rest"]),
        ({"a": "z"}, ["all"]),
    ],
    ids=str,
)
def test_every_kind_of_matcher_is_read_as_alertmanager_reads_it(
    labels: dict[str, str], receivers: list[str], tmp_path: Path, prometheus_tools: Any
) -> None:
    assert matching.receivers(yaml.safe_load(OPERATORS)["route"], labels) == receivers
    path = tmp_path / "alertmanager.yml"
    path.write_text(OPERATORS)
    pairs = [f"{name}={json.dumps(value)}" for name, value in labels.items()]
    command = [prometheus_tools.amtool, "config", "routes", "test", "--config.file", path, *pairs]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.stdout.strip() == ",".join(receivers), result.stderr


def test_what_is_no_matcher_is_said() -> None:
    with pytest.raises(ValueError, match="'team agents' is not a matcher"):
        matching.Matcher.parsed("team agents")


def test_what_money_does_is_told_to_those_who_have_it() -> None:
    groups: list[Any] = registry.rule_groups(DEFAULTS)
    values = [rule["labels"] for group in groups for rule in group["rules"] if rule["record"] == "anomaly:value:current"]
    told = {labels["anomaly"]: labels["team"] for labels in values}
    assert told == {"traffic": "platform", "cost": "finance", "tokens": "finance", "latency": "platform", "errors": "platform"}
    with pytest.raises(ValidationError, match="team 'money' of anomaly cost is none of the teams platform, agents"):
        Settings.model_validate({"anomalies": [{"name": "cost", "signal": "llm_cost", "team": "money"}]})

"""Every alert reaches its people, by our own reading of the routes and by Alertmanager's."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from alert_rules import routes, templates
from contract.settings import Settings

DEFAULTS = Settings()
WITH_HISTORY = Settings.model_validate({"notifications": {"history_url": "http://127.0.0.1:8025/alerts"}})

TABLE = [
    ({"team": "agents", "severity": "critical", "paging": "true"}, ["history", "agents-page"]),
    ({"team": "agents", "severity": "critical"}, ["history", "agents-critical"]),
    ({"team": "agents", "severity": "warning"}, ["history", "agents-warning"]),
    ({"team": "finance", "severity": "critical"}, ["history", "finance-critical"]),
    ({"team": "finance", "severity": "warning"}, ["history", "finance-warning"]),
    ({"team": "finance", "severity": "info"}, ["history", "default"]),
    ({"team": "finance", "severity": "critical", "paging": "true"}, ["history", "default"]),
    ({"team": "platform", "severity": "critical"}, ["history", "default"]),
    ({"severity": "warning"}, ["history", "default"]),
    ({}, ["history", "default"]),
]


def write(settings: Settings, folder: Path) -> Path:
    path = folder / "alertmanager.yml"
    path.write_text(yaml.safe_dump(routes.configuration(settings), sort_keys=False), encoding="utf-8")
    (folder / "templates").mkdir()
    for name, text in templates.files(settings).items():
        (folder / "templates" / name).write_text(text, encoding="utf-8")
    return path


def reached(labels: dict[str, str], settings: Settings) -> list[str]:
    return routes.receivers(routes.configuration(settings)["route"], labels)


@pytest.mark.parametrize(("labels", "receivers"), TABLE, ids=str)
def test_labels_reach_their_receivers(labels: dict[str, str], receivers: list[str]) -> None:
    assert reached(labels, WITH_HISTORY) == receivers
    assert reached(labels, DEFAULTS) == receivers[1:]


def test_alertmanager_reads_the_routes_as_we_do(tmp_path: Path, prometheus_tools: Any) -> None:
    path = write(WITH_HISTORY, tmp_path)
    for labels, receivers in [*TABLE, *routes.table(WITH_HISTORY)]:
        pairs = [f"{name}={value}" for name, value in labels.items()]
        result = subprocess.run(
            [prometheus_tools.amtool, "config", "routes", "test", "--config.file", path, *pairs], capture_output=True, text=True
        )
        assert result.stdout.strip() == ",".join(receivers), (labels, result.stderr)


def test_every_alert_reaches_its_team() -> None:
    for labels, receivers in routes.table(WITH_HISTORY):
        assert reached(labels, WITH_HISTORY) == receivers
        assert receivers[0] == "history"
        assert receivers[1].startswith(labels.get("team", "default"))


@pytest.mark.parametrize("settings", [DEFAULTS, WITH_HISTORY], ids=["plain", "with history"])
def test_amtool_accepts_the_configuration_and_its_templates(settings: Settings, tmp_path: Path, prometheus_tools: Any) -> None:
    path = write(settings, tmp_path)
    result = subprocess.run([prometheus_tools.amtool, "check-config", path], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "1 templates" in result.stdout


def test_receivers_are_exactly_those_that_routes_use() -> None:
    def used(route: dict[str, Any]) -> set[str]:
        return {route["receiver"]}.union(*(used(child) for child in route.get("routes", ())))

    for settings in (DEFAULTS, WITH_HISTORY):
        configuration = routes.configuration(settings)
        assert sorted(receiver["name"] for receiver in configuration["receivers"]) == sorted(used(configuration["route"]))


def test_pages_leave_at_once_and_resolved_pages_are_mailed() -> None:
    configuration = routes.configuration(DEFAULTS)
    page = configuration["route"]["routes"][0]
    assert (page["group_wait"], page["group_interval"], page["repeat_interval"]) == ("0s", "15s", "1h")
    (receiver,) = (one for one in configuration["receivers"] if one["name"] == "agents-page")
    assert receiver["email_configs"][0]["send_resolved"] and receiver["email_configs"][0]["to"] == "agents@example.com"
    assert receiver["slack_configs"][0]["channel"] == "#agent-alerts"


def test_secrets_are_only_named_by_their_files() -> None:
    smtp = {
        "username": "observatory",
        "password_file": "/run/secrets/smtp",
        "require_tls": True,
        "smarthost": "mail.example.com:587",
    }
    slack = {"webhook_url_file": "/run/secrets/slack"}
    configuration = routes.configuration(Settings.model_validate({"notifications": {"smtp": smtp, "slack": slack}}))
    assert configuration["global"] == {
        "resolve_timeout": "5m",
        "slack_api_url_file": "/run/secrets/slack",
        "smtp_smarthost": "mail.example.com:587",
        "smtp_from": "observatory@example.com",
        "smtp_auth_username": "observatory",
        "smtp_auth_password_file": "/run/secrets/smtp",
        "smtp_require_tls": True,
    }


def muted(source: dict[str, str], target: dict[str, str]) -> bool:
    """Alertmanager's inhibition: an absent label equals an empty one."""

    def matches(matchers: list[str], labels: dict[str, str]) -> bool:
        return all(labels.get(name, "") == value.strip('"') for name, value in (matcher.split("=") for matcher in matchers))

    return any(
        matches(rule["source_matchers"], source)
        and matches(rule["target_matchers"], target)
        and all(source.get(label, "") == target.get(label, "") for label in rule["equal"])
        for rule in routes.configuration(DEFAULTS)["inhibit_rules"]
    )


def test_the_critical_alert_mutes_the_warning_of_the_same_thing_only() -> None:
    warning = {"severity": "warning", "concern": "agent-errors", "environment": "production", "agent": "billing"}
    critical = warning | {"severity": "critical"}
    page = {"severity": "critical", "concern": "agent-errors", "environment": "production", "paging": "true"}
    assert muted(critical, warning)
    assert muted(page, warning)
    assert not muted(critical, warning | {"agent": "support"})
    assert not muted(page, warning | {"environment": "staging"})
    assert not muted(page, warning | {"concern": "agent-latency"})
    assert not muted(page, critical)
    spent = {"severity": "critical", "concern": "cost", "scope": "all"}
    assert muted(spent, {"severity": "warning", "concern": "cost", "scope": "all"})
    assert not muted(spent, {"severity": "warning", "concern": "cost", "scope": "staging"})

"""Routes, inhibitions, hours and templates that lead nowhere are found."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import yaml

from contract.settings import Settings
from provisioning import build
from provisioning.check import rule_groups
from provisioning.check.configured import configured_findings
from provisioning.check.external import external_findings
from provisioning.check.routes import route_findings
from provisioning.findings import Finding

HOURS = {"timezone": "Europe/Berlin"}
TEAMS = [
    {"name": name, "slack_channel": f"#{name}", "email": f"{name}@example.com", "hours": HOURS}
    for name in ("platform", "agents", "finance", "support")
]
NOTIFICATIONS = {"history_url": "http://127.0.0.1:8025/alerts", "deadman_url": "http://127.0.0.1:8025/deadman"}
SETTINGS = Settings.model_validate({"teams": TEAMS, "notifications": NOTIFICATIONS})

Config = dict[str, Any]
Built = tuple[Config, dict[str, str], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def whole() -> dict[str, bytes]:
    return build.artefacts(SETTINGS)


@pytest.fixture
def built(whole: dict[str, bytes]) -> Built:
    prefix = "alertmanager/"
    templates = {path.removeprefix(prefix): body.decode() for path, body in whole.items() if path.endswith(".tmpl")}
    return yaml.safe_load(whole["alertmanager/alertmanager.yml"]), templates, deepcopy(rule_groups(whole))


def messages(built: Built) -> list[str]:
    return [finding.message for finding in route_findings(*built)]


def test_what_is_built_leads_somewhere(built: Built) -> None:
    assert messages(built) == []


def first(*routes: Config) -> Callable[[Config], None]:
    return lambda configuration: configuration["route"]["routes"].__setitem__(slice(0, 0), routes)


def inhibit(source: list[str], target: list[str], *equal: str) -> Callable[[Config], None]:
    rule = {"source_matchers": source, "target_matchers": target, "equal": list(equal)}
    return lambda configuration: configuration["inhibit_rules"].append(rule)


def slow_after_critical(configuration: Config) -> None:
    (team,) = (route for route in configuration["route"]["routes"] if route.get("matchers") == ['team="agents"'])
    team["routes"].append({"receiver": "agents-critical", "matchers": ['severity="critical"', 'concern="agent-errors"']})


ERRORS = 'alertname="AgentErrorRatioHigh"'


@pytest.mark.parametrize(
    ("plant", "message"),
    [
        (first({"receiver": "default", "matchers": ['severity="fatal"']}), 'no alert can take it: none has severity="fatal"'),
        (first({"receiver": "default", "matchers": [ERRORS, 'severity="info"']}), "no alert can take it"),
        (first({"receiver": "default", "matchers": [ERRORS, 'scope="all"']}), "no alert can take it"),
        (first({"receiver": "default", "matchers": ['phase="llm"']}), "matches label phase, which no alert sets"),
        (first({"receiver": "default", "matchers": [ERRORS], "group_by": ["ajent"]}), "groups by label ajent"),
        (first({"receiver": "default", "matchers": ['severity=~"critical|warning"', 'agent!=""']}), ""),
        (slow_after_critical, 'is never reached: a route before it takes severity="critical"'),
        (lambda configuration: configuration["route"]["routes"].append({"receiver": "default"}), "takes everything"),
        (first({"receiver": "default", "matchers": [ERRORS], "mute_time_intervals": ["nights"]}), "no time interval nights"),
        (
            lambda configuration: configuration["time_intervals"].append({"name": "nights", "time_intervals": []}),
            "no route uses it",
        ),
        (inhibit(['alertname="NoSuchAlert"'], [ERRORS]), "no alert can be its source"),
        (inhibit(['severity="critical"'], ['concern="paper"']), 'no alert can be its target: none has concern="paper"'),
        (inhibit(['alertname="CostBudgetExceeded"'], [ERRORS], "scope"), "asks for equal scope, which no target has"),
        (inhibit([ERRORS], ['alertname="CostBudgetExceeded"'], "agent"), "asks for equal agent, which no target has"),
        (inhibit([ERRORS], [ERRORS], "agent"), "mutes AgentErrorRatioHigh by itself"),
        (inhibit(["severity"], [ERRORS]), "'severity' is not a matcher"),
    ],
)
def test_faults_of_routes(built: Built, plant: Callable[[Config], None], message: str) -> None:
    plant(built[0])
    found = messages(built)
    assert [message in one for one in found] == ([True] if message else [])


def test_a_label_that_does_not_survive_the_expression_is_no_label_of_the_alert(built: Built) -> None:
    configuration, _, groups = built
    matchers = ['alertname="AgentErrorsPage"', 'agent="billing"']
    configuration["route"]["routes"].insert(0, {"receiver": "default", "matchers": matchers})
    assert messages(built) == [f"no alert can take it: none has {', '.join(matchers)}"]
    (page,) = (rule for group in groups for rule in group["rules"] if rule.get("alert") == "AgentErrorsPage")
    page["expr"] = "sum by (agent, environment) (agent_queries_in_progress) > 0"
    assert messages(built) == []


def test_what_an_alert_depends_on_is_an_alert(built: Built) -> None:
    (page,) = (rule for group in built[2] for rule in group["rules"] if rule.get("alert") == "AgentErrorsPage")
    page["labels"]["depends"] = "AllTargetDown"
    (found,) = route_findings(*built)
    assert found.message == "depends on AllTargetDown, which is no alert" and found.remedy == "did you mean AllTargetsDown?"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{{ define "observatory.more" }}{{ end }}', "template observatory.more is used by nobody"),
        ("{{ .Annotations.sumary }}", "asks for annotation sumary, which no alert has"),
        ("{{ .CommonLabels.ajent }}", "asks for label ajent, which no alert has"),
        ("{{ .GroupLabels.agent }}", "asks for group label agent, by which no route groups"),
        ("{{ .Labels.agent }} {{ .CommonLabels.SortedPairs }}", ""),
    ],
)
def test_faults_of_templates(built: Built, text: str, message: str) -> None:
    built[1]["templates/words.tmpl"] += text
    assert [message in one for one in messages(built)] == ([True] if message else [])


@pytest.mark.usefixtures("prometheus_tools")
@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{{ define "x" }}{{ shout .Status }}{{ end }}', 'function "shout" not defined'),
        (b'{{ define "x" }}{{ if .Status }}{{ end }}', "unexpected EOF"),
    ],
)
def test_templates_that_alertmanager_cannot_read(whole: dict[str, bytes], body: bytes, message: str) -> None:
    some = {name: text for name, text in whole.items() if name.startswith("alertmanager/")}
    assert list(from_amtool(some)) == []
    (found,) = from_amtool({**some, "alertmanager/templates/x.tmpl": body})
    assert message in found.message and found.place == "amtool check-config alertmanager/alertmanager.yml"


def from_amtool(artefacts: dict[str, bytes]) -> list[Finding]:
    return [finding for finding in external_findings(artefacts) if finding.place.startswith("amtool")]


def test_a_slow_concern_that_no_alert_has_is_said() -> None:
    settings = Settings.model_validate({"notifications": {"slow_concerns": ["costs"]}})
    (found,) = configured_findings(settings)
    assert found.place == "notifications.slow_concerns" and found.message == "no alert is of the concern costs"
    assert found.remedy == "did you mean cost?"

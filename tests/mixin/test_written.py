"""What `build` makes as a library for others is what it makes as files, and what others override acts everywhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from contract.settings import Settings
from provisioning import build
from provisioning.configuration import jsonnet

Json = dict[str, Any]
FIELDS = """{
  dashboards: m.grafanaDashboards,
  folders: m.grafanaDashboardFolders,
  rules: m.prometheusRules,
  alerts: m.prometheusAlerts,
}"""


@pytest.fixture(scope="module")
def artefacts() -> dict[str, bytes]:
    return build.artefacts(Settings(runbook_url="http://127.0.0.1:3000/runbooks"))


@pytest.fixture(scope="module")
def library(artefacts: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the library alone, as somebody has it who vendors it."""
    folder = tmp_path_factory.mktemp("vendored")
    for path, body in artefacts.items():
        if path.startswith("mixin/"):
            file = folder / Path(path).relative_to("mixin")
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(body)
    return folder


def evaluated(library: Path, override: str = "{}", wanted: str = FIELDS) -> Any:
    text = f"local m = (import '{library}/mixin.libsonnet') + {override}; {wanted}"
    return jsonnet.evaluate("user.jsonnet", text, within=[library], bounds=jsonnet.MIXIN).value


def test_it_is_what_build_wrote(artefacts: dict[str, bytes], library: Path) -> None:
    found = evaluated(library)
    boards = {Path(path): json.loads(body) for path, body in artefacts.items() if path.startswith("grafana/dashboards/")}
    assert found["dashboards"] == {path.name: board for path, board in boards.items()}
    assert found["folders"] == {path.name: path.parent.name for path in boards}
    groups = [
        group
        for path, body in artefacts.items()
        if path.startswith("prometheus/rules/")
        for group in yaml.safe_load(body)["groups"]
    ]
    theirs = [*found["rules"]["groups"], *found["alerts"]["groups"]]
    assert {group["name"]: group for group in theirs} == {group["name"]: group for group in groups}
    assert all("alert" in rule for group in found["alerts"]["groups"] for rule in group["rules"])
    assert all("record" in rule for group in found["rules"]["groups"] for rule in group["rules"])


def test_what_is_overridden_acts_wherever_it_stands(library: Path) -> None:
    uids = evaluated(library, wanted="m._config.dashboardUids")
    config = {
        "grafanaUrl": "https://grafana.example.com",
        "runbookUrl": "https://wiki.example.com/runbooks",
        "dashboardUids": {uid: f"other-{number}" for number, uid in enumerate(uids)},
        "dataSources": {"prometheus": "mimir", "postgres": "warehouse"},
        "tag": "ai",
        "titlePrefix": "AI / ",
        "alertLabels": {"cluster": "west"},
    }
    found = evaluated(library, f"{{ _config+:: {json.dumps(config)} }}")
    text = json.dumps(found)
    for gone in ("127.0.0.1:3000", "/d/observatory-", '"uid": "observatory-', '"value": "prometheus"', '["observatory"'):
        assert gone not in text
    overview = found["dashboards"]["observatory-overview.json"]
    assert overview["uid"].startswith("other-") and overview["title"] == "AI / Overview" and overview["tags"][0] == "ai"
    alerts = [rule for group in found["alerts"]["groups"] for rule in group["rules"]]
    assert all(rule["labels"]["cluster"] == "west" for rule in alerts)
    high = next(rule for rule in alerts if rule["alert"] == "AgentErrorRatioHigh")
    assert high["annotations"]["runbook_url"] == "https://wiki.example.com/runbooks/AgentErrorRatioHigh"
    assert high["annotations"]["dashboard_url"].startswith("https://grafana.example.com/d/other-")
    assert high["annotations"]["__dashboardUid__"] in config["dashboardUids"].values()


def test_one_thing_is_overridden_without_the_others(library: Path) -> None:
    found = evaluated(library, "{ _config+:: { dashboardUids+: { 'observatory-cost': 'money' } } }")
    assert found["dashboards"]["observatory-cost.json"]["uid"] == "money"
    assert found["dashboards"]["observatory-overview.json"]["uid"] == "observatory-overview"
    assert "/d/observatory-cost" not in json.dumps(found)


def test_a_user_takes_a_dashboard_away_and_changes_an_alert(library: Path) -> None:
    override = """{
      grafanaDashboards+:: { 'observatory-cost.json':: {} },
      prometheusAlerts+:: {
        groups: [g { rules: [r { labels+: { severity: 'info' } } for r in g.rules] } for g in super.groups],
      },
    }"""
    found = evaluated(library, override, "{ names: std.objectFields(m.grafanaDashboards), alerts: m.prometheusAlerts }")
    assert "observatory-cost.json" not in found["names"] and "observatory-overview.json" in found["names"]
    severities = {rule["labels"]["severity"] for group in found["alerts"]["groups"] for rule in group["rules"]}
    assert severities == {"info"}


def test_persons_stay_at_home() -> None:
    person = {"name": "anna", "login": "my_anna", "user_id": "4711", "organisation": 2, "password_file": "secrets/my_anna"}
    built = build.artefacts(Settings.model_validate({"my_usage": [person]}))
    assert any("Personal/anna" in path for path in built)
    assert not [path for path, body in built.items() if path.startswith("mixin/") and (b"my_anna" in body or b"anna" in body)]

"""`check` passes what the house builds, and finds every fault that is planted in it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from alert_rules.catalogue import active
from contract.keys import panel_id
from contract.settings import Settings
from dashboards.catalogue import TABS
from provisioning.boards import Board, read
from provisioning.check import all_findings, rule_groups, run
from provisioning.check.alerts import alert_findings
from provisioning.check.expressions import Inspector
from provisioning.check.external import external_findings
from provisioning.check.known import known_series
from provisioning.check.links import link_findings
from provisioning.check.queries import query_findings
from provisioning.check.routes import route_findings
from provisioning.check.rules import rule_findings
from provisioning.check.shape import shape_findings
from provisioning.findings import Finding

SETTINGS = Settings()
Edit = Callable[[Any], object]


def only(found: list[Finding]) -> Finding:
    assert len(found) == 1, [str(finding) for finding in found]
    return found[0]


@pytest.fixture
def board(artefacts: dict[str, bytes]) -> Board:
    """The Overview, to plant faults in."""
    return copy.deepcopy(next(board for board in read(artefacts) if board.uid == "observatory-overview"))


@pytest.fixture
def groups(artefacts: dict[str, bytes]) -> list[dict[str, Any]]:
    return rule_groups(artefacts)


@pytest.fixture
def inspector(groups: list[dict[str, Any]]) -> Inspector:
    return Inspector.of(SETTINGS, known_series(groups))


def panel(board: Board, name: str) -> dict[str, Any]:
    return next(panel for panel in board.panels if panel["id"] == panel_id(f"overview/{name}"))


def test_a_house_that_pages_nobody_passes() -> None:
    report = run(Settings.model_validate({"notifications": {"paging_environments": []}}))
    assert report.findings == ()


def test_a_target_of_an_environment_that_does_not_exist(artefacts: dict[str, bytes]) -> None:
    platform = [{"environment": "prodution", "address": "x:1"}, {"environment": "staging", "address": "x:1"}]
    settings = Settings.model_validate({"scrape": {"platform": platform}})
    found = only(list(all_findings(artefacts, settings)))
    assert (found.severity, found.place) == ("error", "scrape.platform[0].environment")
    assert found.remedy == "did you mean production?"


def test_slacks_file_is_looked_for_where_the_environment_names_it(
    artefacts: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLACK_WEBHOOK_URL_FILE", str(tmp_path / "slack"))
    found = only(list(all_findings(artefacts, SETTINGS)))
    assert (found.severity, found.place) == ("warning", "SLACK_WEBHOOK_URL_FILE")
    (tmp_path / "slack").write_text("https://hooks.example/x")
    assert list(all_findings(artefacts, SETTINGS)) == []


def test_the_house_passes_and_says_what_was_looked_at() -> None:
    report = run(SETTINGS)
    assert report.findings == () and report.missing_tools == ()
    assert report.counts["dashboards"] == len(TABS) and report.counts["alerts"] == len(active(SETTINGS))
    assert json.loads(report.as_json())["ok"] is True
    assert report.as_text().endswith("0 errors, 0 warnings")


# ---- dashboards


def _same_id(board: Board) -> None:
    panel(board, "users")["id"] = panel_id("overview/tickets")


def _overlap(board: Board) -> None:
    panel(board, "users")["gridPos"] = panel(board, "active_users")["gridPos"]


def _too_wide(board: Board) -> None:
    place = panel(board, "data_age")["gridPos"]
    place["x"], place["y"] = 20, 5000


def _no_place(board: Board) -> None:
    del panel(board, "users")["gridPos"]


def _same_letter(board: Board) -> None:
    panel(board, "agent_errors")["targets"][1]["refId"] = "A"


@pytest.mark.parametrize(
    ("plant", "message"),
    [
        (_same_id, "2 panels have the id"),
        (_overlap, "lies upon Users"),
        (_too_wide, "do not lie within 24"),
        (_no_place, "has no place"),
        (_same_letter, "2 queries are called A"),
        (lambda board: board.model.update(uid="x" * 41), "Grafana takes 1 to 40"),
        (
            lambda board: panel(board, "users").update(datasource={"type": "prometheus", "uid": "mimir"}),
            "no data source with uid mimir",
        ),
        (lambda board: panel(board, "users").update(datasource={"uid": "prometheus"}), "has no type and uid"),
        (
            lambda board: panel(board, "users").update(datasource={"type": "x", "uid": "${promethius}"}),
            "${promethius} is not defined",
        ),
        (lambda board: panel(board, "users").update(title="Users of $agnet"), "variable $agnet is not defined"),
        (lambda board: panel(board, "users").update(repeat="agnet"), "variable $agnet is not defined"),
    ],
)
def test_faults_of_shape(board: Board, plant: Edit, message: str) -> None:
    assert list(shape_findings([board], SETTINGS)) == []
    plant(board)
    assert message in only(list(shape_findings([board], SETTINGS))).message


def test_two_dashboards_of_one_uid(board: Board) -> None:
    found = only(list(shape_findings([board, board], SETTINGS)))
    assert found.place == "dashboard uid observatory-overview"


# ---- queries


def _prom(text: str) -> Edit:
    return lambda board: panel(board, "conversations")["targets"][0].update(expr=text)


def _sql(text: str) -> Edit:
    return lambda board: panel(board, "latest_failures")["targets"][0].update(rawSql=text)


def _variable(board: Board) -> None:
    board.variables["agent"]["query"]["query"] = "label_values(agent_queries_total, agnet)"


def _annotation(board: Board) -> None:
    source = {"type": "prometheus", "uid": "${prometheus}"}
    board.model["annotations"]["list"].append({"name": "deploys", "datasource": source, "expr": "nothing_there > 0"})


@pytest.mark.parametrize(
    ("plant", "place", "message"),
    [
        (_prom("sum(platform_conversation)"), "panel Conversations, query A", "unknown metric platform_conversation"),
        (_prom('platform_conversations{environment=~"$enviroment"}'), "panel Conversations", "$enviroment is not defined"),
        (_prom("rate(http_requests_total[$__rate_interval]) / [[__range_s]]"), "", ""),
        (_prom("rate(http_requests_total[$__rate_intervall])"), "panel Conversations", "$__rate_intervall is not defined"),
        (_prom("rate(http_requests_total[${__interval}])"), "", ""),
        (_sql("SELECT 1 FROM app.agent WHERE $__timeFilter(created_at)"), "query A", "reads app.agent"),
        (_sql("SELECT $__timeBucket(x) FROM app.users"), "query A", "no macro $__timeBucket"),
        (_sql("SELECT 1 FROM app.users WHERE role IN (${roles:sqlstring})"), "query A", "$roles is not defined"),
        (_variable, "variable agent", "by (agnet): there is no such label"),
        (_annotation, "annotation deploys", "unknown metric nothing_there"),
        (lambda board: panel(board, "conversations")["targets"][0].update(datasource={"type": "loki", "uid": "x"}, rawSql="x"),
         "panel Conversations", "neither Prometheus nor PostgreSQL"),
    ],
)  # fmt: skip
def test_faults_of_queries(board: Board, inspector: Inspector, plant: Edit, place: str, message: str) -> None:
    assert list(query_findings([board], inspector, SETTINGS)) == []
    plant(board)
    found = list(query_findings([board], inspector, SETTINGS))
    if not message:
        assert found == []
    else:
        assert place in only(found).place and message in only(found).message


# ---- rules


def rule(groups: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(rule for group in groups for rule in group["rules"] if name in (rule.get("alert"), rule.get("record")))


def _changed(**changes: Any) -> Edit:
    """An alert with other parts; those of `annotations` and `labels` are changed one by one."""

    def plant(groups: list[dict[str, Any]]) -> None:
        for key, value in changes.items():
            target = rule(groups, "AgentErrorRatioHigh")
            target[key] = {**target[key], **value} if isinstance(value, dict) else value

    return plant


def _twice(groups: list[dict[str, Any]]) -> None:
    groups.append({"name": "again", "rules": [rule(groups, "agent:query_errors:ratio_rate5m")]})


def _many(groups: list[dict[str, Any]]) -> None:
    groups.append(
        {"name": "many", "rules": [{"record": f"own:n{n}:sum", "expr": "sum(auth_sessions_active)"} for n in range(21)]}
    )


@pytest.mark.parametrize(
    ("plant", "place", "message"),
    [
        (lambda groups: groups.append({"name": groups[0]["name"], "rules": []}), "rule group", "2 groups have this name"),
        (_many, "rule group many", "21 rules"),
        (_twice, "recording rule agent:query_errors:ratio_rate5m", "2 rules have this name and the same labels"),
        (_changed(expr="agent_querys_total > 1"), "alert AgentErrorRatioHigh", "unknown metric agent_querys_total"),
        (_changed(annotations={"summary": ""}), "alert AgentErrorRatioHigh", "annotation summary is missing"),
        (_changed(labels={"team": "nobody"}), "alert AgentErrorRatioHigh", "team nobody is not in the settings"),
        (
            _changed(annotations={"value": "{{ $labels.version }}"}),
            "alert AgentErrorRatioHigh, value",
            "label version does not survive",
        ),
    ],
)
def test_faults_of_rules(groups: list[dict[str, Any]], inspector: Inspector, plant: Edit, place: str, message: str) -> None:
    assert list(rule_findings(groups, inspector, SETTINGS)) == []
    plant(groups)
    found = only(list(rule_findings(groups, inspector, SETTINGS)))
    assert place in found.place and message in found.message


# ---- alerts and their panels


def _alerts(board: Board) -> list[Finding]:
    keys = [key for tab in TABS for key in tab.panel_keys(SETTINGS)]
    return list(alert_findings(active(SETTINGS), keys, [board], SETTINGS))


def test_an_alert_without_its_panel(board: Board) -> None:
    assert _alerts(board) == []
    panel(board, "success_ratio")["id"] = 1
    found = only(_alerts(board))
    assert found.place == "alert AgentSuccessRateLow" and "overview/success_ratio does not exist" in found.message


def test_an_alert_whose_threshold_is_not_drawn(board: Board) -> None:
    steps = panel(board, "success_ratio")["fieldConfig"]["defaults"]["thresholds"]["steps"]
    steps[-1]["value"] = 0.8
    found = only(_alerts(board))
    assert found.message == "threshold 0.9 is not drawn in panel overview/success_ratio" and found.remedy == "drawn there: 0.8"


# ---- links


def _annotation_link(key: str, url: str) -> Callable[..., object]:
    return lambda _, groups: rule(groups, "AgentSuccessRateLow")["annotations"].update({key: url})


def _panel_link(url: str) -> Callable[..., object]:
    return lambda board, _: panel(board, "users").update(links=[{"title": "more", "url": url}])


@pytest.mark.parametrize(
    ("plant", "message"),
    [
        (_panel_link("/d/observatory-overvew"), "leads to dashboard observatory-overvew, which is not built"),
        (_panel_link("/d/observatory-overview?viewPanel=7"), "leads to panel 7"),
        (_panel_link("/d/observatory-overview?var-agnet=x"), "sets variable agnet"),
        (_panel_link("/d/observatory-overview?var-agent=${agnet}"), "variable $agnet is not defined"),
        (lambda board, _: board.model["links"][0].update(tags=["observatry"]), "no dashboard has the tag observatry"),
        (_annotation_link("runbook_url", f"{SETTINGS.runbook_url}/Nothing"), "leads to runbook Nothing, which is not built"),
        (_annotation_link("dashboard_url", "http://g/d/observatory-overview?viewPanel=7"), "leads to panel 7"),
    ],
)
def test_links_that_lead_nowhere(
    artefacts: dict[str, bytes], board: Board, groups: list[dict[str, Any]], plant: Callable[..., object], message: str
) -> None:
    pages = [path for path in artefacts if path.startswith("runbooks/")]
    assert list(link_findings([board], groups, pages, SETTINGS)) == []
    plant(board, groups)
    assert message in only(list(link_findings([board], groups, pages, SETTINGS))).message


# ---- routes


@pytest.mark.parametrize(
    ("plant", "message"),
    [
        (lambda conf: conf["receivers"].append({"name": "nobody"}), "no route leads to it"),
        (lambda conf: conf["receivers"].append({"name": "default"}), "is defined 2 times"),
        (lambda conf: conf["route"]["routes"].append({"receiver": "defualt"}), "there is no receiver defualt"),
        (
            lambda conf: conf["route"]["routes"].append({"matchers": ['teem="agents"']}),
            "matches label teem, which no alert sets",
        ),
        (lambda conf: conf["route"]["routes"].append({"matchers": ["team agents"]}), "is not a matcher"),
        (lambda conf: conf["inhibit_rules"].append({"source_matchers": ['sverity="critical"']}), "matches label sverity"),
        (lambda conf: conf["templates"].append("more/*.tmpl"), "no built file matches more/*.tmpl"),
        (
            lambda conf: conf["receivers"][0].update(x='{{ template "slack.nothing" . }}'),
            "template slack.nothing is not defined",
        ),
    ],
)
def test_faults_of_routes(artefacts: dict[str, bytes], groups: list[dict[str, Any]], plant: Edit, message: str) -> None:
    configuration = yaml.safe_load(artefacts["alertmanager/alertmanager.yml"])
    prefix = "alertmanager/"
    templates = {path.removeprefix(prefix): body.decode() for path, body in artefacts.items() if path.endswith(".tmpl")}
    assert list(route_findings(configuration, templates, groups)) == []
    plant(configuration)
    assert message in only(list(route_findings(configuration, templates, groups))).message


def test_a_template_file_that_nobody_reads(artefacts: dict[str, bytes], groups: list[dict[str, Any]]) -> None:
    configuration = {"route": {"receiver": "a"}, "receivers": [{"name": "a"}]}
    found = only(list(route_findings(configuration, {"templates/x.tmpl": ""}, groups)))
    assert found.place == "template file templates/x.tmpl"


# ---- the real tools


@pytest.mark.usefixtures("prometheus_tools")
@pytest.mark.parametrize(
    ("path", "old", "new", "place"),
    [
        ("prometheus/prometheus.yml", b"scrape_interval: 15s", b"scrape_interval: soon", "promtool check config"),
        (
            "prometheus/tests/AgentSuccessRateLow.yml",
            b"alertname: AgentSuccessRateLow",
            b"alertname: Other",
            "promtool test rules",
        ),
        ("alertmanager/alertmanager.yml", b"group_wait: 0s", b"group_wait: soon", "amtool check-config"),
    ],
)
def test_the_real_tools_are_asked(artefacts: dict[str, bytes], path: str, old: bytes, new: bytes, place: str) -> None:
    some = {name: body for name, body in artefacts.items() if "/tests/" not in name or name == path}
    assert old in some[path]
    some[path] = some[path].replace(old, new)
    found = only(list(external_findings(some)))
    assert place in found.place and "observatory-check-" not in found.message


def test_faults_in_built_files_come_out_of_the_whole_check(artefacts: dict[str, bytes]) -> None:
    path = next(path for path in artefacts if path.endswith("observatory-overview.json"))
    broken = {**artefacts, path: artefacts[path].replace(b"platform_documents", b"platform_document")}
    broken = {name: body for name, body in broken.items() if "/tests/" not in name}
    found = list(all_findings(broken, SETTINGS))
    assert {finding.message for finding in found} == {"unknown metric platform_document"}
    assert all("Documents" in finding.place and "did you mean platform_documents?" in finding.remedy for finding in found)

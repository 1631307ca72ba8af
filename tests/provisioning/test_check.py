"""`check` passes what the house builds, and finds every fault that is planted in it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from alert_rules.catalogue import active
from contract.keys import panel_id
from contract.settings import Settings
from dashboards.catalogue import TABS
from provisioning import build
from provisioning.boards import Board, read
from provisioning.check import Choices, all_findings, run
from provisioning.check.alerts import alert_findings
from provisioning.check.catalogue import CHECKS
from provisioning.check.configured import configured_findings
from provisioning.check.excerpts import excerpt
from provisioning.check.expressions import Inspector
from provisioning.check.external import external_findings
from provisioning.check.formats import written
from provisioning.check.known import known_series
from provisioning.check.links import link_findings
from provisioning.check.locations import Locator
from provisioning.check.pages import page_findings
from provisioning.check.queries import query_findings, series_read
from provisioning.check.routes import route_findings
from provisioning.check.rules import rule_findings
from provisioning.check.scenarios import TESTS, proved, scenario_findings
from provisioning.check.shape import shape_findings
from provisioning.findings import Finding
from provisioning.rule_files import rule_groups

SETTINGS = Settings()
UNPROVED = Choices(scenarios="none")
"""Every scenario is proved once, in tests/alert_rules."""
Edit = Callable[[Any], object]


def only(found: Iterable[Finding]) -> Finding:
    (one,) = found
    return one


def planted(find: Callable[[], Iterable[Finding]], plant: Callable[[], object]) -> Finding:
    """The one finding that a planted fault adds."""
    before = set(find())
    plant()
    return only(finding for finding in find() if finding not in before)


@pytest.fixture
def boards(artefacts: dict[str, bytes]) -> list[Board]:
    return [copy.deepcopy(board) for board in read(artefacts)]


@pytest.fixture
def board(boards: list[Board]) -> Board:
    """The Overview, to plant faults in."""
    return next(board for board in boards if board.uid == "observatory-overview")


@pytest.fixture
def groups(artefacts: dict[str, bytes]) -> list[dict[str, Any]]:
    return copy.deepcopy(rule_groups(artefacts))  # the tests plant faults in them


@pytest.fixture
def inspector(groups: list[dict[str, Any]]) -> Inspector:
    return Inspector.of(SETTINGS, known_series(groups))


def panel(board: Board, name: str) -> dict[str, Any]:
    return next(panel for panel in board.panels if panel["id"] == panel_id(f"overview/{name}"))


@pytest.mark.usefixtures("prometheus_tools", "on_a_disk")
def test_a_house_that_pages_nobody_passes(artefacts: dict[str, bytes]) -> None:
    nobody = Settings.model_validate({"notifications": {"paging_environments": []}})
    assert _worse_than_notes(run(nobody, choices=UNPROVED).findings) == []
    built = build.rules_and_scenarios(nobody)
    tests = [path for path in built if path.startswith(TESTS) and excerpt(path, built) != excerpt(path, artefacts)]
    assert tests and [finding for path in tests for finding in proved(path, built)] == []


def test_a_target_of_an_environment_that_does_not_exist(artefacts: dict[str, bytes]) -> None:
    platform = [{"environment": "prodution", "address": "x:1"}, {"environment": "staging", "address": "x:1"}]
    settings = Settings.model_validate({"scrape": {"platform": platform}})
    found = only(finding for finding in all_findings(artefacts, settings, UNPROVED) if finding.check == "settings/configured")
    assert (found.severity, found.place) == ("error", "scrape.platform[0].environment")
    assert found.remedy == "did you mean production?"


def test_slacks_file_is_looked_for_where_the_environment_names_it(
    artefacts: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLACK_WEBHOOK_URL_FILE", str(tmp_path / "slack"))
    found = only(configured_findings(SETTINGS))
    assert (found.severity, found.place) == ("warning", "SLACK_WEBHOOK_URL_FILE")
    assert replace(found, check="settings/configured") in all_findings(artefacts, SETTINGS, UNPROVED)
    (tmp_path / "slack").write_text("https://hooks.example/x")
    assert list(configured_findings(SETTINGS)) == []


def test_the_house_passes_and_says_what_was_looked_at() -> None:
    report = run(SETTINGS, choices=UNPROVED)
    assert _worse_than_notes(report.findings) == [] and report.notes == ("the scenarios of alerts were not proved",)
    assert all(finding.check for finding in report.findings)
    assert report.counts["dashboards"] == len(TABS) and report.counts["alerts"] == len(active(SETTINGS))
    assert {finding.check for finding in report.findings} <= CHECKS.keys()
    assert json.loads(written(report, "json", Locator(SETTINGS)))["ok"] is True
    assert "0 errors" in written(report, "text", Locator(SETTINGS)).splitlines()[-1]


def _worse_than_notes(findings: Iterable[Finding]) -> list[str]:
    """Series may be recorded before a panel reads them; nothing else is left open."""
    return [str(finding) for finding in findings if finding.severity != "note" and finding.check != "rules/unused"]


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
    several = next(panel for panel in board.panels if len(panel.get("targets", [])) > 1)
    several["targets"][1]["refId"] = several["targets"][0]["refId"]


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
    found = planted(lambda: shape_findings([board], SETTINGS), lambda: plant(board))
    assert message in found.message and found.check.startswith("dashboards/")


def test_two_dashboards_of_one_uid(board: Board) -> None:
    before = set(shape_findings([board], SETTINGS))
    found = only(finding for finding in shape_findings([board, board], SETTINGS) if finding not in before)
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
        (_prom("rate(http_requests_total[$__rate_intervall])"), "panel Conversations", "$__rate_intervall is not defined"),
        (_sql("SELECT 1 FROM app.agent WHERE $__timeFilter(created_at)"), "query A", "reads app.agent"),
        (_sql("SELECT (SELECT max(m.id) FROM app.messages m WHERE m.user_id = u.id) FROM app.users u"), "query A",
         "anew for each row"),
        (_sql("SELECT $__timeBucket(x) FROM app.users"), "query A", "no macro $__timeBucket"),
        (_sql("SELECT 1 FROM app.users WHERE role IN (${roles:sqlstring})"), "query A", "$roles is not defined"),
        (_variable, "variable agent", "by (agnet): there is no such label"),
        (_annotation, "annotation deploys", "unknown metric nothing_there"),
        (lambda board: panel(board, "conversations")["targets"][0].update(datasource={"type": "loki", "uid": "x"}, rawSql="x"),
         "panel Conversations", "neither Prometheus nor PostgreSQL"),
    ],
)  # fmt: skip
def test_faults_of_queries(board: Board, inspector: Inspector, plant: Edit, place: str, message: str) -> None:
    found = planted(lambda: query_findings([board], inspector, SETTINGS), lambda: plant(board))
    assert place in found.place and message in found.message


@pytest.mark.parametrize(
    "text",
    [
        "sum(rate(http_requests_total[$__rate_interval])) / [[__range_s]]",
        "rate(http_requests_total[${__interval}])",
        'sum(agent_queries_in_progress{agent=~"$agent"})',
    ],
)
def test_what_grafana_fills_in_is_no_fault(board: Board, inspector: Inspector, text: str) -> None:
    board.variables["agent"]["current"] = {"text": "clerk", "value": "clerk"}
    before = set(query_findings([board], inspector, SETTINGS))
    _prom(text)(board)
    assert set(query_findings([board], inspector, SETTINGS)) <= before


def test_series_that_dashboards_read(board: Board) -> None:
    _prom("sum(own:figure:sum) / unreadable(")(board)
    panel(board, "conversations")["targets"].append({"refId": "Z", "expr": 'own:other:sum{agent=~"$agent"}'})
    read = series_read([board], SETTINGS)
    assert "own:other:sum" in read and "own:figure:sum" not in read


# ---- rules


def rule(groups: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(rule for group in groups for rule in group["rules"] if name in (rule.get("alert"), rule.get("record")))


def test_faults_of_rules_come_with_their_place(groups: list[dict[str, Any]], inspector: Inspector) -> None:
    def plant() -> None:
        rule(groups, "AgentErrorRatioHigh")["labels"]["team"] = "nobody"

    found = planted(lambda: rule_findings(groups, inspector, SETTINGS), plant)
    assert (found.check, found.place) == ("alerts/team", "alert AgentErrorRatioHigh")


# ---- alerts and their panels


def _alerts(boards: Iterable[Board]) -> list[Finding]:
    keys = [key for tab in TABS for key in tab.panel_keys(SETTINGS)]
    return list(alert_findings(active(SETTINGS), lambda: keys, boards, SETTINGS))


def test_an_alert_without_its_panel(boards: list[Board], board: Board) -> None:
    def plant() -> None:
        panel(board, "success_ratio")["id"] = 1

    found = planted(lambda: _alerts(boards), plant)
    assert found.place == "alert AgentSuccessRateLow" and "overview/success_ratio does not exist" in found.message


def test_an_alert_whose_threshold_is_not_drawn(boards: list[Board], board: Board) -> None:
    def plant() -> None:
        panel(board, "success_ratio")["fieldConfig"]["defaults"]["thresholds"]["steps"][-1]["value"] = 0.8

    found = planted(lambda: _alerts(boards), plant)
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
    artefacts: dict[str, bytes],
    boards: list[Board],
    board: Board,
    groups: list[dict[str, Any]],
    plant: Callable[..., object],
    message: str,
) -> None:
    pages = [path for path in artefacts if path.startswith("runbooks/")]
    found = planted(lambda: link_findings(boards, groups, pages, SETTINGS), lambda: plant(board, groups))
    assert message in found.message


# ---- routes


@pytest.mark.parametrize(
    ("plant", "message"),
    [
        (lambda conf: conf["receivers"].append({"name": "somebody"}), "no route leads to it"),
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
    found = planted(lambda: route_findings(configuration, templates, groups), lambda: plant(configuration))
    assert message in found.message


def test_a_template_file_that_nobody_reads(artefacts: dict[str, bytes], groups: list[dict[str, Any]]) -> None:
    configuration = {"route": {"receiver": "a"}, "receivers": [{"name": "a"}]}
    found = only(route_findings(configuration, {"templates/x.tmpl": ""}, groups))
    assert found.place == "template file templates/x.tmpl"


# ---- runbooks


def test_queries_of_runbooks_are_proved(inspector: Inspector) -> None:
    blocks = ("   ```promql\n   sum(nothing_there)\n   ```", "```sql\nSELECT 1\nFROM app.agent;\n```", "```sh\nx\n```")
    page = "\n\n".join(("# X", "1. Which?", *blocks))
    found = list(page_findings({"runbooks/X.md": page}, inspector))
    assert [(finding.place, finding.message.split(",")[0]) for finding in found] == [
        ("runbook X, query 1", "unknown metric nothing_there"),
        ("runbook X, query 2", "reads app.agent"),
    ]


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
    found = only([*external_findings(some), *scenario_findings(some)])
    assert place in found.place and "observatory-check-" not in found.message
    assert found.check == ("tools/amtool" if "amtool" in place else "tools/promtool")


@pytest.mark.parametrize(("version", "findings"), [("2.41.0", 1), ("2.42.0", 0), ("3.5.0", 0)])
def test_a_hold_after_firing_needs_a_prometheus_that_knows_it(
    version: str, findings: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The promtool that its variable names is the one that is asked."""
    program = tmp_path / "promtool"
    program.write_text(f"#!/bin/sh\necho 'promtool, version {version} (branch: x)'\n")
    program.chmod(0o755)
    monkeypatch.setenv("OBSERVATORY_PROMTOOL", str(program))
    rules = {"prometheus/rules/a.yml": b"groups:\n- rules:\n  - alert: A\n    keep_firing_for: 1m\n"}
    rules["alertmanager/alertmanager.yml"] = b"route: {receiver: a}\nreceivers: [{name: a}]\n"
    found = list(external_findings(rules))
    assert len(found) == findings
    if found:
        assert found[0].check == "tools/too-old" and "needs Prometheus 2.42, and this is 2.41" in found[0].message


def test_faults_in_built_files_come_out_of_the_whole_check(artefacts: dict[str, bytes]) -> None:
    path = next(path for path in artefacts if path.endswith("observatory-overview.json"))
    name = b"platform_documents"
    some = {name: body for name, body in artefacts.items() if "/tests/" not in name}
    before = set(all_findings(some, SETTINGS))
    broken = {**some, path: some[path].replace(name, b"platform_document")}
    found = [finding for finding in all_findings(broken, SETTINGS) if finding not in before]
    assert {(finding.check, finding.message) for finding in found} == {
        ("promql/unknown-metric", "unknown metric platform_document")
    }
    assert all("Documents" in finding.place and "did you mean platform_documents?" in finding.remedy for finding in found)

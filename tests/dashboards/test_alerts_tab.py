"""The tab of alerts: every alert is shown, linked and judged as its rule judges it."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from alert_rules import rules
from alert_rules.catalogue import active
from contract.keys import dashboard_uid, panel_id
from contract.settings import Settings
from dashboards import catalogue
from dashboards.alerts import TAB
from dashboards.alerts.distance import distance, has_distance
from dashboards.alerts.panels import MOST
from dashboards.lib.durations import SECONDS
from dashboards.lib.judged import watched
from recording_rules.registry import query
from tests.conftest import PrometheusTools

Json = dict[str, Any]
SETTINGS = Settings()
ALERTS = active(SETTINGS)


@pytest.fixture(scope="module")
def board() -> Json:
    return TAB.dashboard(SETTINGS)


@pytest.fixture(scope="module")
def panels(board: Json) -> dict[int, Json]:
    flat = [inner for top in board["panels"] for inner in (top["panels"] if top["type"] == "row" else [top])]
    return {panel["id"]: panel for panel in flat}


def unfiltered(expression: str) -> str:
    """A question as it is asked outside of a dashboard."""
    text = re.sub(r'(?:environment|agent)=~"\$\w+",?', "", expression)
    return re.sub(r",}", "}", text).replace("{}", "")


def overrides(panel: Json, column: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for override in panel["fieldConfig"]["overrides"]:
        if override["matcher"]["options"] == column:
            found |= {prop["id"]: prop["value"] for prop in override["properties"]}
    return found


def test_what_is_open_at_first_asks_few_questions(board: Json) -> None:
    assert [panel["title"] for panel in board["panels"] if panel["type"] == "row" and not panel["collapsed"]] == [
        "What fires now?",
        "Service levels",
        "What fired, and when?",
    ]
    assert sum(len(panel.get("targets", [])) for panel in board["panels"]) <= 15


def test_every_alert_has_its_panel_with_the_threshold_and_the_runbook(panels: dict[int, Json]) -> None:
    own = [alert for alert in ALERTS if not alert.panel]
    assert len(own) > 20
    for alert in own:
        panel = panels[panel_id(alert.panel_key)]
        assert panel["title"].startswith(f"{alert.name} {alert.comparison} "), alert.name
        defaults = panel["fieldConfig"]["defaults"]
        scale = SECONDS.get(defaults["unit"], 1)
        steps = defaults["thresholds"]["steps"]
        coloured = [step["value"] and scale * step["value"] for step in steps if step["color"] != "transparent"]
        assert coloured == [alert.limit(SETTINGS) if alert.comparison == ">" else None], alert.name
        assert panel["fieldConfig"]["defaults"]["custom"]["thresholdsStyle"] == {"mode": "dashed+area"}
        assert [link["url"] for link in panel["links"]] == [f"{SETTINGS.runbook_url}/{alert.name}"]
        assert alert.meaning in panel["description"] and alert.checks[0].question in panel["description"]


def test_a_panel_draws_what_its_rule_compares() -> None:
    for alert in ALERTS:
        asked = unfiltered(watched(alert, SETTINGS))
        rule = unfiltered(rules.expression(alert, SETTINGS))
        value = unfiltered(query(alert.signal, alert.by, alert.window, alert.where(SETTINGS)))
        assert asked.lstrip("(").startswith(value.lstrip("(")) and rule.startswith(value), alert.name
        for guard in alert.guards:
            text = rules.enough(guard, alert.by, alert.where(SETTINGS), SETTINGS)
            assert unfiltered(text) in asked and unfiltered(text) in rule, alert.name


def test_wide_panels_say_that_they_draw_some(panels: dict[int, Json]) -> None:
    own = [panels[panel_id(alert.panel_key)] for alert in ALERTS if not alert.panel]
    wide = [panel for panel in own if re.match(r"(top|bottom)k\(", panel["targets"][0]["expr"])]
    assert wide
    for panel in wide:
        assert f"The {MOST} greatest" in panel["description"] or f"The {MOST} least" in panel["description"]


def test_tables_lead_to_the_panel_and_the_runbook_of_each_alert(panels: dict[int, Json]) -> None:
    keys = {key for tab in catalogue.TABS for key in tab.panel_keys(SETTINGS)}
    for name in ("firing_alerts", "frequent", "latest", "distance"):
        panel = panels[panel_id(f"alerts/{name}")]
        to_panel, to_runbook = overrides(panel, "Alert")["links"]
        assert to_panel["url"].startswith("/d/${__data.fields.tab}?") and "viewPanel=${__data.fields.panel}" in to_panel["url"]
        assert to_runbook["url"] == f"{SETTINGS.runbook_url}/${{__value.raw}}"
        tabs = overrides(panel, "tab")["mappings"][0]["options"]
        ids = overrides(panel, "panel")["mappings"][0]["options"]
        for alert in ALERTS:
            assert alert.panel_key in keys
            assert tabs[alert.name]["text"] == dashboard_uid(alert.panel_key.split("/")[0])
            assert ids[alert.name]["text"] == str(panel_id(alert.panel_key))


def test_the_distance_is_one_at_the_limit() -> None:
    far = [alert for alert in ALERTS if has_distance(alert, SETTINGS)]
    assert {alert.name for alert in far} >= {"AgentErrorRatioHigh", "AgentSuccessRateLow", "DataTooOld"}
    assert not {"TargetDown", "Watchdog", "RuleEvaluationFailing"} & {alert.name for alert in far}
    for alert in far:
        text, limit = distance(alert, SETTINGS), f"{alert.limit(SETTINGS):.9g}"
        assert f" / {limit})" in text if alert.comparison == ">" else f"topk(1, {limit} / " in text, alert.name


Asked = tuple[str, str, str, float | None]
"""A question, a moment, and the labels and the value of the only answer; None for no answer."""


def promql(tools: PrometheusTools, folder: Path, series: dict[str, str], asked: list[Asked]) -> None:
    """Fails unless each question is answered so, of series with a sample every half minute."""
    tests = [
        {"expr": expr, "eval_time": at, "exp_samples": [] if value is None else [{"labels": labels, "value": value}]}
        for expr, at, labels, value in asked
    ]
    told = [{"series": name, "values": values} for name, values in series.items()]
    document = {"tests": [{"interval": "30s", "input_series": told, "promql_expr_test": tests}]}
    (folder / "test.yml").write_text(json.dumps(document))
    run = [tools.promtool, "test", "rules", folder / "test.yml"]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_nothing_is_left_of_is_far_beyond_its_limit(prometheus_tools: PrometheusTools, tmp_path: Path) -> None:
    """Of no number a share of nothing can be made: without care the worst of all would not be shown."""
    budget = next(alert for alert in ALERTS if alert.name == "BudgetExhaustsSoon")
    series = {'scope:budget_left:seconds{scope="all"}': "0x10", 'scope:budget_left:seconds{scope="staging"}': "1e6x10"}
    labels = '{alertname="BudgetExhaustsSoon",scope="all"}'
    promql(prometheus_tools, tmp_path, series, [(distance(budget, SETTINGS), "5m", labels, 100)])


def test_what_does_not_answer_is_not_near_to_an_alert_that_leaves_it_out(
    prometheus_tools: PrometheusTools, tmp_path: Path
) -> None:
    shrank = next(alert for alert in ALERTS if alert.name == "ScrapeShrank")
    target = '{environment="production",instance="%s",job="platform"}'
    series = {f"up{target % 'away'}": "0x180", f"scrape_samples_scraped{target % 'away'}": "1000x90 0x90"} | {
        f"up{target % 'there'}": "1x180", f"scrape_samples_scraped{target % 'there'}": "1000x180"
    }  # fmt: skip
    labels = '{alertname="ScrapeShrank",environment="production",instance="there",job="platform"}'
    expression = distance(shrank, SETTINGS).replace("$environment", ".*")
    promql(prometheus_tools, tmp_path, series, [(expression, "80m", labels, 0.5)])


def test_what_fires_has_no_gaps_where_its_rule_is_evaluated_every_other_minute(
    panels: dict[int, Json], prometheus_tools: PrometheusTools, tmp_path: Path
) -> None:
    [target] = panels[panel_id("alerts/timeline")]["targets"]
    expression = unfiltered(target["expr"].replace("($environment)|", "$environment").replace("($agent)|", "$agent"))
    fired = 'ALERTS{alertname="AnomalyHigh",alertstate="firing",severity="warning"}'
    asked = [(expression.replace("$__interval", "1m"), f"{at}m", '{alertname="AnomalyHigh"}', 2.0) for at in range(3, 11)]
    over = (expression.replace("$__interval", "1m"), "11m", "", None)
    promql(prometheus_tools, tmp_path, {fired: "_x5 1 _x3 1 _x3 1 _x3 1 _x3 stale _x4"}, [*asked, over])


@pytest.mark.parametrize(
    ("tab", "panel", "alert"),
    [
        ("overview", "success_ratio", "AgentSuccessRateLow"),
        ("overview", "agent_errors", "AgentErrorRatioHigh"),
        ("overview", "agent_latency", "AgentResponseTimeHigh"),
        ("one-agent", "error_share", "AgentErrorRatioHigh"),
        ("feedback", "negative", "NegativeFeedbackHigh"),
        ("alerts", "model_tokens_per_call_jumped", "ModelTokensPerCallJumped"),
    ],
)
def test_a_panel_says_what_its_alert_wants_to_have_seen(tab: str, panel: str, alert: str) -> None:
    guards = next(one for one in ALERTS if one.name == alert).guards
    other = {guard.least: 900 + number for number, guard in enumerate(guards)}
    settings = Settings.model_validate({"thresholds": other})
    text = catalogue.panel(f"{tab}/{panel}", settings).description
    for guard in guards:
        assert f"{guard.count(settings)} {guard.signal.title.lower()} in " in text.lower()
        assert not guard.signal.offset or f"{guard.count(settings)} model calls in 1 hour, 1 day before" in text


def test_other_limits_are_drawn_where_the_configuration_has_them() -> None:
    settings = Settings.model_validate({"thresholds": {"data_age_seconds": 1234}})
    text = json.dumps(TAB.dashboard(settings))
    assert f'"value": {1234 / 60}' in text and "20m 34s" in text


def test_grafana_knows_every_option(panels: dict[int, Json], unknown: Callable[[Json], set[str]]) -> None:
    assert {panel["title"]: unknown(panel) for panel in panels.values() if unknown(panel)} == {}


def test_tabs_with_the_filters_mark_critical_alerts_and_deployments_on_demand(board: Json) -> None:
    marks = {mark["name"]: mark for mark in board["annotations"]["list"]}
    assert {name: mark["enable"] for name, mark in marks.items()} == {"Critical alerts": True, "Deployments": False}
    assert 'severity="critical"' in marks["Critical alerts"]["expr"]
    assert "analytics.deployments" in marks["Deployments"]["target"]["rawSql"]
    without_filters = next(tab for tab in catalogue.TABS if tab.key == "observatory")
    assert without_filters.dashboard(SETTINGS)["annotations"]["list"] == []

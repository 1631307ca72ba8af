"""The Overview tab: what it holds, what it asks, and that it draws the lines where the alerts look."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Any

import promql_parser as promql
import pytest

from alert_rules.catalogue import ALERTS
from contract.analytics import READABLE
from contract.catalogue import series_catalogue
from contract.keys import panel_id
from contract.relations import RELATIONS
from contract.settings import Settings, Thresholds
from contract.signals.model import Quantile
from dashboards import catalogue
from dashboards.overview import TAB
from recording_rules import registry

Json = dict[str, Any]

CONTENTS = {
    "": ["legend", "ages"],
    "Is everything well?": ["health"],
    "The last hour, and this month's money": ["success_now", "response_now", "errors_now", "cost_month", "budget"],
    "Agents, as the alerts see them": ["success_ratio", "agent_errors", "agent_latency", "firing_alerts"],
    "Users, conversations, support": [
        "users", "active_users", "conversations", "conversation_outcomes", "tickets", "documents",
    ],
    "Traffic": ["request_rate", "server_error_share", "response_times"],
    "Model calls": ["model_calls", "tokens_per_call", "model_distribution"],
    "Health over time": ["health_history"],
    "Latest failed executions": ["latest_failures"],
    "Sources in detail": ["data_age", "exporter_queries", "budget_forecast"],
}  # fmt: skip
FOLDED = {"Health over time", "Latest failed executions", "Sources in detail"}
WATCHED = {"overview/success_ratio", "overview/agent_errors", "overview/agent_latency", "overview/budget"}
OF_PROMETHEUS = {
    name: {"alertname", "alertstate", "environment", "agent", "severity", "job"} for name in ("ALERTS", "ALERTS_FOR_STATE")
}
BUILT_IN = {
    "__rate_interval",
    "__range",
    "__interval",
    "__timeFilter",
    "__timeGroup",
    "__url_time_range",
    "__all_variables",
    "__field",
    "__all",
}


def of_key(panels: list[Json], name: str) -> Json:
    return next(panel for panel in panels if panel["id"] == panel_id(f"overview/{name}"))


def plain_promql(text: str) -> str:
    """The text with Grafana's variables as Grafana would fill them in."""
    return re.sub(r"\$\{?(\w+)\}?", lambda found: "5m" if found[1].startswith("__") else "x", text)


def selectors(node: Any) -> Iterator[promql.VectorSelector]:
    """Every selector of an expression."""
    if isinstance(node, promql.VectorSelector):
        yield node
    elif isinstance(node, promql.MatrixSelector):
        yield node.vector_selector
    elif isinstance(node, promql.BinaryExpr):
        yield from selectors(node.lhs)
        yield from selectors(node.rhs)
    elif isinstance(node, promql.Call):
        for argument in node.args:
            yield from selectors(argument)
    elif isinstance(node, promql.ParenExpr | promql.UnaryExpr | promql.SubqueryExpr | promql.AggregateExpr):
        yield from selectors(node.expr)


def test_the_table_of_contents(overview: Json) -> None:
    names = {panel_id(key): key.removeprefix("overview/") for key in TAB.panel_keys(Settings())}
    found: dict[str, list[str]] = {}
    title = ""
    for panel in overview["panels"]:
        if panel["type"] == "row":
            title = panel["title"]
            found[title] = [names[inner["id"]] for inner in panel["panels"]]
            assert panel["collapsed"] == (title in FOLDED)
        else:
            found.setdefault(title, []).append(names[panel["id"]])
    assert found == CONTENTS


def test_opening_it_asks_at_most_25_questions(overview: Json) -> None:
    assert sum(len(panel.get("targets", [])) for panel in overview["panels"]) <= 25


def test_the_frame(overview: Json) -> None:
    assert (overview["title"], overview["uid"], overview["schemaVersion"]) == ("Overview", "observatory-overview", 42)
    assert (overview["refresh"], overview["tags"]) == ("30s", ["observatory", "business"])
    link = overview["links"][0]
    assert (link["type"], link["tags"], link["keepTime"], link["includeVars"]) == ("dashboards", ["observatory"], True, True)
    assert not {"rows", "style", "version", "id", "hideControls", "sharedCrosshair", "__inputs"} & overview.keys()


def test_it_reads_three_sources(panels: list[Json]) -> None:
    text = json.dumps(panels)
    assert {panel["datasource"]["type"] for panel in panels if panel.get("targets")} == {
        "prometheus",
        "grafana-postgresql-datasource",
    }
    assert "platform_users" in text and "langfuse_window_calls" in text


def test_two_builds_are_equal(overview: Json) -> None:
    assert json.dumps(TAB.dashboard(Settings())) == json.dumps(overview)


def test_ids_are_unique_and_come_from_keys(panels: list[Json], overview: Json) -> None:
    ids = [panel["id"] for panel in panels] + [panel["id"] for panel in overview["panels"] if panel["type"] == "row"]
    assert len(ids) == len(set(ids))
    assert {panel["id"] for panel in panels} == {panel_id(key) for key in TAB.panel_keys(Settings())}
    assert panel_id("overview/agent_errors") == 78250733  # links in messages of years ago


def test_panels_fill_the_grid_without_overlap(overview: Json) -> None:
    for level in ([*overview["panels"]], *(panel["panels"] for panel in overview["panels"] if panel.get("panels"))):
        rectangles = [panel["gridPos"] for panel in level]
        assert all(r["x"] >= 0 and r["x"] + r["w"] <= 24 and r["h"] > 0 for r in rectangles)
        for a, b in combinations(rectangles, 2):
            apart = (
                a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"] or a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]
            )
            assert apart, (a, b)


def test_every_panel_explains_itself(panels: list[Json]) -> None:
    for panel in panels:
        assert panel["description"], panel["title"]
        if panel.get("targets"):
            assert panel["title"] and panel["fieldConfig"]["defaults"]["noValue"]
            assert re.search(r"(Metrics|Tables): `", panel["description"]), panel["title"]
            assert "iltered by" in panel["description"], panel["title"]


def test_descriptions_say_which_filters_act(panels: list[Json]) -> None:
    assert of_key(panels, "tickets")["description"].endswith("Not filtered by environment and agent.")
    assert of_key(panels, "request_rate")["description"].endswith("Filtered by environment. Not filtered by agent.")
    assert of_key(panels, "agent_errors")["description"].endswith("Filtered by environment and agent.")


def test_grafana_knows_every_option(panels: list[Json], unknown: Callable[[Json], set[str]]) -> None:
    assert {panel["title"]: unknown(panel) for panel in panels if unknown(panel)} == {}


def test_every_promql_reads_the_contract(panels: list[Json]) -> None:
    recorded = registry.recorded_series()
    known = {name: metric.all_labels | {"le"} for name, metric in series_catalogue().items()} | recorded | OF_PROMETHEUS
    read = 0
    for panel in panels:
        for target in panel.get("targets", []):
            for selector in selectors(promql.parse(plain_promql(target["expr"]))) if "expr" in target else ():
                read += 1
                labels = {matcher.name for matcher in selector.matchers.matchers}
                assert selector.name in known, (panel["title"], selector.name)
                assert labels <= set(known[selector.name]), (panel["title"], selector.name, labels)
    assert read > 60


def test_every_variable_is_defined(overview: Json, panels: list[Json]) -> None:
    defined = {variable["name"] for variable in overview["templating"]["list"]}
    assert defined == {"prometheus", "postgres", "environment", "agent"}
    used = set(re.findall(r"\$\{?([A-Za-z_]\w*)", json.dumps([panels, overview["templating"]])))
    assert used <= defined | BUILT_IN


def test_variables_begin_with_the_configuration() -> None:
    settings = Settings.model_validate(
        {"environments": ["live", "test"], "sources": {"prometheus": {"uid": "mimir"}, "postgres": {"uid": "pg-7"}}}
    )
    found = {variable["name"]: variable["current"]["value"] for variable in TAB.dashboard(settings)["templating"]["list"]}
    assert found == {"prometheus": "mimir", "postgres": "pg-7", "environment": ["live"], "agent": ["$__all"]}


def test_sql_reads_only_what_dashboards_may_read(panels: list[Json]) -> None:
    asked = [target["rawSql"] for panel in panels for target in panel.get("targets", []) if "rawSql" in target]
    assert len(asked) == 2
    for sql in asked:
        tables = {alias: name for name, alias in re.findall(r"analytics\.(\w+) (\w)\b", sql)}
        assert len(tables) == sql.count("analytics.")
        assert "app." not in sql
        for alias, column in re.findall(r"\b(\w)\.(\w+)", sql):
            assert column in READABLE[tables[alias]].columns
        time = re.search(r"\$__timeFilter\((\w)\.(\w+)\)", sql)
        assert time and RELATIONS[tables[time[1]]].time == time[2]  # bounded by the column that is indexed


def drawn(panel: Json) -> set[float]:
    return {step["value"] for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"] if step["value"] is not None}


@pytest.mark.parametrize(
    "thresholds",
    [
        Thresholds(),
        Thresholds(
            success_ratio=0.8,
            response_seconds=3,
            error_ratio=0.01,
            error_ratio_critical=0.5,
            error_ratio_page=0.6,
            budget_warning=0.5,
        ),
    ],
    ids=["defaults", "other ones"],
)
def test_limits_are_drawn_where_the_configuration_has_them(thresholds: Thresholds) -> None:
    settings = Settings(thresholds=thresholds)
    board = TAB.dashboard(settings)
    for name, limits in {
        "success_ratio": {thresholds.success_ratio},
        "success_now": {thresholds.success_ratio},
        "agent_errors": {thresholds.error_ratio, thresholds.error_ratio_critical, thresholds.error_ratio_page},
        "agent_latency": {thresholds.response_seconds, thresholds.response_seconds_page},
        "budget": {thresholds.budget_warning, 1.0},
    }.items():
        assert drawn(of_key(board["panels"], name)) == limits, name
    for name in ("success_ratio", "agent_errors", "agent_latency"):
        assert of_key(board["panels"], name)["fieldConfig"]["defaults"]["custom"]["thresholdsStyle"] == {"mode": "dashed"}


def test_watched_panels_ask_what_the_alerts_ask(panels: list[Json]) -> None:
    assert {alert.panel for alert in ALERTS if alert.panel.startswith("overview/")} == WATCHED
    for alert in ALERTS:
        if not alert.panel.startswith("overview/") or alert.name == "CostForecastOverBudget":
            continue  # the forecast asks about what comes
        panel = of_key(panels, alert.panel.removeprefix("overview/"))
        target = panel["targets"][1 if alert.paging else 0]
        unfiltered = re.sub(r'(agent=~"\$agent",)?environment=~"\$environment",?', "", target["expr"]).replace("{}", "")
        assert unfiltered == registry.query(alert.signal, alert.by, alert.window), alert.name
        assert isinstance(alert.signal, Quantile) == ("p95" in panel["title"])


def test_a_panel_is_found_by_its_key() -> None:
    assert catalogue.panel("overview/budget", Settings()).title == "Budget spent"
    with pytest.raises(KeyError, match="did you mean overview/agent_errors"):
        catalogue.panel("overview/agent_error", Settings())

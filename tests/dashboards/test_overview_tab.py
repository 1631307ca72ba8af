"""The Overview tab: what it holds, and that it draws the lines where the alerts look; test_every_tab has the rest."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from alert_rules.catalogue import ALERTS
from contract.analytics import READABLE
from contract.keys import panel_id
from contract.relations import RELATIONS
from contract.settings import Settings, Thresholds
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
    "What wakes somebody": ["errors_page", "latency_page"],
    "Health over time": ["health_history"],
    "Latest failed executions": ["latest_failures"],
    "Sources in detail": ["data_age", "exporter_queries", "budget_forecast"],
}  # fmt: skip
FOLDED = {"What wakes somebody", "Health over time", "Latest failed executions", "Sources in detail"}
WATCHED = {
    f"overview/{name}" for name in ("success_ratio", "agent_errors", "agent_latency", "errors_page", "latency_page", "budget")
}
BUILT_IN = {
    "__data",
    "__rate_interval",
    "__range",
    "__interval",
    "__timeFilter",
    "__timeGroup",
    "__url_time_range",
    "__value",
    "__all_variables",
    "__field",
    "__all",
}


def of_key(panels: list[Json], name: str) -> Json:
    return next(panel for panel in panels if panel["id"] == panel_id(f"overview/{name}"))


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


def test_an_id_stays_what_it_was() -> None:
    assert panel_id("overview/agent_errors") == 78250733  # links in messages of years ago


def test_descriptions_say_which_filters_act(panels: list[Json]) -> None:
    assert of_key(panels, "tickets")["description"].endswith("Not filtered by environment and agent.")
    assert of_key(panels, "request_rate")["description"].endswith("Filtered by environment. Not filtered by agent.")
    assert of_key(panels, "agent_errors")["description"].endswith("Filtered by environment and agent.")


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
    inside = [panel for top in board["panels"] for panel in top.get("panels", [])]
    for name, limits in {
        "success_ratio": {thresholds.success_ratio},
        "success_now": {thresholds.success_ratio},
        "agent_errors": {thresholds.error_ratio, thresholds.error_ratio_critical},
        "agent_latency": {thresholds.response_seconds},
        "errors_page": {thresholds.error_ratio_page},
        "latency_page": {thresholds.response_seconds_page},
        "budget": {thresholds.budget_warning, 1.0},
    }.items():
        assert drawn(of_key(board["panels"] + inside, name)) == limits, name
    for name in ("success_ratio", "agent_errors", "agent_latency", "errors_page", "latency_page"):
        assert of_key(board["panels"] + inside, name)["fieldConfig"]["defaults"]["custom"]["thresholdsStyle"] == {
            "mode": "dashed"
        }


def test_watched_panels_ask_what_the_alerts_ask(panels: list[Json]) -> None:
    assert {alert.panel for alert in ALERTS if alert.panel.startswith("overview/")} == WATCHED
    for alert in ALERTS:
        if not alert.panel.startswith("overview/") or alert.name == "CostForecastOverBudget":
            continue  # the forecast asks about what comes
        panel = of_key(panels, alert.panel.removeprefix("overview/"))
        expression = panel["targets"][0]["expr"]
        unfiltered = re.sub(r'(agent=~"\$agent",)?environment=~"\$environment",?', "", expression).replace("{}", "")
        asked = registry.query(alert.signal, alert.by, alert.window)
        assert unfiltered == asked or unfiltered.startswith(f"({asked}) and on (environment, agent) "), alert.name


def test_a_panel_is_found_by_its_key() -> None:
    assert catalogue.panel("overview/budget", Settings()).title == "Budget spent"
    with pytest.raises(KeyError, match="did you mean overview/agent_errors"):
        catalogue.panel("overview/agent_error", Settings())

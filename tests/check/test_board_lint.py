"""Lint of dashboards: each check finds its fault in a dashboard that is right else, and nothing in that one."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from contract.settings import Settings
from provisioning import boards, build
from provisioning.boards import Board
from provisioning.check import rule_groups
from provisioning.check.boards import BOARD_CHECKS, board_findings
from provisioning.check.boards.model import Site
from provisioning.check.known import known_series
from provisioning.check.served import external_labels, saved_in_browser, size_findings
from provisioning.findings import Finding

SCRAPE = timedelta(seconds=15)
PROMETHEUS = {"type": "prometheus", "uid": "${prometheus}"}
Edit = Callable[[dict[str, Any]], object]

GRAPH: dict[str, Any] = {
    "id": 1, "type": "timeseries", "title": "Running", "description": "How many run.", "datasource": PROMETHEUS,
    "gridPos": {"x": 0, "y": 0, "w": 12, "h": 8}, "options": {},
    "fieldConfig": {"defaults": {"unit": "short"}, "overrides": []},
    "targets": [
        {"refId": "A", "datasource": PROMETHEUS, "expr": 'sum(agent_queries_in_progress{environment=~"$environment"})'},
    ],
}  # fmt: skip
TEXT: dict[str, Any] = {
    "id": 2, "type": "text", "description": "What it is.", "gridPos": {"x": 12, "y": 0, "w": 12, "h": 8}, "options": {},
}  # fmt: skip
BOARD: dict[str, Any] = {
    "uid": "observatory-x", "title": "X", "description": "What runs.", "schemaVersion": 42, "editable": True, "refresh": "30s",
    "time": {"from": "now-6h", "to": "now"}, "tags": [], "panels": [GRAPH, TEXT], "annotations": {"list": []}, "links": [],
    "templating": {"list": [
        {"name": "prometheus", "type": "datasource", "query": "prometheus"},
        {"name": "environment", "type": "query", "datasource": PROMETHEUS, "refresh": 2,
         "query": "label_values(up, environment)"},
    ]},
}  # fmt: skip


@pytest.fixture(scope="module")
def artefacts() -> dict[str, bytes]:
    return build.artefacts(Settings())


@pytest.fixture(scope="module")
def site(artefacts: dict[str, bytes]) -> Site:
    return Site(known_series(rule_groups(artefacts)), SCRAPE)


def _graph(board: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = board["panels"][0]
    return found


def _target(board: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = _graph(board)["targets"][0]
    return found


def _asks(text: str) -> Edit:
    return lambda board: _target(board).update(expr=text)


def _variable(**values: Any) -> Edit:
    return lambda board: board["templating"]["list"][1].update(values)


def _more(**values: Any) -> Edit:
    return lambda board: board["templating"]["list"].append(values)


def _unit(name: str) -> Edit:
    return lambda board: _graph(board)["fieldConfig"]["defaults"].update(unit=name)


def _legend(text: str) -> Edit:
    return lambda board: _target(board).update(legendFormat=text)


def _renamed(pattern: str, words: str) -> Edit:
    step = {"id": "renameByRegex", "options": {"regex": pattern, "renamePattern": words}}
    return lambda board: _graph(board).update(transformations=[step])


SECONDS = 'histogram_quantile(0.9, sum by (le) (rate(kb_search_duration_seconds_bucket{environment=~"$environment"}[5m])))'
_LOGINS = 'sum(rate(auth_login_attempts_total{environment=~"$environment"%s}[5m]))'
RATIO = _LOGINS % ',result="failure"' + " / (" + _LOGINS % "" + " > 0)"
PANEL, QUERY = "dashboard X, panel Running", "dashboard X, panel Running, query A"
WRONG: list[tuple[str, str, str, Edit]] = [
    ("dashboards/schema", "dashboard X", "schemaVersion 36 is migrated", lambda board: board.update(schemaVersion=36)),
    ("dashboards/schema", "dashboard X", "panels is dict", lambda board: board.update(panels={})),
    ("dashboards/schema", "dashboard X", "no key sharedCrosshair", lambda board: board.update(sharedCrosshair=True)),
    ("dashboards/schema", PANEL, "no key grid", lambda board: _graph(board).update(grid={})),
    ("dashboards/schema", PANEL, "gridPos is missing", lambda board: _graph(board).pop("gridPos")),
    ("dashboards/schema", PANEL, "no panels of type graph", lambda board: _graph(board).update(type="graph")),
    ("dashboards/schema", PANEL, "id is bool", lambda board: _graph(board).update(id=True)),
    ("dashboards/described", "dashboard X", "no description", lambda board: board.pop("description")),
    ("dashboards/described", PANEL, "the panel has no description", lambda board: _graph(board).update(description="")),
    ("dashboards/described", "dashboard X, panel 1", "the panel has no title", lambda board: _graph(board).update(title="")),
    ("dashboards/unit", PANEL, "no unit currencyEURO", _unit("currencyEURO")),
    ("dashboards/unit", PANEL, "its numbers have no unit", lambda board: _graph(board)["fieldConfig"]["defaults"].clear()),
    ("dashboards/unit", PANEL, "no unit percentunits", lambda board: _graph(board)["fieldConfig"]["overrides"].append(
        {"matcher": {}, "properties": [{"id": "unit", "value": "percentunits"}]})),
    ("dashboards/unit", QUERY, "shows seconds as milliseconds", lambda board: (_asks(SECONDS)(board), _unit("ms")(board))),
    ("dashboards/unit", QUERY, "shows ratio as seconds", lambda board: (_asks(RATIO)(board), _unit("s")(board))),
    ("dashboards/unit", QUERY, "shows ratio as percent", lambda board: (
        _asks(f"label_replace({RATIO}, 'figure', 'errors', '', '')")(board), _unit("percent")(board))),
    ("dashboards/raw-name", PANEL, "shows the name p95_before", _legend("p95_before {{agent}}")),
    ("dashboards/raw-name", PANEL, "shows the name rate_limit", _legend("{{error_type}} · {{agent}}")),
    ("dashboards/raw-name", PANEL, "shows the name first_response", lambda board: (
        _legend("{{kind}}")(board), _renamed(r"\bexternal_api\b", "external interface")(board))),
    ("dashboards/raw-name", PANEL, "shows the name cost_usd", lambda board: (  # Grafana takes it for one of the whole name
        _legend("{{measure}} of {{agent}}")(board), _renamed(r"\bcost_usd\b", "cost")(board))),
    ("dashboards/raw-name", PANEL, "shows the name cost_usd", lambda board: _graph(board).update(transformations=[
        {"id": "organize", "options": {"indexByName": {"agent": 0, "cost_usd": 1}, "renameByName": {"agent": "Agent"}}}])),
    ("dashboards/raw-name", PANEL, "shows the name error_type", lambda board: _graph(board)["fieldConfig"]["overrides"].append(
        {"matcher": {}, "properties": [{"id": "displayName", "value": "error_type"}]})),
    ("dashboards/no-query", PANEL, "it has no query", lambda board: _graph(board).update(
        targets=[], repeat="environment")),
    ("dashboards/fixed-source", QUERY, "always mimir",
     lambda board: _target(board).update(datasource={"type": "prometheus", "uid": "mimir"})),
    ("dashboards/unused-variable", "dashboard X, variable spare", "nothing names it", _more(name="spare", type="custom")),
    ("dashboards/unused-variable", "dashboard X, variable postgres", "nothing names it",
     _more(name="postgres", type="datasource", query="postgres")),
    ("dashboards/reload", "dashboard X, variable environment", "never asked again", _variable(refresh=0)),
    ("dashboards/filter", "dashboard X, panel Running $environment", "does not follow $environment", lambda board: (
        _asks("sum(agent_queries_in_progress)")(board), _graph(board).update(title="Running $environment"))),
    ("dashboards/rate-interval", QUERY, "a window of 1m, and points are 12m36s apart", lambda board: (
        board.update(time={"from": "now-7d", "to": "now"}),
        _asks('sum(rate(agent_queries_total{environment=~"$environment"}[1m]))')(board))),
    ("dashboards/refresh", "dashboard X", "is asked every 5s", lambda board: board.update(refresh="5s")),
    ("dashboards/refresh", "dashboard X", "refresh soon is no duration", lambda board: board.update(refresh="soon")),
    ("dashboards/refresh", "dashboard X", "starts with no time range", lambda board: board.update(time={})),
    ("dashboards/load", "dashboard X", "reads 67,536 series and 216,115,200 samples",
     _asks('sum(rate(agent_query_duration_seconds_bucket{environment=~"$environment"}[$__rate_interval]))')),
    ("dashboards/load", "dashboard X", "reads 603 series and 78,148,800 samples", lambda board: (
        _target(board).update(interval="2m"),
        _asks('max(max_over_time(agent_queries_in_progress{environment=~"$environment"}[3h]))')(board))),
]  # fmt: skip
RIGHT: list[Edit] = [
    lambda board: _target(board).update(interval="$__interval"),
    _unit("suffix: tokens"),
    lambda board: (_asks(SECONDS)(board), _unit("s")(board)),
    lambda board: (_asks(f"({SECONDS}) / 60")(board), _unit("m")(board)),
    lambda board: (_asks(f"100 * {RATIO}")(board), _unit("percent")(board)),
    lambda board: (_asks(SECONDS)(board), _unit("ms")(board), _graph(board)["fieldConfig"]["overrides"].append(
        {"matcher": {}, "properties": [{"id": "unit", "value": "s"}]})),
    _legend("{{table}} · {{tool}}"),
    lambda board: (_legend("{{measure}} of {{agent}}")(board), _renamed(r"/\bcost_usd\b/", "cost")(board)),
    lambda board: (_legend("{{measure}}")(board), _target(board).update(format="table")),
    lambda board: (_asks('max(max_over_time(agent_queries_in_progress{environment=~"$environment"}[12h]))')(board),
                   _target(board).update(instant=True)),
    lambda board: board["panels"].append({
        "id": 3, "type": "row", "title": "More", "collapsed": True, "gridPos": {"x": 0, "y": 8, "w": 24, "h": 1}, "panels": [
            {**GRAPH, "id": 4, "targets": [{**GRAPH["targets"][0], "expr": "sum(rate("
             'agent_query_duration_seconds_bucket{environment=~"$environment"}[$__rate_interval]))'}]}]}),
    _unit("none"),
    lambda board: (_more(name="postgres", type="datasource", query="postgres")(board),
                   board.update(links=[{"title": "Tabs", "type": "dashboards", "includeVars": True}])),
    lambda board: board.update(refresh="15s"),
    lambda board: board.update(refresh=False),
    _variable(refresh=1),
    lambda board: _graph(board)["fieldConfig"]["defaults"].pop("unit") and _graph(board).update(type="table"),
    lambda board: (_asks("sum by (environment) (agent_queries_in_progress)")(board), _more(name="agent", type="custom")(board),
                   _graph(board).update(title="Running in $environment", repeat="agent")),
    lambda board: (_asks("sum(redis_up)")(board), _graph(board).update(title="Redis of $environment")),
    lambda board: (board.update(time={"from": "now-7d", "to": "now"}),
                   _asks('sum(rate(auth_login_attempts_total{environment=~"$environment"}[$__rate_interval]))')(board)),
    lambda board: (board.update(time={"from": "now-7d", "to": "now"}), _target(board).update(instant=True),
                   _asks('sum(rate(agent_queries_total{environment=~"$environment"}[1m]))')(board)),
]  # fmt: skip


def _found(site: Site, plant: Edit) -> Iterator[Finding]:
    model = copy.deepcopy(BOARD)
    plant(model)
    return board_findings([Board("x.json", model)], site)


@pytest.mark.parametrize(("check", "place", "message", "plant"), WRONG, ids=[f"{case[0]}: {case[2]}" for case in WRONG])
def test_a_fault_is_found_and_nothing_else(site: Site, check: str, place: str, message: str, plant: Edit) -> None:
    found = [one for one in _found(site, plant) if place in one.place or one.check != check]
    if "panels is" in message or "graph" in message:
        found = found[:1]  # what cannot be read as panels has none to follow the variables
    assert {(one.check, one.place) for one in found} == {(check, place)}, [str(one) for one in found]
    assert message in found[0].message and found[0].remedy


@pytest.mark.parametrize("plant", RIGHT)
def test_what_is_right_is_left_in_peace(site: Site, plant: Edit) -> None:
    assert [str(one) for one in _found(site, plant)] == []


def test_a_dashboard_that_a_browser_may_save_says_so(site: Site) -> None:
    open_site = Site(site.known, SCRAPE, saved_in_browser=True)
    assert [one.check for one in _found(open_site, lambda _: None)] == ["dashboards/editable"]
    assert list(_found(open_site, lambda board: board.update(editable=False))) == []


def test_every_check_of_dashboards_is_shown_to_find() -> None:
    assert {case[0] for case in WRONG} | {"dashboards/editable"} == {check.id for check in BOARD_CHECKS}


def test_what_servers_are_told_counts(artefacts: dict[str, bytes]) -> None:
    assert not saved_in_browser(artefacts) and external_labels(artefacts) == frozenset()
    path = next(path for path in artefacts if path.startswith("grafana/provisioning/dashboards/"))
    edited = {**artefacts, path: artefacts[path].replace(b"allowUiUpdates: false", b"allowUiUpdates: true")}
    assert saved_in_browser(edited)
    labelled = artefacts["prometheus/prometheus.yml"].replace(b"global:", b"global:\n  external_labels: {site: north}")
    assert external_labels({"prometheus/prometheus.yml": labelled}) == {"site"}


def test_sizes_are_refused_before_anything_is_written(artefacts: dict[str, bytes]) -> None:
    read, groups = boards.read(artefacts), rule_groups(artefacts)
    assert list(size_findings(artefacts, read, groups, Settings())) == []
    mimir = Settings.model_validate(
        {"targets": {"mimir": {"url": "http://mimir.example", "rules_per_group": 5, "groups": 500}}}
    )
    found = list(size_findings(artefacts, read, groups, mimir))
    assert found and {one.check for one in found} == {"targets/too-large"}
    assert all("and Mimir takes 5 at most" in one.message for one in found)
    slow = Settings.model_validate({"sources": {"prometheus": {"scrape_interval": "6m"}}})
    assert [one.check for one in size_findings(artefacts, read, groups, slow)] == ["settings/scrape-interval"]

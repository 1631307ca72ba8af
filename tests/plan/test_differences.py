"""Differences are told by name and in words, each with a label, and never with a secret."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from provisioning.plan.differences import HIDDEN, differences
from provisioning.plan.labels import Label
from provisioning.plan.objects import digest

BOARD = {
    "title": "Agents",
    "templating": {"list": [{"name": "agent", "query": "label_values(agent)"}]},
    "links": [{"title": "Tabs", "url": "/d/tabs"}],
    "panels": [
        {"id": 7, "type": "row", "title": "Quality", "gridPos": {"y": 0}},
        {
            "id": 3,
            "type": "stat",
            "title": "Error ratio",
            "gridPos": {"y": 1},
            "fieldConfig": {
                "defaults": {
                    "unit": "percentunit",
                    "thresholds": {"mode": "absolute", "steps": [{"color": "green"}, {"color": "red", "value": 0.05}]},
                }
            },
            "targets": [{"refId": "A", "expr": "a"}, {"refId": "B", "expr": "b"}],
        },
        {"id": 4, "type": "table", "title": "Slowest", "gridPos": {"y": 9}, "targets": [{"refId": "A", "rawSql": "SELECT 1"}]},
    ],
}
RULES = {
    "groups": [
        {
            "name": "agents",
            "interval": "15s",
            "rules": [
                {
                    "alert": "AgentErrors",
                    "expr": 'ratio{agent="a1"} > 0.05 and count > 10',
                    "for": "2m",
                    "labels": {"severity": "warning"},
                    "annotations": {"summary": "Errors"},
                },
                {"record": "agent:errors:rate5m", "expr": "sum(rate(errors[5m]))"},
            ],
        }
    ]
}
ROUTES = {
    "route": {
        "receiver": "default",
        "routes": [
            {"matchers": ['team="a"'], "receiver": "team-a"},
            {"matchers": ['team="b"'], "receiver": "team-b"},
        ],
    },
    "receivers": [{"name": "team-a", "slack_configs": [{"channel": "#a"}]}, {"name": "team-b"}],
}


def at(document: Any, *path: Any) -> Any:
    for step in path:
        document = document[step]
    return document


def changed(document: Any, *path: Any, to: Any) -> Any:
    other = copy.deepcopy(document)
    at(other, *path[:-1])[path[-1]] = to
    return other


def told(kind: str, before: Any, after: Any) -> list[tuple[str, str]]:
    return [(str(difference), str(difference.label)) for difference in differences(kind, before, after)]


PANEL = ("panels", 1)
RULE = ("groups", 0, "rules", 0)


@pytest.mark.parametrize(
    ("kind", "document", "path", "to", "expected"),
    [
        ("dashboard", BOARD, ("title",), "Bots", ("title: Bots instead of Agents", "cosmetic")),
        (
            "dashboard",
            BOARD,
            (*PANEL, "targets", 1, "expr"),
            "c",
            ("panel «Error ratio»: query B: c instead of b", "query"),
        ),
        (
            "dashboard",
            BOARD,
            (*PANEL, "fieldConfig", "defaults", "unit"),
            "short",
            ("panel «Error ratio»: fieldConfig.defaults.unit: short instead of percentunit", "cosmetic"),
        ),
        (
            "dashboard",
            BOARD,
            (*PANEL, "fieldConfig", "defaults", "thresholds", "steps", 1, "value"),
            0.1,
            ("panel «Error ratio»: fieldConfig.defaults.thresholds: 0.1 instead of 0.05", "threshold"),
        ),
        (
            "dashboard",
            BOARD,
            ("templating", "list", 0, "query"),
            "x",
            ("templating: «agent»: query: x instead of label_values(agent)", "query"),
        ),
        ("dashboard", BOARD, ("links",), [], ("link «Tabs» removed", "cosmetic")),
        ("dashboard", BOARD, (*PANEL, "gridPos", "y"), 5, ("layout of 1 panel changed", "cosmetic")),
        ("alert rules", RULES, (*RULE, "for"), "5m", ("group agents: alert AgentErrors: hold: 5m instead of 2m", "threshold")),
        (
            "alert rules",
            RULES,
            (*RULE, "expr"),
            'ratio{agent="a1"} > 0.1 and count > 10',
            (
                "group agents: alert AgentErrors: query: "
                'ratio{agent="a1"} > 0.1 and count > 10 instead of ratio{agent="a1"} > 0.05 and count > 10',
                "threshold",
            ),
        ),
        (
            "alert rules",
            RULES,
            (*RULE, "expr"),
            'ratio{agent="a2"} > 0.05 and count > 10',
            (
                "group agents: alert AgentErrors: query: "
                'ratio{agent="a2"} > 0.05 and count > 10 instead of ratio{agent="a1"} > 0.05 and count > 10',
                "query",
            ),
        ),
        (
            "alert rules",
            RULES,
            (*RULE, "labels", "severity"),
            "page",
            ("group agents: alert AgentErrors: labels.severity: page instead of warning", "routing"),
        ),
        (
            "alert rules",
            RULES,
            (*RULE, "annotations", "summary"),
            "Failures",
            ("group agents: alert AgentErrors: annotations.summary: Failures instead of Errors", "cosmetic"),
        ),
        (
            "alertmanager configuration",
            ROUTES,
            ("route", "routes", 0, "receiver"),
            "team-b",
            ('route: route team="a": receiver: team-b instead of team-a', "routing"),
        ),
        (
            "alertmanager configuration",
            ROUTES,
            ("receivers", 0, "slack_configs", 0, "channel"),
            "#b",
            ("receiver team-a: slack_configs 1.channel: #b instead of #a", "routing"),
        ),
        (
            "folder permissions",
            {"items": [{"role": "Viewer", "permission": "view"}]},
            ("items", 0, "permission"),
            "edit",
            ("role Viewer: permission: edit instead of view", "routing"),
        ),
    ],
)
def test_a_change_is_told_in_one_line(
    kind: str, document: Any, path: tuple[Any, ...], to: Any, expected: tuple[str, str]
) -> None:
    assert told(kind, document, changed(document, *path, to=to)) == [expected]


@pytest.mark.parametrize(
    ("kind", "document", "path", "lost", "new"),
    [
        (
            "dashboard",
            BOARD,
            ("panels",),
            ("panel «Error ratio» removed", "destructive"),
            ("panel «Error ratio» added", "query"),
        ),
        (
            "alert rules",
            RULES,
            ("groups", 0, "rules"),
            ("group agents: recorded series agent:errors:rate5m removed", "destructive"),
            ("group agents: recorded series agent:errors:rate5m added", "routing"),
        ),
        (
            "alertmanager configuration",
            ROUTES,
            ("receivers",),
            ("receiver team-b removed", "destructive"),
            ("receiver team-b added", "routing"),
        ),
    ],
)
def test_a_part_that_comes_or_goes_is_told_by_name(
    kind: str, document: Any, path: tuple[Any, ...], lost: tuple[str, str], new: tuple[str, str]
) -> None:
    parts = at(document, *path)
    without = changed(document, *path, to=[parts[0], *parts[2:]])
    assert told(kind, document, without) == [lost]
    assert told(kind, without, document) == [new]


def test_a_panel_that_moves_in_the_list_is_the_same_panel() -> None:
    moved = changed(BOARD, "panels", to=[BOARD["panels"][2], *BOARD["panels"][:2]])
    assert told("dashboard", BOARD, moved) == [("order of panels changed", "cosmetic")]


def test_the_order_of_routes_matters() -> None:
    turned = changed(ROUTES, "route", "routes", to=ROUTES["route"]["routes"][::-1])
    assert told("alertmanager configuration", ROUTES, turned) == [("route: order of routes changed", "routing")]


def test_a_moved_layout_is_one_line() -> None:
    moved = copy.deepcopy(BOARD)
    for panel in moved["panels"]:
        panel["gridPos"]["y"] += 3
    assert told("dashboard", BOARD, moved) == [("layout of 3 panels changed", "cosmetic")]


def test_thresholds_of_a_column_are_thresholds() -> None:
    def board(limit: float) -> Any:
        steps = {"mode": "absolute", "steps": [{"color": "green", "value": None}, {"color": "red", "value": limit}]}
        override = {
            "matcher": {"id": "byName", "options": "errors"},
            "properties": [{"id": "unit", "value": "s"}, {"id": "thresholds", "value": steps}],
        }
        return {"panels": [{"id": 1, "title": "Agents", "fieldConfig": {"overrides": [override]}}]}

    expected = "panel «Agents»: fieldConfig: override of errors: thresholds: 0.1 instead of 0.05"
    assert told("dashboard", board(0.05), board(0.1)) == [(expected, "threshold")]


def test_alerts_of_one_name_are_told_apart_by_their_labels() -> None:
    rules = [{"alert": "A", "labels": {"severity": severity}, "expr": "x", "for": "1m"} for severity in ("warning", "critical")]
    document = {"groups": [{"name": "g", "rules": rules}]}
    after = changed(document, "groups", 0, "rules", 1, "for", to="2m")
    assert told("alert rules", document, after) == [("group g: alert A: hold: 2m instead of 1m", "threshold")]


def test_long_values_are_not_told_in_the_line_but_kept() -> None:
    (difference,) = differences("dashboard", {"description": "a" * 100}, {"description": "b" * 100})
    assert (str(difference), difference.short, len(difference.before)) == ("description changed", False, 100)


SECRET = "canary-5f1d"


@pytest.mark.parametrize(
    ("kind", "document"),
    [
        ("alertmanager configuration", {"global": {"slack_api_url": f"https://hooks/{SECRET}"}}),
        ("alertmanager configuration", {"receivers": [{"name": "a", "webhook_configs": [{"url": f"https://h/{SECRET}"}]}]}),
        ("alertmanager configuration", {"receivers": [{"name": "a", "pagerduty_configs": [{"routing_key": SECRET}]}]}),
        ("alertmanager configuration", {"receivers": [{"name": "a", "x": [{"authorization": {"credentials": SECRET}}]}]}),
        ("alertmanager configuration", {"global": {"smtp_auth_password": SECRET}}),
        ("data source", {"secureJsonData": {"anything": SECRET}}),
        ("data source", {"jsonData": {"httpHeaderValue1": SECRET}}),
        ("data source", {"url": f"http://user:{SECRET}@127.0.0.1:9090"}),
        ("dashboard", {"panels": [{"id": 1, "title": "p", "options": {"content": f"Bearer {SECRET}"}}]}),
        ("secret", {"stringData": {"alertmanager.yml": SECRET}}),
    ],
)
def test_no_secret_is_told(kind: str, document: Any) -> None:
    found = differences(kind, {}, document) + differences(kind, document, {})
    for difference in found:
        assert SECRET not in repr(difference) + str(difference)
    assert found


def test_that_a_secret_changed_is_told() -> None:
    (difference,) = differences("data source", {"password": "one"}, {"password": "two"})
    assert (str(difference), HIDDEN in repr(difference)) == ("password changed", False)


def test_a_file_that_holds_a_secret_is_no_secret() -> None:
    (difference,) = differences("x", {"password_file": "/run/a"}, {"password_file": "/run/b"})
    assert str(difference) == "password_file: /run/b instead of /run/a"


names = some.sampled_from(["panels", "rules", "title", "id", "name", "x", "items", "thresholds", "receivers", "matchers"])
values = some.recursive(
    some.none() | some.booleans() | some.integers(0, 2) | some.sampled_from(["", "a", "b"]),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)


@given(before=values, after=values, kind=some.sampled_from(["dashboard", "alert rules", "secret", "folder"]))
def test_there_is_a_difference_exactly_when_digests_differ(before: Any, after: Any, kind: str) -> None:
    found = differences(kind, before, after)
    assert bool(found) == (digest(before) != digest(after))
    assert all(str(difference) and isinstance(difference.label, Label) for difference in found)

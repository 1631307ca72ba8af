"""What holds for every tab: panels explain themselves, ask only for what there is, and are what Grafana would write."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache
from itertools import combinations
from typing import Any

import promql_parser as promql
import pytest

from contract.catalogue import series_catalogue
from contract.keys import panel_id
from contract.settings import Settings
from contract.values import duration_seconds
from dashboards.catalogue import TABS
from dashboards.lib.describe import acting
from dashboards.lib.tab import LONGEST_RANGE, MOST_QUERIES, Tab
from provisioning.check.relations import relation_findings, relation_names
from recording_rules import registry
from tests.dashboards.promql import plain_promql, selectors
from tests.dashboards.sql_shape import bounded

Json = dict[str, Any]

OF_PROMETHEUS = {
    name: {"alertname", "alertstate", "environment", "agent", "severity", "job"} for name in ("ALERTS", "ALERTS_FOR_STATE")
}
BUILT_IN = {
    "__rate_interval", "__range", "__range_s", "__interval", "__interval_ms", "__from", "__to", "__timeFilter", "__timeGroup",
    "__timeFrom", "__timeTo", "__unixEpochFrom", "__unixEpochTo", "__url_time_range", "__all_variables", "__field", "__value",
    "__data", "__series", "__all",
}  # fmt: skip
"""What Grafana itself puts into queries and links."""
OF_SOURCES = {"prometheus", "postgres"}
"""Variables that choose among Grafana's data sources; a tab may ask one of them only."""
WITHOUT_UNIT = {"table", "state-timeline", "status-history", "logs", "traces", "nodeGraph", "text", "alertlist", "dashlist"}


@cache
def built() -> dict[str, Json]:
    return {tab.key: tab.dashboard(Settings()) for tab in TABS}


def board(tab: Tab) -> Json:
    return built()[tab.key]


def panels(tab: Tab) -> list[Json]:
    """All panels but rows, those of collapsed rows included."""
    return [panel for top in board(tab)["panels"] for panel in (top.get("panels", []) if top["type"] == "row" else [top])]


def asked(tab: Tab, kind: str) -> list[tuple[str, str]]:
    """Titles of panels and what they ask of Prometheus (`expr`) or of PostgreSQL (`rawSql`)."""
    return [(panel["title"], target[kind]) for panel in panels(tab) for target in panel.get("targets", []) if kind in target]


every_tab = pytest.mark.parametrize("tab", TABS, ids=lambda tab: tab.key)


def test_tabs_have_names_of_their_own() -> None:
    assert len({tab.key for tab in TABS}) == len({tab.title for tab in TABS}) == len(TABS)


@every_tab
def test_the_frame(tab: Tab) -> None:
    found = board(tab)
    assert (found["title"], found["uid"], found["schemaVersion"]) == (tab.title, f"observatory-{tab.key.replace('_', '-')}", 42)
    assert (found["refresh"], found["tags"][:2]) == (tab.refresh, ["observatory", tab.folder.lower()])
    link = found["links"][0]
    assert (link["type"], link["tags"], link["keepTime"], link["includeVars"]) == ("dashboards", ["observatory"], True, True)
    assert not {"rows", "style", "version", "id", "hideControls", "sharedCrosshair", "__inputs"} & found.keys()


@every_tab
def test_two_builds_are_equal(tab: Tab) -> None:
    assert json.dumps(tab.dashboard(Settings())) == json.dumps(board(tab))


@every_tab
def test_opening_it_asks_few_questions(tab: Tab) -> None:
    assert sum(len(panel.get("targets", [])) for panel in board(tab)["panels"]) <= MOST_QUERIES


@every_tab
def test_ids_are_unique_and_come_from_keys(tab: Tab) -> None:
    ids = [panel["id"] for panel in panels(tab)] + [panel["id"] for panel in board(tab)["panels"] if panel["type"] == "row"]
    assert len(ids) == len(set(ids))
    assert {panel["id"] for panel in panels(tab)} == {panel_id(key) for key in tab.panel_keys(Settings())}


@every_tab
def test_panels_fill_the_grid_without_overlap(tab: Tab) -> None:
    top = board(tab)["panels"]
    for level in (top, *(panel["panels"] for panel in top if panel.get("panels"))):
        rectangles = [panel["gridPos"] for panel in level]
        assert all(r["x"] >= 0 and r["x"] + r["w"] <= 24 and r["h"] > 0 for r in rectangles)
        for a, b in combinations(rectangles, 2):
            beside = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
            assert beside or a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"], (a, b)


@every_tab
def test_every_panel_explains_itself(tab: Tab) -> None:
    for panel in panels(tab):
        assert panel["description"], panel["title"]
        if panel.get("targets"):
            defaults = panel["fieldConfig"]["defaults"]
            assert panel["title"] and defaults["noValue"], panel["id"]
            assert panel["type"] in WITHOUT_UNIT or defaults["unit"], panel["title"]
            reads = any(target.get("expr") != "(vector(1))" for target in panel["targets"])
            assert bool(re.search(r"(Metrics|Tables): `", panel["description"])) == reads, panel["title"]


@every_tab
def test_grafana_knows_every_option(tab: Tab, unknown: Callable[[Json], set[str]]) -> None:
    assert {panel["title"]: unknown(panel) for panel in panels(tab) if unknown(panel)} == {}


@every_tab
def test_every_promql_reads_the_contract(tab: Tab) -> None:
    known: dict[str, set[str]] = {name: set(metric.all_labels) | {"le"} for name, metric in series_catalogue().items()}
    known |= {rule.record: set(rule.all_labels) for group in registry.groups(Settings()) for rule in group.rules}
    known |= OF_PROMETHEUS
    for title, expression in asked(tab, "expr"):
        for selector in selectors(promql.parse(plain_promql(expression))):
            labels = {matcher.name for matcher in selector.matchers.matchers} - {"__name__"}
            if selector.name:
                assert selector.name in known, (title, selector.name)
                assert labels <= known[selector.name], (title, selector.name, labels)


@every_tab
def test_sql_reads_only_what_dashboards_may_read(tab: Tab) -> None:
    for title, sql in asked(tab, "rawSql"):
        assert not list(relation_findings(title, sql)), title
        assert not [name for name in relation_names(sql) if name.startswith("app.")], title
        assert not re.search(r"\bnow\(\)", sql) or "$__time" not in sql, f"{title}: a range has an end; say $__timeTo()"


@every_tab
def test_sql_gives_few_rows(tab: Tab) -> None:
    assert [title for title, sql in asked(tab, "rawSql") if not bounded(sql)] == []


@pytest.mark.parametrize(
    "sql, is_bounded",
    [
        ("SELECT m.id FROM analytics.messages m WHERE m.role IN (SELECT max(role) FROM x) -- LIMIT 5", False),
        ("SELECT m.id FROM analytics.messages m LIMIT 5", True),
        ("SELECT coalesce(sum(m.tokens), 0) FROM analytics.messages m", True),
        ("SELECT count(*) FILTER (WHERE true) OVER () FROM analytics.messages", False),
        ("WITH x AS (SELECT * FROM analytics.messages) SELECT * FROM x JOIN y USING (id)", False),
        ("WITH x AS MATERIALIZED (SELECT * FROM m), y AS (SELECT a FROM x GROUP BY a) SELECT * FROM y", True),
        ("SELECT * FROM (SELECT id FROM analytics.messages) x, (SELECT count(*) FROM m) n", False),
        ("SELECT 1 FROM a LIMIT 1 UNION ALL SELECT id FROM analytics.messages", False),
        ("SELECT day FROM generate_series(1, 3) day LEFT JOIN analytics.messages USING (day)", True),
    ],
)
def test_what_few_rows_means(sql: str, is_bounded: bool) -> None:
    assert bounded(sql) is is_bounded


@every_tab
def test_every_variable_is_defined_and_used(tab: Tab) -> None:
    variables = board(tab)["templating"]["list"]
    texts = json.dumps([board(tab)["panels"], variables, board(tab)["annotations"]])
    used = set(re.findall(r"(?<!\$)\$\{?([A-Za-z_]\w*)", texts.replace("$$", "")))
    names = {variable["name"] for variable in variables}
    unnamed = {variable["name"] for variable in variables if variable["type"] == "adhoc"}  # Grafana adds them by itself
    assert used <= names | BUILT_IN
    assert names - used - OF_SOURCES == unnamed


@every_tab
def test_every_filter_acts_on_a_panel(tab: Tab) -> None:
    texts = [text for kind in ("expr", "rawSql") for _, text in asked(tab, kind)]
    assert set(acting(texts, tab.filters)) == set(tab.filters)


@pytest.mark.parametrize("tab", TABS, ids=lambda tab: tab.key)
def test_the_ranges_that_are_offered(tab: Tab) -> None:
    """A tab opens with one of them, and none is longer than the longest."""
    offered = [one["from"] for one in board(tab)["timepicker"]["quick_ranges"]]
    assert {board(tab)["time"]["from"], *(f"now-{length}" for length in ("1h", "6h", "24h", "7d", "30d"))} <= set(offered)
    back = [duration_seconds(text.removeprefix("now-")) for text in offered if text.startswith("now-") and "/" not in text]
    assert max(back) == duration_seconds(LONGEST_RANGE)


@pytest.mark.parametrize("tab", TABS, ids=lambda tab: tab.key)
def test_titles_are_whole_at_a_thousand_pixels(tab: Tab) -> None:
    """Seven pixels a letter; beside the title stand its (i), what it looks back, and the sign of a link."""
    cut = []
    for panel in panels(tab):
        column = (1000 - 32) / 24
        room = panel["gridPos"]["w"] * column - 8 - 42 - 95 * ("timeFrom" in panel) - 22 * bool(panel.get("links"))
        if 7 * len(panel["title"]) > room + 4:
            cut.append(f"{panel['title']}: at most {room / 7:.0f} letters")
    assert not cut

"""Dashboards as resources of the newer schema: nothing of them is lost, and Grafana's own models know every part."""

from __future__ import annotations

import json
from typing import Any

import pytest
from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboardv2 import Dashboard

from contract.settings import Settings
from provisioning import build
from provisioning.targets import dashboards_v2

Json = dict[str, Any]


@pytest.fixture(scope="module")
def built() -> dict[str, bytes]:
    return build.dashboards(Settings())


@pytest.fixture(scope="module")
def resources(built: dict[str, bytes]) -> dict[str, Json]:
    return {path: json.loads(body) for path, body in dashboards_v2.files(Settings(), built).items()}


def paths(node: object, at: str = "") -> set[str]:
    """Every leaf of a JSON value, by its path; all items of a list together, and all elements."""
    if node and isinstance(node, dict):
        return {path for key, value in node.items() for path in paths(value, f"{at}.{'*' if at == '.elements' else key}")}
    if node and isinstance(node, list):
        return {path for value in node for path in paths(value, at + "[]")}
    return {at}


def own(path: str) -> bool:
    """Whether a part belongs to the schema of dashboards, and not to a panel's or a data source's own options."""
    return ".vizConfig.spec." not in path and ".query.spec" not in path


def kinds(node: object) -> list[str]:
    """The words that say what each part is. The models put their own there, whatever they are given."""
    if isinstance(node, dict):
        here = [node["kind"]] if isinstance(node.get("kind"), str) else []
        return here + [kind for key in sorted(node) for kind in kinds(node[key])]
    return [kind for item in node for kind in kinds(item)] if isinstance(node, list) else []


class Encoder(JSONEncoder):
    """The models write the type of a panel as a set of one."""

    def default(self, o: Any) -> Any:
        return next(iter(o)) if isinstance(o, set) and len(o) == 1 else super().default(o)


def test_every_dashboard_is_a_resource_in_its_folder(built: dict[str, bytes], resources: dict[str, Json]) -> None:
    assert len(resources) == len(built) > 10
    for path, one in resources.items():
        assert one["apiVersion"] == "dashboard.grafana.app/v2" and one["kind"] == "Dashboard"
        assert path == f"dashboards-v2/{one['metadata']['name']}.json"
    folders = {one["metadata"]["annotations"]["grafana.app/folder"] for one in resources.values()}
    assert folders == {"agent-observatory-business", "agent-observatory-administration"}


def test_grafanas_models_know_every_part(resources: dict[str, Json]) -> None:
    plugins.register_default_plugins()
    for path, one in resources.items():
        kept = json.loads(json.dumps(Dashboard.from_json(one["spec"]), cls=Encoder))
        lost = {part for part in paths(one["spec"]) - paths(kept) if own(part)}
        assert not lost, f"{path}: {sorted(lost)}"
        assert kinds(one["spec"]) == kinds(kept), path


def test_nothing_is_lost(built: dict[str, bytes], resources: dict[str, Json]) -> None:
    for path, body in built.items():
        board = json.loads(body)
        spec = resources[f"dashboards-v2/{path.rsplit('/', 1)[1]}"]["spec"]
        panels = [p for top in board["panels"] for p in (top, *top.get("panels", [])) if p["type"] != "row"]
        rows = [panel for panel in board["panels"] if panel["type"] == "row"]
        placed = [item["spec"] for row in spec["layout"]["spec"]["rows"] for item in row["spec"]["layout"]["spec"]["items"]]
        assert sorted(item["element"]["name"] for item in placed) == sorted(spec["elements"]) and len(placed) == len(panels)
        titles = [row["spec"]["title"] for row in spec["layout"]["spec"]["rows"] if not row["spec"]["hideHeader"]]
        assert titles == [row["title"] for row in rows]
        for panel in panels:
            found = spec["elements"][f"panel-{panel['id']}"]["spec"]
            assert found["title"] == panel["title"] and found["vizConfig"]["group"] == panel["type"]
            assert found["vizConfig"]["spec"] == {"options": panel["options"], "fieldConfig": panel["fieldConfig"]}
            asked = [query["spec"] for query in found["data"]["spec"]["queries"]]
            again = [
                {
                    **one["query"]["spec"],
                    "refId": one["refId"],
                    "datasource": {"type": one["query"]["group"], "uid": one["query"]["datasource"]["name"]},
                }
                for one in asked
            ]
            assert again == panel.get("targets", [])
        names = [one["spec"]["name"] for one in spec["variables"] if not one["spec"]["name"].startswith("with_")]
        assert names == [one["name"] for one in board["templating"]["list"]]
        assert [one["spec"]["name"] for one in spec["annotations"]] == [one["name"] for one in board["annotations"]["list"]]


def test_places_count_from_the_top_of_their_row(resources: dict[str, Json]) -> None:
    for one in resources.values():
        layouts = [row["spec"]["layout"] for row in one["spec"]["layout"]["spec"]["rows"]]
        for layout in (layout for layout in layouts if layout["kind"] == "GridLayout"):
            items = [item["spec"] for item in layout["spec"]["items"]]
            assert not items or min(item["y"] for item in items) == 0
            assert all(item["x"] >= 0 and item["x"] + item["width"] <= 24 for item in items)


def test_a_query_that_is_a_single_text_is_kept(resources: dict[str, Json]) -> None:
    asked = [
        one["spec"]["query"]["spec"]
        for board in resources.values()
        for one in board["spec"]["variables"]
        if one["kind"] == "QueryVariable"
    ]
    texts = [query for query in asked if "__legacyStringValue" in query]
    assert texts and all(list(query) == ["__legacyStringValue"] and "SELECT" in query["__legacyStringValue"] for query in texts)
    assert any("query" in query for query in asked)


def test_rows_about_what_is_not_scraped_everywhere_are_hidden_there(resources: dict[str, Json]) -> None:
    spec = resources["dashboards-v2/observatory-health.json"]["spec"]
    rules = {
        row["spec"]["title"].partition(",")[0]: rule["spec"]
        for row in spec["layout"]["spec"]["rows"]
        if (rule := row["spec"].get("conditionalRendering"))
    }
    assert rules.keys() == {"Redis", "PostgreSQL"}
    asked = {one["spec"]["name"]: one["spec"] for one in spec["variables"] if one["kind"] == "QueryVariable"}
    for title, series in (("Redis", "redis_up"), ("PostgreSQL", "pg_up")):
        [item] = rules[title]["items"]
        variable = asked[item["spec"]["variable"]]
        assert (rules[title]["visibility"], item["spec"]["operator"], item["spec"]["value"]) == ("show", "matches", ".+")
        assert variable["hide"] == "hideVariable" and variable["query"]["spec"]["query"] == f"label_values({series}, job)"


def test_panels_of_one_size_find_their_places_themselves(resources: dict[str, Json]) -> None:
    rows = resources["dashboards-v2/observatory-health.json"]["spec"]["layout"]["spec"]["rows"]
    layouts = {row["spec"]["title"]: row["spec"]["layout"] for row in rows}
    caches, endpoints = layouts["Caches"], layouts["HTTP interface"]
    assert caches["kind"] == "AutoGridLayout" and len(caches["spec"]["items"]) == caches["spec"]["maxColumnCount"] == 3
    assert (caches["spec"]["columnWidth"], caches["spec"]["rowHeight"]) == (8 * 36, 9 * 30 + 8 * 8)
    assert endpoints["kind"] == "GridLayout" and len({item["spec"]["width"] for item in endpoints["spec"]["items"]}) > 1

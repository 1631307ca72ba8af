"""On a page of 1000 pixels no table has to be scrolled sideways, whatever is in it; and bars in cells have a scale."""

from __future__ import annotations

from typing import Any

import pytest

from contract.settings import Settings
from dashboards.catalogue import TABS
from dashboards.lib.tab import Tab

Json = dict[str, Any]

COLUMN, MARGIN = 40.67, 11
"""Pixels of a grid column of such a page, and those that a panel's edges take: measured as Grafana's front end draws it."""


def room(panel: Json) -> float:
    return COLUMN * panel["gridPos"]["w"] - MARGIN


def headings(panel: Json) -> list[str]:
    """The columns of a table that names them, in their order, as they are shown: of two with one name only one is there."""
    chosen = [step["options"] for step in panel.get("transformations", []) if step["id"] == "organize"]
    return list(dict.fromkeys(options["renameByName"].get(name, name) for options in chosen for name in options["indexByName"]))


def _of_column(panel: Json, heading: str) -> dict[str, Any]:
    properties = dict(panel["fieldConfig"]["defaults"]["custom"])
    for override in panel["fieldConfig"]["overrides"]:
        if override["matcher"] in ({"id": "byName", "options": heading}, {"id": "byRegexp", "options": "/.*/"}):
            properties |= {each["id"].removeprefix("custom."): each["value"] for each in override["properties"]}
    return properties


def wide(panel: Json) -> float:
    """Pixels of all columns: those with a width have it, the others an equal share of what is left, or their least width."""
    columns = [_of_column(panel, heading) for heading in headings(panel)]
    seen = [column for column in columns if not column.get("hideFrom", {}).get("viz")]
    taken = sum(column.get("width", 0) for column in seen)
    others = [column["minWidth"] for column in seen if not column.get("width")]
    share = (room(panel) - taken) / len(others) if others else 0
    return taken + sum(max(least, share) for least in others)


def _tables(tab: Tab) -> list[Json]:
    tops = tab.dashboard(Settings())["panels"]
    return [panel for top in tops for panel in (top, *top.get("panels", [])) if panel["type"] == "table" and headings(panel)]


@pytest.mark.parametrize("tab", TABS, ids=lambda tab: tab.key)
def test_no_table_is_wider_than_its_panel_on_a_narrow_page(tab: Tab) -> None:
    found = {
        panel["title"]: f"{wide(panel):.0f} of {room(panel):.0f} px" for panel in _tables(tab) if wide(panel) > room(panel) + 1
    }
    assert not found, f"give columns of {tab.key} less: {found}"


@pytest.mark.parametrize("tab", TABS, ids=lambda tab: tab.key)
def test_bars_in_cells_are_as_long_as_their_own_column_says(tab: Tab) -> None:
    """Without an end of its own, the longest of a column would be the greatest number of the whole table."""
    assert not {
        f"{panel['title']}: {override['matcher']['options']}"
        for panel in _tables(tab)
        for override in panel["fieldConfig"]["overrides"]
        for properties in [{each["id"]: each["value"] for each in override["properties"]}]
        if properties.get("custom.cellOptions", {}).get("type") == "gauge"
        if not properties.get("fieldMinMax") and "max" not in properties
    }


def test_a_column_that_needs_more_than_its_share_is_counted() -> None:
    """Grafana shares out what is left equally, and takes nothing back for a column that may not become so narrow."""
    panel = {
        "gridPos": {"w": 12},
        "transformations": [
            {"id": "organize", "options": {"indexByName": {"a": 0, "b": 1, "c": 2}, "renameByName": {"c": "C"}}}
        ],
        "fieldConfig": {
            "defaults": {"custom": {"minWidth": 60}},
            "overrides": [
                {"matcher": {"id": "byName", "options": "a"}, "properties": [{"id": "custom.width", "value": 200}]},
                {"matcher": {"id": "byName", "options": "C"}, "properties": [{"id": "custom.minWidth", "value": 190}]},
            ],
        },
    }  # fmt: skip
    share = (room(panel) - 200) / 2
    assert wide(panel) == pytest.approx(200 + share + 190)
    assert wide(panel) > room(panel)

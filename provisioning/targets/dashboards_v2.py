"""Dashboards as resources of Grafana's newer schema (dashboard.grafana.app/v2), made of the ones that `build` writes.

For those who bring dashboards to Grafana as resources: Git Sync, Grafana's command line, or GrafanaManifest of its operator.
Files of Grafana's own provisioning have to be of the older schema, so these lie in a folder of their own. Boards of single
persons are left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from contract.keys import panel_id
from contract.settings import Settings
from dashboards.catalogue import TABS
from dashboards.lib.variables import LabelVariable
from provisioning.targets.grafana.folders import uid as folder_uid
from provisioning.text import as_json

Node = dict[str, Any]
API = "dashboard.grafana.app/v2"
_BOARDS = "grafana/dashboards/"
_SYNC = ("Off", "Crosshair", "Tooltip")
_HIDE = ("dontHide", "hideLabel", "hideVariable")
_REFRESH = ("never", "onDashboardLoad", "onTimeRangeChanged")
_SORT = ("disabled", "alphabeticalAsc", "alphabeticalDesc", "numericalAsc", "numericalDesc")
_TEXT = "__legacyStringValue"
"""Where a variable's query that is a single text stands."""
_COLUMNS, _UNIT, _GAP = 24, 30, 8
"""Of the grid of the older schema: its columns, and pixels of a unit of height and between panels."""
_LEAST = 36
"""Pixels of such a column below which a line is broken."""
_OF_TARGET = frozenset({"refId", "datasource", "hide"})
_OF_ANNOTATION = frozenset({"datasource", "enable", "hide", "iconColor", "name", "target", "filter"})


def files(settings: Settings, built: Mapping[str, bytes]) -> dict[str, bytes]:
    """By path in the folder of a build, of the dashboards that `build` wrote."""
    found, conditional = {}, _conditional(settings)
    for path, body in built.items():
        parts = PurePosixPath(path.removeprefix(_BOARDS)).parts if path.startswith(_BOARDS) else ()
        if len(parts) == 2:
            board = json.loads(body)
            found[f"dashboards-v2/{parts[1]}"] = as_json(
                resource(board, folder_uid(settings.plan.owner, parts[0]), conditional)
            )
    return found


def _conditional(settings: Settings) -> dict[int, str]:
    """The series without which rows have nothing to show, by the id of the row."""
    return {
        panel_id(f"{tab.key}/row/{row.name}"): row.only_with for tab in TABS for row in tab.rows(settings) if row.only_with
    }


def resource(board: Node, folder: str, conditional: Mapping[int, str]) -> Node:
    """The resource of one dashboard, in the folder with this uid. `conditional`: what rows need to be shown, by their ids."""
    metadata = {"name": board["uid"], "annotations": {"grafana.app/folder": folder}}
    return {"apiVersion": API, "kind": "Dashboard", "metadata": metadata, "spec": _spec(board, conditional)}


def _spec(board: Node, conditional: Mapping[int, str]) -> Node:
    rows = list(_rows(board["panels"]))
    needed = [conditional[head["id"]] for head, _ in rows if head and head["id"] in conditional]
    return {
        "title": board["title"],
        "description": board.get("description", ""),
        "tags": board["tags"],
        "editable": board["editable"],
        "preload": False,
        "cursorSync": _SYNC[board["graphTooltip"]],
        "links": [_dashboard_link(link) for link in board["links"]],
        "timeSettings": {
            "timezone": board["timezone"],
            "from": board["time"]["from"],
            "to": board["time"]["to"],
            "autoRefresh": board["refresh"],
            "autoRefreshIntervals": board["timepicker"].get("refresh_intervals", []),
            "quickRanges": board["timepicker"].get("quick_ranges", []),
            "hideTimepicker": board["timepicker"].get("hidden", False),
            "fiscalYearStartMonth": 0,
        },
        "variables": [
            *(_variable(one) for one in board["templating"]["list"]),
            *(_variable(_whether_there(series).to_json_data()) for series in needed),
        ],
        "annotations": [_annotation(one) for one in board["annotations"]["list"]],
        "elements": {_name(panel): _panel(panel) for _, panels in rows for panel in panels},
        "layout": {"kind": "RowsLayout", "spec": {"rows": [_row(head, panels, conditional) for head, panels in rows]}},
    }


def _rows(panels: Sequence[Node]) -> Iterator[tuple[Node | None, list[Node]]]:
    """Each row with its panels; those above the first row have none."""
    head: Node | None = None
    inside: list[Node] = []
    for panel in panels:
        if panel["type"] != "row":
            inside.append(panel)
            continue
        if head is not None or inside:
            yield head, inside
        head, inside = panel, list(panel["panels"])
    if head is not None or inside:
        yield head, inside


def _whether_there(series: str) -> LabelVariable:
    """A hidden variable that has a value where a series is scraped."""
    return LabelVariable(name=f"with_{series}", label="", series=series, of="job", hidden=True, single=True)


def _shown_with(series: str) -> Node:
    """The rule that shows a row where a series is scraped."""
    there = {"variable": _whether_there(series).name, "operator": "matches", "value": ".+"}
    items = [{"kind": "ConditionalRenderingVariable", "spec": there}]
    return {"kind": "ConditionalRenderingGroup", "spec": {"visibility": "show", "condition": "and", "items": items}}


def _row(head: Node | None, panels: Sequence[Node], conditional: Mapping[int, str]) -> Node:
    title, collapsed = (head["title"], head["collapsed"]) if head else ("", False)
    spec = {"title": title, "collapse": collapsed, "hideHeader": head is None, "layout": _layout(panels)}
    if head and head["id"] in conditional:
        spec["conditionalRendering"] = _shown_with(conditional[head["id"]])
    return {"kind": "RowsLayoutRow", "spec": spec}


def _layout(panels: Sequence[Node]) -> Node:
    """Panels of one size in full lines are laid out by Grafana, so that fewer stand side by side where there is less room.

    All others have their places, which count from the top of their row.
    """
    places = [panel["gridPos"] for panel in panels]
    elements = [{"element": {"kind": "ElementReference", "name": _name(panel)}} for panel in panels]
    sizes = {(place["w"], place["h"]) for place in places}
    if len(sizes) == 1:
        [(width, height)] = sizes
        if width < _COLUMNS and len(panels) * width % _COLUMNS == 0:
            grid = {
                "maxColumnCount": _COLUMNS // width,
                "columnWidthMode": "custom",
                "columnWidth": width * _LEAST,
                "rowHeightMode": "custom",
                "rowHeight": height * _UNIT + (height - 1) * _GAP,
                "fillScreen": False,
                "items": [{"kind": "AutoGridLayoutItem", "spec": element} for element in elements],
            }
            return {"kind": "AutoGridLayout", "spec": grid}
    top = min((place["y"] for place in places), default=0)
    items = [
        {"x": place["x"], "y": place["y"] - top, "width": place["w"], "height": place["h"], **element}
        for place, element in zip(places, elements, strict=True)
    ]
    return {"kind": "GridLayout", "spec": {"items": [{"kind": "GridLayoutItem", "spec": item} for item in items]}}


def _name(panel: Node) -> str:
    return f"panel-{panel['id']}"


def _panel(panel: Node) -> Node:
    options = {"timeFrom": panel["timeFrom"]} if "timeFrom" in panel else {}
    group = {
        "queries": [_query(target) for target in panel.get("targets", [])],
        "transformations": [_transformation(one) for one in panel.get("transformations", [])],
        "queryOptions": options,
    }
    shown = {"options": panel["options"], "fieldConfig": panel["fieldConfig"]}
    spec = {
        "id": panel["id"],
        "title": panel["title"],
        "description": panel.get("description", ""),
        "links": panel.get("links", []),
        "data": {"kind": "QueryGroup", "spec": group},
        "vizConfig": {"kind": "VizConfig", "group": panel["type"], "version": "", "spec": shown},
    }
    return {"kind": "Panel", "spec": spec}


def _transformation(one: Node) -> Node:
    spec = {key: value for key, value in one.items() if key != "id"}
    return {"kind": "Transformation", "group": one["id"], "spec": spec}


def _query(target: Node) -> Node:
    asked = _data_query(target["datasource"], {key: value for key, value in target.items() if key not in _OF_TARGET})
    spec = {"refId": target["refId"], "hidden": target.get("hide", False), "query": asked}
    return {"kind": "PanelQuery", "spec": spec}


def _data_query(source: Node, asked: Node) -> Node:
    return {"kind": "DataQuery", "group": source["type"], "version": "v0", "datasource": {"name": source["uid"]}, "spec": asked}


def _annotation(one: Node) -> Node:
    """What a data source asks in a way of its own, without a target, stands among the legacy options."""
    spec = {
        "name": one["name"],
        "enable": one["enable"],
        "hide": one["hide"],
        "iconColor": one["iconColor"],
        "query": _data_query(one["datasource"], one.get("target", {})),
    }
    if "filter" in one:
        spec["filter"] = one["filter"]
    if own := {key: value for key, value in one.items() if key not in _OF_ANNOTATION}:
        spec["legacyOptions"] = own
    return {"kind": "AnnotationQuery", "spec": spec}


def _variable(one: Node) -> Node:
    shared = {
        "name": one["name"],
        "label": one["label"],
        "hide": _HIDE[one["hide"]],
        "skipUrlSync": False,
        **({"description": one["description"]} if "description" in one else {}),
    }
    if one["type"] == "adhoc":
        source = {"group": one["datasource"]["type"], "datasource": {"name": one["datasource"]["uid"]}}
        own = {"filters": one["filters"], "baseFilters": one["baseFilters"], "defaultKeys": [], "allowCustomValue": True}
        return {"kind": "AdhocVariable", **source, "spec": {**shared, **own}}
    if one["type"] == "textbox":
        return {"kind": "TextVariable", "spec": {**shared, "query": one["query"], "current": _current(one["current"])}}
    shared |= {
        "current": _current(one["current"]),
        "options": [] if one["type"] == "query" else one["options"],
        "multi": one["multi"],
        "includeAll": one["includeAll"],
        "allowCustomValue": True,
        **({"allValue": one["allValue"]} if "allValue" in one else {}),
    }
    if one["type"] == "custom":
        return {"kind": "CustomVariable", "spec": {**shared, "query": one["query"]}}
    shared |= {"refresh": _REFRESH[one["refresh"]], "regex": one["regex"]}
    if one["type"] == "datasource":
        return {"kind": "DatasourceVariable", "spec": {**shared, "pluginId": one["query"]}}
    asked = one["query"] if isinstance(one["query"], dict) else {_TEXT: one["query"]}
    query = {"query": _data_query(one["datasource"], asked), "sort": _SORT[one["sort"]], "definition": one["definition"]}
    return {"kind": "QueryVariable", "spec": {**shared, **query}}


def _current(chosen: Node) -> Node:
    """What is chosen at first; nothing, where the first value that is found is taken."""
    return {"text": chosen.get("text", ""), "value": chosen.get("value", "")}


def _dashboard_link(link: Node) -> Node:
    defaults = {"icon": "", "tooltip": "", "url": "", "tags": [], "asDropdown": False, "targetBlank": False}
    return {**defaults, "includeVars": False, "keepTime": False, **link}

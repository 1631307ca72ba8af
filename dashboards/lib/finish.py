"""The finishing pass: what grafanalib 0.7.1 writes becomes today's Grafana JSON (v1, schema 42).

It drops nulls and keys that Grafana no longer reads, numbers the queries and gives the panels their data source. Panels stay
plain this way: they say what they are, and this module alone knows the file format's past.
"""

from __future__ import annotations

import json
from typing import Any

from grafanalib._gen import DashboardEncoder

from dashboards.lib.field import Override
from dashboards.lib.panel import Panel

Json = dict[str, Any]

_DEAD_PANEL_KEYS = ("editable", "error", "height", "span", "minSpan", "hideTimeOverride")
_DEAD_DASHBOARD_KEYS = ("__inputs", "gnetId", "hideControls", "id", "rows", "sharedCrosshair", "style", "version")
_EMPTY_UNLESS_SET = ("links", "transformations", "targets")
MIXED: Json = {"type": "datasource", "uid": "-- Mixed --"}


def plain(node: Any) -> Any:
    """grafanalib objects as plain JSON values."""
    return json.loads(json.dumps(node, cls=DashboardEncoder))


def without_nulls(node: Any) -> Any:
    """The same without null values, except the base of thresholds, whose value is null on purpose."""
    if isinstance(node, dict):
        base = node.keys() == {"color", "value"}
        return {key: without_nulls(value) for key, value in node.items() if value is not None or (base and key == "value")}
    if isinstance(node, list):
        return [without_nulls(item) for item in node]
    return node


def finished_panel(
    panel: Panel, identity: int, description: str, grid_position: Json, overrides: tuple[Override, ...] = ()
) -> Json:
    """A panel's JSON. Its data source is that of its queries, or Grafana's mixed one. `overrides` come before its own."""
    data: Json = without_nulls(plain(panel.to_json_data()))
    for key in _DEAD_PANEL_KEYS:
        data.pop(key, None)
    for key in _EMPTY_UNLESS_SET:
        if not data.get(key):
            data.pop(key, None)
    if not data["transparent"]:
        del data["transparent"]
    if not data["fieldConfig"]["defaults"]["thresholds"]["steps"]:
        del data["fieldConfig"]["defaults"]["thresholds"]
    data |= {"id": identity, "description": description, "gridPos": grid_position}
    data["fieldConfig"]["overrides"][:0] = plain(overrides)
    targets = data.get("targets", [])
    for number, target in enumerate(targets):
        target["refId"] = chr(ord("A") + number)
    sources = [target["datasource"] for target in targets]
    if sources:
        data["datasource"] = sources[0] if all(source == sources[0] for source in sources) else MIXED
    return data


def finished_dashboard(data: Any, panels: list[Json]) -> Json:
    """A dashboard's JSON around finished panels."""
    board = without_nulls(plain(data))
    for key in _DEAD_DASHBOARD_KEYS:
        board.pop(key, None)
    board["timepicker"]["quick_ranges"] = board["timepicker"].pop("time_options")  # what older versions called it
    board["panels"] = panels
    ordered: Json = json.loads(json.dumps(board, sort_keys=True))  # equal dashboards are equal texts whoever writes them
    return ordered

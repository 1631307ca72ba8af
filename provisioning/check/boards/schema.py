"""The shape of Grafana's dashboard JSON (v1), as far as it is used here: what is needed, and of which kind it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from provisioning.boards import Board
from provisioning.check.boards.model import Site
from provisioning.check.lint.model import Fault
from provisioning.findings import closest

_OLDEST = 42
"""The first version of the schema that Grafana 12 and 13 read without migrating it."""
_TEXT, _NUMBER, _FLAG, _LIST, _MAP, _ANY = (str,), (int, float), (bool,), (list,), (dict,), (object,)
Shape = Mapping[str, tuple[type, ...]]

_DASHBOARD: Shape = {
    "annotations": _MAP, "description": _TEXT, "editable": _FLAG, "fiscalYearStartMonth": _NUMBER, "graphTooltip": _NUMBER,
    "id": _ANY, "links": _LIST, "liveNow": _FLAG, "panels": _LIST, "preload": _FLAG, "refresh": (str, bool),
    "revision": _NUMBER,
    "schemaVersion": _NUMBER, "tags": _LIST, "templating": _MAP, "time": _MAP, "timepicker": _MAP, "timezone": _TEXT,
    "title": _TEXT, "uid": _TEXT, "version": _NUMBER, "weekStart": _TEXT,
}  # fmt: skip
_PANEL: Shape = {
    "cacheTimeout": _TEXT, "collapsed": _FLAG, "datasource": _ANY, "description": _TEXT, "fieldConfig": _MAP, "gridPos": _MAP,
    "hideTimeOverride": _FLAG, "id": _NUMBER, "interval": _TEXT, "libraryPanel": _MAP, "links": _LIST, "maxDataPoints": _NUMBER,
    "maxPerRow": _NUMBER, "options": _MAP, "panels": _LIST, "pluginVersion": _TEXT, "queryCachingTTL": _NUMBER, "repeat": _TEXT,
    "repeatDirection": _TEXT, "targets": _LIST, "timeFrom": _TEXT, "timeCompare": _TEXT, "timeShift": _TEXT, "title": _TEXT,
    "transformations": _LIST, "transparent": _FLAG, "type": _TEXT,
}  # fmt: skip
_NEEDED_OF_DASHBOARD = ("title", "uid", "panels", "schemaVersion")
_NEEDED_OF_PANEL = ("id", "type", "gridPos")
_REMOVED = {
    "graph": "timeseries", "singlestat": "stat", "table-old": "table", "grafana-singlestat-panel": "stat",
    "grafana-piechart-panel": "piechart", "grafana-worldmap-panel": "geomap",
}  # fmt: skip
"""Types of panels that need AngularJS, which Grafana 12 has no more, and what took their place."""


def schema(board: Board, _: Site) -> Iterator[tuple[str, Fault]]:
    for fault in _faults(board.model, _DASHBOARD, _NEEDED_OF_DASHBOARD):
        yield board.place, fault
    version = board.model.get("schemaVersion")
    if isinstance(version, int) and version < _OLDEST:
        found = f"schemaVersion {version} is migrated by each reader's browser anew"
        yield board.place, Fault(found, f"{_OLDEST}", "warning")
    for panel in board.panels:
        place = board.panel_place(panel)
        for fault in _faults(panel, _PANEL, _NEEDED_OF_PANEL):
            yield place, fault
        if (kind := panel.get("type")) in _REMOVED:
            yield place, Fault(f"Grafana has no panels of type {kind} any more", _REMOVED[str(kind)])


def _faults(node: Mapping[str, Any], shape: Shape, needed: tuple[str, ...]) -> Iterator[Fault]:
    for key in needed:
        if key not in node:
            yield Fault(f"{key} is missing", "what Grafana writes when it exports a dashboard")
    for key, value in node.items():
        if key not in shape:
            yield Fault(f"Grafana reads no key {key} there", closest(key, shape) or "leave it away", "warning")
        elif not isinstance(value, shape[key]) or (isinstance(value, bool) and shape[key] == _NUMBER):
            wanted = " or ".join(kind.__name__ for kind in shape[key])
            yield Fault(f"{key} is {type(value).__name__}, and Grafana wants {wanted}", "another value")

"""What a reader needs to understand a dashboard: titles, descriptions, units; and panels that can show something."""

from __future__ import annotations

from collections.abc import Iterator

from provisioning.boards import Board, Json
from provisioning.check.boards.model import Site
from provisioning.check.boards.units import PREFIXES, UNITS
from provisioning.check.lint.model import Fault
from provisioning.findings import closest

_OF_NUMBERS = frozenset({"timeseries", "stat", "gauge", "bargauge", "barchart", "piechart", "histogram", "trend", "xychart"})
_WITHOUT_QUERY = frozenset({"text", "row", "dashlist", "alertlist", "news", "welcome", "gettingstarted", "canvas"})


def described(board: Board, _: Site) -> Iterator[tuple[str, Fault]]:
    for key in ("title", "description"):
        if not board.model.get(key):
            yield board.place, Fault(f"the dashboard has no {key}", "say what it answers", "warning")
    for panel in board.panels:
        for key in ("title", "description"):
            if not panel.get(key) and not (key == "title" and panel.get("type") == "text"):
                yield board.panel_place(panel), Fault(f"the panel has no {key}", "say what the figure means", "warning")


def unit(board: Board, _: Site) -> Iterator[tuple[str, Fault]]:
    for panel in board.panels:
        place, found = board.panel_place(panel), list(_units(panel))
        for name in found:
            if name not in UNITS and not name.startswith(PREFIXES):
                yield place, Fault(f"Grafana has no unit {name}", closest(name, UNITS) or "a unit of Grafana's list", "warning")
        if not found and panel.get("type") in _OF_NUMBERS and not _is_text(panel):
            yield place, Fault("its numbers have no unit", "none, where it is a plain number", "warning")


def _units(panel: Json) -> Iterator[str]:
    config = panel.get("fieldConfig", {})
    if said := config.get("defaults", {}).get("unit"):
        yield str(said)
    for override in config.get("overrides", []):
        yield from (str(prop["value"]) for prop in override.get("properties", []) if prop.get("id") == "unit")


def _is_text(panel: Json) -> bool:
    """Words stand for all its values, or it shows a field that is no number."""
    shown = panel.get("options", {}).get("reduceOptions", {}).get("fields")
    return bool(panel.get("fieldConfig", {}).get("defaults", {}).get("mappings")) or bool(shown)


def no_query(board: Board, _: Site) -> Iterator[tuple[str, Fault]]:
    for panel in board.panels:
        if panel.get("type") not in _WITHOUT_QUERY and not panel.get("targets"):
            yield board.panel_place(panel), Fault("it has no query", "a query, or a text", "warning")


def editable(board: Board, site: Site) -> Iterator[tuple[str, Fault]]:
    if site.saved_in_browser and board.model.get("editable", True):
        yield board.place, Fault("can be saved in the browser, and the next build overwrites it", "editable: false", "warning")

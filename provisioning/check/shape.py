"""The JSON of dashboards: ids, places, data sources and the variables that texts name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from contract.settings import Settings
from provisioning.boards import Board, Json
from provisioning.check.limits import DASHBOARD_UID, dashboard_uid
from provisioning.findings import Finding, closest, error
from provisioning.interpolation import names
from provisioning.servers import ALERTMANAGER_UID

_COLUMNS = 24
_UID, _PANEL_ID, _QUERY_LETTER = "dashboards/uid", "dashboards/panel-id", "dashboards/query-letter"
_PLACE, _SOURCE, _VARIABLE = "dashboards/place", "dashboards/data-source", "dashboards/variable"
_GRAFANAS_OWN = frozenset({"-- Mixed --", "-- Dashboard --", "-- Grafana --", "grafana"})


def shape_findings(boards: Iterable[Board], settings: Settings) -> Iterator[Finding]:
    """What Grafana would refuse, or show wrongly."""
    boards = tuple(boards)
    for uid, count in Counter(board.uid for board in boards).items():
        if count > 1:
            yield error(f"dashboard uid {uid}", f"{count} dashboards have it", "give each a key of its own", _UID)
    sources = settings.sources
    persons = {person.uid for person in settings.my_usage}
    logins = {sources.postgres.uid, sources.postgres.uid_of("Administration")}
    known = {sources.prometheus.uid, ALERTMANAGER_UID} | logins | persons | _GRAFANAS_OWN
    for board in boards:
        yield from _identity(board)
        yield from _places(board.place, board.model.get("panels", []))
        yield from _sources(board, known)
        yield from _texts(board)


def _identity(board: Board) -> Iterator[Finding]:
    if not board.uid or len(board.uid) > DASHBOARD_UID.most:
        found = f"uid {board.uid!r}: Grafana takes 1 to {DASHBOARD_UID.most} characters"
        yield error(board.place, found, DASHBOARD_UID.remedy, _UID)
    else:
        yield from (replace(one, check=_UID) for one in dashboard_uid(board.place, board.uid))
    panels = list(board.panels)
    for identity, count in Counter(panel.get("id") for panel in panels).items():
        if count > 1:
            titles = ", ".join(str(panel.get("title")) for panel in panels if panel.get("id") == identity)
            yield error(board.place, f"{count} panels have the id {identity}: {titles}", "rename one of them", _PANEL_ID)
    for panel in panels:
        for letter, count in Counter(target.get("refId") for target in panel.get("targets", [])).items():
            if count > 1:
                place = board.panel_place(panel)
                yield error(place, f"{count} queries are called {letter}", "give each a refId of its own", _QUERY_LETTER)


def _places(place: str, panels: list[Json]) -> Iterator[Finding]:
    """Panels lie within the columns and not upon each other; those of a collapsed row are laid out on their own."""
    taken: dict[tuple[int, int], str] = {}
    for panel in panels:
        name = f"{place}, panel {panel.get('title') or panel.get('id')}"
        at = panel.get("gridPos", {})
        try:
            x, y, width, height = (int(at[key]) for key in ("x", "y", "w", "h"))
        except (KeyError, TypeError, ValueError):
            yield error(name, "has no place", "gridPos with x, y, w and h", _PLACE)
            continue
        if x < 0 or width < 1 or height < 1 or x + width > _COLUMNS:
            yield error(name, f"columns {x} to {x + width} do not lie within {_COLUMNS}", "a smaller panel", _PLACE)
        cells = [(column, line) for column in range(x, x + width) for line in range(y, y + height)]
        for other in sorted({taken[cell] for cell in cells if cell in taken}):
            yield error(name, f"lies upon {other}", "another place", _PLACE)
        taken.update(dict.fromkeys(cells, str(panel.get("title") or panel.get("id"))))
        yield from _places(place, panel.get("panels", []))


def _sources(board: Board, known: set[str]) -> Iterator[Finding]:
    variables = {name for name, variable in board.variables.items() if variable.get("type") == "datasource"}
    for place, source in _named_sources(board):
        uid = source.get("uid") if isinstance(source, Mapping) else None
        if not isinstance(source, Mapping) or not uid or not source.get("type"):
            yield error(place, f"data source {source!r} has no type and uid", "{type, uid}", _SOURCE)
            continue
        named = list(names(uid))
        if named and named[0] not in variables:
            yield error(place, f"data source variable {uid} is not defined", closest(named[0], variables), _SOURCE)
        elif not named and uid not in known:
            yield error(place, f"there is no data source with uid {uid}", closest(uid, known), _SOURCE)


def _named_sources(board: Board) -> Iterator[tuple[str, Any]]:
    for panel in board.panels:
        if panel.get("datasource") is not None:
            yield board.panel_place(panel), panel["datasource"]
        for target in panel.get("targets", []):
            source = target.get("datasource", panel.get("datasource"))
            yield f"{board.panel_place(panel)}, query {target.get('refId', '?')}", source
    for name, variable in board.variables.items():
        if variable.get("type") == "query":
            yield f"{board.place}, variable {name}", variable.get("datasource")
    for annotation in board.model.get("annotations", {}).get("list", []):
        yield f"{board.place}, annotation {annotation.get('name')}", annotation.get("datasource")


def _texts(board: Board) -> Iterator[Finding]:
    """Variables in titles and repeats; those of queries are looked at with the queries, those of links with the links."""
    for panel in board.panels:
        used = [*names(str(panel.get("title", ""))), *([panel["repeat"]] if panel.get("repeat") else [])]
        for name in used:
            if name not in board.variables and not name.startswith("__"):
                remedy = closest(name, board.variables)
                yield error(board.panel_place(panel), f"variable ${name} is not defined", remedy, _VARIABLE)

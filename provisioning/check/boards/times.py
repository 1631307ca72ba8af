"""Times of dashboards: how often they ask, over what range, and windows that fall between two points."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

import promql_parser as promql

from contract.values import duration_seconds
from provisioning.boards import Board, Json
from provisioning.check.boards.model import Site
from provisioning.check.lint.kinds import RATES
from provisioning.check.lint.model import Fault, shown
from provisioning.check.tree import every, parsed
from provisioning.interpolation import substitute

_SCREEN = 1600
"""Points that a graph over all columns has on a common screen; Grafana asks for as many as there are pixels."""
_COLUMNS = 24
_ROUNDED = 1.5
"""Grafana rounds the distance of points to a round duration, by this much at most."""
_FROM = re.compile(r"now-(\d+[smhdw])(?:/\w)?")
_GRAFANAS = re.compile(r"\$__\w+|\$\{__\w+[^}]*\}")


def rate_interval(board: Board, site: Site) -> Iterator[tuple[str, Fault]]:
    """Windows that are written out, in graphs. `$__rate_interval` grows with the distance of points."""
    for panel in board.panels:
        apart = _step(board, panel, site)
        for query in board.panel_queries(panel):
            if query.language != "promql" or query.instant or apart is None:
                continue
            shortest = min(_windows(query.text), default=apart)
            if shortest * _ROUNDED < apart:
                found = f"a window of {shown(shortest)}, and points are {shown(apart)} apart at the dashboard's own time range"
                yield query.place, Fault(found, "$__rate_interval", "warning")


def _windows(text: str) -> Iterator[timedelta]:
    """Windows of rates that do not follow the time range."""
    try:
        node = parsed(substitute(_GRAFANAS.sub("1y", text), lambda _name, _form: "x"))
    except ValueError:
        return  # said where expressions are looked at
    for part in every(node):
        if isinstance(part, promql.Call) and part.func.name in RATES and isinstance(part.args[0], promql.MatrixSelector):
            yield part.args[0].range


def _step(board: Board, panel: Json, site: Site) -> timedelta | None:
    """How far two points are apart when the dashboard is opened; None where that is not known."""
    range_ = range_at_first(board, panel)
    return None if range_ is None else step(range_, panel, site)


def range_at_first(board: Board, panel: Json) -> timedelta | None:
    """The range of a panel when the dashboard is opened; None where that is not known."""
    begins = str(panel.get("timeFrom") or board.model.get("time", {}).get("from", ""))
    found = _FROM.fullmatch(begins if begins.startswith("now-") else f"now-{begins}")
    return timedelta(seconds=duration_seconds(found[1])) if found else None


def step(range_: timedelta, panel: Json, site: Site) -> timedelta:
    """How far two points of a range are apart."""
    points = int(panel.get("maxDataPoints") or _SCREEN * panel.get("gridPos", {}).get("w", _COLUMNS) // _COLUMNS)
    return max(timedelta(seconds=round(range_.total_seconds() / max(points, 1))), site.scrape)


def refresh(board: Board, site: Site) -> Iterator[tuple[str, Fault]]:
    said = board.model.get("refresh")
    try:
        every_ = timedelta(seconds=duration_seconds(str(said))) if said else None
    except ValueError:
        yield board.place, Fault(f"refresh {said} is no duration", "30s")
        return
    if every_ and every_ < site.scrape:
        found = f"is asked every {shown(every_)}, and there is something new every {shown(site.scrape)}"
        yield board.place, Fault(found, shown(site.scrape), "warning")
    if not board.model.get("time", {}).get("from"):
        yield board.place, Fault("starts with no time range", "time: {from: now-6h, to: now}", "warning")

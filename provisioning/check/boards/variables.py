"""What readers choose: it is followed, kept up to date, and asked for by everything that could follow it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import promql_parser as promql

from provisioning.boards import Board, Query, variable_expression
from provisioning.check.boards.model import Site
from provisioning.check.lint.model import Fault
from provisioning.check.series import series_of
from provisioning.check.tree import every, parsed
from provisioning.interpolation import names, substitute

_NEVER = 0
_CHOSEN = "environment"


def fixed_source(board: Board, _: Site) -> Iterator[tuple[str, Fault]]:
    """What names a source by its uid where a variable of that type chooses one."""
    chosen = {str(one.get("query")): name for name, one in board.variables.items() if one.get("type") == "datasource"}
    for place, source in _sources(board):
        kind, uid = str(source.get("type")), str(source.get("uid"))
        if kind in chosen and uid and not list(names(uid)):
            yield place, Fault(f"its data source is always {uid}", f"${{{chosen[kind]}}}", "warning")


def _sources(board: Board) -> Iterator[tuple[str, dict[str, Any]]]:
    for panel in board.panels:
        for target in panel.get("targets", []):
            source = target.get("datasource", panel.get("datasource"))
            if isinstance(source, dict):
                yield f"{board.panel_place(panel)}, query {target.get('refId', '?')}", source
    for name, variable in board.variables.items():
        if isinstance(variable.get("datasource"), dict):
            yield f"{board.place}, variable {name}", variable["datasource"]


def unused(board: Board, _: Site) -> Iterator[tuple[str, Fault]]:
    """Nothing names it: no query, title, link or repeat, and no other variable. Ad-hoc filters act without being named.

    The choice of a data source travels along links that take variables with them, and so has a use on tabs without it.
    """
    travels = any(link.get("includeVars") for link in board.model.get("links", []))
    shown = set(_named([board.model.get(key) for key in ("panels", "annotations", "links")]))
    asked = {name: set(_named(variable)) for name, variable in board.variables.items()}
    for name, variable in board.variables.items():
        if variable.get("type") == "adhoc" or (travels and variable.get("type") == "datasource"):
            continue
        others = (said for other, said in asked.items() if other != name)
        if name not in shown.union(*others):
            found = "a reader chooses, and nothing follows: nothing names it"
            yield f"{board.place}, variable {name}", Fault(found, "remove it, or follow it", "warning")


def _named(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if node.get("repeat"):
            yield str(node["repeat"])
        for value in node.values():
            yield from _named(value)
    elif isinstance(node, list):
        for item in node:
            yield from _named(item)
    elif isinstance(node, str) and ("$" in node or "[[" in node):
        yield from names(node)


def reload(board: Board, _: Site) -> Iterator[tuple[str, Fault]]:
    for name, variable in board.variables.items():
        if variable.get("type") == "query" and variable.get("refresh", _NEVER) == _NEVER:
            place = f"{board.place}, variable {name}"
            yield place, Fault("is never asked again", "refresh: 1 on load, 2 when the time range changes", "warning")


def unfiltered(board: Board, site: Site) -> Iterator[tuple[str, Fault]]:
    """Panels that show all environments together, though a reader has chosen one and all that they read could follow."""
    if _CHOSEN not in board.variables:
        return
    for panel in board.panels:
        queries = list(board.panel_queries(panel))
        if queries and all(_could_follow(query, site) for query in queries):
            remedy = f'{_CHOSEN}=~"${_CHOSEN}", or by ({_CHOSEN})'
            yield board.panel_place(panel), Fault(f"does not follow ${_CHOSEN}, though it could", remedy, "warning")


def _could_follow(query: Query, site: Site) -> bool:
    """Whether all that a query reads has the label. What others expose has it at some sites only."""
    if query.language != "promql" or _CHOSEN in query.text:
        return False
    text, _ = variable_expression(re.sub(r"\$__\w+|\$\{__\w+\}", "5m", query.text))
    try:
        node = parsed(substitute(text, lambda _name, _form: "x"))
    except ValueError:
        return False  # said where expressions are looked at
    selectors = [series_of(part, site.known) for part in every(node) if isinstance(part, promql.VectorSelector)]
    return bool(selectors) and all(series and not series.foreign and _CHOSEN in (series.labels or ()) for series in selectors)

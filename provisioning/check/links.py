"""Links lead somewhere: to dashboards and panels that are built, with variables that they have, and to runbook pages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import parse_qs, urlsplit

from contract.settings import Settings
from provisioning.boards import Board
from provisioning.findings import Finding, closest, error
from provisioning.interpolation import names

_DASHBOARD = re.compile(r"/d/(?P<uid>[\w-]+)")
_TEMPLATE = re.compile(r"\{\{.*?\}\}|\$\{[^}]*\}")


def link_findings(
    boards: Iterable[Board], groups: Iterable[Mapping[str, Any]], pages: Iterable[str], settings: Settings
) -> Iterator[Finding]:
    """`pages` are the paths of the built runbooks."""
    by_uid = {board.uid: board for board in boards}
    tags = {tag for board in by_uid.values() for tag in board.model.get("tags", [])}
    for board in by_uid.values():
        for link in board.model.get("links", []):
            place = f"{board.place}, link {link.get('title')}"
            missing = sorted(set(link.get("tags", [])) - tags) if link.get("type") == "dashboards" else []
            for tag in missing:
                yield error(place, f"no dashboard has the tag {tag}", closest(tag, tags))
        for place, url in _links(board):
            yield from _dashboard_link(place, url, by_uid)
            for name in names(url):
                if name not in board.variables and not name.startswith("__"):
                    yield error(place, f"variable ${name} is not defined", closest(name, board.variables))
    stems = {PurePosixPath(page).stem for page in pages}
    for rule in (rule for group in groups for rule in group.get("rules", []) if "alert" in rule):
        for key, text in rule.get("annotations", {}).items():
            place = f"alert {rule['alert']}, annotation {key}"
            yield from _dashboard_link(place, text, by_uid)
            yield from _runbook_link(place, text, stems, settings)


def _links(board: Board) -> Iterator[tuple[str, str]]:
    for link in board.model.get("links", []):
        if link.get("url"):
            yield f"{board.place}, link {link.get('title')}", str(link["url"])
    for panel in board.panels:
        place = board.panel_place(panel)
        for node in _nodes(panel):
            if isinstance(node.get("url"), str) and node["url"]:
                yield f"{place}, link {node.get('title', '')}", node["url"]


def _nodes(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from _nodes(value)
    elif isinstance(node, list):
        for item in node:
            yield from _nodes(item)


def _dashboard_link(place: str, url: str, by_uid: Mapping[str, Board]) -> Iterator[Finding]:
    found = _DASHBOARD.search(url)
    if not found:
        return
    target = by_uid.get(found["uid"])
    if target is None:
        yield error(place, f"leads to dashboard {found['uid']}, which is not built", closest(found["uid"], by_uid))
        return
    asked = parse_qs(urlsplit(_TEMPLATE.sub("x", url)).query, keep_blank_values=True)
    panels = {str(panel.get("id")) for panel in target.panels}
    for identity in asked.get("viewPanel", []):
        if identity.removeprefix("panel-") not in panels:
            yield error(place, f"leads to panel {identity}, which {target.place} does not have", "the panel's key has changed")
    for name in sorted(name.removeprefix("var-") for name in asked if name.startswith("var-")):
        if name not in target.variables:
            yield error(place, f"sets variable {name}, which {target.place} does not have", closest(name, target.variables))


def _runbook_link(place: str, text: str, stems: set[str], settings: Settings) -> Iterator[Finding]:
    if not text.startswith(f"{settings.runbook_url}/"):
        return
    page = PurePosixPath(urlsplit(text).path).name.removesuffix(".md")
    if page not in stems:
        yield error(place, f"leads to runbook {page}, which is not built", closest(page, stems))

"""What the doctor looks at: the panels, variables and annotations of tabs, and the rules; each with its range."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from contract.keys import panel_id
from contract.settings import Settings
from contract.values import duration_seconds
from provisioning.boards import Board, Query
from provisioning.choices import Choice, opened
from provisioning.doctor.asker import Asker, Choices
from provisioning.interpolation import Span

if TYPE_CHECKING:
    from dashboards.lib.tab import Tab

Kind = Literal["panel", "variable", "annotation", "rule"]

_MOST_POINTS = 1000
_MOMENT = re.compile(r"^now(?:-(?P<count>\d+)(?P<unit>[smhdwMy]))?(?:/(?P<floor>[smhdwMy]))?$")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "M": 30 * 86400, "y": 365 * 86400}


@dataclass(frozen=True)
class Subject:
    """Something to look at: its queries, and the range and variables that they are asked with."""

    kind: Kind
    key: str
    queries: tuple[Query, ...]
    span: Span
    choices: Choices
    empty_is_fine: bool = False


def of_tab(tab: Tab, settings: Settings, asker: Asker, now: float) -> Iterator[Subject]:
    """Everything of one tab, under the variables that it opens with. Asks the sources for the variables' values."""
    board = Board("", tab.dashboard(settings))
    span = _span(board.model, {}, settings, now)
    queries = {query.place: query for query in board.variable_queries()}
    choices: dict[str, Choice] = {}
    for name, variable in board.variables.items():
        query = queries.get(f"{board.place}, variable {name}")
        before = dict(choices)
        choices[name] = opened(variable, asker.values(query, span, before) if query else [])
        if query:
            yield Subject("variable", f"{tab.key}/${name}", (query,), span, before)
    for query in board.annotation_queries():
        yield Subject("annotation", f"{tab.key}: {query.place}", (query,), span, choices, empty_is_fine=True)
    keys = {panel_id(key): key for key in tab.panel_keys(settings)}
    for panel in board.panels:
        asked = tuple(board.panel_queries(panel))
        if asked:
            key = keys[panel["id"]]
            fine = key in tab.empty_is_fine
            yield Subject("panel", key, asked, _span(board.model, panel, settings, now), choices, fine)


def of_rules(settings: Settings, now: float) -> Iterator[Subject]:
    """Every recording rule and alert, asked for this moment."""
    from alert_rules import rules
    from recording_rules import registry

    groups: list[Any] = [*registry.rule_groups(settings), *rules.rule_groups(settings)]
    span = _cut(now - 3600, now, settings)
    for group in groups:
        for rule in group["rules"]:
            name = str(rule.get("alert") or rule.get("record"))
            query = Query(name, "promql", str(rule["expr"]), instant=True)
            yield Subject("rule", name, (query,), span, {})


def _span(model: Mapping[str, Any], panel: Mapping[str, Any], settings: Settings, now: float) -> Span:
    """The range of a panel: its own `timeFrom` when it has one, else the dashboard's."""
    times = model.get("time", {})
    end = _moment(str(times.get("to", "now")), now)
    start = _moment(str(times.get("from", "now-6h")), now)
    if panel.get("timeFrom"):
        start = _moment(f"now-{panel['timeFrom']}", now)
    steps = [str(target["interval"]) for target in panel.get("targets", []) if target.get("interval")]
    return _cut(start, end, settings, max(map(duration_seconds, steps), default=0))


def _cut(start: float, end: float, settings: Settings, least: float = 0) -> Span:
    """A range with the distance between points that Grafana would choose for a wide panel."""
    scrape = duration_seconds(settings.sources.prometheus.scrape_interval)
    return Span(start, end, int(max(scrape, least, (end - start) / _MOST_POINTS, 1)))


def _moment(text: str, now: float) -> float:
    """Seconds since the epoch of `now-6h`, `now/d` and the like. Months and years are 30 and 365 days, and UTC."""
    found = _MOMENT.match(text)
    if not found:
        raise ValueError(f"{text!r} is not a moment; write for example now-6h")
    at = now - int(found["count"] or 0) * _UNITS.get(found["unit"] or "s", 1)
    if floor := found["floor"]:
        moment = datetime.fromtimestamp(at, UTC).replace(minute=0, second=0, microsecond=0)
        if floor in "dwMy":
            moment = moment.replace(hour=0)
        if floor == "M":
            moment = moment.replace(day=1)
        if floor == "y":
            moment = moment.replace(month=1, day=1)
        at = moment.timestamp() - (moment.weekday() * 86400 if floor == "w" else 0)
    return at

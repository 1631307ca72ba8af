"""A tab: one dashboard, from its table of contents to Grafana's JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from grafanalib import core

from contract.keys import dashboard_uid, panel_id
from contract.settings import Settings
from dashboards.lib import agent_colours, filters, layout, marks, trust, variables
from dashboards.lib.describe import provenance
from dashboards.lib.finish import finished_dashboard, finished_panel
from dashboards.lib.graphs import Graph
from dashboards.lib.layout import Row, line, row
from dashboards.lib.panel import Panel
from dashboards.lib.texts import Text
from dashboards.lib.variables import Variable

Json = dict[str, Any]

SCHEMA_VERSION = 42
TAG = "observatory"
"""Every tab has it; the navigation bar lists the dashboards that do."""

NAVIGATION = core.DashboardLink(
    title="Tabs", type="dashboards", tags=[TAG], icon="dashboard", includeVars=True, keepTime=True, asDropdown=False
)
MOST_QUERIES = 25
"""Queries of rows that are not folded. A browser sends six at a time."""
REFRESH_CHOICES = ["15s", "30s", "1m", "5m", "15m", "1h"]
LONGEST_RANGE = "90d"
"""The longest time that is offered to look back: a graph of more days asks databases for much, and shows little of it."""
_BACK = {
    "15m": "15 minutes", "1h": "hour", "3h": "3 hours", "6h": "6 hours", "24h": "24 hours", "2d": "2 days",
    "7d": "7 days", "14d": "14 days", "30d": "30 days", LONGEST_RANGE: "90 days",
}  # fmt: skip
QUICK_RANGES = [
    *({"display": f"Last {words}", "from": f"now-{length}", "to": "now"} for length, words in _BACK.items()),
    {"display": "Today so far", "from": "now/d", "to": "now"},
    {"display": "This month so far", "from": "now/M", "to": "now"},
    {"display": "Previous month", "from": "now-1M/M", "to": "now-1M/M"},
]


class DashboardError(ValueError):
    """A tab that cannot be built. `problems` names every fault with its place."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Source:
    """Where a tab's figures come from, and how old they may be."""

    name: Literal["Prometheus", "PostgreSQL", "Langfuse"]
    freshness: str


@dataclass(frozen=True)
class Tab:
    """One dashboard. `rows` gives its contents under a configuration; `owner` is who answers for it.

    `description` says in one sentence what the tab answers. Panels are known outside by `key/name`.
    """

    key: str
    title: str
    folder: Literal["Business", "Administration", "Personal"]
    description: str
    owner: str
    sources: tuple[Source, ...]
    rows: Callable[[Settings], tuple[Row, ...]]
    tags: tuple[str, ...] = ()
    refresh: str = "30s"
    time_from: str = "now-6h"
    filters: tuple[str, ...] = filters.STANDARD
    """Names of the filters above the tab, in the order of `filters.FILTERS`."""
    single: tuple[str, ...] = ()
    """Those of them, lists all, of which exactly one value is chosen: for a tab about one thing."""
    versions_marked: bool = False
    """Whether every graph shows from the start when versions went into service and were found to be worse."""
    own_marks: tuple[Json, ...] = ()
    """Marks on its graphs beside those that every tab has."""
    choices: Callable[[Settings], tuple[Variable, ...]] = lambda _settings: ()
    """Variables of the tab's own, after its filters."""
    links: tuple[core.DashboardLink, ...] = ()
    empty_is_fine: frozenset[str] = frozenset()
    """Keys (`tab/name`) of panels that show nothing when all is well, or when nothing can be known yet."""

    @property
    def uid(self) -> str:
        return dashboard_uid(self.key)

    def panels(self, settings: Settings) -> Iterator[Panel]:
        """All panels, those in collapsed rows included."""
        return (panel for row_ in self.all_rows(settings) for panel in row_.panels)

    def panel_keys(self, settings: Settings) -> tuple[str, ...]:
        return tuple(f"{self.key}/{panel.name}" for panel in self.panels(settings))

    def dashboard(self, settings: Settings) -> Json:
        """Grafana's JSON (v1, schema 42). Raises DashboardError with everything that is wrong."""
        rows = self.all_rows(settings)
        known = (
            *self.data_sources(settings),
            *variables.of_filters(self.filters, settings, self.single),
            *self.choices(settings),
        )
        if problems := self._problems(rows):
            raise DashboardError(problems)
        board = core.Dashboard(
            title=self.title,
            uid=self.uid,
            description=self.description,
            tags=[TAG, self.folder.lower(), *self.tags],
            refresh=self.refresh,
            time=core.Time(self.time_from, "now"),
            timePicker=core.TimePicker(REFRESH_CHOICES, QUICK_RANGES),
            timezone="browser",
            graphTooltip=core.GRAPH_TOOLTIP_MODE_SHARED_CROSSHAIR,
            links=[NAVIGATION, *self.links],
            templating=core.Templating(list=list(known)),
            annotations=core.Annotations(list=[*self._marks(), *self.own_marks]),
            schemaVersion=SCHEMA_VERSION,
        )
        return finished_dashboard(board.to_json_data(), self._placed(rows, settings))

    def all_rows(self, settings: Settings) -> tuple[Row, ...]:
        """Its rows, after the line that says what the tab answers."""
        with filters.acting(self.filters, self.single):
            return (self.legend(settings), *self.rows(settings))

    def data_sources(self, settings: Settings) -> tuple[Variable, ...]:
        """The variables that name its data sources."""
        return variables.sources(settings, self.folder)

    def legend(self, settings: Settings) -> Row:
        """What the tab answers, for whom and from where, and how old that is."""
        sources = " ".join(f"**{source.name}**: {source.freshness}." for source in self.sources)
        content = f"**{self.description}** Owner: {self.owner}. {sources} The (i) beside a title says more."
        text = Text(name="legend", title="", description="What this tab answers.", content=content)
        return row("about", "", line(3, text, trust.ages(settings, [source.name for source in self.sources])))

    def _marks(self) -> list[Json]:
        """What marks the graphs, on tabs that have the filters that choose it."""
        found: list[Json] = []
        if "environment" in self.filters:
            with filters.acting(self.filters, self.single):
                found.append(marks.critical_alerts())
        if set(filters.STANDARD).issubset(self.filters):
            versions = self.versions_marked
            found += [marks.deployments(versions), *([marks.regressions(), marks.incidents()] if versions else [])]
        return found

    def _placed(self, rows: tuple[Row, ...], settings: Settings) -> list[Json]:
        found: list[Json] = []
        top = 0
        for row_ in rows:
            inside = [self._finished(place, settings) for place in layout.places(row_, top)]
            title: Json = {
                "type": "row",
                "id": panel_id(f"{self.key}/row/{row_.name}"),
                "title": row_.title,
                "collapsed": row_.collapsed,
                "gridPos": {"x": 0, "y": top, "w": layout.COLUMNS, "h": 1},
                "panels": inside if row_.collapsed else [],
            }
            if row_.repeat_by:
                title["repeat"] = row_.repeat_by
            found += [title] if row_.collapsed else [title, *inside] if row_.title else inside
            top += layout.height(row_)
        return found

    def _finished(self, place: layout.Place, settings: Settings) -> Json:
        panel = place.panel
        texts = tuple(query.text for query in panel.targets)
        description = "\n\n".join(part for part in (panel.description, provenance(texts, self.filters)) if part)
        identity, colours = panel_id(f"{self.key}/{panel.name}"), agent_colours.overrides(panel, settings)
        return finished_panel(panel, identity, description, place.grid_position, colours)

    def _problems(self, rows: tuple[Row, ...]) -> list[str]:
        """Everything that would make a poor dashboard, each with the panel's key."""
        found: list[str] = []
        keys: dict[int, str] = {}
        for name in (name for row_ in rows for name in (f"row/{row_.name}", *(panel.name for panel in row_.panels))):
            key = f"{self.key}/{name}"
            identity = panel_id(key)
            if keys.get(identity) == key:
                found.append(f"{key}: this key is used twice")
            elif identity in keys:
                found.append(f"{key}: has the same panel id as {keys[identity]}; rename one of them")
            keys.setdefault(identity, key)
        asked = (query.text for row_ in rows if not row_.collapsed for panel in row_.panels for query in panel.targets)
        open_ = sum(map(bool, asked))  # what streams has no text
        if open_ > MOST_QUERIES:
            found.append(f"{self.key}: asks {open_} queries when it is opened; fold rows until at most {MOST_QUERIES} are left")
        for row_ in rows:
            for line_ in row_.lines:
                try:
                    line_.widths()
                except ValueError as error:
                    found.append(f"{self.key}/row/{row_.name}: {error}")
            for line_ in row_.lines:
                faults = ((panel, fault) for panel in line_.panels for fault in _faults(panel, line_.height))
                found += [f"{self.key}/{panel.name}: {fault}" for panel, fault in faults]
        return found


def _faults(panel: Panel, height: int) -> Iterator[str]:
    if not panel.title and panel.kind != "text":
        yield "no title"
    if not panel.description:
        yield "no description; say what it means and what to do when it looks bad"
    if not panel.dataless and not panel.targets:
        yield "no query"
    if not panel.unitless and not panel.unit:
        yield "no unit; write a Grafana unit id such as short, s, percentunit or currencyUSD"
    if isinstance(panel, Graph) and panel.rounds_an_axis():
        yield "its axis would round its own steps; leave the decimals away, or take 0 for what is counted"
    if isinstance(panel, Graph) and panel.cuts_its_legend(height):
        yield f"its legend ends within a row when it has many and a height of {height}; take {height - 1} or {height + 1}"

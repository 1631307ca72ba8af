"""What the absence of a relation means: which metrics have no data then, and which panels and alerts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from contract.analytics import READABLE
from contract.catalogue import metric
from contract.relations import APP_SCHEMA
from contract.settings import Settings
from exporters.business.figures import FIGURES
from exporters.rollups.sources import SOURCES

ACTIVE_USERS = ("platform_users_active", "platform_users_active_before")
"""Metrics of the users that were seen."""

_NAME = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*")


@dataclass(frozen=True)
class Consequences:
    """Names of metrics, panels and alerts that are without data."""

    metrics: tuple[str, ...]
    panels: tuple[str, ...]
    alerts: tuple[str, ...]

    def as_lines(self) -> Iterator[str]:
        """For people: panels under the dashboard that they are on."""
        if self.metrics:
            yield f"metrics without data: {', '.join(self.metrics)}"
        if self.panels:
            yield "panels without data:"
        for dashboard, places in groupby(self.panels, lambda place: place.partition(", panel ")[0]):
            titles = (place.removeprefix(f"{dashboard}, panel ") for place in places)
            yield f"  {dashboard.removeprefix('dashboard ')}: {'; '.join(titles)}"
        if self.alerts:
            yield f"alerts without data: {', '.join(self.alerts)}"


def metrics_without(relations: Iterable[str]) -> list[str]:
    """The metrics from PostgreSQL that have no data, or not all of it, without these relations."""
    gone = set(relations)
    sources = [source for source in SOURCES.values() if source.relation in gone]
    facts = {given.metric for source in sources for fact in source.facts for given in fact.yields}
    stocks = {given.metric for source in sources for stock in source.stocks for given in stock.yields}
    figures = {figure.metric for figure in FIGURES if figure.relations & gone}
    active = set(ACTIVE_USERS) if any(source.last_seen for source in sources) else set()
    return sorted(facts | stocks | figures | active)


def consequences(relations: Iterable[str], settings: Settings) -> Consequences:
    """Everything that is without data when the platform has none of these relations."""
    from provisioning import boards, build
    from provisioning.rule_files import rule_groups

    gone = set(relations)
    metrics = metrics_without(gone)
    artefacts = build.artefacts(settings)
    rules = [rule for group in rule_groups(artefacts) for rule in group["rules"]]
    series = _recorded({name for family in metrics for name in metric(family).series_names}, rules)
    tables = {f"{APP_SCHEMA}.{name}" for name in gone}
    tables |= {readable.qualified for readable in READABLE.values() if readable.relation in gone}
    panels = {
        query.place.rpartition(", query ")[0]
        for board in boards.read(artefacts)
        for query in board.queries()
        if query.panel is not None and (_reads(query.text, series) or any(table in query.text for table in tables))
    }
    alerts = {rule["alert"] for rule in rules if "alert" in rule and _reads(rule["expr"], series)}
    return Consequences(tuple(metrics), tuple(sorted(panels)), tuple(sorted(alerts)))


def _reads(text: str, series: set[str]) -> bool:
    return any(name in series for name in _NAME.findall(text))


def _recorded(series: set[str], rules: Iterable[Mapping[str, Any]]) -> set[str]:
    """These series and every recorded one that is made of them, directly or through others."""
    recording = [rule for rule in rules if "record" in rule]
    while more := {rule["record"] for rule in recording if rule["record"] not in series and _reads(rule["expr"], series)}:
        series = series | more
    return series

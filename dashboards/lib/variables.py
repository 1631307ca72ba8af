"""Variables of a dashboard."""

from __future__ import annotations

from typing import Any

from attrs import define

from contract.settings import Settings
from dashboards.lib.queries import PromQuery, SqlQuery

Json = dict[str, Any]
ALL = "$__all"


@define(kw_only=True)
class DataSourceVariable:
    """Which data source of a type the dashboard reads; `uid` is the one chosen at first."""

    name: str
    label: str
    type: str
    uid: str

    def to_json_data(self) -> Json:
        return {
            "name": self.name,
            "label": self.label,
            "type": "datasource",
            "query": self.type,
            "regex": "",
            "refresh": 1,
            "hide": 0,
            "multi": False,
            "includeAll": False,
            "options": [],
            "current": {"text": self.uid, "value": self.uid},
        }


@define(kw_only=True)
class LabelVariable:
    """The values of a label on a series, of which several may be chosen. `chosen` is what is chosen at first: all, or one.

    All of them together become the pattern `.*`, so that a list of two hundred agents is not written into every query.
    """

    name: str
    label: str
    series: str
    chosen: str = ALL
    description: str = ""

    def to_json_data(self) -> Json:
        query = f"label_values({self.series}, {self.name})"
        text = "All" if self.chosen == ALL else self.chosen
        return {
            "name": self.name,
            "label": self.label,
            "description": self.description or None,
            "type": "query",
            "datasource": PromQuery.source,
            "definition": query,
            "query": {"query": query, "refId": "Variable", "qryType": 1},
            "regex": "",
            "sort": 1,
            "refresh": 2,
            "hide": 0,
            "multi": True,
            "includeAll": True,
            "allValue": ".*",
            "options": [],
            "current": {"text": [text], "value": [self.chosen]},
        }


Variable = DataSourceVariable | LabelVariable


def sources(settings: Settings) -> tuple[Variable, ...]:
    """The data sources, for tabs whose figures know neither environment nor agent."""
    return (
        DataSourceVariable(
            name="prometheus", label="Prometheus", type=PromQuery.source["type"], uid=settings.sources.prometheus.uid
        ),
        DataSourceVariable(
            name="postgres", label="PostgreSQL", type=SqlQuery.source["type"], uid=settings.sources.postgres.uid
        ),
    )


def standard(settings: Settings) -> tuple[Variable, ...]:
    """Data sources, environment, agent: what the filters of `lib.queries` need."""
    return (
        *sources(settings),
        LabelVariable(
            name="environment", label="Environment", series="agent_queries_total", chosen=settings.environments[0],
            description="Where it runs. Acts on every panel whose figures know it; the panel's description says so.",
        ),
        LabelVariable(
            name="agent", label="Agent", series='agent_queries_total{environment=~"$environment"}',
            description="Acts on figures of agents.",
        ),
    )  # fmt: skip

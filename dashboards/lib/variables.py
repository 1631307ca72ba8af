"""Variables of a dashboard."""

from __future__ import annotations

from typing import Any

from attrs import define, evolve

from contract.settings import Settings
from contract.status import STATUSES
from dashboards.lib.filters import chosen
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
class _Chosen:
    """A list from which several values may be chosen; `chosen` are those chosen at first, all of them if there are none.

    All together become the pattern `.*`, so that a list of two hundred agents is not written into every query; a `bounded` list
    is written out, for a variable that hands on what others have narrowed. Of a `single` one exactly one value is chosen, the
    first of the list until somebody chooses.
    """

    name: str
    label: str
    chosen: tuple[str, ...] = ()
    description: str = ""
    bounded: bool = False
    hidden: bool = False
    single: bool = False

    def _common(self, kind: str) -> Json:
        everything = {"text": list(self.chosen) or ["All"], "value": list(self.chosen) or [ALL]}
        return {
            "name": self.name,
            "label": self.label,
            "description": self.description or None,
            "type": kind,
            "hide": 2 if self.hidden else 0,
            "multi": not self.single,
            "includeAll": not self.single,
            "allValue": None if self.bounded or self.single else ".*",
            "options": [],
            "current": {} if self.single else everything,
        }


@define(kw_only=True)
class LabelVariable(_Chosen):
    """The values of a label, `of` or called as the variable, on a series."""

    series: str
    of: str = ""

    def to_json_data(self) -> Json:
        query = f"label_values({self.series}, {self.of or self.name})"
        return self._common("query") | {
            "datasource": PromQuery.source,
            "definition": query,
            "query": {"query": query, "refId": "Variable", "qryType": 1},
            "regex": "",
            "sort": 1,
            "refresh": 2,
        }


@define(kw_only=True)
class SqlVariable(_Chosen):
    """The values of the only column of an SQL query, asked when the dashboard is opened or a variable in it changes."""

    sql: str

    def to_json_data(self) -> Json:
        return self._common("query") | {
            "datasource": SqlQuery.source,
            "definition": self.sql,
            "query": self.sql,
            "regex": "",
            "sort": 0,
            "refresh": 1,
        }


@define(kw_only=True)
class ListVariable(_Chosen):
    """Values that are known when the dashboard is built, each with the text that is shown for it."""

    values: dict[str, str]

    def to_json_data(self) -> Json:
        options = [{"text": text, "value": value, "selected": value in self.chosen} for value, text in self.values.items()]
        return self._common("custom") | {
            "query": ", ".join(f"{text} : {value}" for value, text in self.values.items()),
            "options": [{"text": "All", "value": ALL, "selected": not self.chosen}, *options],
            "current": {"text": [self.values[value] for value in self.chosen] or ["All"], "value": list(self.chosen) or [ALL]},
        }


@define(kw_only=True)
class SwitchVariable:
    """Exactly one of the values that are known when the dashboard is built; the first is chosen at first."""

    name: str
    label: str
    values: dict[str, str]
    description: str = ""

    def to_json_data(self) -> Json:
        first = next(iter(self.values))
        return {
            "name": self.name,
            "label": self.label,
            "description": self.description or None,
            "type": "custom",
            "query": ", ".join(f"{text} : {value}" for value, text in self.values.items()),
            "hide": 0,
            "multi": False,
            "includeAll": False,
            "options": [{"text": text, "value": value, "selected": value == first} for value, text in self.values.items()],
            "current": {"text": self.values[first], "value": first},
        }


@define(kw_only=True)
class TextVariable:
    """Something that a reader types or a link brings, such as the id of one request. In SQL write `${name:sqlstring}`."""

    name: str
    label: str
    description: str = ""

    def to_json_data(self) -> Json:
        return {
            "name": self.name,
            "label": self.label,
            "description": self.description or None,
            "type": "textbox",
            "query": "",
            "hide": 0,
            "options": [{"text": "", "value": "", "selected": True}],
            "current": {"text": "", "value": ""},
        }


@define(kw_only=True)
class LabelsVariable:
    """Any labels with any values, which Grafana itself adds to every query of Prometheus on the dashboard.

    Only for tabs that read scraped series: of recorded ones most labels are summed away, and to be held against a label that a
    series has not makes `=` hide it and `!=` do nothing, so that panels side by side would be about different things.
    """

    name: str
    label: str
    description: str = ""

    def to_json_data(self) -> Json:
        return {
            "name": self.name,
            "label": self.label,
            "description": self.description or None,
            "type": "adhoc",
            "datasource": PromQuery.source,
            "filters": [],
            "baseFilters": [],
            "hide": 0,
        }


Variable = DataSourceVariable | LabelVariable | SqlVariable | ListVariable | SwitchVariable | TextVariable | LabelsVariable


def sources(settings: Settings, folder: str) -> tuple[Variable, ...]:
    """The data sources of the dashboards of a folder."""
    return (
        DataSourceVariable(
            name="prometheus", label="Prometheus", type=PromQuery.source["type"], uid=settings.sources.prometheus.uid
        ),
        DataSourceVariable(
            name="postgres", label="PostgreSQL", type=SqlQuery.source["type"], uid=settings.sources.postgres.uid_of(folder)
        ),
    )


TIERS = {
    "fast": "fast (under 0.1 s)",
    "normal": "normal (to 0.5 s)",
    "slow": "slow (to 2 s)",
    "critical": "critical (over 2 s)",
}
"""How long a query took, in words. Grafana parts a list at commas."""


def of_filters(filters: tuple[str, ...], settings: Settings, single: tuple[str, ...] = ()) -> tuple[Variable, ...]:
    """The variables of a tab's filters, each narrowed by those before it; of `single` ones, lists all, one value is chosen."""
    known: dict[str, LabelVariable | SqlVariable | ListVariable] = {
        "environment": LabelVariable(
            name="environment", label="Environment", series="agent_queries_total", chosen=(settings.environments[0],),
            description="Where it runs. Acts on every panel whose figures know it; the panel's description says so.",
        ),
        "department": SqlVariable(
            name="department", label="Department", sql=_DEPARTMENTS,
            description="Who owns the agents. Acts through the list of agents.",
        ),
        "agent": _agents_of_departments() if "department" in filters else LabelVariable(
            name="agent", label="Agent", series='agent_queries_total{environment=~"$environment"}',
            description="Acts on figures of agents.",
        ),
        "version": SqlVariable(
            name="version", label="Version", sql=_VERSIONS,
            description="Of the agent; the newest of each agent and environment is called latest. Acts on figures of versions.",
        ),
        "model": LabelVariable(
            name="model", label="Model", series='langfuse_generations_total{environment=~"$environment"}',
            description="Acts on figures of model calls.",
        ),
        "intent": SqlVariable(
            name="intent", label="Intent", sql=_INTENTS, description="What the user wanted. Acts on tables of PostgreSQL.",
        ),
        "tier": ListVariable(
            name="tier", label="Speed", values=TIERS,
            description="How long a query took. Acts on figures of single queries, from PostgreSQL; of those of Prometheus "
            "only 'Queries per second by speed' knows it.",
        ),
        "status": ListVariable(
            name="status", label="Status", values={status: status for status in STATUSES},
            description="How a query ended. Acts on figures of single queries, from PostgreSQL.",
        ),
    }  # fmt: skip
    return tuple(evolve(known[name], single=True) if name in single else known[name] for name in filters)


_DEPARTMENTS = """
SELECT name FROM (
  SELECT name FROM analytics.departments UNION SELECT 'none'
) d ORDER BY name = 'none', name LIMIT 200
""".strip()

_INTENTS = """
SELECT DISTINCT intent FROM analytics.intent_daily WHERE day >= now() - interval '90 days' ORDER BY intent LIMIT 200
""".strip()


_VERSIONS = f"""
SELECT v.version AS __value, v.version || CASE WHEN bool_or(v.latest) THEN ' (latest)' ELSE '' END AS __text
FROM (
  SELECT c.version, false AS latest FROM analytics.cost_analysis_summary c
  WHERE c.day >= now() - interval '30 days' AND c.version <> ''
    AND {chosen("c.environment", "environment")} AND {chosen("c.agent", "agent")}
  UNION ALL
  SELECT d.version, d.deployed_at = max(d.deployed_at) OVER (PARTITION BY d.agent_id, d.environment)
  FROM analytics.deployments d JOIN analytics.agents a ON a.id = d.agent_id
  WHERE {chosen("d.environment", "environment")} AND {chosen("a.name", "agent")}
) v
GROUP BY v.version ORDER BY bool_or(v.latest) DESC, v.version DESC LIMIT 200
""".strip()


def _agents_of_departments() -> SqlVariable:
    """The agents of the chosen departments, written out, so that departments act on figures that do not know them.

    The environment of an agent's row is where it was registered; it may run in others too.
    """
    where = chosen(_DEPARTMENT, "department")
    return SqlVariable(
        name="agent", label="Agent", bounded=True, description="Acts on figures of agents.",
        sql="SELECT DISTINCT a.name FROM analytics.agents a LEFT JOIN analytics.departments d ON d.id = a.department_id\n"
        f"WHERE {where}\nORDER BY a.name LIMIT 500",
    )  # fmt: skip


_DEPARTMENT = "coalesce(d.name, 'none')"

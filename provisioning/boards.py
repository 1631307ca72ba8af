"""Built dashboards, read back: panels, variables and queries with a place that people recognise."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

Json = dict[str, Any]
Language = Literal["promql", "sql", "other"]

_LANGUAGES: dict[str, Language] = {
    "prometheus": "promql",
    "grafana-postgresql-datasource": "sql",
    "postgres": "sql",
}
_LABEL_VALUES = re.compile(r"^\s*label_values\(\s*(?:(?P<series>.+?)\s*,\s*)?(?P<label>\w+)\s*\)\s*$", re.S)
_QUERY_RESULT = re.compile(r"^\s*query_result\((?P<expr>.+)\)\s*$", re.S)


@dataclass(frozen=True)
class Query:
    """One question of a dashboard. `place` names it; `panel` is the panel's id, or None for variables and annotations;
    `source` the uid of its data source, the variable of the dashboard that names it looked up."""

    place: str
    language: Language
    text: str
    instant: bool = False
    panel: int | None = None
    source: str = ""


@dataclass(frozen=True)
class Board:
    """One built dashboard: its path in the build and its JSON."""

    path: str
    model: Json

    @property
    def uid(self) -> str:
        return str(self.model.get("uid", ""))

    @property
    def place(self) -> str:
        return f"dashboard {self.model.get('title') or self.path}"

    @cached_property
    def panels(self) -> tuple[Json, ...]:
        """All panels but rows; those of collapsed rows too."""
        return tuple(panel for panel in _flat(self.model.get("panels", [])) if panel.get("type") != "row")

    @cached_property
    def variables(self) -> dict[str, Json]:
        return {str(variable.get("name")): variable for variable in self.model.get("templating", {}).get("list", [])}

    def panel_place(self, panel: Mapping[str, Any]) -> str:
        return f"{self.place}, panel {panel.get('title') or panel.get('id')}"

    def queries(self) -> Iterator[Query]:
        """Every query of panels, variables and annotations."""
        yield from self.variable_queries()
        yield from self.annotation_queries()
        for panel in self.panels:
            yield from self.panel_queries(panel)

    def panel_queries(self, panel: Mapping[str, Any]) -> Iterator[Query]:
        for target in panel.get("targets", []):
            place = f"{self.panel_place(panel)}, query {target.get('refId', '?')}"
            source = target.get("datasource") or panel.get("datasource")
            language = _language(source)
            text = target.get("expr") if language == "promql" else target.get("rawSql")
            if text:
                yield Query(place, language, str(text), bool(target.get("instant")), panel.get("id"), self._uid(source))

    def variable_queries(self) -> Iterator[Query]:
        for name, variable in self.variables.items():
            if variable.get("type") == "query":
                text = variable.get("query")
                text = text.get("query", "") if isinstance(text, dict) else text
                source = variable.get("datasource")
                place = f"{self.place}, variable {name}"
                yield Query(place, _language(source), str(text), instant=True, source=self._uid(source))

    def annotation_queries(self) -> Iterator[Query]:
        for annotation in self.model.get("annotations", {}).get("list", []):
            target = annotation.get("target") or {}
            text = annotation.get("expr") or target.get("expr") or target.get("rawSql") or annotation.get("rawQuery")
            if text:
                place, source = f"{self.place}, annotation {annotation.get('name')}", annotation.get("datasource")
                yield Query(place, _language(source), str(text), source=self._uid(source))

    def _uid(self, source: object) -> str:
        named = str(source.get("uid", "")) if isinstance(source, dict) else ""
        variable = self.variables.get(named.removeprefix("${").removesuffix("}"))
        return str(variable.get("current", {}).get("value", "")) if variable else named


def read(artefacts: Mapping[str, bytes]) -> tuple[Board, ...]:
    """The dashboards among built files."""
    return tuple(
        Board(path, json.loads(body))
        for path, body in artefacts.items()
        if path.startswith("grafana/dashboards/") and path.endswith(".json")
    )


def variable_expression(text: str) -> tuple[str, str]:
    """PromQL and label behind a query variable of Prometheus: `label_values(x, y)` and `query_result(x)`; else the text.

    The PromQL is empty for `label_values(y)`, which asks all series.
    """
    if found := _LABEL_VALUES.match(text):
        return found["series"] or "", found["label"]
    if found := _QUERY_RESULT.match(text):
        return found["expr"], ""
    return text, ""


def _flat(panels: list[Json]) -> Iterator[Json]:
    for panel in panels:
        yield panel
        yield from _flat(panel.get("panels", []))


def _language(source: object) -> Language:
    kind = source.get("type", "") if isinstance(source, dict) else ""
    return _LANGUAGES.get(str(kind), "other")

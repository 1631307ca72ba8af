"""What the dashboards' tests share: the built tab, and Grafana's own models as an oracle."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Panel

from contract.settings import Settings
from dashboards.lib.finish import MIXED
from dashboards.overview import TAB

Json = dict[str, Any]

WITHOUT_MODEL = ("flamegraph", "traces", "alertlist")
"""Panel types that the SDK has no models for: it drops their options, known or not."""

NEWER = {
    "gauge": {".options.barShape", ".options.barWidthFactor", ".options.effects.barGlow", ".options.effects.centerGlow",
              ".options.effects.gradient", ".options.segmentCount", ".options.segmentSpacing", ".options.shape"},
    "piechart": {".options.sort"},
    "table": {".options.enablePagination"},
}  # fmt: skip
"""Options that Grafana 13.2 has and the SDK's models do not yet; the preview's validator knows their types."""


def paths(node: object, at: str = "") -> set[str]:
    """Every leaf of a JSON value, by its path; all items of a list together."""
    if node and isinstance(node, dict):
        return {path for key, value in node.items() for path in paths(value, f"{at}.{key}")}
    if node and isinstance(node, list):
        return {path for value in node for path in paths(value, at + "[]")}
    return {at}


def without_nulls(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: without_nulls(value) for key, value in node.items() if value is not None}
    return [without_nulls(item) for item in node] if isinstance(node, list) else node


@pytest.fixture(scope="session")
def unknown() -> Callable[[Json], set[str]]:
    """Paths of a panel that Grafana's models do not know: they vanish when the panel is loaded and written again."""
    plugins.register_default_plugins()

    def vanished(panel: Json) -> set[str]:
        clean = without_nulls(panel)
        if clean["type"] in WITHOUT_MODEL:
            clean = {key: value for key, value in clean.items() if key != "options"}
        if clean.get("datasource") == MIXED:  # the models choose those of the queries by the panel's data source
            own = [clean | {"datasource": target["datasource"], "targets": [target]} for target in clean["targets"]]
            return set.union(*(vanished(one) for one in own))
        return (
            paths(clean)
            - paths(json.loads(json.dumps(Panel.from_json(clean), cls=JSONEncoder)))
            - NEWER.get(clean["type"], set())
        )

    return vanished


@pytest.fixture(scope="session")
def overview() -> Json:
    return TAB.dashboard(Settings())


@pytest.fixture(scope="session")
def panels(overview: Json) -> list[Json]:
    """All panels of the tab but rows, those of collapsed rows included."""
    return [panel for top in overview["panels"] for panel in (top.get("panels", []) if top["type"] == "row" else [top])]

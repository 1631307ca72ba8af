"""An alert and its panel: the panel exists, draws the alert's threshold, and follows the variables that its link sets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from math import isclose
from typing import Any

from alert_rules import wording
from alert_rules.model import Alert
from contract.keys import panel_id
from contract.metrics import Source
from contract.settings import Settings
from dashboards.lib.durations import SECONDS
from provisioning.boards import Board
from provisioning.findings import Finding, closest, error
from provisioning.interpolation import names


def alert_findings(
    alerts: Iterable[Alert], keys: Callable[[], Iterable[str]], boards: Iterable[Board], settings: Settings
) -> Iterator[Finding]:
    """`keys` gives the panels' keys (`tab/name`) of all tabs, when a panel is missing."""
    found = {panel.get("id"): (board, panel) for board in boards for panel in board.panels}
    for alert in alerts:
        place = f"alert {alert.name}"
        board, panel = found.get(panel_id(alert.panel_key), (None, None))
        if board is None or panel is None:
            yield error(place, f"its panel {alert.panel_key} does not exist", closest(alert.panel_key, keys()))
            continue
        limit, drawn = alert.limit(settings), _drawn(panel, alert.signal.unit)
        if not any(isclose(limit, step, rel_tol=1e-9) for step in drawn):
            shown = ", ".join(f"{step:g}" for step in drawn) or "none"
            yield error(place, f"threshold {limit:g} is not drawn in panel {alert.panel_key}", f"drawn there: {shown}")
        for name in sorted(_chosen_by_link(alert) & board.variables.keys() - _followed(board, panel)):
            remedy = f'ask with {name}=~"${name}", or all series are drawn when one of them fires'
            yield error(place, f"its link sets {name}, which no query of panel {alert.panel_key} follows", remedy)


def _chosen_by_link(alert: Alert) -> set[str]:
    """Variables that the alert's link sets. What others say of themselves has an environment at some sites only."""
    return set() if alert.source == Source.FOREIGN else {name for name in wording.VARIABLES if name in alert.by}


def _followed(board: Board, panel: dict[str, Any]) -> set[str]:
    return {name for query in board.panel_queries(panel) for name in names(query.text)}


def _drawn(panel: dict[str, Any], unit: str) -> list[float]:
    """Threshold values of a panel, of its fields and of their overrides; those of durations in the alert's unit."""
    config = panel.get("fieldConfig", {})
    blocks = [config.get("defaults", {}).get("thresholds", {})]
    for override in config.get("overrides", []):
        blocks += [prop["value"] for prop in override.get("properties", []) if prop.get("id") == "thresholds"]
    scale = SECONDS.get(config.get("defaults", {}).get("unit"), 1) / SECONDS[unit] if unit in SECONDS else 1
    values = (step.get("value") for block in blocks for step in block.get("steps", []))
    return [scale * float(value) for value in values if value is not None]

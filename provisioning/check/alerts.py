"""An alert and its panel: the panel exists, and draws the alert's threshold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import isclose
from typing import Any

from alert_rules.model import Alert
from contract.keys import panel_id
from contract.settings import Settings
from provisioning.boards import Board
from provisioning.findings import Finding, closest, error


def alert_findings(
    alerts: Iterable[Alert], keys: Iterable[str], boards: Iterable[Board], settings: Settings
) -> Iterator[Finding]:
    """`keys` are the panels' keys (`tab/name`) of all tabs."""
    keys = tuple(keys)
    panels = {panel.get("id"): panel for board in boards for panel in board.panels}
    for alert in alerts:
        place = f"alert {alert.name}"
        panel = panels.get(panel_id(alert.panel_key))
        if alert.panel_key not in keys or panel is None:
            yield error(place, f"its panel {alert.panel_key} does not exist", closest(alert.panel_key, keys))
            continue
        limit, drawn = alert.limit(settings), _drawn(panel)
        if not any(isclose(limit, step, rel_tol=1e-9) for step in drawn):
            shown = ", ".join(f"{step:g}" for step in drawn) or "none"
            yield error(place, f"threshold {limit:g} is not drawn in panel {alert.panel_key}", f"drawn there: {shown}")


def _drawn(panel: dict[str, Any]) -> list[float]:
    """Threshold values of a panel, of its fields and of their overrides."""
    config = panel.get("fieldConfig", {})
    blocks = [config.get("defaults", {}).get("thresholds", {})]
    for override in config.get("overrides", []):
        blocks += [prop["value"] for prop in override.get("properties", []) if prop.get("id") == "thresholds"]
    return [float(step["value"]) for block in blocks for step in block.get("steps", []) if step.get("value") is not None]

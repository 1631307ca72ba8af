"""The tab of alerts: what fires, and one panel for each alert that no other tab shows."""

from __future__ import annotations

from alert_rules.catalogue import active
from alert_rules.model import Alert
from contract.settings import Settings
from dashboards.alerts import panels
from dashboards.lib.layout import Row, line, row
from dashboards.lib.tab import Source, Tab

_IN_A_LINE = 3


def rows(settings: Settings) -> tuple[Row, ...]:
    own = [alert for alert in active(settings) if not alert.panel]
    groups = dict.fromkeys(alert.group.name for alert in own)
    return (
        row("firing", "What fires now", line(8, panels.firing())),
        *(_group(name, [alert for alert in own if alert.group.name == name], settings) for name in groups),
    )


def _group(name: str, alerts: list[Alert], settings: Settings) -> Row:
    shown = [panels.of(alert, settings) for alert in alerts]
    lines = (line(8, *shown[first : first + _IN_A_LINE]) for first in range(0, len(shown), _IN_A_LINE))
    return row(name, name.replace("_", " ").capitalize(), *lines)


TAB = Tab(
    key="alerts",
    title="SLOs & alerts",
    folder="Administration",
    description="What fires, how far is everything from firing, and how much of each error budget is left?",
    owner="platform team",
    sources=(Source("Prometheus", "the very expressions of the alerts, under the chosen filters"),),
    rows=rows,
    empty_is_fine=frozenset({"alerts/firing_alerts"}),
)

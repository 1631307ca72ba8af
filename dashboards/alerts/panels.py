"""An alert as a panel: its own signal at its own window and labels, with its threshold drawn."""

from __future__ import annotations

from alert_rules import wording
from alert_rules.model import Alert, Severity
from contract.settings import Settings
from dashboards.lib import colours
from dashboards.lib.field import lines
from dashboards.lib.graphs import TimeSeries
from dashboards.lib.panel import Panel
from dashboards.lib.queries import PromQuery, series
from dashboards.lib.tables import Table, columns

_COLOURS = {Severity.CRITICAL: colours.DOWN, Severity.WARNING: colours.DEGRADED, Severity.INFO: colours.PURPLE}
_UNITS = {"times": "none", "events": "short"}


def of(alert: Alert, settings: Settings) -> Panel:
    side = "above" if alert.comparison == ">" else "below"
    limit = wording.shown(alert.signal.unit, alert.limit(settings))
    return TimeSeries(
        name=alert.panel_key.split("/", 1)[1],
        title=f"{alert.signal.title} ({alert.name} {side} {limit})",
        description=f"{alert.signal.description}, as the alert asks. {alert.meaning} What to do stands in its runbook.",
        targets=(series(alert.signal, alert.by, window=alert.window),),
        unit=_UNITS.get(alert.signal.unit, alert.signal.unit),
        no_value="nothing to watch in range",
        limits=lines((alert.limit(settings), _COLOURS[alert.severity])),
        drawn="dashed",
        calculations=("lastNotNull", "max" if alert.comparison == ">" else "min"),
    )


def firing() -> Panel:
    headings = {"alertname": "Alert", "severity": "Severity", "team": "Team", "environment": "Environment", "agent": "Agent"}
    return Table(
        name="firing_alerts",
        title="Firing alerts",
        description="Every alert that fires now, the worst first. Its runbook says what to look at and what to do.",
        targets=(
            PromQuery(
                expr='sort_desc(max by (alertname, severity, team, environment, agent) (ALERTS{alertstate="firing"}))',
                instant=True,
                format="table",
            ),
        ),
        no_value="nothing fires",
        transformations=columns(headings),
    )

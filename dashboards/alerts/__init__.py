"""The tab of alerts: what fires, what fired, how far everything else is from it, and a panel for each alert."""

from __future__ import annotations

from alert_rules.catalogue import ALERTS, active
from alert_rules.model import Alert
from contract.settings import Settings
from dashboards import slo
from dashboards.alerts import distance, firing, history, panels
from dashboards.lib.layout import Row, line, row
from dashboards.lib.tab import Source, Tab

_IN_A_LINE = 3
_LONGEST = 31
"""Letters of a title that a third of a narrow page has room for."""
_TITLES = {
    "agent": "Agents", "anomaly": "Anomalies", "behaviour": "Behaviour of agents", "capacity": "Capacity",
    "conversation": "Conversations", "cost": "Cost", "exporter": "Exporter", "feedback": "Feedback",
    "knowledge": "Knowledge base",
    "model": "Model calls", "nps": "Net promoter score", "service": "Services", "slo": "Service levels", "source": "Scraping",
    "store": "Stores", "ticket": "Tickets", "tool": "Tools", "watching": "Rules and notifications",
}  # fmt: skip


def rows(settings: Settings) -> tuple[Row, ...]:
    own: dict[str, list[Alert]] = {}
    for alert in active(settings):
        if not alert.panel:
            own.setdefault(alert.group.name.split("_", 1)[0], []).append(alert)
    return (
        row("firing", "What fires now?", line(4, firing.counts()), line(10, firing.now(settings))),
        *slo.rows(settings),
        row("range", "What fired, and when?", line(9, firing.timeline(), firing.load())),
        row("history", "How often, how long, how much noise?", line(10, history.frequent(settings)),
            line(9, history.latest(settings)), collapsed=True),
        row("distance", "How far from firing is the rest?", line(14, distance.table(settings)), collapsed=True),
        *(_concern(name, own[name], settings) for name in sorted(own, key=_title)),
    )  # fmt: skip


def _title(name: str) -> str:
    return _TITLES.get(name, name.capitalize())


def _concern(name: str, alerts: list[Alert], settings: Settings) -> Row:
    """The panels of one concern, the worst alerts first; folded, for what fires is linked from above."""
    shown = [panels.of(alert, settings) for alert in sorted(alerts, key=panels.rank)]
    beside = _IN_A_LINE if all(len(panel.title) <= _LONGEST for panel in shown) else _IN_A_LINE - 1
    lines = (line(9, *shown[first : first + beside]) for first in range(0, len(shown), beside))
    return row(f"of_{name}", f"{_title(name)} ({len(shown)})", *lines, collapsed=True)


TAB = Tab(
    key="alerts",
    title="SLOs & alerts",
    folder="Administration",
    description="What fires, what fired, how far is everything else from firing, and how much of each error budget is left?",
    owner="platform team",
    sources=(
        Source("Prometheus", "alerts as they stand, and the very questions of the alerts under the chosen filters"),
        Source("PostgreSQL", "what Alertmanager told, kept by its webhook, for as long as the retention says"),
    ),
    rows=rows,
    empty_is_fine=frozenset(
        {
            *(f"alerts/{name}" for name in ("firing_alerts", "timeline", "load", "frequent", "latest", "distance")),
            *(alert.panel_key for alert in ALERTS if not alert.panel),  # drawn only where enough happened to judge
        }
    ),
)

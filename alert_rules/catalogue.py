"""All alerts of the house."""

from __future__ import annotations

from alert_rules import (
    agents,
    anomalies,
    behaviour,
    capacity,
    conversations,
    cost,
    exporter,
    feedback,
    forecasts,
    knowledge,
    models,
    own,
    reconciliation,
    services,
    slo,
    sources,
    stores,
    tickets,
    tools,
    upkeep,
    watching,
)
from alert_rules.model import Alert
from alert_rules.validation import AlertError, findings
from contract.settings import Settings

_CONCERNS = (
    agents,
    anomalies,
    conversations,
    cost,
    services,
    tools,
    models,
    reconciliation,
    behaviour,
    knowledge,
    tickets,
    feedback,
    forecasts,
    capacity,
    stores,
    sources,
    exporter,
    watching,
    upkeep,
    slo,
)
ALERTS: tuple[Alert, ...] = tuple(alert for concern in _CONCERNS for alert in concern.ALERTS)


def active(settings: Settings) -> tuple[Alert, ...]:
    """The alerts that a site has: without an environment that pages, there are no pages."""
    pages = bool(settings.notifications.paging_environments)
    ours = (alert for alert in ALERTS if alert.needed(settings) and (pages or not alert.paging))
    return (*ours, *own.alerts(settings))


def checked(settings: Settings) -> tuple[Alert, ...]:
    """The site's alerts. Raises AlertError with every mistake when one is not sound."""
    alerts = active(settings)
    if found := findings(alerts, settings):
        raise AlertError(found)
    return alerts

"""Alerts as Prometheus rules."""

from __future__ import annotations

from alert_rules import wording
from alert_rules.catalogue import checked
from alert_rules.model import Alert, Also, Guard
from contract.settings import Settings
from contract.signals.model import Matches
from contract.values import duration_seconds
from recording_rules.registry import query


def enough(guard: Guard, by: tuple[str, ...], where: Matches, settings: Settings) -> str:
    """PromQL that holds where as much happened as a guard asks for."""
    count = f"{query(guard.signal, by, guard.window, where)} * {wording.decimal(duration_seconds(guard.window))}"
    return f"{count} >= {guard.count(settings)}"


def further(also: Also, by: tuple[str, ...], where: Matches, settings: Settings) -> str:
    """PromQL that holds where a further condition does."""
    return f"{query(also.signal, by, also.window, where)} {also.comparison} {wording.decimal(also.value(settings))}"


def expression(alert: Alert, settings: Settings) -> str:
    """PromQL of an alert: the signal beyond its limit, and enough traffic to mean something, label by label."""
    where = alert.where(settings)
    also = (further(condition, alert.by, where, settings) for condition in alert.also)
    beyond = f"{query(alert.signal, alert.by, alert.window, where)} {alert.comparison} {wording.decimal(alert.limit(settings))}"
    return " and ".join((beyond, *also, *(enough(guard, alert.by, where, settings) for guard in alert.guards)))


def rule(alert: Alert, settings: Settings) -> dict[str, object]:
    """One rule of a Prometheus rule file."""
    kept = {"keep_firing_for": alert.keep_firing_for} if alert.keep_seconds else {}
    return {
        "alert": alert.name,
        "expr": expression(alert, settings),
        "for": alert.hold,
        **kept,
        "labels": wording.rule_labels(alert),
        "annotations": wording.rule_annotations(alert, settings),
    }


def rule_groups(settings: Settings) -> list[dict[str, object]]:
    """All alerts as Prometheus rule groups, by name. Raises AlertError with every mistake when one is not sound."""
    alerts = checked(settings)
    groups = sorted({alert.group for alert in alerts}, key=lambda group: group.name)
    return [
        {
            "name": group.name,
            "interval": group.interval,
            "rules": [rule(alert, settings) for alert in sorted(alerts, key=lambda a: a.name) if alert.group == group],
        }
        for group in groups
    ]

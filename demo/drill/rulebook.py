"""The rules of a build, and which series anybody reads who is woken by one of its alerts."""

from __future__ import annotations

from typing import Any

from alert_rules import rules
from alert_rules.catalogue import active
from alert_rules.model import MetricCheck
from alert_rules.runbooks import check_query
from contract.settings import Settings
from provisioning.rules.built import from_groups
from provisioning.rules.plan import Readings
from provisioning.rules.selectors import selected
from recording_rules import registry

Groups = list[dict[str, Any]]


def built(settings: Settings) -> Groups:
    """The rule groups of a build."""
    return [*registry.rule_groups(settings), *rules.rule_groups(settings)]


def read(settings: Settings) -> frozenset[str]:
    """Names of all series that alerts and the first checks of their runbooks read, however far down."""
    readings = Readings(from_groups("the build", built(settings)))
    checks = [check for alert in active(settings) for check in alert.checks if isinstance(check, MetricCheck)]
    waiting = [one for alert in readings.build.alerting for one in readings.of[alert.expression]]
    waiting += [one for check in checks for one in selected(check_query(check))]
    found = set[str]()
    while waiting:
        name = waiting.pop().name
        if name not in found:
            found.add(name)
            waiting += [one for rule in readings.by_name.get(name, ()) for one in readings.of[rule.expression]]
    return frozenset(found)

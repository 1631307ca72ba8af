"""Alerts that a site adds in its configuration, on the pattern of the house's own."""

from __future__ import annotations

from dataclasses import replace

from alert_rules.accounts import changed, counted
from alert_rules.agents import AGENT, ERROR_RATIO, RESPONSE_TIME, about
from alert_rules.model import Alert, AlertGroup, Severity
from alert_rules.stories import Story, standard
from contract.own_alerts import Measure, OwnAlert
from contract.settings import Settings
from contract.signals.agents import AGENT_QUERIES

GROUP = AlertGroup("own_alerts", "30s")


def _crowded(alert: Alert, settings: Settings) -> Story:
    labels = tuple((label, value) for label, value in about(alert, settings) if label != "environment")
    return changed(labels, counted("agent_queries_total", ("status", "success"), ("version", "1.4.0")))(alert, settings)


_CROWDED = replace(
    RESPONSE_TIME,
    concern="agent-throughput",
    signal=AGENT_QUERIES,
    summary="An agent gets more queries than it was meant to.",
    description="Agent {agent} in {environment} finished {value} in the last {window}; {threshold} is the limit. It has been "
    "so for {hold}.",
    meaning="More queries a second than the site expects of this agent.",
    impact="None by itself. Beyond the agent's capacity queries wait.",
    guards=(),
    labels=(),
    scenarios=standard(_crowded),
)
_PATTERNS: dict[Measure, Alert] = {"latency": RESPONSE_TIME, "errors": ERROR_RATIO, "throughput": _CROWDED}


def alert(own: OwnAlert) -> Alert:
    """The alert that an entry of the configuration describes."""
    pattern = _PATTERNS[own.measure]
    return replace(
        pattern,
        name=own.name,
        group=GROUP,
        by=AGENT,
        threshold=own.above,
        hold=own.hold,
        severity=Severity(own.severity),
        team=own.team,
        description=f"{pattern.description} {own.reason}",
        impact=f"{own.reason} {pattern.impact}",
        panel="",
        only=own.agents,
    )


def alerts(settings: Settings) -> tuple[Alert, ...]:
    """The site's own alerts."""
    return tuple(alert(own) for own in settings.alerts)

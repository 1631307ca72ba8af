"""The alerts on the platform as a whole: what there is, who mutes whom, and that none of them fires on a handful of events."""

from __future__ import annotations

from typing import Any

import pytest

from alert_rules import (
    agents,
    behaviour,
    capacity,
    conversations,
    cost,
    feedback,
    inhibitions,
    knowledge,
    models,
    services,
    stores,
    tickets,
    tools,
)
from alert_rules.catalogue import ALERTS
from alert_rules.model import Alert, Kind, MetricCheck, Severity
from contract.settings import Settings
from contract.signals.model import Change, Mean, Quantile, Ratio, Signal

DEFAULTS = Settings()
MODULES = (
    agents, behaviour, capacity, conversations, cost, feedback, knowledge, models, services, stores, tickets, tools,
)  # fmt: skip
PLATFORM = tuple(alert for module in MODULES for alert in module.ALERTS)


def named(name: str) -> Alert:
    (found,) = (alert for alert in PLATFORM if alert.name == name)
    return found


def muted_by(name: str) -> set[str]:
    """Names of the alerts that Alertmanager holds back while this one fires."""
    found = set()
    for rule in inhibitions.rules(ALERTS):
        if rule["source_matchers"] == [f'alertname="{name}"']:
            (target,) = rule["target_matchers"]
            found |= set(target.split("=", 1)[1].strip('~"').split("|"))
    return found


def test_every_alert_is_part_of_the_build() -> None:
    assert set(PLATFORM) <= set(ALERTS)


@pytest.mark.parametrize(
    ("worse", "milder"),
    [
        ("HttpErrorsPage", {"HttpErrorRatioHigh"}),
        ("AgentErrorsPage", {"AgentErrorRatioHigh", "AgentErrorRatioCritical", "HttpErrorRatioHigh"}),
        ("AgentResponseTimePage", {"AgentResponseTimeHigh", "HttpResponseTimeHigh"}),
        ("AgentCapacityExhausted", {"AgentCapacityHigh"}),
        ("DatabasePoolExhausted", {"DatabasePoolNearlyExhausted", "DatabasePoolRequestsWaiting"}),
        (
            "ModelProviderDown",
            {"ModelErrorRatioHigh", "ModelRateLimited", "AgentErrorRatioHigh", "AgentResponseTimeHigh", "AgentRetriesHigh"},
        ),
    ],
)
def test_the_worse_and_the_cause_mute_what_follows(worse: str, milder: set[str]) -> None:
    assert muted_by(worse) == milder


def test_an_outage_of_a_provider_leaves_pages_and_what_is_critical_alone() -> None:
    assert not muted_by("ModelProviderDown") & {alert.name for alert in ALERTS if alert.severity is Severity.CRITICAL}


def _of_events(signal: Signal) -> bool:
    return isinstance(signal.now if isinstance(signal, Change) else signal, (Ratio, Quantile, Mean))


@pytest.mark.parametrize("alert", [alert for alert in PLATFORM if _of_events(alert.signal)], ids=lambda alert: alert.name)
def test_a_share_or_percentile_has_a_least_number_and_is_proven_quiet_below_it(alert: Alert) -> None:
    assert alert.guards
    told = [one.story for one in alert.scenarios(alert, DEFAULTS) if one.kind is Kind.QUIET]
    assert "it goes badly, but next to nothing happens" in told


@pytest.mark.parametrize("alert", [a for a in PLATFORM if isinstance(a.signal, Change)], ids=lambda alert: alert.name)
def test_what_is_compared_with_the_past_is_proven_quiet_with_a_past(alert: Alert) -> None:
    quiet = [one for one in alert.scenarios(alert, DEFAULTS) if one.kind is Kind.QUIET]
    assert all(len(one.phases) == 2 and max(one.quiet) >= one.phases[0].seconds for one in quiet)
    assert all(min(one.quiet) < one.phases[0].seconds for one in quiet)  # and while there is hardly any


def test_gauges_outlast_the_loss_of_their_source() -> None:
    """They end at once when it goes; AllTargetsDown needs 75 seconds to say so."""
    for alert in PLATFORM:
        (lost,) = (one for one in alert.scenarios(alert, DEFAULTS) if one.kind is Kind.SOURCE_LOST)
        if not lost.phases[0].flows or not lost.phases[0].flows[0].counts:
            assert alert.keep_seconds >= 90, alert.name


def test_only_what_fails_for_everybody_now_wakes_people() -> None:
    assert {alert.name for alert in PLATFORM if alert.paging} == {"AgentErrorsPage", "AgentResponseTimePage", "HttpErrorsPage"}


def test_the_same_is_never_said_twice() -> None:
    said: dict[str, str] = {}
    for alert in PLATFORM:
        for text in (alert.summary, alert.description):
            assert said.setdefault(text, alert.name) == alert.name


@pytest.mark.parametrize("alert", PLATFORM, ids=lambda alert: alert.name)
def test_first_checks_ask_of_things_by_labels_that_they_have(alert: Alert) -> None:
    asked = [check for check in alert.checks if isinstance(check, MetricCheck)]
    assert asked
    for check in asked:
        assert set(check.by) <= check.signal.labels, check.question


@pytest.mark.parametrize(
    ("field", "value", "milder"),
    [
        ("http_error_ratio_page", 0.05, "http_error_ratio"),
        ("provider_error_ratio", 0.1, "model_error_ratio"),
        ("capacity_ratio_critical", 0.5, "capacity_ratio"),
        ("pool_ratio_critical", 0.8, "pool_ratio"),
    ],
)
def test_a_worse_limit_that_comes_first_is_refused(field: str, value: Any, milder: str) -> None:
    with pytest.raises(ValueError, match=f"{field} {value:g} must be above {milder}"):
        Settings.model_validate({"thresholds": {field: value}})

"""What mutes what: by our own reading of the rules, and in a real Alertmanager, where a source that goes away ends no alert."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from alert_rules import inhibitions, matching, routes, wording
from alert_rules.catalogue import ALERTS
from alert_rules.model import Alert, Severity
from contract.settings import Settings
from contract.values import duration_seconds
from tests.alert_rules.delivery import OVER, Delivery, running, until

BY_NAME = {alert.name: alert for alert in ALERTS}


def like(name: str, **changes: Any) -> Alert:
    return replace(BY_NAME["AgentErrorRatioHigh"], name=name, **changes)


PROVIDER = like("ProviderDown", concern="provider", severity=Severity.CRITICAL, by=("environment", "provider"))
SLOW_MODEL = like(
    "FirstTokenSlow", concern="model", by=("environment", "provider", "model"), labels=(("depends", "ProviderDown"),)
)
FAILING = like("AgentsFail", concern="fail", by=("environment", "agent"), labels=(("depends", "ProviderDown"),))
URGENT = like("AgentsFailPage", concern="more", severity=Severity.CRITICAL, paging=True, labels=(("depends", "ProviderDown"),))
WHOLE = (*ALERTS, PROVIDER, SLOW_MODEL, FAILING, URGENT)
RULES = {"inhibit_rules": inhibitions.rules(WHOLE)}
OWN = {alert.name: wording.rule_labels(alert) | {"alertname": alert.name} for alert in WHOLE}


def labels(name: str, **own: str) -> dict[str, str]:
    return OWN[name] | own


def muted(target: dict[str, str], *firing: dict[str, str]) -> bool:
    return matching.muted(RULES, target, firing)


BILLING = {"environment": "production", "agent": "billing"}
WARNING = labels("AgentErrorRatioHigh", **BILLING)
CRITICAL = labels("AgentErrorRatioCritical", **BILLING)
PAGE = labels("AgentErrorsPage", environment="production")


@pytest.mark.parametrize(
    ("source", "target", "mutes"),
    [
        (CRITICAL, WARNING, True),
        (CRITICAL, WARNING | {"agent": "support"}, False),
        (PAGE, WARNING, True),
        (PAGE, CRITICAL, True),
        (PAGE, WARNING | {"environment": "staging"}, False),
        (PAGE, labels("AgentResponseTimeHigh", **BILLING), False),
        (WARNING, CRITICAL, False),
        (CRITICAL, PAGE, False),
        (labels("CostBudgetExceeded", scope="all"), labels("CostBudgetNearlySpent", scope="all"), True),
        (labels("CostBudgetExceeded", scope="all"), labels("CostForecastOverBudget", scope="production"), False),
    ],
)
def test_the_worse_mutes_the_milder_about_the_same_thing(source: dict[str, str], target: dict[str, str], mutes: bool) -> None:
    assert muted(target, source) is mutes


PLATFORM_GONE = labels("AllTargetsDown", job="platform", environment="production")
EXPORTER_GONE = labels("AllTargetsDown", job="exporter")
POSTGRES_GONE = labels("SourceDown", source="postgres")
LANGFUSE_GONE = labels("SourceDown", source="langfuse")
POSTGRES_OLD = labels("DataTooOld", source="postgres")
FAILING_QUERY = labels("ExporterQueryFailing", source="postgres", query="tables")
BEHIND = labels("RollupBehind", source="executions")
FROM_POSTGRES = labels("AgentSuccessRateLow", **BILLING)
FROM_LANGFUSE = labels("CostBudgetExceeded", scope="all")


@pytest.mark.parametrize(
    ("cause", "symptom", "mutes"),
    [
        (PLATFORM_GONE, PAGE, True),
        (PLATFORM_GONE, PAGE | {"environment": "staging"}, False),
        (PLATFORM_GONE, FROM_POSTGRES, False),
        (EXPORTER_GONE, FROM_POSTGRES, True),
        (EXPORTER_GONE, FROM_LANGFUSE, True),
        (EXPORTER_GONE, PAGE, False),
        (POSTGRES_GONE, FROM_POSTGRES, True),
        (POSTGRES_GONE, FROM_LANGFUSE, False),
        (POSTGRES_OLD, FROM_POSTGRES, True),
        (POSTGRES_GONE, POSTGRES_OLD, True),
        (POSTGRES_OLD, POSTGRES_GONE, False),
        (EXPORTER_GONE, POSTGRES_GONE, True),
        (EXPORTER_GONE, POSTGRES_OLD, True),
        (EXPORTER_GONE, EXPORTER_GONE, False),
        (POSTGRES_GONE, FAILING_QUERY, True),
        (POSTGRES_OLD, FAILING_QUERY, False),
        (POSTGRES_GONE, BEHIND, True),
        (POSTGRES_OLD, BEHIND, False),
        (EXPORTER_GONE, FAILING_QUERY, True),
        (EXPORTER_GONE, BEHIND, True),
        (LANGFUSE_GONE, FAILING_QUERY, False),
        (PLATFORM_GONE, labels("Watchdog"), False),
        (labels("AllTargetsDown", job="prometheus"), PAGE, False),
    ],
)
def test_a_source_that_is_gone_mutes_what_it_said(cause: dict[str, str], symptom: dict[str, str], mutes: bool) -> None:
    assert muted(symptom, cause) is mutes


def test_an_outage_of_a_provider_mutes_what_depends_on_it_and_is_not_more_urgent() -> None:
    outage = labels("ProviderDown", environment="production", provider="acme")
    slow = labels("FirstTokenSlow", environment="production", provider="acme", model="m")
    assert muted(slow, outage)
    assert not muted(slow | {"provider": "other"}, outage)
    assert muted(labels("AgentsFail", **BILLING), outage)
    assert not muted(labels("AgentsFail", environment="staging", agent="billing"), outage)
    assert not muted(labels("AgentsFailPage", **BILLING), outage)


def test_causes_have_the_labels_that_the_rules_ask_for() -> None:
    for cause in inhibitions.CAUSES:
        assert {cause.label, *cause.same} <= set(BY_NAME[cause.alert].by), cause
    assert {alert.concern for alert in ALERTS} >= set(inhibitions.READING)


def test_what_ends_with_its_source_is_dropped_while_the_cause_still_fires() -> None:
    shortest = min(BY_NAME[cause.alert].keep_seconds for cause in inhibitions.CAUSES)
    configuration = routes.configuration(Settings())
    tells_ends = {
        receiver["name"]
        for receiver in configuration["receivers"]
        for way in (*receiver.get("slack_configs", ()), *receiver.get("email_configs", ()))
        if way["send_resolved"]
    }

    def waits(route: dict[str, Any], interval: str) -> Iterator[tuple[str, float]]:
        interval = route.get("group_interval", interval)
        yield route["receiver"], duration_seconds(interval)
        for child in route.get("routes", ()):
            yield from waits(child, interval)

    slow = {name for name, seconds in waits(configuration["route"], "") if seconds > shortest}
    assert slow and not slow & tells_ends, "what waits longer is only good to know"


# ---- in a real Alertmanager


@pytest.fixture(scope="module")
def delivery(tmp_path_factory: pytest.TempPathFactory, prometheus_tools: Any) -> Iterator[Delivery]:
    with running(tmp_path_factory.mktemp("alertmanager"), prometheus_tools, {}) as found:
        yield found


@pytest.mark.integration
def test_a_source_that_goes_away_while_alerts_fire_ends_none_of_them(delivery: Delivery) -> None:
    elsewhere = {"environment": "staging", "agent": "billing"}
    for about in (BILLING, elsewhere):
        delivery.send("AgentErrorRatioCritical", about)
        delivery.slack_message(f"Critical: AgentErrorRatioCritical in {about['environment']}")

    gone = {"environment": "production", "job": "platform"}
    delivery.send("AllTargetsDown", gone)
    delivery.slack_message("Critical: AllTargetsDown in production")
    delivery.muted("AgentErrorRatioCritical")
    for about in (BILLING, elsewhere):  # Prometheus knows nothing any more, and so says that they are over
        delivery.send("AgentErrorRatioCritical", about, ends=OVER)
    delivery.flushed("AgentErrorRatioCritical", "resolved", "production")
    delivery.slack_message("Resolved: AgentErrorRatioCritical in staging")

    delivery.send("AllTargetsDown", gone, ends=OVER)
    delivery.slack_message("Resolved: AllTargetsDown in production")
    delivery.send("AgentErrorRatioCritical", BILLING | {"agent": "another"})
    delivery.slack_message("Critical: AgentErrorRatioCritical in production", "another")
    assert "Resolved: AgentErrorRatioCritical in production" not in delivery.titles()
    ends = [one["labels"] for body in delivery.webhooks.got["history"] for one in body["alerts"] if one["status"] == "resolved"]
    assert {"billing"} == {found["agent"] for found in ends if "agent" in found and found["environment"] == "staging"}
    assert not [found for found in ends if "agent" in found and found["environment"] == "production"]
    texts = [message["attachments"][0]["text"] for message in delivery.slack]
    assert not [text for text in texts if "billing in production" in text and "is over" in text]


@pytest.mark.integration
def test_the_milder_alert_is_told_when_the_worse_is_over(delivery: Delivery) -> None:
    about = {"scope": "staging"}
    delivery.send("CostBudgetExceeded", about)
    delivery.slack_message("Critical: CostBudgetExceeded")
    delivery.send("CostBudgetNearlySpent", about)
    delivery.flushed("CostBudgetNearlySpent", "active")
    assert "Warning: CostBudgetNearlySpent" not in delivery.titles()
    delivery.send("CostBudgetExceeded", about, ends=OVER)
    delivery.slack_message("Warning: CostBudgetNearlySpent")


@pytest.mark.integration
def test_warnings_wait_for_the_teams_hours_and_critical_alerts_do_not(tmp_path: Path, prometheus_tools: Any) -> None:
    another_day = (datetime.now(UTC) + timedelta(days=3)).strftime("%A").lower()
    teams = [
        {"name": name, "slack_channel": f"#{name}", "hours": {"days": another_day, "start": "00:00", "end": "24:00"}}
        for name in ("platform", "agents", "finance", "support")
    ]
    with running(tmp_path, prometheus_tools, {"teams": teams}) as delivery:
        delivery.send("AgentResponseTimeHigh", BILLING)
        delivery.flushed("AgentResponseTimeHigh", "active", "production")
        delivery.send("AgentErrorRatioCritical", BILLING)
        delivery.slack_message("Critical: AgentErrorRatioCritical in production")
        assert delivery.titles() == ["Critical: AgentErrorRatioCritical in production"]

        def told() -> bool | None:
            bodies = delivery.webhooks.got["history"]
            names = {one["labels"]["alertname"] for body in bodies for one in body["alerts"]}
            return "AgentResponseTimeHigh" in names or None

        assert until(told, lambda: "history of the warning that waits")


def a_minute_is_two_seconds(route: dict[str, Any]) -> dict[str, Any]:
    quick = {
        key: f"{duration_seconds(route[key]) * 1000 / 30:.0f}ms" if key in ("group_interval", "repeat_interval") else "0s"
        for key in ("group_wait", "group_interval", "repeat_interval")
        if key in route
    }
    return route | quick | ({"routes": list(map(a_minute_is_two_seconds, route["routes"]))} if "routes" in route else {})


@pytest.mark.integration
def test_the_dead_mans_switch_is_called_each_minute_and_people_never(tmp_path: Path, prometheus_tools: Any) -> None:
    with running(tmp_path, prometheus_tools, {}, WHOLE, a_minute_is_two_seconds) as delivery:
        got = delivery.webhooks.got
        delivery.post({"labels": labels("Watchdog"), "annotations": {}})
        until(lambda: len(got["deadman"]) >= 3 or None, lambda: "third call")
        assert {one["labels"]["alertname"] for body in got["deadman"] for one in body["alerts"]} == {"Watchdog"}
        assert delivery.slack == [] and delivery.mailbox.messages == []
        assert len(got["history"]) == 1, "the history hears of it once a day"

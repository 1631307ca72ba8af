"""promtool agrees with every scenario, under the defaults and under other limits."""

from __future__ import annotations

import re
from functools import cache
from math import ceil
from typing import Any

import pytest

from alert_rules import wording
from alert_rules.catalogue import ALERTS, active
from alert_rules.model import Alert, Kind
from alert_rules.rules import expression, rule_groups
from alert_rules.scenarios import promtool_files
from contract.keys import panel_id
from contract.settings import Settings
from contract.signals.model import Always
from contract.thresholds import Thresholds
from provisioning import build
from provisioning.check.scenarios import proved
from recording_rules import registry

pytestmark = pytest.mark.usefixtures("on_a_disk")
DEFAULTS = Settings()
SOURCES = ("platform", "postgres", "langfuse", "exporter", "foreign", "of the series")
OTHERS = Settings.model_validate(
    {
        "alerts": [
            {
                "name": "BillingSlow",
                "measure": "latency",
                "above": 5,
                "agents": ["billing"],
                "severity": "critical",
                "team": "finance",
                "reason": "Customers leave when an invoice takes this long.",
            },
            {"name": "AnyFailing", "measure": "errors", "above": 0.5, "team": "agents", "reason": "Half of all is bad."},
            {
                "name": "SupportCrowded",
                "measure": "throughput",
                "above": 2,
                "agents": ["support", "sales.eu"],
                "hold": "10m",
                "team": "support",
                "reason": "More than the team can follow up.",
            },
        ],
        "thresholds": {
            "success_ratio": 0.6,
            "response_seconds": 0.5,
            "error_ratio": 0.01,
            "error_ratio_critical": 0.5,
            "error_ratio_page": 0.85,
            "response_seconds_page": 60,
            "budget_warning": 0.5,
            "minimum_queries": 200,
            "minimum_queries_page": 1,
            "minimum_failures_page": 40,
            "minimum_conversations": 1,
            "minimum_failures": 1,
            "retries_per_query": 3,
            "guardrail_block_ratio": 0.5,
            "minimum_blocks": 100,
            "handoff_change": 1.2,
            "negative_feedback_ratio": 0.9,
            "nps_drop": 10,
            "minimum_nps_answers": 1,
            "http_error_ratio": 0.001,
            "http_error_ratio_page": 0.9,
            "http_seconds": 0.025,
            "minimum_requests": 1,
            "vector_seconds": 2.5,
            "cache_hits_left": 0.2,
            "minimum_lookups": 1,
            "tool_error_ratio": 0.6,
            "workflow_error_ratio": 0.01,
            "model_error_ratio": 0.5,
            "provider_error_ratio": 0.99,
            "first_chunk_seconds": 0.16,
            "model_seconds": 0.08,
            "first_chunk_change": 12,
            "tokens_per_call_change": 1.1,
            "cost_change": 20,
            "cost_change_week": 1.3,
            "minimum_cost_usd": 500,
            "cost_per_success_change": 1.1,
            "capacity_ratio": 0.3,
            "pool_waiting": 1,
            "queue_age_seconds": 30,
            "redis_evictions": 0.1,
            "postgres_deadlocks": 900,
            "empty_search_ratio": 0.7,
            "search_seconds": 0.05,
            "sla_attainment": 0.8,
            "tickets_at_risk": 1,
            "first_response_seconds": 900,
            "minimum_tickets": 1,
            "reopen_ratio": 0.05,
            "regression_ratio": 3,
            "minimum_queries_percentile": 3,
            "minimum_missed": 1,
            "minimum_retries": 1,
            "minimum_handoffs": 300,
            "minimum_negative_feedback": 1,
            "store_error_ratio": 0.5,
            "minimum_operations": 1,
            "login_failure_ratio": 0.9,
            "minimum_login_failures": 1,
            "rate_limited_ratio": 0.6,
            "minimum_model_calls": 1,
            "minimum_model_calls_hour": 1,
            "capacity_ratio_critical": 0.5,
            "pool_ratio": 0.2,
            "pool_ratio_critical": 0.99,
            "queue_messages": 3,
            "minimum_waiting": 40,
            "redis_memory_ratio": 0.1,
            "postgres_connection_ratio": 0.1,
            "minimum_empty_searches": 1,
            "minimum_searches": 500,
            "upload_failure_ratio": 0.01,
            "tickets_overdue": 1,
            "urgent_unassigned": 9,
            "minimum_reopens": 1,
            "data_age_seconds": 90,
            "rollup_age_seconds": 3000,
            "query_seconds": 0.25,
            "ledger_lag_seconds": 60,
            "requests_left": 0.9,
            "rule_duration_share": 0.05,
            "samples_left": 0.95,
            "budget_share_hour": 0.005,
            "budget_share_6_hours": 0.5,
            "budget_share_day": 0.02,
            "budget_share_3_days": 0.5,
            "minimum_slo_events": 3,
            "regression_minimum": 1,
            "regression_p_value": 0.2,
            "capacity_left_seconds": 3600,
            "storage_left_seconds": 3600,
            "budget_left_seconds": 86400,
            "storage_gigabytes": 5,
            "accounted_share": 0.3,
            "minimum_accounted": 1,
        },
        "environments": ["live", "test"],
        "notifications": {"paging_environments": ["live", "test"]},
        "budgets": [{"scope": "live", "monthly_usd": 99.5}],
        "runbook_url": "https://wiki.example.com/runbooks",
    }
)


def test_promtool_accepts_both_rule_sets(built: Any) -> None:
    checked = built.run("check", "rules", *built.rules(DEFAULTS))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    found = sum(int(count) for count in re.findall(r"(\d+) rules found", checked.stdout))
    recorded = sum(len(group.rules) for group in registry.groups(DEFAULTS))
    assert found == len(active(DEFAULTS)) + recorded


@cache
def built_for(scrapes: str) -> dict[str, bytes]:
    """The rules and scenarios under the defaults, or under the other limits at another interval between scrapes."""
    return build.rules_and_scenarios(others(scrapes) if scrapes else DEFAULTS)


def others(scrapes: str) -> Settings:
    """The other limits. Whoever scrapes once a minute cannot page: no window of a page would hold two scrapes."""
    found = OTHERS.model_dump(exclude_unset=True) | {"sources": {"prometheus": {"scrape_interval": scrapes}}}
    return Settings.model_validate(found | ({"notifications": {"paging_environments": []}} if scrapes == "60s" else {}))


@pytest.mark.parametrize("alert", [alert.name for alert in ALERTS])
def test_promtool_agrees_with_the_scenarios(alert: str, prometheus_tools: Any) -> None:
    assert prometheus_tools.promtool.exists()
    assert proved(f"prometheus/tests/{alert}.yml", built_for("")) == []


OTHERWISE = [
    alert for alert in active(OTHERS) if alert not in ALERTS or expression(alert, OTHERS) != expression(alert, DEFAULTS)
]
"""The alerts that ask something else under the other limits, and those of the site's own."""
SCRAPES = ("5s", "30s", "60s")
"""Between scrapes, beside the 15 seconds of the defaults: each alert is proved at one of them, pages at the shorter two, and
those that look back an hour or more at the longer two: to them five seconds are as fifteen, at three times the price."""


def _turns(alert: Alert) -> tuple[str, ...]:
    return SCRAPES[:2] if alert.paging else SCRAPES[1:] if alert.window_seconds >= 3600 else SCRAPES


AT_TURNS = [(alert.name, _turns(alert)[n % len(_turns(alert))]) for n, alert in enumerate(OTHERWISE)]


@pytest.mark.parametrize(("alert", "scrapes"), AT_TURNS)
def test_scenarios_hold_for_other_limits_and_scrapes_too(alert: str, scrapes: str, prometheus_tools: Any) -> None:
    assert prometheus_tools.promtool.exists()
    assert proved(f"prometheus/tests/{alert}.yml", built_for(scrapes)) == []


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_the_other_limits_are_all_that_alerts_name(alert: Any) -> None:
    named = {alert.threshold, *(guard.least for guard in alert.guards), *(also.limit for also in alert.also)}
    assert named & set(Thresholds.model_fields) <= OTHERS.thresholds.model_fields_set


def test_the_scenarios_notice_a_wrong_limit(built: Any) -> None:
    other = DEFAULTS.model_copy(update={"thresholds": DEFAULTS.thresholds.model_copy(update={"error_ratio": 0.9})})
    built.rules(other)
    result = built.run("test", "rules", built.write_test("t.yml", promtool_files(DEFAULTS)["AgentErrorRatioHigh.yml"]))
    assert result.returncode == 1
    assert "AgentErrorRatioHigh fires: it goes badly from the first moment" in result.stdout + result.stderr


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_every_alert_is_proven_in_all_kinds_and_a_minute_before_it_fires(alert: Any) -> None:
    scenarios = alert.scenarios(alert, DEFAULTS)
    assert {scenario.kind for scenario in scenarios} == set(Kind)
    if isinstance(alert.signal, Always):
        return  # it fires from the first moment on, and is never quiet
    (fires,) = (scenario for scenario in scenarios if scenario.kind is Kind.FIRES)
    look = fires.look or fires.step or 15
    minute = ceil(60 / look) * look
    assert fires.firing[0][0] - max(fires.quiet) in ((minute,) if alert.hold_seconds else (look, minute))


def test_every_rule_says_who_what_where_and_what_next() -> None:
    rules = {rule["alert"]: rule for group in rule_groups(DEFAULTS) for rule in group["rules"]}  # type: ignore[attr-defined]
    assert sorted(rules) == sorted(alert.name for alert in ALERTS)
    for alert in ALERTS:
        rule = rules[alert.name]
        assert rule["labels"]["severity"] == alert.severity
        assert rule["labels"].get("team", "") == alert.team
        assert rule["labels"].get("source", "of the series") in SOURCES
        assert ("paging" in rule["labels"]) == alert.paging
        annotations = rule["annotations"]
        assert annotations["runbook_url"] == f"{DEFAULTS.runbook_url}/{alert.name}"
        assert annotations["__panelId__"] == str(panel_id(alert.panel_key))
        assert f"viewPanel={panel_id(alert.panel_key)}" in annotations["dashboard_url"]
        for label in alert.by:
            assert f"{{{{ $labels.{label} }}}}" in annotations["description"]
        if alert.hold_seconds and alert.signal.unit != "currencyUSD" and alert.guards:
            assert wording.span(alert.hold) in annotations["description"]


def test_pages_are_alone_fast_and_for_production_only() -> None:
    groups = {group["name"]: group for group in rule_groups(DEFAULTS)}
    pages = groups["agent_pages"]
    assert pages["interval"] == "15s"
    for rule in pages["rules"]:  # type: ignore[attr-defined]
        assert rule["for"] == "0s"
        selectors = re.findall(r"agent_quer\w+{([^}]*)}", rule["expr"])
        assert selectors and all('environment="production"' in selector for selector in selectors)
    assert all(rule.get("labels", {}).get("paging") for rule in pages["rules"])  # type: ignore[attr-defined]


def test_without_a_paging_environment_there_are_no_pages() -> None:
    nobody = Settings.model_validate({"notifications": {"paging_environments": []}})
    assert "agent_pages" not in [group["name"] for group in rule_groups(nobody)]


def test_equal_settings_give_equal_rules() -> None:
    assert rule_groups(Settings()) == rule_groups(Settings())
    assert promtool_files(Settings()) == promtool_files(Settings())


@pytest.mark.parametrize(
    ("number", "text"), [(0.1 + 0.2, "0.3"), (5.0, "5"), (12.5, "12.5"), (1e6, "1000000"), (1e-5, "0.00001"), (0.0, "0")]
)
def test_numbers_are_printed_as_decimals(number: float, text: str) -> None:
    assert wording.decimal(number) == text


@pytest.mark.parametrize(
    ("duration", "text"), [("5m", "5 minutes"), ("1h", "1 hour"), ("15s", "15 seconds"), ("1h30m", "1h30m")]
)
def test_durations_are_written_in_words(duration: str, text: str) -> None:
    assert wording.span(duration) == text

"""An alert that is not sound is refused, with every mistake and its place."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from alert_rules import catalogue
from alert_rules.agents import ERROR_RATIO, ERRORS_PAGE, PAGES, RESPONSE_TIME
from alert_rules.catalogue import ALERTS
from alert_rules.cost import NEARLY_SPENT
from alert_rules.model import AlertGroup, Guard, Kind, Severity
from alert_rules.rules import rule_groups
from alert_rules.validation import AlertError, findings
from contract.settings import Settings
from contract.signals.agents import AGENT_QUERIES
from contract.signals.http import HTTP_REQUESTS
from contract.signals.model import Rate

DEFAULTS = Settings()


def said(*alerts: Any, settings: Settings = DEFAULTS) -> list[str]:
    return [str(finding) for finding in findings(alerts, settings)]


def without(*kinds: Kind) -> Any:
    def scenarios(alert: Any, settings: Settings) -> Any:
        return tuple(one for one in ERROR_RATIO.scenarios(alert, settings) if one.kind not in kinds)

    return scenarios


def test_our_own_alerts_are_sound() -> None:
    assert said(*ALERTS) == []


FAULTS = [
    (ERROR_RATIO, {"scenarios": without(Kind.FIRES)}, "scenarios: no scenario shows that it can fire"),
    (ERROR_RATIO, {"scenarios": without(Kind.QUIET)}, "scenarios: no scenario shows that it can be quiet"),
    (ERROR_RATIO, {"by": ("environment", "tool")}, "by: agent_queries_total has no label tool; it has agent,"),
    (ERROR_RATIO, {"by": ("environment", "agent", "severity")}, "by: severity is a label that the rule sets itself"),
    (ERROR_RATIO, {"by": ("environment",)}, "description: {agent} does not survive the grouping by environment"),
    (ERROR_RATIO, {"description": "{value} and {"}, "description: its placeholders cannot be read"),
    (ERROR_RATIO, {"team": "nobody"}, "team: there is no team nobody in the settings; teams are platform, agents, finance"),
    (ERROR_RATIO, {"name": "agent_errors"}, "name: names are CamelCase"),
    (ERROR_RATIO, {"name": "A" + "gent" * 10}, "name: names are CamelCase and at most 40 characters long"),
    (ERROR_RATIO, {"summary": "{agent} fails."}, "summary: is one fixed sentence"),
    (ERROR_RATIO, {"threshold": "eror_ratio"}, "threshold: the thresholds have no field eror_ratio; they have success_ratio,"),
    (ERROR_RATIO, {"guards": ()}, "guards: a ratio or quantile without a least traffic fires on a single event"),
    (ERROR_RATIO, {"guards": (Guard(AGENT_QUERIES, "5m", "minimum"),)}, "guards: the thresholds have no field minimum;"),
    (ERROR_RATIO, {"guards": (Guard(HTTP_REQUESTS, "5m", "minimum_queries"),)}, "by: http_requests_total has no label agent"),
    (
        ERROR_RATIO,
        {"signal": Rate("x", "X", "x", "ops", "agent_querys_total")},
        "signal: the contract has no metric or series agent_q",
    ),
    (ERROR_RATIO, {"signal": replace(AGENT_QUERIES, unit="lm")}, "signal: nobody has said how to print the unit lm"),
    (ERROR_RATIO, {"hold": "five minutes"}, "hold: 'five minutes' is not a duration"),
    (ERROR_RATIO, {"window": "20s"}, "window: 20s does not lie between two scrapes (30 s) and the retention (40d)"),
    (ERROR_RATIO, {"window": "50d"}, "window: 50d does not lie between two scrapes"),
    (ERROR_RATIO, {"panel": "agent errors"}, "panel: 'agent errors' is not a panel key"),
    (ERROR_RATIO, {"checks": ERROR_RATIO.checks[:2]}, "checks: 2 first checks; a runbook starts with three"),
    (ERROR_RATIO, {"next_steps": ()}, "next_steps: are missing"),
    (ERROR_RATIO, {"impact": ""}, "impact: is missing"),
    (RESPONSE_TIME, {"threshold": 6.0}, "threshold: 6.0 = 6 is not a bucket bound of agent_query_duration_seconds"),
    (ERRORS_PAGE, {"severity": Severity.WARNING}, "severity: only what is critical may page"),
]


@pytest.mark.parametrize(("alert", "change", "finding"), FAULTS, ids=[finding[:60] for _, _, finding in FAULTS])
def test_a_planted_fault_is_found(alert: Any, change: dict[str, Any], finding: str) -> None:
    planted = replace(alert, **change)
    assert any(line.startswith(f"alert {planted.name}, {finding}") for line in said(planted)), said(planted)


def test_all_faults_are_said_at_once() -> None:
    broken = replace(ERROR_RATIO, team="nobody", description="{who}", panel="none", hold="soon")
    also = replace(NEARLY_SPENT, summary="")
    places = [line.split(":")[0] for line in said(broken, also)]
    assert places == [
        *(f"alert AgentErrorRatioHigh, {part}" for part in ("team", "panel", "hold", "description")),
        "alert CostBudgetNearlySpent, summary",
    ]


def test_scenarios_that_prove_nothing_are_refused() -> None:
    def hollow(alert: Any, settings: Settings) -> Any:
        return tuple(replace(one, quiet=(), labels=()) for one in ERROR_RATIO.scenarios(alert, settings))

    lines = said(replace(ERROR_RATIO, scenarios=hollow))
    assert any("needs a moment before the alert fires" in line for line in lines)
    assert any("needs a moment at which all is quiet" in line for line in lines)
    assert any("names other labels than the alert's" in line for line in lines)


def test_names_and_groups_are_looked_at_together() -> None:
    twin = replace(ERROR_RATIO, group=AlertGroup("agent_alerts", "1m"))
    lines = said(ERROR_RATIO, twin)
    assert "alert AgentErrorRatioHigh: 2 alerts have this name; each needs its own" in lines
    assert "alert group agent_alerts: has two intervals; a group is evaluated at one" in lines
    crowd = [replace(ERRORS_PAGE, name="Page" + "Abcdefghijklmnopqrstu"[n].upper() + "x") for n in range(21)]
    assert f"alert group {PAGES.name}: 21 alerts; split it, 20 is the most" in said(*crowd)


def test_a_page_for_an_environment_that_is_not_there_is_refused() -> None:
    settings = Settings.model_validate({"environments": ["live"]})
    assert said(settings=settings) == [
        "settings notifications.paging_environments: production is not an environment; there are live"
    ]


def test_nothing_is_built_from_an_unsound_alert(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "ALERTS", (replace(ERROR_RATIO, team="nobody"),))
    with pytest.raises(AlertError) as refused:
        rule_groups(DEFAULTS)
    assert [finding.place for finding in refused.value.findings] == ["alert AgentErrorRatioHigh, team"]

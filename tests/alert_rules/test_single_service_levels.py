"""A site may have one service level only, of a kind that is no count of events: its alerts are proved all the same."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from alert_rules.catalogue import active
from alert_rules.slo import BURNS, STOPPED, UNMEASURED
from contract.settings import Settings
from provisioning import build
from provisioning.check.scenarios import proved

SPENT = {"name": "spent", "sli": "cost", "budget_usd": 300, "team": "finance", "description": "Money lasts for its month."}
THERE = {"name": "there", "sli": "availability", "objective": "99.9", "team": "platform", "description": "It can be reached."}
NAMES = {alert.name for alert in (*BURNS, STOPPED, UNMEASURED)}


@pytest.mark.parametrize(("level", "never"), [(SPENT, set()), (THERE, {"SloTrafficStopped"})], ids=["money", "time"])
def test_scenarios_hold_for_money_and_for_time(level: dict[str, Any], never: set[str], prometheus_tools: Any) -> None:
    assert prometheus_tools.promtool.exists()
    site = Settings.model_validate({"slo": [level]})
    names = NAMES & {alert.name for alert in active(site)}
    assert names == NAMES - never
    made = build.rules_and_scenarios(site)
    assert [finding for name in sorted(names) for finding in proved(f"prometheus/tests/{name}.yml", made)] == []


def test_a_guard_that_no_hour_can_meet_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"there counts seconds, so its page would never come: .* an hour has 3600"):
        Settings.model_validate({"slo": [THERE], "thresholds": {"minimum_slo_events": 3600}})
    assert Settings.model_validate({"slo": [SPENT], "thresholds": {"minimum_slo_events": 3600}}).slo[0].name == "spent"

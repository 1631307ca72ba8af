"""What people set by commands reaches the running servers, and goes from them when it is taken back: rules, budgets, advice."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest

from dashboards.lib.advised import advised
from dashboards.observatory import changes
from demo.stack.effective import ACTIONS_DSN
from demo.world import spec_file
from demo.world.model import Tuned
from demo.world.tuning import PLANTED
from tests.integration.begun import ALERT, LEVEL, LIMIT, SPENT, Begun, levels, rules
from tests.integration.commands import act, shown, take_back, wish
from tests.integration.conftest import PATIENCE, LivingStack, eventually

pytestmark = pytest.mark.integration


def test_a_service_level_and_an_alert_run_until_they_are_taken_back(stack: LivingStack, begun: Begun) -> None:
    assert begun.unbrought == begun.before, "nothing was brought there yet"
    assert ALERT in begun.brought - begun.before
    eventually(lambda: LEVEL in levels(stack), PATIENCE, "the panel shows the level")
    eventually(lambda: stack.query(f'ALERTS{{alertname="{ALERT}"}}'), PATIENCE, "the alert begins")
    begun.take_rules_back()
    assert rules(stack) == begun.before
    told = [row["action"] for row in shown(stack, changes.record()) if row["target"] in (f"slo {LEVEL}", f"alert {ALERT}")]
    assert sorted(told) == ["alert create", "alert remove", "slo remove", "slo set"]


def test_a_budget_is_held_against_what_was_spent(stack: LivingStack, begun: Begun) -> None:
    eventually(lambda: [value for _, value in stack.query(LIMIT)] == [17.0], PATIENCE, "the budget is shown")
    eventually(lambda: stack.query(SPENT), PATIENCE, "what was spent of it is shown")
    begun.take_budget_back()


def test_what_is_wrong_with_the_platform_is_advised_first_and_mended(stack: LivingStack) -> None:
    agent, environment, setting, _ = PLANTED
    panel = advised("currencyUSD", "Saves")
    rows = eventually(lambda: shown(stack, panel), PATIENCE, "advice is there")
    first = rows[0]
    assert (first["agent"], first["environment"], first["kind"]) == (agent, environment, setting), rows
    assert 0 < first["low"] <= first["effect"] <= first["high"]
    dsn_file = str(stack.var / "secrets" / ACTIONS_DSN)
    listed = stack.observatory("advice", "list", agent, "--format", "json", "--dsn-file", dsn_file)
    [found] = [row for row in json.loads(listed.stdout) if row["id"] == first["id"]]
    assert (found["setting"], found["before"], found["after"]) == (setting, "off", "on")

    def wished() -> dict[str, Any]:
        return wish(stack, agent, setting, environment)

    def held() -> tuple[Tuned, ...]:
        return spec_file.read(stack.var / "world.json").settings

    before = held()
    change = act(stack, *shlex.split(first["command"])[1:])
    eventually(lambda: wished()["state"] == "applied", PATIENCE, "the platform takes it over")
    take_back(stack, change)
    eventually(lambda: wished()["wanted"] == "the platform's own", PATIENCE, "it is wished back")
    eventually(lambda: wished()["state"] == "applied", PATIENCE, "it is as before")
    new = held()[len(before) :]
    assert [(one.agent, one.environment, one.setting, one.value) for one in new] == [
        (agent, environment, setting, "on"), (agent, environment, setting, "off")
    ]  # fmt: skip
    [applied] = [row for row in shown(stack, changes.record()) if row["action"] == "advice apply"]
    assert first["id"] in json.dumps(applied, default=str)

"""What people set by commands reaches the running servers, and goes from them when it is taken back: rules, budgets, advice."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest
import requests

from dashboards.lib.advised import advised
from dashboards.observatory import changes, wishes
from demo.stack.effective import ACTIONS_DSN
from demo.world import spec_file
from demo.world.model import Tuned
from demo.world.tuning import PLANTED
from tests.integration.begun import ALERT, LEVEL, LIMIT, SPENT, Begun, levels, rules
from tests.integration.commands import act, shown, take_back
from tests.integration.conftest import LivingStack, eventually
from tests.integration.loaded import PLACE, UNDER_LOAD

pytestmark = pytest.mark.integration


def test_a_service_level_and_an_alert_run_until_they_are_taken_back(stack: LivingStack, begun: Begun) -> None:
    assert begun.unbrought == begun.before, "nothing was brought there yet"
    assert ALERT in begun.brought - begun.before
    eventually(lambda: LEVEL in levels(stack), 300, "the panel shows the level")
    eventually(lambda: stack.query(f'ALERTS{{alertname="{ALERT}"}}'), 240, "the alert begins")
    begun.take_rules_back()
    assert rules(stack) == begun.before
    told = [row["action"] for row in shown(stack, changes.record()) if row["target"] in (f"slo {LEVEL}", f"alert {ALERT}")]
    assert sorted(told) == ["alert create", "alert remove", "slo remove", "slo set"]


def test_an_alert_tells_of_the_level_that_a_load_test_broke(stack: LivingStack, begun: Begun) -> None:
    """In Prometheus, and in Alertmanager. What broke it is taken back, and tested again meanwhile."""
    about = {"alertname": "LoadTestLevelBroken", "agent": begun.loaded.agent, "environment": PLACE}
    chosen = ",".join(f'{label}="{value}"' for label, value in about.items())
    eventually(lambda: stack.query(f'ALERTS{{{chosen},alertstate="firing"}}'), 300, "the alert fires")
    asked = {"filter": [f'{label}="{value}"' for label, value in about.items()]}

    def arrived() -> list[dict[str, str]]:
        answer = requests.get(f"{stack.url('alertmanager')}/api/v2/alerts", params=asked, timeout=10)
        return [alert["annotations"] for alert in answer.json()]

    [said] = eventually(arrived, 60, "Alertmanager has it")
    assert f"agent {begun.loaded.agent} in {PLACE} did not keep" in said["description"]
    begun.loaded.mend()


def test_a_budget_is_held_against_what_was_spent(stack: LivingStack, begun: Begun) -> None:
    eventually(lambda: [value for _, value in stack.query(LIMIT)] == [17.0], 90, "the budget is shown")
    eventually(lambda: stack.query(SPENT), 90, "what was spent of it is shown")
    begun.take_budget_back()


def test_what_is_wrong_with_the_platform_is_advised_first_and_mended(stack: LivingStack) -> None:
    agent, environment, setting, _ = PLANTED
    panel = advised("currencyUSD", "Saves")
    rows = eventually(lambda: shown(stack, panel), 300, "advice is there")
    first = rows[0]
    assert (first["agent"], first["environment"], first["kind"]) == (agent, environment, setting), rows
    assert 0 < first["low"] <= first["effect"] <= first["high"]
    dsn_file = str(stack.var / "secrets" / ACTIONS_DSN)
    listed = stack.observatory("advice", "list", agent, "--format", "json", "--dsn-file", dsn_file)
    [found] = [row for row in json.loads(listed.stdout) if row["id"] == first["id"]]
    assert (found["setting"], found["before"], found["after"]) == (setting, "off", "on")

    def wish() -> dict[str, Any]:
        return next(row for row in shown(stack, wishes.settings()) if (row["agent"], row["setting"]) == (agent, setting))

    def held() -> tuple[Tuned, ...]:
        return spec_file.read(stack.var / "world.json").settings

    before = held()
    change = act(stack, *shlex.split(first["command"])[1:])
    eventually(lambda: wish()["state"] == "applied", 60, "the platform takes it over")
    take_back(stack, change)
    eventually(lambda: (wish()["state"], wish()["wanted"]) == ("applied", "the platform's own"), 60, "it is as before")
    new = held()[len(before) :]
    assert [(one.agent, one.environment, one.setting, one.value) for one in new] == [
        (agent, environment, setting, "on"), (agent, environment, setting, "off")
    ]  # fmt: skip
    [applied] = [row for row in shown(stack, changes.record()) if row["action"] == "advice apply"]
    assert first["id"] in json.dumps(applied, default=str)


def test_what_was_given_up_is_answered_again_without_the_limit(stack: LivingStack, begun: Begun) -> None:
    told = begun.loaded.told()
    assert told["state"] == "done" and set(told["result"]["statuses"]) == {"200"}
    assert [level["kept"] for level in told["result"]["service_levels"] if level["name"] == UNDER_LOAD] == [True]
    with stack.database as database:
        is_open = database.execute(
            "SELECT FROM analytics.incidents WHERE ref = %s AND closed_at IS NULL", (f"load test {begun.loaded.agent} {PLACE}",)
        ).fetchone()
    assert (is_open is None) == all(level["kept"] for level in told["result"]["service_levels"])

"""What people set by commands reaches the running servers, and goes from them when it is taken back: rules, budgets, advice."""

from __future__ import annotations

import json
import os
import shlex
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from contract.settings import Settings
from dashboards import slo
from dashboards.lib.advised import advised
from dashboards.observatory import changes, wishes
from demo.stack.effective import ACTIONS_DSN
from demo.world import spec_file
from demo.world.model import Tuned
from demo.world.tuning import PLANTED
from provisioning.interpolation import substitute
from tests.integration.conftest import LivingStack, eventually
from tests.integration.test_living_actions import act, shown

pytestmark = pytest.mark.integration
LEVEL, ALERT = "rehearsed-in-time", "RehearsedBusy"
LEVELS = next(panel for row in slo.rows(Settings()) for panel in row.panels if panel.name == "service_levels")


@pytest.fixture
def site(stack: LivingStack, tmp_path: Path) -> Path:
    """A copy of the stack's configuration, to be changed."""
    place = tmp_path / "observatory.yaml"
    place.write_bytes(stack.config.read_bytes())
    return place


def take_back(stack: LivingStack, *done: dict[str, Any]) -> None:
    for change in reversed(done):
        act(stack, *shlex.split(change["rollback"])[1:])


def bring(stack: LivingStack, site: Path) -> None:
    """Builds anew what the stack's servers read, as `up` did, and lets Prometheus read it."""
    done = stack.observatory("build", "--config", str(site), "--out", str(stack.var / "build"), timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    requests.post(f"{stack.url('prometheus')}/-/reload", timeout=60).raise_for_status()


def rules(stack: LivingStack) -> set[str]:
    groups = requests.get(f"{stack.url('prometheus')}/api/v1/rules", timeout=10).json()["data"]["groups"]
    return {rule["name"] for group in groups for rule in group["rules"]}


def levels(stack: LivingStack, columns: int | None = None) -> set[str]:
    """The service levels that the panel has a row of, by all its columns or its first ones."""
    texts = [substitute(target.text, lambda *_: ".*") for target in LEVELS.targets[:columns]]
    return {labels["slo"] for text in texts for labels, _ in stack.query(text)}


def test_a_service_level_and_an_alert_run_until_they_are_taken_back(stack: LivingStack, site: Path) -> None:
    before = rules(stack)
    level = act(
        stack, "slo", "set", LEVEL, "--sli", "errors", "--objective", "90", "--team", "agents",
        "--description", "Nine of ten are answered.", "--config", str(site),
    )  # fmt: skip
    alert = act(
        stack, "alert", "create", ALERT, "--measure", "throughput", "--above", "0.0001", "--hold", "1m", "--team", "agents",
        "--reason", "It is a rehearsal, nothing else.", "--config", str(site),
    )  # fmt: skip
    assert rules(stack) == before, "nothing was brought there yet"
    try:
        bring(stack, site)
        assert ALERT in rules(stack) - before
        eventually(lambda: LEVEL in levels(stack), 240, "the panel shows the level")
        eventually(lambda: stack.query(f'ALERTS{{alertname="{ALERT}"}}'), 240, "the alert begins")
    finally:
        take_back(stack, level, alert)
        bring(stack, site)
    assert rules(stack) == before
    eventually(lambda: not stack.query(f'ALERTS{{alertname="{ALERT}"}}'), 60, "the alert is gone")
    told = [row["action"] for row in shown(stack, changes.record()) if row["target"] in (f"slo {LEVEL}", f"alert {ALERT}")]
    assert sorted(told) == ["alert create", "alert remove", "slo remove", "slo set"]


@pytest.fixture
def exporter(stack: LivingStack) -> Iterator[Any]:
    """Makes the exporter read its configuration again, and at the end as it was."""
    old = stack.config.read_bytes()

    def read_again() -> None:
        os.kill(stack.parts["exporter"]["identity"][0], signal.SIGHUP)

    yield read_again
    stack.config.write_bytes(old)
    read_again()


def test_a_budget_is_held_against_what_was_spent(stack: LivingStack, exporter: Any) -> None:
    limit, spent = (f'platform_budget_{name}{{scope="staging"}}' for name in ("limit_usd", "spent_ratio"))
    assert not stack.query(limit)
    change = act(stack, "budget", "set", "staging", "--monthly-usd", "17", "--config", str(stack.config))
    exporter()
    eventually(lambda: [value for _, value in stack.query(limit)] == [17.0], 90, "the budget is shown")
    eventually(lambda: stack.query(spent), 90, "what was spent of it is shown")
    take_back(stack, change)
    exporter()
    eventually(lambda: not stack.query(limit), 90, "the budget is gone")


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


def test_the_panel_shows_the_level_no_more(stack: LivingStack) -> None:
    """Objective and what was reached; how fast it burnt stays as long as anything that was counted then."""
    eventually(lambda: LEVEL not in levels(stack, 2), 400, "the row is gone")

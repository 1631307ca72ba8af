"""Changes that take their time until they are seen, or are gone again: they are begun together, and looked at one by one."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import requests

from contract.settings import Settings
from dashboards import slo
from provisioning.interpolation import substitute
from tests.integration.commands import act, take_back
from tests.integration.conftest import PATIENCE, LivingStack, eventually
from tests.integration.loaded import Loaded

LEVEL, ALERT = "rehearsed-in-time", "RehearsedBusy"
LEVELS = next(panel for row in slo.rows(Settings()) for panel in row.panels if panel.name == "service_levels")
LIMIT, SPENT = (f'platform_budget_{name}{{scope="staging"}}' for name in ("limit_usd", "spent_ratio"))


def rules(stack: LivingStack) -> set[str]:
    """Names of the rules that Prometheus has now."""
    groups = requests.get(f"{stack.url('prometheus')}/api/v1/rules", timeout=60).json()["data"]["groups"]
    return {rule["name"] for group in groups for rule in group["rules"]}


def levels(stack: LivingStack, columns: int | None = None) -> set[str]:
    """The service levels that the panel has a row of, by all its columns or its first ones."""
    texts = [substitute(target.text, lambda *_: ".*") for target in LEVELS.targets[:columns]]
    return {labels["slo"] for text in texts for labels, _ in stack.query(text)}


CACHE = "cache.response"
FOUND = (
    'sum(rate(cache_operations_total{cache="answers", environment="production", operation="get", result="hit"}[1m])) '
    '/ sum(rate(cache_operations_total{cache="answers", environment="production", operation="get"}[1m]))'
)
"""The share of lookups of answers that finds one."""


class Begun:
    """A service level, an alert and a budget that somebody set, a load test that goes badly, and an agent's cache that is off.

    `before` are the rules that there were, `unbrought` those after the commands, `brought` those since they were built and
    read; `usually_found` is the share of lookups that found an answer in a cache.
    """

    def __init__(self, stack: LivingStack, folder: Path) -> None:
        self._stack = stack
        with stack.database as database:
            row = database.execute("SELECT name FROM app.agents ORDER BY id LIMIT 1").fetchone()
        assert row is not None
        self.agent = str(row[0])
        self.loaded = Loaded(stack, folder, self.agent)
        self.usually_found = eventually(lambda: stack.query(FOUND), PATIENCE, "the caches are asked")[0][1]
        act(stack, "cache", "off", self.agent, "--reason", "a rehearsal")
        self._usual = stack.config.read_bytes()
        self._site = folder / "observatory.yaml"
        self._site.write_bytes(self._usual)
        self.before = rules(stack)
        assert not stack.query(LIMIT)
        config = ("--config", str(self._site))
        self._level: dict[str, Any] | None = act(
            stack, "slo", "set", LEVEL, "--sli", "errors", "--objective", "90", "--team", "agents",
            "--description", "Nine of ten are answered.", *config,
        )  # fmt: skip
        self._alert = act(
            stack, "alert", "create", ALERT, "--measure", "throughput", "--above", "0.0001", "--hold", "1m",
            "--team", "agents", "--reason", "It is a rehearsal, nothing else.", *config,
        )  # fmt: skip
        self.unbrought = rules(stack)
        self._bring()
        self.brought = rules(stack)
        self._budget: dict[str, Any] | None = act(
            stack, "budget", "set", "staging", "--monthly-usd", "17", "--config", str(stack.config)
        )
        self._read_again()

    def take_rules_back(self) -> None:
        if self._level:
            take_back(self._stack, self._level, self._alert)
            self._level = None
            self._bring()

    def take_budget_back(self) -> None:
        """The stack's configuration is as it was before, to the byte."""
        if self._budget:
            take_back(self._stack, self._budget)
            self._budget = None
            self._stack.config.write_bytes(self._usual)
            self._read_again()

    def _bring(self) -> None:
        """Builds anew what the stack's servers read, as `up` did, and lets Prometheus read it."""
        built = str(self._stack.var / "build")
        done = self._stack.observatory("build", "--config", str(self._site), "--out", built, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        self._stack.read_rules()

    def _read_again(self) -> None:
        """The exporter reads its configuration again."""
        self._stack.send("exporter", signal.SIGHUP)

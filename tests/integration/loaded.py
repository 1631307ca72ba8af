"""An agent whose time limit is too tight for load: its test breaks a service level until the limit is taken back."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import yaml

from contract.settings import Settings
from dashboards.performance import load_tests
from demo.stack.effective import ACTIONS_DSN
from tests.integration.commands import act, shown, take_back, wish
from tests.integration.conftest import COMMAND, ENVIRONMENT, PATIENCE, ROOT, LivingStack, eventually

PLACE, SETTING, UNDER_LOAD = "staging", "timeout_seconds", "rehearsed-under-load"
_LEVEL = {
    "name": UNDER_LOAD, "sli": "errors", "objective": 99, "environments": [PLACE], "team": "agents",
    "description": "Nearly all are answered under load.",
}  # fmt: skip


class Loaded:
    """The limit is set, and a test runs, when it is made. `waited` is the test's row before that."""

    def __init__(self, stack: LivingStack, folder: Path, agent: str) -> None:
        self._stack = stack
        self.agent = agent
        config = folder / "loaded.yaml"
        settings = yaml.safe_load(stack.config.read_text())
        config.write_text(yaml.safe_dump(settings | {"slo": [*settings["slo"], _LEVEL]}))
        self._config = ("--config", str(config))
        self._limit = act(stack, "configure", "set", self.agent, SETTING, "1", "--environment", PLACE)
        self._in_force()
        self.waited = self._begin()

    def mend(self) -> None:
        """Takes the limit back, and tests again."""
        take_back(self._stack, self._limit)
        self._in_force()
        self._begin()

    def told(self) -> dict[str, Any]:
        """What the test found that was begun last."""
        out, errors = self._running.communicate(timeout=PATIENCE)
        assert self._running.returncode in (0, 1), errors
        [found] = json.loads(out)
        return dict(found)

    def row(self) -> dict[str, Any]:
        """The newest test on the tab."""
        return shown(self._stack, load_tests.tests(Settings()))[0]

    def _begin(self) -> dict[str, Any]:
        words = ("--environment", PLACE, "--per-second", "3", "--for", "10s", "--at-once", "30")
        act(self._stack, "loadtest", "schedule", self.agent, *words, *self._config)
        row, dsn_file = self.row(), str(self._stack.var / "secrets" / ACTIONS_DSN)
        run = ("loadtest", "run", "--actor", "ada", "--dsn-file", dsn_file, "--format", "json", *self._config)
        self._running = subprocess.Popen(
            [*COMMAND, *run], cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        return row

    def _in_force(self) -> None:
        def applied() -> bool:
            return bool(wish(self._stack, self.agent, SETTING, PLACE)["state"] == "applied")

        eventually(applied, PATIENCE, "the platform takes it over")

"""A real Prometheus or Alertmanager over a folder, and plans and applies against it."""

from __future__ import annotations

import hashlib
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from alert_rules import routes, rules, templates
from contract.settings import Settings
from provisioning import servers
from provisioning.plan import changes
from provisioning.plan.apply import Outcome, carry_out
from provisioning.plan.changes import Choice, Plan
from provisioning.plan.verdict import Verdict
from provisioning.rules.server import free_port
from provisioning.targets import alertmanager, prometheus
from provisioning.targets.filed import FiledTarget
from provisioning.text import as_json, as_yaml
from recording_rules import registry

MAKERS: Mapping[str, Callable[[Settings, Mapping[str, bytes]], FiledTarget]] = {
    "prometheus": prometheus.target,
    "alertmanager": alertmanager.target,
}


class Site:
    """A server called `prometheus` or `alertmanager`, its folder, and what is brought there."""

    def __init__(self, called: str, folder: Path, command: list[str], cwd: Path | None = None) -> None:
        self.called, self.folder, self.command, self._cwd = called, folder, command, cwd
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder.parent / f"{called}.log"
        self.served: dict[str, Any] = {"folder": str(folder), "within": "5s"}
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self.process
        return self.process.pid

    def start(self) -> None:
        with self.log.open("ab") as said:
            command = [*self.command, f"--web.listen-address=127.0.0.1:{self.port}"]
            self.process = subprocess.Popen(command, stdout=said, stderr=said, cwd=self._cwd)
        until(self._ready, lambda: self.log.read_text()[-2000:])

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(20)
            self.process = None

    def _ready(self) -> bool:
        try:
            return requests.get(f"{self.url}/-/ready", timeout=1).ok
        except requests.RequestException:
            return False

    def settings(self, owner: str = "agent-observatory") -> Settings:
        return Settings.model_validate(
            {
                "sources": {self.called: {"url": self.url}},
                "targets": {self.called: self.served},
                "plan": {"owner": owner},
            }
        )

    def target(self, artefacts: Mapping[str, bytes], owner: str = "agent-observatory") -> FiledTarget:
        return MAKERS[self.called](self.settings(owner), artefacts)

    def plan(self, artefacts: Mapping[str, bytes], overwrite: bool = False, owner: str = "agent-observatory") -> Plan:
        choice = Choice(owner, overwrite_edits=overwrite)
        return changes.make([self.target(artefacts, owner)], choice)

    def apply(self, artefacts: Mapping[str, bytes], overwrite: bool = False) -> Outcome:
        return carry_out(self.plan(artefacts, overwrite), lambda _: None)

    def verdicts(self, artefacts: Mapping[str, bytes]) -> dict[str, Verdict]:
        return {str(change.key): change.verdict for change in self.plan(artefacts).changes}

    def reload(self) -> None:
        requests.post(f"{self.url}/-/reload", timeout=10).raise_for_status()

    def get(self, path: str) -> Any:
        answer = requests.get(f"{self.url}{path}", timeout=10)
        answer.raise_for_status()
        return answer.json()

    def files(self) -> dict[str, str]:
        """Every file that is not hidden, with a digest of its bytes."""
        return {
            str(path.relative_to(self.folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(self.folder.rglob("*"))
            if path.is_file() and not any(part.startswith(".") for part in path.relative_to(self.folder).parts)
        }

    def hidden(self) -> list[str]:
        return sorted(path.name for path in self.folder.rglob(".*"))


def house(settings: Settings) -> dict[str, bytes]:
    """All rules and routes of the house as `build` writes them."""
    groups = [*registry.rule_groups(settings), *rules.rule_groups(settings)]
    return {
        **{f"prometheus/rules/{group['name']}.yml": as_yaml({"groups": [group]}, "built") for group in groups},
        **{f"prometheus/targets/{name}.json": as_json(found) for name, found in servers.targets(settings).items()},
        "alertmanager/alertmanager.yml": as_yaml(routes.configuration(settings), "built"),
        **{f"alertmanager/templates/{name}": text.encode() for name, text in templates.files(settings).items()},
    }


def until(condition: Callable[[], bool], what: Callable[[], str], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, what()
        time.sleep(0.05)


@contextmanager
def running(site: Site) -> Iterator[Site]:
    site.start()
    try:
        yield site
    finally:
        site.stop()

"""The rules and their tests as files, the way `build` lays them out."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from alert_rules.rules import rule_groups
from contract.settings import Settings
from recording_rules import registry


class Built:
    """A folder with all rule groups in `rules/`; promtool tests go to `tests/`."""

    def __init__(self, folder: Path, promtool: Path) -> None:
        self.folder, self.promtool = folder, promtool

    def rules(self, settings: Settings) -> list[Path]:
        groups = [*registry.rule_groups(settings), *rule_groups(settings)]
        return [self._write(f"rules/{group['name']}.yml", {"groups": [group]}) for group in groups]

    def write_test(self, name: str, document: dict[str, Any]) -> Path:
        return self._write(f"tests/{name}", document)

    def run(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run([self.promtool, *arguments], capture_output=True, text=True, timeout=300)

    def _write(self, name: str, document: dict[str, Any]) -> Path:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        # JSON is YAML, and far quicker.
        path.write_text(json.dumps(document), encoding="utf-8")
        return path


@pytest.fixture
def built(tmp_path: Path, prometheus_tools: Any) -> Built:
    return Built(tmp_path, prometheus_tools.promtool)

"""`observatory up` with the kinds of Langfuse that the stand-in can be."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from contract.settings import Settings
from demo.__main__ import main
from demo.langfuse.__main__ import main as standin
from demo.langfuse.rate_limits import LIMITS
from demo.langfuse.standin import MODES
from demo.stack import effective, parts
from demo.stack.parts import Place
from demo.stack.ports import DEFAULTS

SERVER = effective.Server("127.0.0.1:5432", "postgres", "disable")


def _options(command: object) -> dict[str, tuple[str, ...]]:
    found = {}
    for option in command.params:  # type: ignore[attr-defined]
        if choices := getattr(option.type, "choices", None):
            found[option.name] = tuple(choices)
    return found


def test_up_offers_every_mode_and_plan_of_the_stand_in() -> None:
    offered = _options(main.commands["up"])  # type: ignore[attr-defined]
    assert set(offered["langfuse_mode"]) == set(MODES) == set(_options(standin)["mode"])
    assert set(offered["langfuse_plan"]) == set(LIMITS) == set(_options(standin)["plan"])


@pytest.mark.parametrize("mode", sorted(set(MODES) - {"cloud"}))
def test_a_plan_without_cloud_is_refused_before_anything_starts(mode: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["up", "--var", str(tmp_path), "--langfuse-mode", mode, "--langfuse-plan", "pro"])
    assert done.exit_code == 2
    assert f"--langfuse-plan: only --langfuse-mode cloud has plans, not {mode}" in done.output
    assert list(tmp_path.iterdir()) == []


def test_the_exporter_is_told_of_the_plan_that_the_stand_in_counts_against(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LANGFUSE_BASE_URL", raising=False)
    told = effective.of_stack(Settings(), DEFAULTS, tmp_path, SERVER, "http://127.0.0.1:3000", "core")
    assert told.sources.langfuse.plan == "core"
    command = parts.langfuse(Place(tmp_path, DEFAULTS), "cloud", "core").command
    assert command[command.index("--plan") + 1] == "core"
    silent = effective.of_stack(Settings(), DEFAULTS, tmp_path, SERVER, "http://127.0.0.1:3000")
    assert silent.sources.langfuse.plan == "self-hosted"
    assert "--plan" not in parts.langfuse(Place(tmp_path, DEFAULTS), "v4").command

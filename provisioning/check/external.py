"""What Prometheus' and Alertmanager's own tools say, where they are installed."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from provisioning import tools
from provisioning.files import write
from provisioning.findings import Finding, InputError, error

_SECONDS = 120


def external_findings(artefacts: Mapping[str, bytes]) -> Iterator[Finding]:
    """Findings of promtool and amtool on the built files; none from a tool that is not there."""
    with tempfile.TemporaryDirectory(prefix="observatory-check-") as name:
        folder = Path(name)
        write(artefacts, folder)
        for arguments in _commands(artefacts):
            yield from _run(arguments, folder)


def missing_tools() -> list[str]:
    """What was not run, and how to get it."""
    return [tools.how_to_get(name) for name in ("promtool", "amtool") if _found(name) is None]


def _commands(artefacts: Mapping[str, bytes]) -> Iterator[list[str]]:
    tests = [path for path in artefacts if path.startswith("prometheus/tests/")]
    if promtool := _found("promtool"):
        yield [str(promtool), "check", "config", "prometheus/prometheus.yml"]
        if tests:
            yield [str(promtool), "test", "rules", *tests]
    if amtool := _found("amtool"):
        yield [str(amtool), "check-config", "alertmanager/alertmanager.yml"]


def _found(name: tools.ToolName) -> Path | None:
    try:
        return tools.find(name)
    except tools.ToolError as problem:
        raise InputError(f"error: {problem}") from None


def _run(arguments: list[str], folder: Path) -> Iterator[Finding]:
    program, *rest = arguments
    place = " ".join([Path(program).name, *rest[:2]])
    try:
        done = subprocess.run(arguments, cwd=folder, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        yield error(place, f"did not end within {_SECONDS} s")
        return
    if done.returncode:
        said = "\n".join(line for line in (done.stdout + done.stderr).splitlines() if line.strip() and "SUCCESS" not in line)
        yield error(place, said.replace(str(folder), "build") or f"ended with {done.returncode}")

"""What Prometheus' and Alertmanager's own tools say, where they are installed."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from provisioning import tools
from provisioning.check.excerpts import excerpt
from provisioning.check.proofs import Proofs
from provisioning.files import write
from provisioning.findings import Finding, InputError, error

_SECONDS = 300
_MEMORY_TO_SPARE = {"GOGC": "400"}
"""Programs in Go that live for seconds: collecting garbage less often saves a quarter of the time of long stories."""
_MOST_LINES = 30
"""One wrong scenario of an alert often makes all of them wrong, and each says its whole text."""
_KEEP_FIRING = re.compile(rb"^\s*keep_firing_for:", re.M)
_KEEP_FIRING_SINCE = (2, 42)
PROMTOOL, AMTOOL, TOO_OLD = "tools/promtool", "tools/amtool", "tools/too-old"


def external_findings(artefacts: Mapping[str, bytes]) -> Iterator[Finding]:
    """Findings of promtool and amtool on the built files; none from a tool that is not there.

    The longest stories take many seconds; what passed once is remembered, see `proofs`.
    """
    with tempfile.TemporaryDirectory(prefix="observatory-check-") as name:
        folder = Path(name)
        write(artefacts, folder)
        yield from _too_old(artefacts, folder)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for found in pool.map(lambda arguments: _run(arguments, folder), _commands()):
                yield from found
            for found in pool.map(partial(proved, artefacts=artefacts), _tests(artefacts)):
                yield from found


def missing_tools() -> list[str]:
    """What was not run, and how to get it."""
    return [tools.how_to_get(name) for name in ("promtool", "amtool") if _found(name) is None]


def _commands() -> Iterator[list[str]]:
    if promtool := _found("promtool"):
        yield [str(promtool), "check", "config", "prometheus/prometheus.yml"]
    if amtool := _found("amtool"):
        yield [str(amtool), "check-config", "alertmanager/alertmanager.yml"]


def _tests(artefacts: Mapping[str, bytes]) -> list[str]:
    return [path for path in artefacts if path.startswith("prometheus/tests/")] if _found("promtool") else []


def proved(path: str, artefacts: Mapping[str, bytes]) -> list[Finding]:
    """What promtool finds in one test file of a build, with the rules that it asks for; nothing when it passed before."""
    promtool = _found("promtool")
    if promtool is None:
        return []
    asked = excerpt(path, artefacts)
    proofs = Proofs(promtool)
    proof = proofs.of(asked)
    if proof.exists():
        return []
    with tempfile.TemporaryDirectory(prefix="observatory-check-") as folder:
        write(asked, Path(folder))
        if not (found := _run([str(promtool), "test", "rules", path], Path(folder))):
            proofs.keep(proof)
    return found


def _found(name: tools.ToolName) -> Path | None:
    try:
        return tools.find(name)
    except tools.ToolError as problem:
        raise InputError(f"error: {problem}") from None


def _too_old(artefacts: Mapping[str, bytes], folder: Path) -> Iterator[Finding]:
    """`keep_firing_for` came with Prometheus 2.42; an older one refuses the whole file."""
    promtool = _found("promtool")
    files = [path for path, body in artefacts.items() if path.startswith("prometheus/rules/") and _KEEP_FIRING.search(body)]
    if promtool is None or not files:
        return
    said = subprocess.run(
        [str(promtool), "--version"], cwd=folder, capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    version = re.search(r"version (\d+)\.(\d+)", said.stdout + said.stderr)
    if version and (int(version[1]), int(version[2])) < _KEEP_FIRING_SINCE:
        here = f"{version[1]}.{version[2]}"
        for path in files:
            yield error(path, f"keep_firing_for needs Prometheus 2.42, and this is {here}", "a newer Prometheus", TOO_OLD)


def _run(arguments: list[str], folder: Path) -> list[Finding]:
    program, *rest = arguments
    check = AMTOOL if "amtool" in Path(program).name else PROMTOOL
    place = " ".join([Path(program).name, *rest])
    try:
        done = subprocess.run(
            arguments,
            cwd=folder,
            env=_MEMORY_TO_SPARE | os.environ,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return [error(place, f"did not end within {_SECONDS} s", "is it the right program?", check)]
    if done.returncode == 0:
        return []
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip() and "SUCCESS" not in line]
    more = [f"… and {len(lines) - _MOST_LINES} more lines"] if len(lines) > _MOST_LINES else []
    said = "\n".join([*lines[:_MOST_LINES], *more])
    return [error(place, said.replace(str(folder), "build") or f"ended with {done.returncode}", check=check)]

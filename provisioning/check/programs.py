"""Prometheus' and Alertmanager's own tools as checks: what they refuse is a finding."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from provisioning import tools
from provisioning.findings import Finding, InputError, error

SECONDS = 300
_MEMORY_TO_SPARE = {"GOGC": "400"}
"""Programs in Go that live for seconds: collecting garbage less often saves a quarter of the time of long stories."""
_MOST_LINES = 30
"""One wrong scenario of an alert often makes all of them wrong, and each says its whole text."""
_VERSION = re.compile(r"version (\d+)\.(\d+)")


@dataclass(frozen=True)
class Program:
    """One of the tools, where it is installed. `name` is what its findings and people call it."""

    name: tools.ToolName
    path: Path

    @classmethod
    def found(cls, name: tools.ToolName) -> Program | None:
        """Raises InputError when a variable of the environment names a program that cannot be run."""
        try:
            path = tools.find(name)
        except tools.ToolError as problem:
            raise InputError(f"error: {problem}") from None
        return cls(name, path) if path else None

    @property
    def version(self) -> str:
        """What it says of its version, or nothing when it says nothing."""
        return _version(self.path)

    @property
    def release(self) -> tuple[int, int]:
        """The first two numbers of its version; of one that does not say, zeros."""
        found = _VERSION.search(self.version)
        return (int(found[1]), int(found[2])) if found else (0, 0)

    def findings(self, arguments: list[str], folder: Path, given: bytes = b"") -> list[Finding]:
        """What it refuses in a folder, as one finding; `given` is its standard input."""
        place, check = " ".join([self.name, *arguments]), f"tools/{self.name}"
        try:
            done = subprocess.run(
                [str(self.path), *arguments],
                cwd=folder,
                env=_MEMORY_TO_SPARE | os.environ,
                input=given,
                capture_output=True,
                timeout=SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return [error(place, f"did not end within {SECONDS} s", "is it the right program?", check)]
        if done.returncode == 0:
            return []
        said = (done.stdout + done.stderr).decode(errors="replace")
        lines = [line for line in said.splitlines() if line.strip() and "SUCCESS" not in line]
        more = [f"… and {len(lines) - _MOST_LINES} more lines"] if len(lines) > _MOST_LINES else []
        text = "\n".join([*lines[:_MOST_LINES], *more])
        return [error(place, text.replace(str(folder), "build") or f"ended with {done.returncode}", check=check)]


def laid_out(files: Mapping[str, bytes], folder: Path) -> None:
    """Write files into a new folder."""
    for path, body in files.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(body)


@cache
def _version(path: Path) -> str:
    try:
        done = subprocess.run([str(path), "--version"], capture_output=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return ""
    return (done.stdout + done.stderr).decode(errors="replace").partition("\n")[0]

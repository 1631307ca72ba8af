"""Where the binaries of Prometheus and Alertmanager are."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Literal

ToolName = Literal["prometheus", "promtool", "alertmanager", "amtool"]

FETCHED = Path(__file__).resolve().parent.parent / ".tools" / "usr" / "bin"
"""Where `make tools` unpacks Debian's packages."""

_NAMES: dict[ToolName, tuple[str, ...]] = {
    "prometheus": ("prometheus",),
    "promtool": ("promtool",),
    "alertmanager": ("prometheus-alertmanager", "alertmanager"),  # Debian's name first
    "amtool": ("amtool",),
}
_PACKAGE: dict[ToolName, str] = {
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "alertmanager": "prometheus-alertmanager",
    "amtool": "prometheus-alertmanager",
}


class ToolError(Exception):
    """A binary was named by its variable, and there is none."""


def variable(name: ToolName) -> str:
    """The environment variable that names the binary outright."""
    return f"OBSERVATORY_{name.upper()}"


def find(name: ToolName) -> Path | None:
    """Path of a binary, or None: the one its variable names, then what `make tools` fetched, then PATH.

    Raises ToolError when the variable names something that cannot be run; falling back to another binary would surprise.
    """
    if named := os.environ.get(variable(name)):
        if found := shutil.which(named):
            return Path(found)
        raise ToolError(f"{variable(name)} names {named}, which is not a program that can be run")
    search = os.pathsep.join((str(FETCHED), os.environ.get("PATH", "")))
    return next((Path(found) for spelling in _NAMES[name] if (found := shutil.which(spelling, path=search))), None)


def how_to_get(name: ToolName) -> str:
    """One sentence for people: what to install when `find` has no answer."""
    return (
        f"{name} is missing: run `make tools`, or install Debian's package {_PACKAGE[name]}, "
        f"or put the binary on PATH, or name it with {variable(name)}"
    )

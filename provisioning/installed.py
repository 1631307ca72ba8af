"""Whether what is imported is what was installed: the packages of the lock file, and the rooms of this checkout.

Imports nothing but what is needed to say so: it is asked when an import failed.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from provisioning.findings import Finding, error, warning

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements" / "runtime.lock"
ROOMS = ("contract", "recording_rules", "alert_rules", "dashboards", "exporters", "provisioning")
_CHECK = "doctor/packages"
_PINNED = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;\\]+)", re.MULTILINE)
_MEND = "run `make venv` in the checkout (it installs what requirements/runtime.lock says), or use the image"


def troubles(lock: Path = LOCK) -> Iterator[Finding]:
    """Packages that are missing or of another version, and folders that hide ours."""
    for name, wanted in _PINNED.findall(lock.read_text(encoding="utf-8")) if lock.exists() else ():
        try:
            here = version(name)
        except PackageNotFoundError:
            yield error(sys.prefix, f"the Python package {name} is not installed", _MEND, _CHECK)
            continue
        if here != wanted:
            yield warning(sys.prefix, f"the Python package {name} is {here}; {wanted} is what was tested", _MEND, _CHECK)
    yield from hidden()


def hidden() -> Iterator[Finding]:
    """Folders of other people that Python finds before ours."""
    for room in ROOMS:
        spec = find_spec(room)
        place = Path(spec.origin).parent if spec and spec.origin else None
        if place != ROOT / room:
            yield error(
                str(place or room),
                f"Python imports `{room}` from there, not from {ROOT}",
                "take that folder out of PYTHONPATH, and call the command from another folder",
                _CHECK,
            )


def import_failed(problem: ImportError) -> str:
    """Why an import failed, in words. Raises the problem itself when nothing here explains it: then it is a fault of ours."""
    if found := list(hidden()):
        return "\n".join(str(finding) for finding in found)
    name = (problem.name or "").partition(".")[0]
    if name in ROOMS or not isinstance(problem, ModuleNotFoundError):
        raise problem
    return str(error(sys.prefix, f"the Python package {name} is not installed", _MEND, _CHECK))

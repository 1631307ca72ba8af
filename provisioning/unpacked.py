"""Running Debian's Prometheus and Alertmanager from unpacked packages.

Debian's builds do not carry templates and pages inside the programs but read them from /usr/share; Alertmanager does not start
without, and Prometheus has no pages. Where a package was only unpacked, nothing is there, and putting it there takes root. So
a copy of the program is made that reads them from its working folder instead, which is then the unpacked package's own.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_INSTALLED = Path("/usr/share/prometheus/alertmanager")
_TEMPLATE = "default.tmpl"
_INSTALLED_WEB = Path("/usr/share/prometheus/web")
_PAGE = "templates/graph.html"


@dataclass(frozen=True)
class Program:
    """What to run, and the folder to run it in (None: any)."""

    path: Path
    folder: Path | None = None


def alertmanager(binary: Path, place: Path) -> Program:
    """The Alertmanager that starts: the binary itself where it can, otherwise a copy of it in the folder `place`.

    Flags that name paths must name absolute ones, for the copy has to run in its own folder. Raises OSError when the copy
    cannot be written.
    """
    unpacked = binary.resolve().parent.parent / "share" / "prometheus" / "alertmanager"
    if (_INSTALLED / _TEMPLATE).exists() or not (unpacked / _TEMPLATE).exists():
        return Program(binary)
    return Program(_copy(binary, place / "alertmanager", str(_INSTALLED)), unpacked)


def has_page(program: Program) -> bool:
    """Whether an Alertmanager has a page; Debian's has one only where somebody has built it."""
    share = program.folder or _INSTALLED
    return not (share / "no-ui").exists() or (share / "ui" / "index.html").exists()


def prometheus(binary: Path, place: Path) -> Program:
    """The Prometheus that has its pages, found or made as `alertmanager` is."""
    unpacked = binary.resolve().parent.parent / "share" / "prometheus" / "web"
    if (_INSTALLED_WEB / _PAGE).exists() or not (unpacked / _PAGE).exists():
        return Program(binary)
    return Program(_copy(binary, place / "prometheus", f"{_INSTALLED_WEB}/"), unpacked)


def _copy(binary: Path, copy: Path, installed: str) -> Path:
    """A copy of the program with its working folder in place of `installed`, whose length has to be even."""
    copy.parent.mkdir(parents=True, exist_ok=True)
    whole = copy.with_name(f"{copy.name}.{os.getpid()}")
    # Texts in a program keep their length: "./././" of the same length is the working folder.
    whole.write_bytes(binary.read_bytes().replace(installed.encode(), b"./" * (len(installed) // 2)))
    whole.chmod(0o755)
    return whole.replace(copy)

"""Running Debian's Alertmanager from an unpacked package.

Debian's build does not carry the standard templates inside the program but reads them from /usr/share, and does not start
without. Where the package was only unpacked, nothing is there, and putting it there takes root. So a copy of the program is
made that reads them from its working folder instead, which is then the unpacked package's own.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_INSTALLED = Path("/usr/share/prometheus/alertmanager")
_TEMPLATE = "default.tmpl"


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
    place.mkdir(parents=True, exist_ok=True)
    copy, whole = place / "alertmanager", place / f"alertmanager.{os.getpid()}"
    # Texts in a program keep their length: "./././" of the same length is the working folder.
    installed = str(_INSTALLED).encode()
    here = b"./" * (len(installed) // 2)
    whole.write_bytes(binary.read_bytes().replace(installed, here))
    whole.chmod(0o755)
    whole.replace(copy)
    return Program(copy, unpacked)

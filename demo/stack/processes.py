"""Processes of this machine (Linux): who they are, and how they are ended with all their children."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

MARK = "OBSERVATORY_STACK"
"""Environment variable of every process of a stack; its value is the absolute path of the stack's `var` folder."""

_PROC = Path("/proc")
_ROOT = Path(__file__).resolve().parents[2]


class Identity(NamedTuple):
    """A process for certain: a pid alone may have been given to another one since."""

    pid: int
    started: int  # clock ticks since the machine started

    @property
    def alive(self) -> bool:
        return identify(self.pid) == self


def identify(pid: int) -> Identity | None:
    """The process that has this pid now; None when there is none, or only its unread exit status."""
    try:
        # The program's name stands in parentheses and may hold anything, so the fields are counted from the last one.
        state, *fields = (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except (OSError, ValueError):
        return None
    return None if state in "ZX" else Identity(pid, int(fields[18]))


def boot() -> str:
    """Identifies the running of the machine; ticks and pids begin anew with the next."""
    return (_PROC / "sys" / "kernel" / "random" / "boot_id").read_text().strip()


def scratch(var: Path) -> Path:
    """Folder for temporary files of the stack's processes, which what is killed leaves there and the next start clears."""
    return var.absolute() / "tmp"


def environment(var: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment for a process of the stack that has its state in `var`."""
    own = {"PYTHONUNBUFFERED": "1", "PYTHONPATH": str(_ROOT), MARK: str(var.absolute()), "TMPDIR": str(scratch(var))}
    return {**os.environ, **(extra or {}), **own}


def marked(var: Path) -> list[Identity]:
    """Every living process that carries the mark of the stack in `var`, children of children too."""
    wanted = f"{MARK}={var.absolute()}".encode()
    found = []
    for entry in _PROC.iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):  # ended meanwhile, or of another user
            if wanted in (entry / "environ").read_bytes().split(b"\0") and (identity := identify(int(entry.name))):
                found.append(identity)
    return sorted(found)


def end(processes: Iterable[Identity], seconds: float) -> bool:
    """SIGTERM, at most `seconds` of patience, then SIGKILL. False when a process could not be ended at all."""
    left = [process for process in processes if process.alive]
    for number, patience in ((signal.SIGTERM, seconds), (signal.SIGKILL, 2.0)):
        for process in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                if process.alive:
                    os.kill(process.pid, number)
        deadline = time.monotonic() + patience
        while (left := [process for process in left if process.alive]) and time.monotonic() < deadline:
            time.sleep(0.02)
        if not left:
            return True
    return False

"""Long pieces of work that have to end before the parts can start.

Each is a program of its own: two run beside each other on two cores, and Ctrl-C ends them at once.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from demo.stack.child import end_session, last_line, launch
from demo.stack.failure import StackError
from demo.stack.screen import Screen

_BEAT = 0.1
_END_SECONDS = 3.0


@dataclass(frozen=True)
class Step:
    """A program that ends with 0 when its work is done. The last line it wrote says what it is doing, or what went wrong."""

    title: str
    command: tuple[str, ...]
    log: Path


def run(screen: Screen, title: str, steps: Sequence[Step], var: Path) -> None:
    """Runs the steps beside each other and shows how they get on. StackError when one fails; the others are ended then."""
    running: list[tuple[Step, subprocess.Popen[bytes]]] = []
    try:
        with screen.step(title) as beat:
            for step in steps:
                step.log.unlink(missing_ok=True)
                running.append((step, launch(step.command, step.log, var, {})))
            while any(process.poll() is None for _, process in running):
                _raise_for_failed(running)
                beat(", ".join(f"{step.title}: {last_line(step.log)}" for step, process in running if process.poll() is None))
                time.sleep(_BEAT)
            _raise_for_failed(running)
    finally:
        for _, process in running:
            if process.poll() is None:
                end_session(process, _END_SECONDS)


def _raise_for_failed(running: Sequence[tuple[Step, subprocess.Popen[bytes]]]) -> None:
    for step, process in running:
        code = process.poll()
        if code:
            why = last_line(step.log) or f"ended with exit code {code}"
            raise StackError(f"{step.title} failed: {why} (more in {step.log})", exit_code=code if code in (2, 3) else 3)

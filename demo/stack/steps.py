"""A long piece of work that has to end before the parts can start: a program of its own, so that Ctrl-C ends it at once."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from demo.stack.child import end_session, last_line, launch
from demo.stack.screen import Screen

__all__ = ["Step", "last_line", "run"]

_BEAT = 0.1
_END_SECONDS = 3.0


@dataclass(frozen=True)
class Step:
    """The last line in `log` says what the program is doing, or in the end what went wrong."""

    title: str
    command: tuple[str, ...]
    log: Path


def run(screen: Screen, step: Step, var: Path) -> int:
    """Runs the program, shows how it gets on, and returns its exit code."""
    step.log.unlink(missing_ok=True)
    with screen.step(step.title) as beat:
        process = launch(step.command, step.log, var, {})
        try:
            while process.poll() is None:
                beat(last_line(step.log))
                time.sleep(_BEAT)
        finally:
            end_session(process, _END_SECONDS)
    return process.returncode

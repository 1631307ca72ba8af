"""How a running stack is, seen from another process."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from demo.stack import record
from demo.stack.child import ask
from demo.stack.failure import StackError
from demo.stack.screen import Row


def rows(var: Path) -> list[Row]:
    """One row for each part of the stack in `var`, asked just now. Raises StackError when none is running there."""
    known = record.read(var)
    if known is None or not known.running:
        raise StackError(f"no stack is running in {var}; `observatory up` starts one")
    with ThreadPoolExecutor(max_workers=8) as executor:
        return list(executor.map(_row, known.parts))


def _row(part: record.RunningPart) -> Row:
    if part.identity and not part.identity.alive:
        return Row(part.title, part.address, "unhealthy", "its process is not there")
    trouble = ask(part.ready) if part.ready else ""
    return Row(part.title, part.address, "unhealthy" if trouble else "healthy", trouble)

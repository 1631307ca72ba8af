"""Ends a stack from outside: asks it to end itself, and clears away what a killed one left behind."""

from __future__ import annotations

import shutil
from pathlib import Path

from demo.stack import database, record
from demo.stack.failure import StackError
from demo.stack.processes import Identity, end, marked, scratch

_STACK_SECONDS = 15.0
_LEFTOVER_SECONDS = 5.0


def down(var: Path) -> int:
    """Ends everything of the stack in `var` and returns how many processes that were. Raises StackError when one stays."""
    known = record.read(var)
    ended = 0
    if known is not None and known.running:
        ended = 1 + len([identity for identity in known.identities if identity.alive])
        end([known.stack], _STACK_SECONDS)
    ended += clear(var)
    record.remove(var)
    (var / "observatory.yaml").unlink(missing_ok=True)
    return ended


def clear(var: Path) -> int:
    """Ends what a stack that was killed left behind, its embedded database too; returns how many processes that were."""
    left = leftovers(var)
    if (server := database.identity(var)) and server not in left:
        left.append(server)
    database.embedded(var, port=0).stop()
    if not end(left, _LEFTOVER_SECONDS):
        pids = ", ".join(str(process.pid) for process in left if process.alive)
        raise StackError(f"processes that could not be ended: {pids}")
    shutil.rmtree(scratch(var), ignore_errors=True)
    return len(left)


def leftovers(var: Path) -> list[Identity]:
    """Recorded parts that still live, and every process that carries the mark of this stack."""
    known = record.read(var)
    recorded = [identity for identity in known.identities if identity.alive] if known else []
    return sorted({*recorded, *marked(var)})

"""What runs, in `stack.json`, so that another process can show it and clean up after a kill."""

from __future__ import annotations

import contextlib
import fcntl
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from demo.stack.failure import StackError
from demo.stack.processes import Identity, boot


@dataclass(frozen=True)
class RunningPart:
    """A part as others need to know it. `identity` is None for what is no child of ours."""

    name: str
    title: str
    address: str
    ready: str
    identity: Identity | None


@dataclass(frozen=True)
class Record:
    """A stack. `boot` identifies the running of the machine: the identities mean nothing in another one."""

    boot: str
    stack: Identity
    parts: tuple[RunningPart, ...] = ()

    def with_part(self, part: RunningPart) -> Record:
        """The record with this part in it, in its old place when it had one."""
        known = {old.name: old for old in self.parts} | {part.name: part}
        return replace(self, parts=tuple(known.values()))

    @property
    def identities(self) -> list[Identity]:
        """Processes that may still live; none from before the machine was started anew."""
        return [part.identity for part in self.parts if part.identity] if self.boot == boot() else []

    @property
    def running(self) -> bool:
        return self.boot == boot() and self.stack.alive


def path(var: Path) -> Path:
    return var / "stack.json"


def write(var: Path, record: Record) -> None:
    temporary = path(var).with_suffix(".tmp")
    temporary.write_text(json.dumps(asdict(record), indent=2) + "\n", encoding="utf-8")
    temporary.replace(path(var))


def read(var: Path) -> Record | None:
    """The record of the stack in `var`; None when there is none, or none that can be read."""
    try:
        data = json.loads(path(var).read_text(encoding="utf-8"))
        return Record(data["boot"], Identity(*data["stack"]), tuple(_part(part) for part in data["parts"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _part(data: dict[str, Any]) -> RunningPart:
    identity = Identity(*data["identity"]) if data["identity"] else None
    return RunningPart(data["name"], data["title"], data["address"], data["ready"], identity)


def remove(var: Path) -> None:
    path(var).unlink(missing_ok=True)


class AlreadyRunning(StackError):
    """Another process has the stack in this folder."""

    def __init__(self, var: Path) -> None:
        record = read(var)
        who = f" (process {record.stack.pid})" if record else ""
        super().__init__(f"a stack is already running in {var}{who}; `observatory down` stops it", exit_code=2)


@contextlib.contextmanager
def held(var: Path) -> Iterator[None]:
    """Holds the stack in `var` for this process; the kernel lets go of it when the process ends in any way.

    Raises AlreadyRunning, and StackError when the folder cannot be written.
    """
    try:
        var.mkdir(parents=True, exist_ok=True)
        lock = (var / "stack.lock").open("a", encoding="utf-8")
    except OSError as error:
        raise StackError(f"cannot write to {var}: {error.strerror}; name another folder with --var", exit_code=2) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(var) from None
        yield

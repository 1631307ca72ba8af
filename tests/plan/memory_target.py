"""A target in memory that counts its writes, can be killed at any call, and can be changed by somebody else in between.

It stands for both sorts of servers: one that takes each object at once, and a folder that is changed as a whole at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from provisioning.findings import Finding
from provisioning.plan.objects import Key, Live, State, Wanted
from provisioning.plan.target import Moved

ME = "agent-observatory"
BY_LEDGER = "folder"
"""Objects of this kind carry no mark: ours are those that the ledger knows."""
KINDS = (BY_LEDGER, "dashboard", "alert rules")


class Killed(BaseException):
    """The process ended here; nothing of it can clean up."""


@dataclass(frozen=True)
class Held:
    document: Any
    owner: str = ME
    revision: int = 1


@dataclass
class Server:
    """What outlives a process. `at_call` is run before, `after_call` after the effect of a call that changes something."""

    objects: dict[Key, Held] = field(default_factory=dict)
    ledger: dict[Key, str] = field(default_factory=dict)
    version: int = 0
    busy: bool = False
    at_call: Callable[[int, str], None] = lambda _number, _name: None
    after_call: Callable[[int, str], None] = lambda _number, _name: None
    calls: list[str] = field(default_factory=list)

    def edit(self, key: Key, document: Any) -> None:
        """Somebody changes an object by hand."""
        held = self.objects[key]
        self.objects[key] = replace(held, document=document, revision=held.revision + 1)


def wanted(kind: str, name: str, document: Any, payload: Any = None) -> Wanted:
    return Wanted(Key(kind, name), f"{name} of ours", document, document if payload is None else payload)


class MemoryTarget:
    """One process that looks at a server. `staged`: all changes come into force in `finish`, together with the ledger."""

    def __init__(self, server: Server, wants: Iterable[Wanted] = (), staged: bool = False, name: str = "memory") -> None:
        self.name = name
        self.kinds: tuple[str, ...] = KINDS
        self.server, self.wants, self.as_a_whole = server, tuple(wants), staged
        self.unverified: tuple[str, ...] = ()
        self.findings: list[Finding] = []
        self.said: list[str] = []
        self._pending: list[Callable[[], None]] = []
        self._dead = False

    def wanted(self) -> tuple[Wanted, ...]:
        return self.wants

    def live(self) -> State:
        objects = tuple(
            Live(key, f"{key.name} of ours", held.document, self._owner(key, held), str(held.revision), held)
            for key, held in self.server.objects.items()
        )
        return State(objects, dict(self.server.ledger), str(self.server.version), self.unverified)

    def _owner(self, key: Key, held: Held) -> str:
        if key.kind == BY_LEDGER:
            return ME if key in self.server.ledger else ""
        return held.owner

    def begin(self, state: State) -> None:
        if self.server.busy:
            raise Moved("somebody else is applying")
        if state.revision != str(self.server.version):
            raise Moved("somebody applied since")
        self._called("begin", lambda: setattr(self.server, "busy", True))

    def write(self, wanted: Wanted, live: Live | None) -> Live:
        def put() -> None:
            revision = int(live.revision) + 1 if live else 1
            self.server.objects[wanted.key] = Held(wanted.payload, ME, revision)

        self._unmoved(wanted.key, live)
        self._called(f"write {wanted.key}", put, in_force=True)
        return Live(wanted.key, wanted.title, wanted.document, ME)

    def remove(self, live: Live) -> None:
        if live.key in self.server.objects:
            self._unmoved(live.key, live)
            self._called(f"remove {live.key}", lambda: self.server.objects.pop(live.key), in_force=True)

    def mark(self, live: Live, owner: str) -> Live:
        def put() -> None:
            if live.key.kind != BY_LEDGER:
                self.server.objects[live.key] = replace(self.server.objects[live.key], owner=owner)

        self._unmoved(live.key, live)
        self._called(f"mark {live.key}", put, in_force=True)
        return replace(live, owner=owner)

    def remember(self, ledger: Mapping[Key, str]) -> None:
        held = dict(ledger)

        def keep() -> None:
            self.server.ledger = dict(held)
            self.server.version += 1

        self._called("remember", keep, in_force=True)

    def finish(self, said: str) -> list[Finding]:
        def in_force() -> None:
            for change in self._pending:
                change()
            self.server.busy = False

        self._called("finish", in_force)
        self.said.append(said)
        return self.findings

    def abandon(self) -> None:
        if not self._dead:
            self._pending.clear()
            self.server.busy = False

    def _unmoved(self, key: Key, live: Live | None) -> None:
        held = self.server.objects.get(key)
        if (str(held.revision) if held else None) != (live.revision if live else None):
            raise Moved(f"{key} is no longer what it was")

    def _called(self, name: str, change: Callable[[], object], in_force: bool = False) -> None:
        number = len(self.server.calls)
        self.server.calls.append(name)
        try:
            self.server.at_call(number, name)
            if self.as_a_whole and in_force:
                self._pending.append(lambda: change() and None)
            else:
                change()
            self.server.after_call(number, name)
        except Killed:
            self._dead, self.server.busy = True, False  # a lock ends with its process
            raise

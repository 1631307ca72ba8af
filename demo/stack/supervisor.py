"""Watches the parts and ends them in reverse order."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from demo.stack.child import Child, Part, State
from demo.stack.processes import Identity


class Watched(Protocol):
    """A part under supervision: a child process, or the embedded database server."""

    part: Part
    state: State
    reason: str
    identity: Identity | None

    def tick(self, now: float) -> None: ...

    def end(self, seconds: float) -> None: ...


_STOP_SECONDS = 8.0
_STOP_SECONDS_EACH = 3.0
_TICK = 0.1


class Supervisor:
    """`changed` is called whenever a part has a new state, with the part."""

    def __init__(self, var: Path, changed: Callable[[Watched], None] = lambda _: None) -> None:
        self._var = var
        self._changed = changed
        self.asking = ThreadPoolExecutor(max_workers=4, thread_name_prefix="health")
        self.watched: list[Watched] = []

    def start(self, part: Part) -> Child:
        child = Child(part, self._var, self.asking)
        child.start(time.monotonic())
        self.add(child)
        return child

    def add(self, watched: Watched) -> None:
        self.watched.append(watched)
        self._changed(watched)

    def tick(self) -> None:
        for watched in self.watched:
            before = (watched.state, watched.reason)
            watched.tick(time.monotonic())
            if (watched.state, watched.reason) != before:
                self._changed(watched)

    def wait(self, until: Callable[[], bool], seconds: float, beat: Callable[[], None] = lambda: None) -> bool:
        """Goes on watching until `until()` is true; False when that takes longer than `seconds`. Calls `beat` meanwhile."""
        deadline = time.monotonic() + seconds
        while not until():
            if time.monotonic() > deadline:
                return False
            self.tick()
            beat()
            time.sleep(_TICK)
        return True

    def settled(self, names: set[str] | None = None) -> bool:
        """Whether each part (of those named) is healthy or will not become so by waiting."""
        return all(
            watched.state in (State.HEALTHY, State.UNHEALTHY, State.FAILED)
            for watched in self.watched
            if names is None or watched.part.name in names
        )

    def end(self) -> None:
        """Ends the parts, the youngest first, within about ten seconds however they behave."""
        deadline = time.monotonic() + _STOP_SECONDS
        for watched in reversed(self.watched):
            watched.end(min(_STOP_SECONDS_EACH, max(deadline - time.monotonic(), 0.0)))
        self.asking.shutdown(wait=False, cancel_futures=True)

"""Threads that keep one receiver each at the present, and do not give up when it is away."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread

from demo.world import spec_file
from demo.world.model import WorldSpec
from demo.world.world import World

LOG = logging.getLogger("platform")
STEP_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 30.0

Advance = Callable[[float], None]
"""Brings a receiver up to a time (seconds since the epoch). It may be called again after it failed."""


class Present:
    """The world as its file describes it now: a new incident shows at the next question.

    Not for several threads: a world makes its parts when they are asked for.
    """

    def __init__(self, path: Path) -> None:
        """Raises FileNotFoundError or SpecError."""
        self._path = path
        self._seen = self._stamp()
        self.world = World(spec_file.read(path))

    def ask(self) -> World:
        """The world of this moment; of the last good file while there is none that can be read."""
        stamp = self._stamp()
        if stamp != self._seen:
            self._seen = stamp
            try:
                self._take(spec_file.read(self._path))
            except (OSError, spec_file.SpecError) as error:
                LOG.error("world: %s; going on with the last one", error)
        return self.world

    def _take(self, spec: WorldSpec) -> None:
        if spec != self.world.spec:
            self.world = World(spec)

    def _stamp(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino


class Follower(Thread):
    """Calls `advance` every `step` seconds. When it fails it says so once, waits longer each time, and says when it goes on.

    `failures` are the errors of a receiver that is away; after anything else, which is a mistake of ours, it calls `give_up`.
    """

    def __init__(
        self,
        name: str,
        advance: Advance,
        failures: tuple[type[Exception], ...],
        clock: Callable[[], float],
        stop: Event,
        give_up: Callable[[], None],
        step: float = STEP_SECONDS,
    ) -> None:
        super().__init__(name=name, daemon=True)
        self._advance, self._failures, self._clock = advance, failures, clock
        self._stop_event, self._give_up, self._step = stop, give_up, step
        self.trouble = ""
        """Why the receiver is behind, in one line; empty when it is not."""

    def run(self) -> None:
        try:
            wait = 0.0
            while not self._stop_event.wait(wait):
                wait = self._once(wait)
        except Exception:
            LOG.exception("%s: unexpected", self.name)
            self.trouble = "ended by an unexpected error"
            self._give_up()

    def _once(self, waited: float) -> float:
        """One step; gives the seconds to wait before the next."""
        now = self._clock()
        try:
            self._advance(now)
        except self._failures as error:
            text = " ".join(str(error).split()) or type(error).__name__
            if not self.trouble:
                LOG.warning("%s: %s; trying again until it works", self.name, text)
            self.trouble = text
            return min(max(self._step, 2 * waited), LONGEST_WAIT_SECONDS)
        if self.trouble:
            LOG.info("%s: works again", self.name)
            self.trouble = ""
        return max(0.0, self._step - (self._clock() - now))

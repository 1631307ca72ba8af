"""The stack's life after its table: the live line, and a line for everything that happens to a part."""

from __future__ import annotations

import time
from collections.abc import Iterable

from demo.stack.child import State
from demo.stack.figures import Figures
from demo.stack.screen import Row, Screen
from demo.stack.supervisor import Supervisor, Watched


def row(watched: Watched) -> Row:
    return Row(watched.part.title, watched.part.address, watched.state.value, watched.reason)


def troubles(parts: Iterable[Watched]) -> str:
    """Parts that are not healthy, for the end of the live line."""
    return "".join(
        f" · {watched.part.name} {watched.state.value}{f' ({watched.reason[:80]})' if watched.reason else ''}"
        for watched in parts
        if watched.state is not State.HEALTHY
    )


class Announcer:
    """Says once what became of a part. Quiet until `speaking`: until then the table is going to say it."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self.speaking = False
        self._said: dict[str, State] = {}

    def __call__(self, watched: Watched) -> None:
        state = watched.state
        before, self._said[watched.part.name] = self._said.get(watched.part.name), state
        if not self.speaking or state in (before, State.STARTING, State.ENDED):
            return
        if state is State.HEALTHY:
            self._screen.say(f"{_clock()} {watched.part.title} is up: {watched.part.address}")
        else:
            self._screen.say(f"{_clock()} {watched.part.title} is {state.value}: {watched.reason}")


def _clock() -> str:
    return time.strftime("%H:%M:%S")


def stay(supervisor: Supervisor, screen: Screen, figures: Figures) -> None:
    """Watches and shows until an exception ends it."""
    while True:
        supervisor.tick()
        if figures.tick(time.monotonic()):
            screen.line(figures.line + troubles(supervisor.watched))
        time.sleep(0.1)

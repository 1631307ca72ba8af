"""Settings that people asked for come into force: they are written to the world's file, which all receivers read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from demo.database.configuration import Wanted
from demo.world import spec_file
from demo.world.model import Tuned


def hold(world: Path, clock: Callable[[], float], wanted: Sequence[Wanted]) -> None:
    """They hold for what begins a second from now, when every receiver is sure to have read of them.

    Raises spec_file.SpecError and OSError.
    """
    start = clock() + 1.0
    tuned = tuple(Tuned(*one, start) for one in wanted)
    spec_file.change(world, lambda spec: replace(spec, settings=(*spec.settings, *tuned)))

"""The platform's own metrics, one registry for each environment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from itertools import product
from typing import Any

from contract.catalogue import metric
from contract.metrics import MetricType
from demo.platform import expected
from demo.platform.registry import LabelPairs, Number, Registry
from demo.platform.stories import Stories
from demo.platform.traffic import QUARTER_SECONDS, Traffic
from demo.world.catalogue import AGENT, ENVIRONMENTS
from demo.world.happenings import Happening, happenings
from demo.world.world import World

NAMES = tuple(name for name, _ in ENVIRONMENTS)
CHECKPOINT_VERSION = 1
WARM_UP_SECONDS = 4 * 3600.0
"""Longer than anything but a ticket lasts, so that the gauges of what is under way are right from the start."""
LOOKAHEAD_SECONDS = 600.0


class PlatformMetrics:
    """Counters, gauges and histograms as the platform's processes hold them.

    Counters begin at zero at `start` (seconds since the epoch) and then equal what happens in the world. Equal worlds give
    equal numbers, in whatever steps time is advanced.
    """

    def __init__(self, world: World, start: float, lookahead: float = LOOKAHEAD_SECONDS) -> None:
        self._prepare(world, start - WARM_UP_SECONDS, lookahead)
        begun = self.at
        # What began before is half known: counting its end alone would push gauges below zero.
        self._advance(start, lambda happening: getattr(happening.subject, "at", begun) > begun)
        for registry in self.registries.values():
            for (name, _), first, end in registry.spans():
                if metric(name).type is not MetricType.GAUGE:
                    registry.values[first:end] = [0] * (end - first)
        for traffic in self._traffic.values():
            traffic.sums = [[0] * len(sums) for sums in traffic.sums]

    def _prepare(self, world: World, at: float, lookahead: float) -> None:
        self.at = at
        self._world, self._lookahead = world, lookahead
        self._upcoming: Iterator[Happening] = iter(())
        self._next: Happening | None = None
        self._known_until = at
        self.registries = {environment: Registry() for environment in NAMES}
        for environment, registry in self.registries.items():
            expected.declare(registry, environment)
        self._stories = Stories(self.registries)
        for environment, agent in product(NAMES, AGENT):
            self._stories.deploy(world.version(agent, environment, at))
        self._traffic = {environment: Traffic(registry, environment) for environment, registry in self.registries.items()}

    @property
    def world(self) -> World:
        return self._world

    @world.setter
    def world(self, world: World) -> None:
        """Go on in another world from here, for instance one with a new incident."""
        self._world = world
        self._next, self._upcoming, self._known_until = None, iter(()), self.at

    def advance(self, until: float) -> None:
        """Apply everything in (at, until]. A time that is not after `at` changes nothing."""
        if until > self.at:
            self._advance(until, lambda _: True)

    def _advance(self, until: float, wanted: Callable[[Happening], bool]) -> None:
        for happening in self._due(until):
            if wanted(happening):
                self._stories.count(happening)
        since, self.at = self.at, until
        self._stories.settle(until)
        for traffic in self._traffic.values():
            quarters = int(since // QUARTER_SECONDS), int(until // QUARTER_SECONDS)
            traffic.advance(self._world.spec, *quarters)

    def _due(self, until: float) -> Iterator[Happening]:
        """Happenings up to `until`. They are asked for some time ahead, because each question looks far back."""
        while True:
            if self._next is None:
                self._next = next(self._upcoming, None)
            if self._next is not None:
                if self._next.at > until:
                    return
                happening, self._next = self._next, None
                yield happening
            elif self._known_until < until:
                since, self._known_until = self._known_until, max(until, self._known_until + self._lookahead)
                self._upcoming = happenings(self._world, since, self._known_until)
            else:
                return

    def samples(self, environment: str) -> list[tuple[str, LabelPairs, float]]:
        """Series name, labels and value of everything that an environment exposes."""
        return self.registries[environment].samples()

    def values(self, environment: str) -> list[Number]:
        """A copy of all values, in the order of `registries[environment].series`."""
        return self.registries[environment].values.copy()

    def checkpoint(self) -> dict[str, Any]:
        """Everything that `restore` needs, ready for JSON; it does not change when time goes on."""
        stories = self._stories
        return {
            "version": CHECKPOINT_VERSION,
            "at": self.at,
            "registries": {environment: registry.state() for environment, registry in self.registries.items()},
            "traffic": {environment: [*traffic.sums] for environment, traffic in self._traffic.items()},
            "waiting": {queue: dict(messages) for queue, messages in stories.waiting.items()},
            "sessions": {environment: dict(sessions) for environment, sessions in stories.sessions.items()},
            "logins": [*stories.logins],
        }

    @classmethod
    def restore(cls, world: World, checkpoint: dict[str, Any], lookahead: float = LOOKAHEAD_SECONDS) -> PlatformMetrics:
        """Metrics that go on where `checkpoint` was taken. Raises ValueError when it is of another version."""
        if checkpoint.get("version") != CHECKPOINT_VERSION:
            raise ValueError(f"the checkpoint has version {checkpoint.get('version')!r}; {CHECKPOINT_VERSION} is wanted")
        checkpoint = deepcopy(checkpoint)
        self = cls.__new__(cls)
        self._prepare(world, checkpoint["at"], lookahead)
        for environment, registry in self.registries.items():
            registry.load(checkpoint["registries"][environment])
            self._traffic[environment].sums = checkpoint["traffic"][environment]
        self._stories.waiting = checkpoint["waiting"]
        self._stories.sessions = checkpoint["sessions"]
        self._stories.logins = checkpoint["logins"]
        return self

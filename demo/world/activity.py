"""What else people and machines do: documents, searches, logins, features, workflows, queued messages."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from math import exp
from random import Random
from typing import Protocol

from demo.world.catalogue import FEATURES, FILE_TOPICS, FILE_TYPES, QUEUES, WORKFLOWS
from demo.world.model import Document, FeatureUse, Login, QueuedMessage, Search, Workflow, WorldSpec
from demo.world.people import Population
from demo.world.rhythm import HOUR, NORMAL, count, cumulative, rate, stream, uuid_text

_FILE_TYPES, _FILE_TYPE_SUMS = cumulative(FILE_TYPES)
_FEATURES, _FEATURE_SUMS = cumulative(FEATURES)
_QUEUES, _QUEUE_SUMS = cumulative(QUEUES)
_WORKFLOW_SUMS = cumulative(tuple((workflow.name, workflow.weight) for workflow in WORKFLOWS))[1]
_ROWS_AN_HOUR = 100_000

PER_CONVERSATION = {"documents": 0.03, "searches": 0.40, "logins": 0.50, "features": 0.70, "workflows": 0.05, "queued": 0.10}
"""How often each happens, measured in conversations."""


class Dated(Protocol):
    """Something that begins at a time."""

    @property
    def at(self) -> float: ...


class Activity:
    """One kind of activity in one hour: its chance, its times, its ids and its people."""

    def __init__(self, spec: WorldSpec, population: Population, kind: str, hour: float) -> None:
        self.rng = stream(spec, kind, int(hour // HOUR))
        number = count(self.rng, PER_CONVERSATION[kind] * rate(spec, hour + HOUR / 2) * HOUR)
        self.times = sorted(round(hour + HOUR * self.rng.random(), 3) for _ in range(number))
        self.first = int(hour // HOUR) * _ROWS_AN_HOUR
        self._pick: Callable[[float], int] = population.crowd(hour).pick

    def user(self) -> int:
        return self._pick(self.rng.random())

    def spread(self, median: float, spread: float) -> float:
        return median * exp(spread * NORMAL[int(self.rng.random() * 4096)])


def documents(spec: WorldSpec, population: Population, hour: float) -> tuple[Document, ...]:
    act = Activity(spec, population, "documents", hour)
    return tuple(_document(act, act.rng, act.first + n, at) for n, at in enumerate(act.times))


def _document(act: Activity, rng: Random, identity: int, at: float) -> Document:
    file_type = _FILE_TYPES[bisect_left(_FILE_TYPE_SUMS, rng.random())]
    name = f"{FILE_TOPICS[int(rng.random() * len(FILE_TOPICS))]}-{identity % 9973:04d}.{file_type}"
    size = int(act.spread(90_000.0, 1.1))
    chunks = tuple(180 + int(320 * rng.random()) for _ in range(1 + min(39, size // 16_000)))
    finished = at + min(600.0, act.spread(8.0, 0.8) + 0.4 * len(chunks))
    return Document(identity, act.user(), name, file_type, size, at, finished, rng.random() < 0.02, chunks)


def searches(spec: WorldSpec, population: Population, hour: float) -> tuple[Search, ...]:
    act = Activity(spec, population, "searches", hour)
    random = act.rng.random
    found = []
    for n, at in enumerate(act.times):
        results = 0 if random() < 0.07 else 1 + int(19 * random() ** 1.6)
        score = round(0.45 + 0.54 * random() ** 0.7, 4) if results else None
        found.append(
            Search(act.first + n, act.user(), at, act.spread(0.09, 0.6), results, score, bool(results) and random() < 0.58)
        )
    return tuple(found)


def logins(spec: WorldSpec, population: Population, hour: float) -> tuple[Login, ...]:
    act = Activity(spec, population, "logins", hour)
    return tuple(Login(act.first + n, act.user(), at, act.rng.random() < 0.965) for n, at in enumerate(act.times))


def features(spec: WorldSpec, population: Population, hour: float) -> tuple[FeatureUse, ...]:
    act = Activity(spec, population, "features", hour)
    return tuple(
        FeatureUse(act.first + n, act.user(), _FEATURES[bisect_left(_FEATURE_SUMS, act.rng.random())], at, None)
        for n, at in enumerate(act.times)
    )


def workflows(spec: WorldSpec, population: Population, hour: float) -> tuple[Workflow, ...]:
    act = Activity(spec, population, "workflows", hour)
    return tuple(_workflow(act, act.rng, at) for at in act.times)


def _workflow(act: Activity, rng: Random, at: float) -> Workflow:
    random = rng.random
    kind = WORKFLOWS[bisect_left(_WORKFLOW_SUMS, random())]
    lot = random()
    status = "success" if lot < 0.955 else "error" if lot < 0.98 else "timeout" if lot < 0.99 else "cancelled"
    duration = min(3300.0, act.spread(kind.median_seconds, 0.6) * (1.0 if status != "timeout" else 6.0))
    tools = 2 + int(9 * random())
    completion = 1.0 if status == "success" else round(0.2 + 0.7 * random(), 3)
    satisfaction = round((3.2 if status == "success" else 1.5) + 1.8 * random(), 2) if random() < 0.3 else None
    identity, session = uuid_text(rng.getrandbits(128)), uuid_text(rng.getrandbits(128))
    return Workflow(
        identity, kind.name, at, duration, status, kind.agents, tools, int(tools * 0.6), 2500 + int(22_000 * random()),
        session, act.user(), satisfaction, completion, _environment(identity),
    )  # fmt: skip


def _environment(identity: str) -> str:
    """Most workflows run in production. Drawn from the identity, so that it costs the other draws nothing."""
    lot = int(identity[:2], 16)
    return "production" if lot < 208 else "staging" if lot < 240 else "development"


def queued(spec: WorldSpec, population: Population, hour: float) -> tuple[QueuedMessage, ...]:
    act = Activity(spec, population, "queued", hour)
    random = act.rng.random
    found = []
    for n, at in enumerate(act.times):
        queue = _QUEUES[bisect_left(_QUEUE_SUMS, random())]
        attempts = 1 if random() < 0.9 else 2 + int(3 * random())
        dead = attempts == 4 and random() < 0.35
        waits = 3600.0 if dead else min(3000.0, act.spread(40.0 if queue == "mobile-sync" else 6.0, 1.0) * attempts**2)
        found.append(QueuedMessage(act.first + n, queue, at, at + waits, attempts, dead))
    return tuple(found)

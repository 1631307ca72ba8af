"""Large things that go wrong on production. They bend what begins within them and leave everything before untouched.

Life is first made as if nothing was wrong; then every execution that begins within an incident is changed by the incident's own
chance (named after the execution), and what follows in the same conversation moves with it. So an incident that starts now
never changes the past, and one that ends early keeps what it did.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from demo.world.bending import failed, judged_again, stretched
from demo.world.conversations import POSITIONS, Arrival, conversation
from demo.world.model import Conversation, Execution, Incident, LlmCall, WorldSpec
from demo.world.people import Population
from demo.world.releases import Releases
from demo.world.rhythm import HOUR, rate, stream

LATENCY_FACTOR, LATENCY_LIMIT_SECONDS, LATENCY_TIMEOUTS = 9.0, 120.0, 0.015
COST_FACTOR = 25
ERROR_SHARE = 0.70
EXTRA_TRAFFIC = 3.0
FIRST_RUSH_SECONDS, FIRST_RUSH_RATE, SLOWEST_EXTRA_RATE = 120.0, 0.6, 0.1
"""Conversations per second: many try again at once when something breaks, then fewer; seen at night and when small, too."""
_EXTRA_POSITIONS = 10_000
_PRODUCTION_SHARE = 0.88


@dataclass(frozen=True)
class Trouble:
    """The incidents of a world."""

    spec: WorldSpec

    def between(self, since: float, until: float) -> bool:
        return any(incident.start < until and since < incident.end for incident in self.spec.incidents)

    def kinds(self, at: float) -> set[str]:
        return {incident.kind for incident in self.spec.incidents if incident.covers(at)}

    def silent(self, at: float) -> bool:
        return "silence" in self.kinds(at)


def bend(trouble: Trouble, original: Conversation) -> Conversation | None:
    """The conversation as the incidents leave it; None when it never begins."""
    if original.environment != "production" or not trouble.between(original.at, original.settled):
        return original
    kept: list[Execution] = []
    shift = 0.0
    changed = False
    for execution in original.executions:
        moved = execution if shift == 0.0 else stretched(execution, execution.at + shift, 1.0)
        kinds = trouble.kinds(moved.at)
        if "silence" in kinds:
            return _cut_off(original, kept, moved.at) if kept else None
        if kinds:
            changed = True
            moved = _struck(stream(trouble.spec, "struck", execution.execution_id), moved, kinds)
        shift += moved.duration - execution.duration
        kept.append(moved)
    return judged_again(trouble.spec, original, kept, shift) if changed else original


def retried(trouble: Trouble, population: Population, releases: Releases, hour: float) -> Iterator[Conversation]:
    """Conversations that begin in an hour only because people try again while errors go on.

    They come from the incident's own stream, one after the other from its start, whatever its end is.
    """
    errors = sorted(
        {incident for incident in trouble.spec.incidents if incident.kind == "errors"}, key=lambda i: (i.start, i.end)
    )
    for ordinal, incident in enumerate(errors):
        if incident.start >= hour + HOUR or incident.end <= hour:
            continue
        crowd = population.crowd(hour)
        for position, arrival in enumerate(_retries(trouble.spec, incident, hour)):
            if trouble.silent(arrival):
                continue
            identity = int(hour // HOUR) * POSITIONS + _EXTRA_POSITIONS * (1 + ordinal % 98) + position
            rng = stream(trouble.spec, "extra", identity)
            yield conversation(rng, Arrival(identity, arrival, crowd.pick(rng.random()), "production"), releases, patience=0.2)


def _retries(spec: WorldSpec, incident: Incident, hour: float) -> list[float]:
    rng = stream(spec, incident.kind, incident.start)
    found = []
    at = incident.start + 1.0
    while at < min(incident.end, hour + HOUR):
        if at >= hour:
            found.append(round(at, 3))
        least = FIRST_RUSH_RATE if at < incident.start + FIRST_RUSH_SECONDS else SLOWEST_EXTRA_RATE
        per_second = max(least, EXTRA_TRAFFIC * _PRODUCTION_SHARE * rate(spec, at))
        at += (0.5 + rng.random()) / per_second
    return found


def _struck(rng: Random, execution: Execution, kinds: set[str]) -> Execution:
    """What the incidents make of one execution."""
    if "cost" in kinds:
        execution = execution._replace(calls=tuple(_costlier(call) for call in execution.calls))
    if "latency" in kinds:
        factor = max(1.0, min(LATENCY_FACTOR, LATENCY_LIMIT_SECONDS / execution.duration))
        execution = stretched(execution, execution.at, factor)
        if rng.random() < LATENCY_TIMEOUTS:
            execution = failed(execution, "timeout")
    if "errors" in kinds and rng.random() < ERROR_SHARE:
        lot = rng.random()
        error = "llm" if lot < 0.75 else "rate_limit" if lot < 0.92 else "internal"
        # A refused model call comes back soon.
        execution = failed(stretched(execution, execution.at, (0.3 + 1.5 * rng.random()) / execution.duration), error)
    return execution


def _costlier(call: LlmCall) -> LlmCall:
    """The same call in a loop that sends its growing context again and again."""
    return call._replace(
        input_tokens=call.input_tokens * COST_FACTOR,
        output_tokens=call.output_tokens * COST_FACTOR,
        cache_read_tokens=call.cache_read_tokens * COST_FACTOR,
        reasoning_tokens=call.reasoning_tokens * COST_FACTOR,
        input_cost_usd=None if call.input_cost_usd is None else call.input_cost_usd * COST_FACTOR,
        output_cost_usd=None if call.output_cost_usd is None else call.output_cost_usd * COST_FACTOR,
    )


def _cut_off(original: Conversation, kept: list[Execution], at: float) -> Conversation:
    """A conversation whose next question never came."""
    end = max(kept[-1].end, at) + 30.0
    return original._replace(
        end=end, goal_achieved=None, outcome="abandoned", executions=tuple(kept), feedback=(), handoff=None
    )

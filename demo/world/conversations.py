"""Conversations as they would be if nothing ever went wrong on a large scale; `incidents` bends them afterwards."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from math import exp
from random import Random
from typing import NamedTuple

from demo.world.catalogue import (
    AGENTS,
    BAD_COMMENTS,
    CHANNELS,
    ENVIRONMENTS,
    FEEDBACK_CATEGORIES,
    GOOD_COMMENTS,
    HANDOFF_REASONS,
)
from demo.world.executions import execution
from demo.world.model import Conversation, Execution, Feedback, Handoff, Ticket, WorldSpec
from demo.world.people import Population
from demo.world.releases import Releases
from demo.world.rhythm import HOUR, NORMAL, count, cumulative, rate, stream, uuid_text

POSITIONS = 1_000_000
"""A conversation's id is the number of its hour times this, plus its position in the hour."""

_ENVIRONMENTS, _ENVIRONMENT_SUMS = cumulative(ENVIRONMENTS)
_CHANNELS, _CHANNEL_SUMS = cumulative(CHANNELS)
_REASONS, _REASON_SUMS = cumulative(HANDOFF_REASONS)
_CATEGORIES, _CATEGORY_SUMS = cumulative(FEEDBACK_CATEGORIES)
_AGENT_SUMS = cumulative(tuple((agent.name, agent.weight) for agent in AGENTS))[1]
_TURN_SUMS = (0.38, 0.67, 0.84, 0.93, 0.98, 1.0)
_LONGEST_GAP = 280.0


class Arrival(NamedTuple):
    """Somebody begins a conversation."""

    conversation_id: int
    at: float
    user_id: int
    environment: str


def arrivals(spec: WorldSpec, population: Population, hour: float) -> list[Arrival]:
    """Who begins a conversation in an hour, in order of time: cheap, so that tickets can name conversations unseen."""
    rng = stream(spec, "arrivals", int(hour // HOUR))
    random = rng.random
    times = sorted(round(hour + random() * HOUR, 3) for _ in range(count(rng, rate(spec, hour + HOUR / 2) * HOUR)))
    pick = population.crowd(hour).pick
    first = int(hour // HOUR) * POSITIONS
    return [
        Arrival(first + position, at, pick(random()), _ENVIRONMENTS[bisect_left(_ENVIRONMENT_SUMS, random())])
        for position, at in enumerate(times)
    ]


def of_hour(
    spec: WorldSpec, people: list[Arrival], releases: Releases, hour: float, tickets: tuple[Ticket, ...]
) -> Iterator[Conversation]:
    """The hour's conversations. Those that a ticket of the hour belongs to are handed over to a person."""
    rng = stream(spec, "conversations", int(hour // HOUR))
    handed = {ticket.conversation_id: ticket for ticket in tickets}
    for arrival in people:
        yield conversation(rng, arrival, releases, handed.get(arrival.conversation_id))


def conversation(
    rng: Random, arrival: Arrival, releases: Releases, ticket: Ticket | None = None, patience: float = 1.0
) -> Conversation:
    """One conversation whole. `patience` multiplies the time that the user thinks between two questions."""
    random = rng.random
    identity, at, user, environment = arrival
    agent = AGENTS[bisect_left(_AGENT_SUMS, random())]
    release = releases.serving(agent.name, environment, at)
    channel = _CHANNELS[bisect_left(_CHANNEL_SUMS, random())]
    intent = agent.intents[int(random() ** 1.4 * len(agent.intents))]
    session = uuid_text(rng.getrandbits(128))
    executions: list[Execution] = []
    moment = at
    for turn in range(bisect_left(_TURN_SUMS, random()) + 1):
        executions.append(execution(rng, agent, release, identity, session, user, intent, moment, turn))
        gap = min(_LONGEST_GAP, 38.0 * exp(0.7 * NORMAL[int(random() * 4096)])) * patience
        moment = executions[-1].at + executions[-1].duration + gap
    end = moment + 15.0 * random()
    goal, outcome = judge(rng, executions, ticket is not None)
    handoff = hand_over(rng, identity, end, ticket) if outcome == "handoff" else None
    if handoff:
        end = max(end, handoff.at)
    feedback = _feedback(rng, identity, end, executions[-1], goal)
    return Conversation(
        identity,
        session,
        user,
        agent.name,
        environment,
        channel,
        intent,
        at,
        end,
        goal,
        outcome,
        tuple(executions),
        feedback,
        handoff,
    )


def judge(rng: Random, executions: list[Execution], has_ticket: bool = False) -> tuple[bool | None, str]:
    """Whether the goal was reached (None: not known) and what came of it."""
    random = rng.random
    failed = any(execution.status in ("error", "timeout") for execution in executions)
    if has_ticket:
        return random() < 0.62, "handoff"
    if random() < (0.05 if failed else 0.10):
        return None, "abandoned"
    if random() < (0.55 if failed else 0.963):
        return True, "resolved"
    lot = random()
    return False, "handoff" if lot < 0.5 else "failed" if lot < (0.9 if failed else 0.75) else "abandoned"


def hand_over(rng: Random, identity: int, at: float, ticket: Ticket | None) -> Handoff:
    """A handoff at `at`, or when its ticket is opened should that be later."""
    at = max(at, ticket.changes[0].at) if ticket else at
    accepted = at + 20.0 + 280.0 * rng.random()
    reason = _REASONS[bisect_left(_REASON_SUMS, rng.random())]
    return Handoff(
        identity, at, reason, accepted, accepted + 120.0 + 1200.0 * rng.random(), ticket.ticket_id if ticket else None
    )


def _feedback(rng: Random, identity: int, end: float, last: Execution, goal: bool | None) -> tuple[Feedback, ...]:
    """Thumbs or stars for one conversation in seven, the NPS question now and then; always about the last answer."""
    random = rng.random
    if (lot := random()) > 0.14:
        return ()
    happy = random() < (0.90 if goal else 0.65 if goal is None else 0.25)
    rating = (5 if random() < 0.62 else 4) if happy else (3, 2, 1, 1)[int(random() * 4)]
    thumbs = None if random() < 0.25 else 1 if happy else -1
    nps = None
    if lot < 0.035:
        nps = 9 + int(random() * 2) if happy and random() < 0.72 else 7 + int(random() * 2) if happy else int(random() * 7)
    comment = None
    if random() < 0.30:
        comments = GOOD_COMMENTS if happy else BAD_COMMENTS
        comment = comments[int(random() * len(comments))]
    category = _CATEGORIES[bisect_left(_CATEGORY_SUMS, random())]
    at = end + 3.0 + 240.0 * random() ** 2
    return (Feedback(identity, at, last.answer_id, last.trace_id, rating, thumbs, nps, category, comment),)

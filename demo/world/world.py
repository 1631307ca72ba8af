"""The world: ask it for an hour, a user list, a version."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import count
from typing import TypeVar

from demo.world import activity, conversations, incidents, tickets, tuning
from demo.world.catalogue import AGENT
from demo.world.executions import execution
from demo.world.model import MAX_CONVERSATION_SECONDS, Deployment, Execution, Hour, Ticket, User, WorldSpec
from demo.world.people import Population
from demo.world.releases import Releases
from demo.world.rhythm import HOUR, growth, rate, stream

SETTLED_HOURS = int(MAX_CONVERSATION_SECONDS // HOUR) + 1
"""Whatever began more than so many hours before an hour is over when it starts, tickets aside."""

_HOURS_KEPT = 12
_TICKET_HOURS_KEPT = 31 * 24

_Dated = TypeVar("_Dated", bound=activity.Dated)


class World:
    """The synthetic platform of a spec. All times are seconds since the epoch.

    Nothing exists before `spec.beginning` but users and deployments. Equal specs give equal worlds; specs that differ only in
    incidents and settings give worlds that are equal up to the first of them in which they differ.
    """

    def __init__(self, spec: WorldSpec) -> None:
        self.spec = spec
        self._population = Population(spec)
        self._releases = Releases(spec)
        self._trouble = incidents.Trouble(spec)
        self._hour = lru_cache(maxsize=_HOURS_KEPT)(self._make_hour)
        self._tickets = lru_cache(maxsize=_TICKET_HOURS_KEPT)(self._make_tickets)

    def hour(self, start: float) -> Hour:
        """Everything that begins in the hour that `start` lies in. Hours do not depend on each other."""
        return self._hour(start // HOUR * HOUR)

    def tickets(self, start: float) -> tuple[Ticket, ...]:
        """The tickets of an hour alone, far cheaper than the hour."""
        return self._tickets(start // HOUR * HOUR)

    def users(self, until: float) -> Sequence[User]:
        """Users created up to `until`, the oldest (user 1) first; the n-th has the id n."""
        return self._population.users(until)

    def deployments(self, until: float = float("inf")) -> Sequence[Deployment]:
        """Deployments up to `until`, in order of time; without it, all that are planned (a year and more past the anchor)."""
        return self._releases.until(until)

    def version(self, agent: str, environment: str, at: float) -> Deployment:
        """The deployment in service. Raises KeyError for an unknown agent or environment."""
        return self._releases.serving(agent, environment, at).deployment

    def asked(self, agent: str, environment: str, at: float, number: int) -> Execution:
        """The `number`-th query that nobody of this world makes, as it would go with version and settings of the moment.

        It fails only by what the agent is set to. Raises KeyError for an unknown agent or environment.
        """
        release = self._releases.serving(agent, environment, at)
        rng = stream(self.spec, "asked", agent, environment, number)
        queries = (execution(rng, AGENT[agent], release, 0, "", 0, "", at, 0) for _ in count())
        return tuning.tuned(self.spec, next(one for one in queries if one.status == "success"))

    def conversation_rate(self, at: float) -> float:
        """Conversations per second that begin around `at` in all environments when nothing is wrong."""
        return rate(self.spec, at)

    def growth(self, at: float) -> float:
        """Size of the platform relative to the anchor (1.0)."""
        return growth(self.spec, at)

    def _make_tickets(self, start: float) -> tuple[Ticket, ...]:
        if start < self.spec.beginning:
            return ()
        return tickets.of_hour(self.spec, self._arrivals(start), start)

    def _arrivals(self, start: float) -> list[conversations.Arrival]:
        return conversations.arrivals(self.spec, self._population, start)

    def _make_hour(self, start: float) -> Hour:
        if start < self.spec.beginning:
            return Hour(start, (), (), (), (), (), (), (), ())
        spec, population = self.spec, self._population
        found = list(conversations.of_hour(spec, self._arrivals(start), self._releases, start, self.tickets(start)))
        if self._trouble.between(start, start + HOUR + MAX_CONVERSATION_SECONDS):
            found += incidents.retried(self._trouble, population, self._releases, start)
            bent = (incidents.bend(self._trouble, tuning.tune(spec, conversation)) for conversation in found)
            found = sorted((c for c in bent if c is not None), key=lambda c: (c.at, c.conversation_id))
        elif spec.settings:
            found = [tuning.tune(spec, conversation) for conversation in found]
        return Hour(
            start,
            tuple(found),
            self.tickets(start),
            self._heard(activity.documents(spec, population, start)),
            self._heard(activity.searches(spec, population, start)),
            self._heard(activity.logins(spec, population, start)),
            self._heard(activity.features(spec, population, start)),
            self._heard(activity.workflows(spec, population, start)),
            self._heard(activity.queued(spec, population, start)),
        )

    def _heard(self, found: tuple[_Dated, ...]) -> tuple[_Dated, ...]:
        """Without what falls into a silence."""
        if not self.spec.incidents:
            return found
        return tuple(item for item in found if not self._trouble.silent(item.at))

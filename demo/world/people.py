"""Users: when they come, how much they do, when they leave."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from functools import lru_cache
from itertools import accumulate
from random import Random

from demo.world.catalogue import COUNTRIES, DEPARTMENTS, ROLES, STAFF
from demo.world.model import User, WorldSpec
from demo.world.rhythm import DAY, FEWEST_USERS, HOUR, USERS_AT_ANCHOR, cumulative, grown_at, growth, stream

_ROLES, _ROLE_SUMS = cumulative(ROLES)
_COUNTRIES, _COUNTRY_SUMS = cumulative(COUNTRIES)
_EARLY_LEAVERS = 0.25
_NEWCOMER_EAGERNESS = 2.5


class Crowd:
    """Who may do something within one hour, and how likely each is: a few do very much (Pareto)."""

    def __init__(self, sums: list[float], size: int) -> None:
        self._sums = sums
        self._size = size
        self._total = sums[size - 1]

    def pick(self, lot: float) -> int:
        """The user id for a lot in [0, 1)."""
        return min(bisect_right(self._sums, lot * self._total, 0, self._size), self._size - 1) + 1


class Population:
    """All users that ever come, in order of their coming; made as far as somebody asked."""

    def __init__(self, spec: WorldSpec) -> None:
        self._spec = spec
        self._at_anchor = max(FEWEST_USERS, USERS_AT_ANCHOR * spec.scale)
        self._users: list[User] = []
        self._times: list[float] = []
        self._weights: list[float] = []
        self._leaves: list[float] = []
        self._day = lru_cache(maxsize=8)(self._day_sums)

    def users(self, until: float) -> list[User]:
        """Users created up to and including `until`."""
        self._extend(int(self._at_anchor * growth(self._spec, until)) + 2)
        return self._users[: bisect_right(self._times, until)]

    def crowd(self, hour: float) -> Crowd:
        """Those who are there at the start of an hour; user 1 always is."""
        sums = self._day(hour // DAY)
        return Crowd(sums, max(1, bisect_left(self._times, hour, 0, len(sums))))

    def _day_sums(self, day: float) -> list[float]:
        start, end = day * DAY, (day + 1) * DAY
        size = max(1, len(self.users(end)))
        weights = (
            0.0 if leaves < start else weight * _NEWCOMER_EAGERNESS if start - at < 2 * DAY else weight
            for at, weight, leaves in zip(self._times[:size], self._weights, self._leaves, strict=False)
        )
        return list(accumulate(weights))

    def _extend(self, size: int) -> None:
        for number in range(len(self._users) + 1, size + 1):
            rng = stream(self._spec, "user", number)
            at = round(grown_at(self._spec, (number - 0.9 * rng.random()) / self._at_anchor), 3)
            self._users.append(_user(rng, number, at))
            self._times.append(at)
            # Staff mostly answer tickets. Nobody's weight is zero for ever, or an empty company would have nobody to pick.
            weight = 0.02 if number <= STAFF else min((1.0 - rng.random()) ** (-1 / 1.25), 40.0)
            stays = 4 * DAY if rng.random() < _EARLY_LEAVERS else 240 * DAY
            self._weights.append(weight)
            self._leaves.append(float("inf") if number <= STAFF else at + HOUR + rng.expovariate(1 / stays))


def _user(rng: Random, number: int, at: float) -> User:
    role = "support" if number <= STAFF else _ROLES[bisect_left(_ROLE_SUMS, rng.random())]
    status = "active" if number <= STAFF or rng.random() < 0.97 else rng.choice(("invited", "suspended"))
    department = DEPARTMENTS[0 if number <= STAFF else int(rng.random() * len(DEPARTMENTS))][0]
    return User(number, at, role, status, department, _COUNTRIES[bisect_left(_COUNTRY_SUMS, rng.random())])

"""How much happens when: growth, weekdays, hours; and where chance comes from."""

from __future__ import annotations

import math
from random import Random
from statistics import NormalDist

from demo.world.model import WorldSpec

HOUR, DAY = 3600.0, 86400.0
CONVERSATIONS_A_DAY = 2400.0
USERS_AT_ANCHOR = 2600.0
FEWEST_USERS = 150.0

GROWTH_SECONDS = 90 * DAY
GROWTH_FACTOR = 2.5
WEEKEND = 0.45
PEAK_HOUR = 14.0
SWING = 0.375
"""Between peak and night a factor of (1 + SWING) / (1 - SWING) = 2.2."""

_WEDNESDAY = 6
"""Of the weeks that begin with the epoch, on a Thursday."""
_STEPS = 4096
NORMAL = tuple(NormalDist().inv_cdf((step + 0.5) / _STEPS) for step in range(_STEPS))
"""Quantiles of the normal distribution: `NORMAL[int(random() * 4096)]` is a quick draw."""


def stream(spec: WorldSpec, *names: object) -> Random:
    """A source of chance of its own for everything that has a name."""
    return Random("/".join(map(str, (spec.seed, *names))))


def growth(spec: WorldSpec, at: float) -> float:
    """Size relative to the anchor: exponential before it, straight on after it."""
    past = (at - spec.anchor) / GROWTH_SECONDS
    return GROWTH_FACTOR**past if past < 0 else 1.0 + math.log(GROWTH_FACTOR) * past


def grown_at(spec: WorldSpec, size: float) -> float:
    """When growth reaches `size` (> 0): the inverse of `growth`."""
    steps = math.log(size) / math.log(GROWTH_FACTOR) if size < 1.0 else (size - 1.0) / math.log(GROWTH_FACTOR)
    return spec.anchor + GROWTH_SECONDS * steps


def ahead_to_the_peak(at: float) -> float:
    """How many seconds a week has to be ahead for `at` to be its busiest time: a Wednesday's peak hour."""
    return (_WEDNESDAY * DAY + PEAK_HOUR * HOUR - at) % (7 * DAY)


def rate(spec: WorldSpec, at: float) -> float:
    """Conversations that begin per second around `at`, in all environments."""
    days = (at + spec.ahead) / DAY
    # The epoch began on a Thursday: day 2 and 3 of its weeks are Saturday and Sunday.
    day_factor = WEEKEND if int(days) % 7 in (2, 3) else 1.0
    hour_factor = 1.0 + SWING * math.cos(2 * math.pi * (days % 1.0 - PEAK_HOUR / 24.0))
    return CONVERSATIONS_A_DAY / DAY * spec.scale * growth(spec, at) * day_factor * hour_factor


def count(rng: Random, mean: float) -> int:
    """How many happen when `mean` are expected (Poisson; its normal approximation for large means)."""
    if mean > 40.0:
        return max(0, round(mean + math.sqrt(mean) * NORMAL[int(rng.random() * _STEPS)]))
    limit, product, number = math.exp(-mean), rng.random(), 0
    while product > limit:
        product *= rng.random()
        number += 1
    return number


def cumulative(pairs: tuple[tuple[str, float], ...]) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Names and running sums of their shares, scaled to end at 1, for `bisect`."""
    total, sums = 0.0, []
    whole = sum(share for _, share in pairs)
    for _, share in pairs:
        total += share
        sums.append(total / whole)
    sums[-1] = 1.0
    return tuple(name for name, _ in pairs), tuple(sums)


def uuid_text(bits: int) -> str:
    """The text of a uuid from 128 random bits."""
    digits = f"{bits:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"

"""How the methods would have done on the past, which of them is used, and how wide its interval has to be.

Rolling origin (Tashman 2000): a method sees the days before a point in the past and forecasts those after it; the point moves
on by weeks. Intervals are widened until they hold the share of days that they promise (split conformal prediction, Vovk et al.
2005); the share that is reported is of points whose own days had no say in how much.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from contract.forecasts import (
    CERTAINTY,
    HORIZON_DAYS,
    LEAST_DAYS,
    LEAST_FOR_LONG,
    LONG_TRIAL_DAYS,
    MOST_TRIALS,
    NAIVE,
    NONE,
    SHORT_TRIAL_DAYS,
)
from exporters.outlook.methods import BY_NAME, WEEK, Days

_LEAST_KNOWN = LEAST_DAYS - SHORT_TRIAL_DAYS


@dataclass(frozen=True)
class Trial:
    """How one method did. `relative` is its error / that of the naive one, `share` its error / what happened, `covered` the
    share of days within its interval; None where there is nothing to divide by."""

    method: str
    used: bool
    points: int
    ahead: int
    relative: float | None
    share: float | None
    covered: float | None


@dataclass(frozen=True)
class Forecast:
    """Of one series: low, mid and high of each day to come (none where it cannot be told), and how the methods did."""

    days: tuple[tuple[float, float, float], ...]
    trials: tuple[Trial, ...]


def forecast(values: list[float]) -> Forecast:
    """Values of all known days in a row, oldest first. Where one is no number, or below 0, nothing can be told."""
    known = np.asarray(values, dtype=np.float64)
    if len(known) < LEAST_DAYS or not np.all(np.isfinite(known) & (known >= 0)):
        return Forecast((), (Trial(NONE, True, 0, 0, None, None, None),))
    ahead = LONG_TRIAL_DAYS if len(known) >= LEAST_FOR_LONG else SHORT_TRIAL_DAYS
    last = len(known) - ahead
    points = range(last, _LEAST_KNOWN - 1, -WEEK)[:MOST_TRIALS]
    happened = np.stack([known[point : point + ahead] for point in points])
    told = {name: np.stack([method(known[:point], ahead) for point in points]) for name, method in BY_NAME.items()}
    errors = {name: float(np.sum(np.abs(days[..., 1] - happened))) for name, days in told.items()}
    used = min(errors, key=lambda name: errors[name])  # of equal ones the first, which is the simpler
    trials = tuple(
        Trial(
            name,
            name == used,
            len(points),
            ahead,
            _divided(errors[name], errors[NAIVE]),
            _divided(errors[name], float(np.sum(happened))),
            _covered(days, happened),
        )
        for name, days in told.items()
    )
    ours = _widened(BY_NAME[used](known, HORIZON_DAYS), _factor(_distances(told[used], happened).ravel()))
    return Forecast(tuple((float(low), float(mid), float(high)) for low, mid, high in ours), trials)


def _distances(told: Days, happened: Days) -> Days:
    """How far each day lay from the middle, in widths of the interval on that side; 1 is at its end."""
    low, mid, high = told[..., 0], told[..., 1], told[..., 2]
    above = happened >= mid
    width, off = np.where(above, high - mid, mid - low), np.abs(happened - mid)
    return np.divide(off, width, out=np.where(off > 0, np.inf, 0.0), where=width > 0)


def _factor(distances: Days) -> float:
    """By how much the interval has to be stretched to hold the promised share of days; never shrunk."""
    inside = np.sort(distances[np.isfinite(distances)])
    if not len(inside):
        return 1.0
    place = min(len(inside), int(np.ceil(CERTAINTY * (len(inside) + 1))))
    return max(1.0, float(inside[place - 1]))


def _widened(days: Days, factor: float) -> Days:
    low, mid, high = days[:, 0], days[:, 1], days[:, 2]
    return np.maximum(np.column_stack((mid - factor * (mid - low), mid, mid + factor * (high - mid))), 0.0)


def _covered(told: Days, happened: Days) -> float | None:
    """Each point with the factor that the other points ask for; with one point, as the method has it."""
    distances = _distances(told, happened)
    within = [
        distances[place] <= _factor(np.delete(distances, place, axis=0).ravel()) * (1 + 1e-9) for place in range(len(distances))
    ]
    return float(np.mean(within)) if within else None


def _divided(part: float, whole: float) -> float | None:
    return part / whole if whole > 0 else None

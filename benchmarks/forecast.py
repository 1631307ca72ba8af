"""How far forecasts of the synthetic platform are off, beside saying the same weekday of last week again; and what they cost.

The forecasts know nothing of the days that they are judged by: which method is used is decided by trials on the days before,
as the exporter does it.
"""

from __future__ import annotations

import resource
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice

import numpy as np

from benchmarks.measure import Bar, Measure
from benchmarks.run import Run
from contract.forecasts import LONG_TRIAL_DAYS
from demo.world.model import WorldSpec
from demo.world.world import World
from exporters.outlook.launch import Launch
from exporters.outlook.methods import naive
from exporters.outlook.trials import forecast

_ANCHOR = datetime(2026, 11, 2, tzinfo=UTC).timestamp()
_HOUR, _DAY = 3600.0, 86400.0
_MOST_SCALE = 0.3
_POINTS = 4
"""Moments in the past from which the next two weeks are forecast, two weeks apart."""
_AGAINST = "the same weekday of last week"
_NO_EVIDENCE = dict.fromkeys(("calls", "scores", "caches", "prices", "parts", "limits"), ())
_MOST_SERIES = 16


def measure(run: Run) -> Iterator[Measure]:
    """By subject and over all; one subject and one moment in the tiny run."""
    tiny, days = run.scale.repeat <= 2, run.scale.known_days
    series = dict(islice(_series(min(run.scale.world, _MOST_SCALE), days).items(), 1 if tiny else None))
    points = [days - LONG_TRIAL_DAYS * (n + 1) for n in range(1 if tiny else _POINTS)]
    ours, theirs, within = 0.0, 0.0, []
    for title, values in series.items():
        told = [_error(values, point) for point in points]
        happened = sum(float(values[point : point + LONG_TRIAL_DAYS].sum()) for point in points)
        errors, simple = (sum(one[part] for one in told) for part in (0, 1))
        inside = float(np.mean([one[2] for one in told]))
        yield Measure(f"{title}: error of two weeks", 100 * errors / happened, "%", None, 100 * simple / happened, _AGAINST)
        yield Measure(f"{title}: days between low and high", 100 * inside, "%")
        ours, theirs = ours + errors / happened, theirs + simple / happened
        within.append(inside)
    yield Measure("error / that of the naive method, mean of all", ours / theirs, "", Bar(1.0))
    yield Measure("days between low and high, mean of all", 100 * float(np.mean(within)), "%", Bar(90.0, at_least=True))
    yield from _process(next(iter(series.values())), 1 if tiny else _MOST_SERIES)


def _series(scale: float, days: int) -> dict[str, np.ndarray]:
    """Counts by day of a platform that grows, with weeks and chance, and nothing that would be wrong."""
    world = World(WorldSpec(7, _ANCHOR, days, scale))
    found: dict[str, Counter[int]] = {title: Counter() for title in ("queries", "active users", "tickets", "new users")}
    people: set[tuple[int, int]] = set()
    for hour in range(days * 24):
        day, made = hour // 24, world.hour(world.spec.beginning + hour * _HOUR)
        found["queries"][day] += sum(len(one.executions) for one in made.conversations)
        found["tickets"][day] += len(made.tickets)
        people |= {(day, one.user_id) for one in made.conversations}
    found["active users"].update(day for day, _ in people)
    created = (user.at for user in world.users(_ANCHOR) if user.at >= world.spec.beginning)
    found["new users"].update(int((at - world.spec.beginning) // _DAY) for at in created)
    return {title: np.array([counts[day] for day in range(days)], dtype=float) for title, counts in found.items()}


def _error(values: np.ndarray, point: int) -> tuple[float, float, float]:
    """Sums of absolute errors, of the forecast and of the naive method, and the share of days within the interval."""
    happened = values[point : point + LONG_TRIAL_DAYS]
    told = np.array(forecast(list(values[:point])).days)[:LONG_TRIAL_DAYS]
    simple = naive(values[:point], LONG_TRIAL_DAYS)[:, 1]
    inside = (told[:, 0] <= happened) & (happened <= told[:, 2])
    return float(np.abs(told[:, 1] - happened).sum()), float(np.abs(simple - happened).sum()), float(inside.mean())


def _process(values: np.ndarray, number: int) -> Iterator[Measure]:
    """The process that the exporter starts, for as many series; it forecasts `_MOST_SERIES` at most."""
    given = {"series": {str(n): list(values) for n in range(number)}, "evidence": _NO_EVIDENCE}
    began = time.perf_counter()
    Launch().run(given)
    yield Measure(f"process of {number} series and {len(values)} days", time.perf_counter() - began, "s")
    yield Measure("its memory at most", resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024, "MB")

"""Whether one group is above another by more than chance explains, and which of many such findings remain. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import special

from contract.advice import CERTAINTY, CHANCE


class Sample(NamedTuple):
    """A group by its size, mean and variance (of a sample, so divided by n - 1)."""

    n: int
    mean: float
    variance: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Sample:
        return cls(len(values), float(np.mean(values)), float(np.var(values, ddof=1)) if len(values) > 1 else 0.0)

    def times(self, factor: float) -> Sample:
        """The same group in another unit."""
        return Sample(self.n, self.mean * factor, self.variance * factor**2)


class Span(NamedTuple):
    """An effect and its interval."""

    value: float
    low: float
    high: float

    def times(self, factor: float) -> Span:
        """`factor` is above 0."""
        return Span(self.value * factor, self.low * factor, self.high * factor)


def together(samples: Iterable[Sample]) -> Sample:
    """Several groups as one. The sum of squares splits into that within and that between groups."""
    known = [sample for sample in samples if sample.n]
    n = sum(sample.n for sample in known)
    mean = sum(sample.n * sample.mean for sample in known) / n
    squares = sum((one.n - 1) * one.variance + one.n * (one.mean - mean) ** 2 for one in known)
    return Sample(n, mean, squares / (n - 1) if n > 1 else 0.0)


def above(first: Sample, second: Sample, margin: float = 0.0) -> tuple[float, Span]:
    """The p-value of the first mean lying above the second by more than `margin`, and the difference with its interval.

    Welch's t-test, which wants no equal variances (Welch 1947); one-sided, the interval two-sided.
    """
    difference = first.mean - second.mean
    if min(first.n, second.n) < 2:
        return 1.0, Span(difference, -math.inf, math.inf)
    parts = first.variance / first.n, second.variance / second.n
    error = math.sqrt(sum(parts))
    if error == 0.0:
        return (0.0 if difference > margin else 1.0), Span(difference, difference, difference)
    freedom = sum(parts) ** 2 / (parts[0] ** 2 / (first.n - 1) + parts[1] ** 2 / (second.n - 1))
    half = float(special.stdtrit(freedom, (1 + CERTAINTY) / 2)) * error
    chance = float(special.stdtr(freedom, (margin - difference) / error))
    return chance, Span(difference, difference - half, difference + half)


def rarer(cases: int, trials: int, share: float) -> float:
    """The p-value of cases being rarer than `share` of all: the exact binomial test."""
    return float(special.bdtr(cases, trials, share)) if trials else 1.0


def counted(cases: int) -> Span:
    """A number of rare events with its exact interval (Garwood 1936)."""
    tail = (1 - CERTAINTY) / 2
    low = float(special.gammaincinv(cases, tail)) if cases else 0.0
    return Span(cases, low, float(special.gammaincinv(cases + 1, 1 - tail)))


def holm(chances: Sequence[float]) -> list[float]:
    """p-values corrected so that the chance of any false finding among all of them is at most that of each (Holm 1979)."""
    corrected, least = [1.0] * len(chances), 0.0
    for rank, place in enumerate(sorted(range(len(chances)), key=chances.__getitem__)):
        least = max(least, min(1.0, (len(chances) - rank) * chances[place]))
        corrected[place] = least
    return corrected


@dataclass(frozen=True)
class Candidate:
    """One comparison of a rule, and the advice that it would be.

    `subject` is what it is about, one advice for each; `p` the chance of such figures if there was nothing to gain; `effect`
    what would be gained in 30 days, in the kind's unit; `worthwhile` whether anybody would mind. `setting`, `before` and
    `after` are of the agent's configuration, or empty.
    """

    kind: str
    agent: str
    environment: str
    subject: str
    what: str
    why: str
    effect: Span
    p: float
    worthwhile: bool
    setting: str = ""
    before: str = ""
    after: str = ""


def remaining(candidates: Sequence[Candidate]) -> list[tuple[Candidate, float]]:
    """What is advised, with its p-value corrected for how much was compared (Holm 1979): the surest large effect first, one for
    each subject, kinds of the same unit mixed."""
    corrected = holm([candidate.p for candidate in candidates])
    sound = [
        (candidate, float(p)) for candidate, p in zip(candidates, corrected, strict=True) if p < CHANCE and candidate.worthwhile
    ]
    best: dict[tuple[str, ...], tuple[Candidate, float]] = {}
    for candidate, p in sorted(sound, key=lambda found: (-found[0].effect.low, found[0].subject, found[0].after)):
        best.setdefault((candidate.kind, candidate.environment, candidate.agent, candidate.subject), (candidate, p))
    return list(best.values())

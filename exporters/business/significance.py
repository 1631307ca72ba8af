"""Whether one group of trials does worse than another, or chance alone may explain it. Pure; all tests are one-sided.

A p-value is the chance of a difference at least as bad as the one that was seen if both groups were alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from math import erfc, exp, lgamma, sqrt

_LEAST_EXPECTED = 20
"""With fewer expected cases in a cell of the table it is worked out exactly: the normal distribution misleads where they are
few (Cochran 1954 wants 5), and the sum is short."""


def more_failures(failed: int, trials: int, failed_before: int, trials_before: int) -> float:
    """p-value of the share of failures being higher than before.

    The two-proportion z-test with a pooled share and Yates' correction for continuity (Fleiss, Levin, Paik: Statistical Methods
    for Rates and Proportions, 3rd ed., section 3.1); Fisher's exact test where few failures or successes are expected. Both
    groups have at least one trial.
    """
    every, all_failed = trials + trials_before, failed + failed_before
    fewest = min(trials, trials_before) * min(all_failed, every - all_failed) / every
    if fewest < _LEAST_EXPECTED:
        return _fisher(failed, trials, all_failed, every)
    pooled, weight = all_failed / every, 1 / trials + 1 / trials_before
    difference = failed / trials - failed_before / trials_before
    return _beyond((difference - weight / 2) / sqrt(pooled * (1 - pooled) * weight))


def longer(counts: Sequence[int], counts_before: Sequence[int]) -> float:
    """p-value of durations being longer than before, from two histograms with the same buckets (shortest first).

    The rank sum test of Wilcoxon, Mann and Whitney by the normal approximation, with correction for continuity and for ties
    (Lehmann: Nonparametrics, section 1.4): all of a bucket are ties. Both histograms have at least one observation.
    """
    n, before = sum(counts), sum(counts_before)
    every = n + before
    below = [0, *accumulate(counts_before)]
    # Pairs of a duration now and one before in which the one now is longer; equal ones count half.
    wins = sum(now * (shorter + equal / 2) for now, equal, shorter in zip(counts, counts_before, below, strict=False))
    ties = sum((a + b) ** 3 - (a + b) for a, b in zip(counts, counts_before, strict=True))
    variance = n * before / 12 * (every + 1 - ties / (every * (every - 1)))
    if variance <= 0:
        return 1.0  # all in one bucket: nothing says that any took longer
    return _beyond((wins - n * before / 2 - 0.5) / sqrt(variance))


def failure_ratio(failed: int, trials: int, failed_before: int, trials_before: int) -> float:
    """Share of failures / share before. Half a failure is added to each, so that there is a ratio where nothing failed
    (Haldane 1955)."""
    return ((failed + 0.5) / (trials + 1)) / ((failed_before + 0.5) / (trials_before + 1))


def _beyond(z: float) -> float:
    """The chance that a standard normal number is above `z`."""
    return erfc(z / sqrt(2)) / 2


def _fisher(failed: int, trials: int, all_failed: int, every: int) -> float:
    """The chance that at least `failed` of all failures fall among `trials`, whatever the group: a hypergeometric tail."""
    if failed * every > trials * all_failed:
        return _tail(failed, trials, all_failed, every)
    # Below what is expected the sum would begin with numbers too small to be told from 0: the other tail is the short one.
    return 1.0 - _tail(all_failed - failed + 1, every - trials, all_failed, every)


def _tail(least: int, trials: int, all_failed: int, every: int) -> float:
    most = min(trials, all_failed)
    if least > most:
        return 0.0
    chance = exp(_log_choose(all_failed, least) + _log_choose(every - all_failed, trials - least) - _log_choose(every, trials))
    total = chance
    for k in range(least, most):
        chance *= (all_failed - k) * (trials - k) / ((k + 1) * (every - all_failed - trials + k + 1))
        total += chance
    return min(1.0, total)


def _log_choose(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)

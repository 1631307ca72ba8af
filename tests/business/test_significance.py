"""Tests of significance, held against what others published, against counting every case, and against chance itself."""

from __future__ import annotations

from itertools import combinations
from math import comb, sqrt
from random import Random
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.buckets import quantile
from exporters.business.significance import failure_ratio, longer, more_failures

NORMAL = NormalDist()


def test_fisher_s_tea_tasting() -> None:
    """Fisher, The Design of Experiments (1935), chapter 2: 3 of 4 cups told rightly has a chance of 17/70, all 4 of 1/70."""
    assert more_failures(3, 4, 1, 4) == pytest.approx(17 / 70)
    assert more_failures(4, 4, 0, 4) == pytest.approx(1 / 70)


def test_fisher_s_criminal_twins() -> None:
    """Fisher, The Logic of Inductive Inference (1935): 10 of 13 against 2 of 17 has a chance of 0.000465."""
    assert more_failures(10, 13, 2, 17) == pytest.approx(0.000465, rel=1e-2)


def test_many_trials_follow_the_chi_squared_test_with_yates_correction() -> None:
    """One side of the chi-squared test of a table of two by two; the statistic is worked out from the table's cells."""
    a, b, c, d = 90, 910, 60, 940
    n = a + b + c + d
    chi_squared = n * (abs(a * d - b * c) - n / 2) ** 2 / ((a + b) * (c + d) * (a + c) * (b + d))
    assert more_failures(a, a + b, c, c + d) == pytest.approx(1 - NORMAL.cdf(sqrt(chi_squared)), rel=1e-9)


def _chance(failed: int, trials: int, failed_before: int, trials_before: int) -> float:
    """Fisher's p-value in whole numbers."""
    every, failures = trials + trials_before, failed + failed_before
    ways = sum(comb(failures, k) * comb(every - failures, trials - k) for k in range(failed, min(trials, failures) + 1))
    return ways / comb(every, trials)


@given(st.integers(1, 400), st.integers(1, 400), st.data())
def test_failures_are_exact_when_few_and_near_the_exact_value_when_many(
    trials: int, trials_before: int, data: st.DataObject
) -> None:
    failed, failed_before = data.draw(st.integers(0, trials)), data.draw(st.integers(0, trials_before))
    exact = _chance(failed, trials, failed_before, trials_before)
    assert more_failures(failed, trials, failed_before, trials_before) == pytest.approx(exact, abs=0.012)
    if failed + failed_before < 5:
        assert more_failures(failed, trials, failed_before, trials_before) == pytest.approx(exact, rel=1e-9, abs=1e-12)


def test_an_improvement_that_is_almost_certain_is_no_regression() -> None:
    assert more_failures(0, 1_000_000, 100, 100) == pytest.approx(1.0)
    assert more_failures(100, 100, 0, 1_000_000) == pytest.approx(0.0, abs=1e-300)


def test_nothing_failed_anywhere() -> None:
    assert more_failures(0, 200, 0, 300) == 1.0


def _by_pairs(durations: list[int], before: list[int]) -> float:
    """The rank sum test from ranks themselves: mean ranks of ties, and the variance of these ranks among all choices."""
    everything = sorted(durations + before)
    rank = {value: everything.index(value) + (everything.count(value) + 1) / 2 for value in everything}
    n, m = len(durations), len(before)
    ranks = [rank[value] for value in everything]
    mean = sum(ranks) / (n + m)
    variance = n * m / ((n + m) * (n + m - 1)) * sum((one - mean) ** 2 for one in ranks)
    if variance == 0:
        return 1.0
    return 1 - NORMAL.cdf((sum(rank[value] for value in durations) - n * mean - 0.5) / sqrt(variance))


_BUCKETS = st.lists(st.integers(0, 6), min_size=1, max_size=40)


@given(_BUCKETS, _BUCKETS)
def test_durations_by_bucket_are_the_rank_sum_test_of_ranks(durations: list[int], before: list[int]) -> None:
    counts, counts_before = ([each.count(bucket) for bucket in range(7)] for each in (durations, before))
    assert longer(counts, counts_before) == pytest.approx(_by_pairs(durations, before), abs=1e-9)


def test_durations_are_near_what_counting_every_choice_gives() -> None:
    """All ways to choose the new ones among all: the chance of a rank sum at least as large."""
    durations, before = [2, 3, 3, 4, 4, 5, 2], [1, 2, 1, 3, 2, 1, 4]
    pool = durations + before
    rank = {value: sum(other < value for other in pool) + (pool.count(value) + 1) / 2 for value in pool}
    seen = sum(rank[value] for value in durations)
    sums = [sum(rank[pool[place]] for place in chosen) for chosen in combinations(range(14), 7)]
    exact = sum(total >= seen for total in sums) / len(sums)
    counts, counts_before = ([each.count(bucket) for bucket in range(7)] for each in (durations, before))
    assert longer(counts, counts_before) == pytest.approx(exact, abs=0.01)


def test_ten_against_ten_that_do_not_overlap() -> None:
    """Mann and Whitney 1947: U has the mean nm/2 and the variance nm(n+m+1)/12."""
    counts, counts_before = [0] * 10 + [1] * 10, [1] * 10 + [0] * 10
    assert longer(counts, counts_before) == pytest.approx(1 - NORMAL.cdf((100 - 50 - 0.5) / sqrt(10 * 10 * 21 / 12)), rel=1e-6)
    assert longer(counts_before, counts) > 0.999


def test_everything_in_one_bucket_says_nothing() -> None:
    assert longer([0, 50, 0], [0, 900, 0]) == 1.0


@pytest.mark.parametrize(("trials", "share"), [(100, 0.02), (150, 0.3), (3000, 0.01)])
def test_alike_versions_are_rarely_called_worse_in_failures(trials: int, share: float) -> None:
    """In 2000 comparisons of versions that are alike, at most as many p-values are below 5 % as chance allows."""
    rng, below = Random(7), 0
    for _ in range(2000):
        failed, before = (sum(rng.random() < share for _ in range(trials)) for _ in range(2))
        below += more_failures(failed, trials, before, trials) < 0.05
    assert below / 2000 < 0.05 + 3 * sqrt(0.05 * 0.95 / 2000)


def test_alike_versions_are_rarely_called_slower() -> None:
    rng, below, buckets = Random(11), 0, range(12)
    for _ in range(2000):
        durations, before = ([int(rng.lognormvariate(1.4, 0.4)) for _ in range(120)] for _ in range(2))
        counts, counts_before = (
            [sum(min(d, 11) == bucket for d in each) for bucket in buckets] for each in (durations, before)
        )
        below += longer(counts, counts_before) < 0.05
    assert 0.02 < below / 2000 < 0.05 + 3 * sqrt(0.05 * 0.95 / 2000)


def test_worse_versions_are_found() -> None:
    """5 % failures instead of 1 %, and a third longer: with a thousand executions hardly any such version goes unseen."""
    rng, found = Random(3), [0, 0]
    for _ in range(200):
        failed, before = (sum(rng.random() < share for _ in range(1000)) for share in (0.05, 0.01))
        found[0] += more_failures(failed, 1000, before, 1000) < 0.001
        slow, usual = ([int(3 * rng.lognormvariate(mean, 0.5)) for _ in range(1000)] for mean in (0.29, 0.0))
        counts, counts_before = ([sum(min(d, 19) == bucket for d in each) for bucket in range(20)] for each in (slow, usual))
        found[1] += longer(counts, counts_before) < 0.001
    assert min(found) >= 190


def test_the_ratio_exists_where_nothing_failed_and_is_plain_where_much_did() -> None:
    assert failure_ratio(3, 100, 0, 100) == pytest.approx(7.0)
    assert failure_ratio(400, 10_000, 200, 10_000) == pytest.approx(2.0, rel=2e-3)


def test_a_quantile_lies_straight_within_its_bucket() -> None:
    assert quantile(0.5, [0, 10, 10, 0], [1.0, 2.0, 4.0]) == pytest.approx(2.0)
    assert quantile(0.75, [0, 10, 10, 0], [1.0, 2.0, 4.0]) == pytest.approx(3.0)
    assert quantile(0.5, [0, 0, 0, 5], [1.0, 2.0, 4.0]) == pytest.approx(4.0)

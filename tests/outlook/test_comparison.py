"""Tests behind advice, held against the library that works on all values, and against what others published.

The library is loaded by the tests that ask it: every worker reads this file, and one runs it.
"""

from __future__ import annotations

import numpy as np
import pytest

from exporters.outlook.comparison import Candidate, Sample, Span, above, counted, holm, rarer, remaining, together


def drawn(n: int, mean: float, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(mean, 2.0, n)


def test_means_are_compared_as_the_library_does_with_all_values() -> None:
    from scipy import stats

    first, second = drawn(40, 10.0, 1), drawn(90, 9.2, 2)
    p, span = above(Sample.of(list(first)), Sample.of(list(second)))
    test = stats.ttest_ind(first, second, equal_var=False, alternative="greater")
    interval = stats.ttest_ind(first, second, equal_var=False).confidence_interval(0.95)
    assert p == pytest.approx(test.pvalue) and span[1:] == pytest.approx((interval.low, interval.high))
    shifted = stats.ttest_ind(first, second + 0.5, equal_var=False, alternative="greater")
    assert above(Sample.of(list(first)), Sample.of(list(second)), 0.5)[0] == pytest.approx(shifted.pvalue)


def test_groups_without_any_spread_are_told_apart_by_their_means() -> None:
    two, three = Sample(5, 2.0, 0.0), Sample(5, 3.0, 0.0)
    assert above(three, two) == (0.0, Span(1.0, 1.0, 1.0)) and above(two, three)[0] == 1.0
    assert above(three, two, 1.0)[0] == 1.0


def test_one_value_proves_nothing() -> None:
    assert above(Sample(1, 9.0, 0.0), Sample(50, 1.0, 0.1))[0] == 1.0


def test_groups_are_put_together_as_their_values_would_be() -> None:
    parts = [drawn(n, mean, n) for n, mean in ((3, 1.0), (17, 4.0), (1, 9.0))]
    whole = Sample.of(list(np.concatenate(parts)))
    assert together(Sample.of(list(part)) for part in parts) == pytest.approx(whole)


@pytest.mark.parametrize(("cases", "low", "high"), [(0, 0.0, 3.69), (10, 4.80, 18.39), (100, 81.36, 121.63)])
def test_rare_events_have_garwood_s_limits(cases: int, low: float, high: float) -> None:
    """Table of exact limits for the Poisson distribution in Ulm, American Journal of Epidemiology 131 (1990)."""
    assert counted(cases) == pytest.approx((cases, low, high), abs=0.01)


def test_three_in_a_thousand_cannot_be_excluded_by_a_thousand() -> None:
    """The rule of three: none in n says that at most 3 of n are, at 95 %."""
    assert rarer(0, 1000, 0.003) == pytest.approx(0.05, abs=0.001)
    assert rarer(0, 0, 0.003) == 1.0


def test_p_values_are_corrected_as_the_library_does() -> None:
    from statsmodels.stats.multitest import multipletests

    chances = [*np.random.default_rng(4).uniform(0, 0.2, 30), 1e-9, 1e-9, 1.0]
    assert holm(chances) == pytest.approx(list(multipletests(chances, method="holm")[1]))


def candidate(subject: str, p: float, low: float, worthwhile: bool = True, after: str = "") -> Candidate:
    return Candidate(
        "model", "billing", "production", subject, "", "", Span(low + 1, low, low + 2), p, worthwhile, "", "", after
    )


def test_what_remains_is_corrected_for_all_that_was_compared() -> None:
    """Holm's steps by hand: 0.01 x 4, then 0.02 x 3 = 0.06, which ends it."""
    asked = [candidate("a", 0.01, 5.0), candidate("b", 0.02, 9.0), candidate("c", 0.5, 99.0), candidate("d", 0.9, 99.0)]
    assert [(found.subject, p) for found, p in remaining(asked)] == [("a", pytest.approx(0.04))]
    assert remaining([]) == []


def test_the_surest_large_effect_is_first_and_a_subject_has_one_advice() -> None:
    asked = [
        candidate("small", 1e-9, 1.0), candidate("large", 1e-6, 50.0), candidate("large", 1e-9, 20.0, after="other"),
        candidate("minded by nobody", 1e-9, 500.0, worthwhile=False),
    ]  # fmt: skip
    assert [(found.subject, found.effect.low) for found, _ in remaining(asked)] == [("large", 50.0), ("small", 1.0)]

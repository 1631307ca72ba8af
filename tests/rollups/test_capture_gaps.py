"""Ids that were skipped: found, filled, kept while somebody may bring them, given up after that."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from exporters.rollups.capture.gaps import GRACE, MOST, Gap, advance


def test_a_skipped_range_is_one_gap() -> None:
    gaps, last = advance((), 10, [(15, 20)], xmin=5, xmax=9, now=0.0)
    assert (gaps, last) == ((Gap(11, 14, 9, 0.0),), 20)


def test_a_gap_that_fills_in_its_middle_leaves_two() -> None:
    gaps, last = advance((Gap(11, 20, 9, 0.0),), 20, [(14, 15)], xmin=5, xmax=30, now=1.0)
    assert (gaps, last) == ((Gap(11, 13, 9, 0.0), Gap(16, 20, 9, 0.0)), 20)


def test_a_gap_outlives_its_grace_while_its_holder_runs() -> None:
    gap = Gap(11, 11, 9, 0.0)
    assert advance((gap,), 20, [], xmin=8, xmax=30, now=100 * GRACE)[0] == (gap,)
    assert advance((gap,), 20, [], xmin=9, xmax=30, now=100 * GRACE)[0] == ()


def test_a_gap_without_a_holder_is_kept_for_its_grace() -> None:
    gap = Gap(11, 11, 9, 0.0)
    assert advance((gap,), 20, [], xmin=50, xmax=60, now=GRACE - 1)[0] == (gap,)
    assert advance((gap,), 20, [], xmin=50, xmax=60, now=GRACE)[0] == ()


def test_the_oldest_gaps_are_given_up_beyond_the_limit() -> None:
    gaps = [Gap(2 * n, 2 * n, 9, float(n)) for n in range(MOST + 5)]
    left, _ = advance(gaps, 10**9, [], xmin=1, xmax=2, now=0.0)
    assert len(left) == MOST
    assert left[0] == gaps[5]


@given(st.lists(st.sets(st.integers(1, 40), max_size=12), max_size=8))
def test_gaps_and_counted_ids_together_are_all_ids_up_to_the_last(steps: list[set[int]]) -> None:
    """Whatever order ids come in: each id below the last is either counted or waited for, and never both."""
    counted: set[int] = set()
    gaps: tuple[Gap, ...] = ()
    last = 0
    for ids in steps:
        new = sorted(ids - counted)
        ranges: list[tuple[int, int]] = []
        for each in new:
            if ranges and ranges[-1][1] == each - 1:
                ranges[-1] = (ranges[-1][0], each)
            else:
                ranges.append((each, each))
        gaps, last = advance(gaps, last, ranges, xmin=0, xmax=1, now=0.0)
        counted |= ids
        waited_for = [each for gap in gaps for each in range(gap.low, gap.high + 1)]
        assert sorted([*waited_for, *counted]) == list(range(1, last + 1))

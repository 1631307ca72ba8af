"""What is read next: the pure part of following a list. A small model of Langfuse shows that no row is missed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporters.langfuse.reading import OVERLAP, Reading, Window

NOON = datetime(2026, 11, 19, 12, tzinfo=UTC)
REREAD = timedelta(minutes=20)
MINUTE = timedelta(minutes=1)


def read_whole(reading: Reading, now: datetime, newest: datetime | None = None) -> tuple[Reading, list[Window]]:
    """One run in which every window is one page."""
    windows = []
    while True:
        windows.append(reading.window(now))
        reading = reading.after(windows[-1], "", newest, now, REREAD)
        if windows[-1].end >= now:
            return reading, windows


def test_the_first_window_begins_where_rows_are_still_to_come() -> None:
    begun = Reading.begin(NOON, REREAD)
    assert begun.counted_from == NOON
    window = begun.window(NOON)
    assert window.begin == NOON - REREAD
    assert window.end > NOON, "clocks of the platform's machines may be ahead"


def test_the_next_window_begins_before_the_newest_row_and_now_and_then_far_before() -> None:
    reading, _ = read_whole(Reading.begin(NOON, REREAD), NOON, NOON - timedelta(seconds=5))
    begins = []
    for n in range(1, 8):
        now = NOON + n * MINUTE
        reading, (window,) = read_whole(reading, now, now - timedelta(seconds=5))
        begins.append(now - MINUTE - timedelta(seconds=5) - window.begin)
    assert begins.count(OVERLAP) == 6
    (long,) = set(begins) - {OVERLAP}
    assert REREAD < long < REREAD + REREAD / 2


def test_without_rows_the_window_stays_where_the_last_row_was() -> None:
    """A clock that is an hour ahead sees no rows of its last hour; they are not passed over."""
    ahead = NOON + timedelta(hours=1)
    reading, _ = read_whole(Reading.begin(ahead, REREAD), ahead, NOON)
    for n in range(100):
        reading, (window, *_) = read_whole(reading, ahead + n * MINUTE)
        assert window.begin <= NOON


def test_after_a_long_absence_windows_are_short_and_follow_each_other() -> None:
    reading, _ = read_whole(Reading.begin(NOON, REREAD), NOON, NOON)
    _, windows = read_whole(reading, NOON + timedelta(days=9))
    assert len(windows) > 2
    assert all(one.end == two.begin for one, two in pairwise(windows))


def test_too_much_halves_the_window_and_what_works_doubles_it() -> None:
    reading = Reading.begin(NOON, REREAD)
    window = reading.window(NOON + timedelta(days=1))
    half = reading.too_much(window)
    assert half.window(NOON + timedelta(days=1)) == Window(window.begin, window.begin + (window.end - window.begin) / 2, "")
    after = half.after(half.window(NOON + timedelta(days=1)), "", None, NOON + timedelta(days=1), REREAD)
    assert after.step == window.end - window.begin


def test_an_interrupted_window_goes_on_at_its_page() -> None:
    reading = Reading.begin(NOON, REREAD)
    window = reading.window(NOON)
    reading = reading.after(window, "v2:next", NOON, NOON, REREAD)
    later = NOON + timedelta(hours=3)
    assert reading.window(later) == Window(window.begin, window.end, "v2:next")
    done = reading.after(reading.window(later), "", NOON, later, REREAD)
    assert done.position <= NOON, "rows that came after its first page was read are still to be read"
    assert done.read_until == NOON


def test_the_past_is_filled_in_backwards_to_its_end() -> None:
    reading, oldest = Reading.begin(NOON, REREAD), NOON - timedelta(days=40)
    ends = [reading.past]
    while (window := reading.past_window(oldest)) is not None:
        assert window.end == ends[-1]
        reading = reading.after(window, "", None, NOON, REREAD)
        ends.append(window.begin)
    assert ends[-1] == oldest


@dataclass
class Row:
    start: datetime
    readable: datetime


@settings(max_examples=200, deadline=None)
@given(
    rows=st.lists(st.tuples(st.integers(0, 7200), st.integers(0, 1100)), max_size=40),
    pauses=st.lists(st.integers(10, 1500), min_size=5, max_size=40),
    interrupted=st.lists(st.booleans(), min_size=40, max_size=40),
    clock_ahead=st.sampled_from([0, 0, 3600, -3600]),
)
@pytest.mark.parametrize("page", [3])
def test_no_row_is_missed(
    rows: list[tuple[int, int]], pauses: list[int], interrupted: list[bool], clock_ahead: int, page: int
) -> None:
    """Rows begin some seconds after noon and become readable up to 1100 s later, less than what is read again.

    Runs come at any times; some read one page only. In the end two runs come in peace.
    """
    all_rows = [Row(NOON + timedelta(seconds=s), NOON + timedelta(seconds=s + late)) for s, late in rows]
    skew = timedelta(seconds=clock_ahead)
    reading, seen, true_now = Reading.begin(NOON + skew, REREAD), set(), NOON
    last = NOON + timedelta(seconds=7200 + 1100)

    def step(window: Window, now: datetime) -> Reading:
        readable = [
            (row.start, n)
            for n, row in enumerate(all_rows)
            if window.begin <= row.start < window.end and row.readable <= now - skew
        ]
        readable.sort(reverse=True)
        offset = int(window.cursor or 0)
        shown = readable[offset : offset + page]
        seen.update(n for _, n in shown)
        cursor = str(offset + page) if len(readable) > offset + page else ""
        return reading.after(window, cursor, max((start for start, _ in shown), default=None), now, REREAD)

    moments = [*pauses, max(0, int((last - NOON).total_seconds()) - sum(pauses)) + 1, 7200, 400]
    for n, pause in enumerate(moments):
        true_now += timedelta(seconds=pause)
        now = true_now + skew
        for _ in range(200):
            window = reading.window(now)
            reading = step(window, now)
            if (n < len(pauses) and interrupted[n % 40]) or (not reading.cursor and window.end >= now):
                break
    assert seen == set(range(len(all_rows)))

"""Where windows begin and end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from contract.labels import WINDOWS
from exporters.windows import before, window, windows

NOW = datetime(2026, 3, 15, 12, 34, 56, 789, tzinfo=UTC)


def test_short_windows_begin_at_a_full_minute_and_long_ones_at_a_full_hour() -> None:
    starts = {found.name: (found.tier, found.start.isoformat(sep=" ")) for found in windows(NOW)}
    assert starts == {
        "1h": ("minute", "2026-03-15 11:34:00+00:00"),
        "24h": ("minute", "2026-03-14 12:34:00+00:00"),
        "7d": ("hour", "2026-03-08 12:00:00+00:00"),
        "30d": ("hour", "2026-02-13 12:00:00+00:00"),
        "mtd": ("hour", "2026-03-01 00:00:00+00:00"),
    }
    assert tuple(starts) == WINDOWS


def test_a_window_ends_with_the_minute_or_hour_that_is_going_on() -> None:
    assert window("1h", NOW).end == datetime(2026, 3, 15, 12, 35, tzinfo=UTC)
    assert window("mtd", NOW).end == datetime(2026, 3, 15, 13, 0, tzinfo=UTC)


def test_at_a_full_hour_and_at_the_first_of_a_month() -> None:
    first = datetime(2026, 3, 1, tzinfo=UTC)
    assert window("mtd", first).start == first
    assert window("1h", first).start == first - timedelta(hours=1)


def test_the_time_zone_of_the_clock_does_not_matter() -> None:
    east = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert windows(east) == windows(NOW)


def test_the_window_before_touches_the_window() -> None:
    week = window("7d", NOW)
    assert before(week).end == week.start
    assert before(week).end - before(week).start == timedelta(days=7)


@given(st.integers(0, 40 * 86400), st.sampled_from(WINDOWS))
def test_the_spans_of_a_window_are_all_of_it_in_whole_buckets(seconds: int, name: str) -> None:
    whole = window(name, datetime(2024, 2, 25, tzinfo=UTC) + timedelta(seconds=seconds))
    spans = whole.spans()
    assert (spans[0].start, spans[-1].end) == (whole.start, whole.end)
    assert all(earlier.end == later.start for earlier, later in pairwise(spans))
    for span in spans:
        assert span.start < span.end
        for edge in (span.start, span.end):
            assert edge == edge.replace(second=0, microsecond=0)
            assert span.tier == "minute" or edge.minute == 0
            assert span.tier != "day" or edge.hour == 0
    assert sum((span.end - span.start for span in spans if span.tier == whole.tier), timedelta()) < timedelta(days=2)

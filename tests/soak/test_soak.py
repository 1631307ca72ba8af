"""The soak itself: a short life works from end to end, and what grows is noticed."""

from __future__ import annotations

from dataclasses import replace

from soak.__main__ import run
from soak.flatness import FLAT, Sample, as_plain, growth, table

_MIB = 1 << 20


def test_a_short_life_is_measured(database: str) -> None:
    samples = run(database, hours=0.2, step=30.0)
    assert len(samples) == 24
    last = samples[-1]
    assert last.series > 20
    assert min(last.memory, last.handles, last.connections, last.database, last.analytics) > 0
    assert table(samples).count("\n") == 24
    assert as_plain(samples)["samples"][-1]["series"] == last.series


def test_what_stays_is_flat_and_what_grows_is_named() -> None:
    start = Sample(0.0, 60 * _MIB, 20, 3, 100 * _MIB, 50 * _MIB, 100)
    flat = [replace(start, hour=float(hour)) for hour in range(24)]
    assert growth(flat) == []
    for name in FLAT:
        value = getattr(start, name)
        grown = [replace(each, **{name: value + value * int(each.hour) // 10}) for each in flat]
        (sentence,) = growth(grown)
        assert sentence.startswith(name)


def test_growth_that_ends_before_the_second_third_is_no_leak() -> None:
    start = Sample(0.0, 60 * _MIB, 20, 3, 100 * _MIB, 50 * _MIB, 100)
    samples = [replace(start, hour=float(hour), memory=(40 + min(hour, 8) * 5) * _MIB) for hour in range(24)]
    assert growth(samples) == []

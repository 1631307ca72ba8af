"""The forecast against months worked out by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from exporters.langfuse.month_end import forecast, month_start

# 2026-02-01 is a Sunday; February has exactly four weeks.
NOON_OF_THE_26TH = datetime(2026, 2, 26, 12, 0, tzinfo=UTC)  # a Thursday


def history(until: date, weekday: float, weekend: float, days: int = 28) -> dict[date, float]:
    found = [until - timedelta(days=n) for n in range(1, days + 1)]
    return {day: weekend if day.weekday() >= 5 else weekday for day in found}


def test_weekdays_and_weekends_cost_their_own_mean() -> None:
    daily = history(date(2026, 2, 26), 10.0, 2.0)
    # half of Thursday, Friday, Saturday
    assert forecast(200.0, daily, NOON_OF_THE_26TH) == pytest.approx(200 + 5 + 10 + 2)


def test_each_weekday_is_the_median_of_its_four() -> None:
    daily = history(date(2026, 2, 26), 0.0, 0.0)
    for n, cost in enumerate((1.0, 2.0, 3.0, 6.0)):
        daily[date(2026, 2, 20) - timedelta(weeks=n)] = cost  # Fridays
    assert forecast(0.0, daily, NOON_OF_THE_26TH) == pytest.approx(2.5)


def test_days_before_the_window_and_today_do_not_count() -> None:
    daily = history(date(2026, 2, 26), 10.0, 2.0) | {date(2026, 2, 26): 1e6, date(2026, 1, 28): 1e6}
    assert forecast(200.0, daily, NOON_OF_THE_26TH) == pytest.approx(217)


def test_a_young_platform_is_not_averaged_with_days_before_its_birth() -> None:
    daily = {date(2026, 2, 23): 12.0, date(2026, 2, 25): 6.0}  # Monday, nothing on Tuesday, Wednesday
    # Thursday, Friday and Saturday have no history: the mean of three days is 6
    assert forecast(18.0, daily, NOON_OF_THE_26TH) == pytest.approx(18 + 3 + 6 + 6)


def test_no_history_no_forecast() -> None:
    assert forecast(5.0, {}, NOON_OF_THE_26TH) is None
    assert forecast(5.0, {date(2026, 2, 26): 5.0}, NOON_OF_THE_26TH) is None


def test_the_end_of_the_month_is_what_was_spent() -> None:
    last_moment = datetime(2026, 2, 28, 23, 59, 59, 999999, tzinfo=UTC)
    assert forecast(99.0, history(date(2026, 2, 28), 10.0, 2.0), last_moment) == pytest.approx(99.0, abs=1e-6)


def test_a_month_begins_in_utc() -> None:
    assert month_start(datetime.fromisoformat("2026-03-01T00:30:00+02:00")) == datetime(2026, 2, 1, tzinfo=UTC)

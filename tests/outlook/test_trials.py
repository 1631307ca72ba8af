"""Forecasts and their trials, on series whose answer is known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from contract.forecasts import HORIZON_DAYS, LEAST_DAYS, LONG_TRIAL_DAYS, METHODS, MOST_TRIALS, NAIVE, NONE, SHORT_TRIAL_DAYS
from exporters.outlook.methods import BY_NAME, ets, naive, weekday
from exporters.outlook.trials import Forecast, Trial, forecast

SERIES = 6
WEEK = (110.0, 120.0, 115.0, 110.0, 100.0, 35.0, 30.0)


def repeated(days: int) -> list[float]:
    return [WEEK[day % 7] for day in range(days)]


def grown(days: int, growth: float, noise: float, seed: int) -> list[float]:
    """Weeks that grow by a share each day, with noise of a share of each day."""
    draw = np.random.default_rng(seed)
    return [
        value * float(np.exp(growth * day + draw.normal(0.0, noise))) for day, value in enumerate(repeated(days))
    ]  # fmt: skip


def used(found: Forecast) -> Trial:
    [one] = [trial for trial in found.trials if trial.used]
    return one


def test_a_week_that_repeats_is_forecast_exactly_and_by_the_simplest_method() -> None:
    found = forecast(repeated(70))
    assert (used(found).method, used(found).share, used(found).covered) == (NAIVE, 0.0, 1.0)
    assert [mid for _, mid, _ in found.days] == [WEEK[day % 7] for day in range(70, 70 + HORIZON_DAYS)]
    assert all(low == mid == high for low, mid, high in found.days)


@pytest.mark.parametrize(
    ("days", "points", "ahead"),
    [
        (LEAST_DAYS, 1, SHORT_TRIAL_DAYS),
        (41, 2, SHORT_TRIAL_DAYS),
        (56, 4, LONG_TRIAL_DAYS),
        (182, MOST_TRIALS, LONG_TRIAL_DAYS),
    ],
)
def test_how_often_methods_are_tried(days: int, points: int, ahead: int) -> None:
    found = forecast(grown(days, 0.001, 0.1, 3))
    assert {trial.method: (trial.points, trial.ahead) for trial in found.trials} == dict.fromkeys(METHODS, (points, ahead))
    assert len(found.days) == HORIZON_DAYS


def test_nothing_is_forecast_from_too_few_days() -> None:
    assert forecast(repeated(LEAST_DAYS - 1)) == Forecast((), (Trial(NONE, True, 0, 0, None, None, None),))
    assert forecast([]).days == ()


@pytest.mark.parametrize("odd", [-2.0, float("nan"), float("inf")])
def test_nothing_is_forecast_from_what_no_day_can_hold(odd: float) -> None:
    days = repeated(LEAST_DAYS)
    assert forecast([odd, *days]) == forecast([odd] * LEAST_DAYS) == forecast([])


def test_growth_is_seen_by_the_library_s_method() -> None:
    found = forecast(grown(140, 0.01, 0.03, 5))
    assert used(found).method == "ets"
    assert used(found).relative is not None and used(found).relative < 0.6
    week = [mid for _, mid, _ in found.days[:7]]
    happens = [value * float(np.exp(0.01 * day)) for day, value in enumerate(repeated(147))][-7:]
    assert week == pytest.approx(happens, rel=0.08)


def test_what_repeats_last_week_alone_is_left_to_the_naive_method() -> None:
    """Every day is the same weekday of the week before plus a step that nobody can know: nothing beats saying it again."""
    draw = np.random.default_rng(11)
    values = np.full(7, 1000.0)
    days = np.concatenate([values := values + draw.normal(0.0, 60.0, 7) for _ in range(20)])
    found = forecast(list(days))
    assert used(found).method == NAIVE and used(found).relative == 1.0
    assert all(trial.relative is not None and trial.relative >= 1.0 for trial in found.trials)


def test_intervals_hold_what_they_promise() -> None:
    """Of days that were not seen, over many series; each method's own intervals are too narrow here."""
    inside, told = 0, []
    for seed in range(SERIES):
        days = grown(126, 0.002, 0.12, seed)
        found = forecast(days[:112])
        inside += sum(low <= day <= high for day, (low, _, high) in zip(days[112:], found.days, strict=False))
        told.append(used(found).covered)
    assert inside / (SERIES * 14) >= 0.92
    assert np.mean([share for share in told if share is not None]) == pytest.approx(inside / (SERIES * 14), abs=0.06)


@pytest.mark.parametrize("method", BY_NAME.values(), ids=BY_NAME)
@pytest.mark.parametrize("days", [21, 30, 182])
def test_a_method_gives_every_day_in_order_and_nothing_below_nothing(method: Callable[..., np.ndarray], days: int) -> None:
    draw = np.random.default_rng(2)
    for known in (draw.poisson(1.5, days).astype(float), np.zeros(days), draw.lognormal(8, 1, days)):
        found = method(known, HORIZON_DAYS)
        assert found.shape == (HORIZON_DAYS, 3) and np.isfinite(found).all()
        assert (found[:, 0] <= found[:, 1]).all() and (found[:, 1] <= found[:, 2]).all() and (found >= 0).all()


def test_the_naive_interval_grows_with_the_root_of_the_weeks() -> None:
    known = np.array(grown(63, 0.0, 0.05, 1))
    width = naive(known, 30)[:, 2] - naive(known, 30)[:, 1]
    assert width[7] == pytest.approx(width[0] * np.sqrt(2)) and width[28] == pytest.approx(width[0] * np.sqrt(5))


def test_the_weekday_method_says_medians() -> None:
    known = np.array([*repeated(49), *(10 * value for value in WEEK), *repeated(14)])
    assert list(weekday(known, 14)[:, 1]) == [*WEEK, *WEEK], "one odd week does not bend it"


def test_the_same_days_give_the_same_forecast() -> None:
    known = np.array(grown(90, 0.002, 0.1, 9))
    assert np.array_equal(ets(known, 30), ets(known, 30))

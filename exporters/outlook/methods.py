"""Three ways to forecast a figure by day. Each takes the known days, oldest first, and gives low, mid, high of each day ahead.

Intervals are those of the method, at `CERTAINTY`; `trials` widens them to what the past shows. Nothing falls below 0.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from contract.forecasts import CERTAINTY, METHODS

Days = NDArray[np.float64]
"""A value a day; of a forecast, rows of low, mid, high."""
Method = Callable[[Days, int], Days]

WEEK = 7
_SIDES = NormalDist().inv_cdf((1 + CERTAINTY) / 2)
_MOST_STEPS = 200


def naive(known: Days, days: int) -> Days:
    """The same weekday of the last known week; its error grows with the root of the weeks (Hyndman, Athanasopoulos:
    Forecasting, 3rd ed., section 5.5)."""
    spread = np.std(known[WEEK:] - known[:-WEEK])
    mid = np.resize(known[-WEEK:], days)
    return _around(mid, spread * np.sqrt(1 + np.arange(days) // WEEK))


def weekday(known: Days, days: int) -> Days:
    """The median of each weekday in the last four weeks; how far these days were from it gives the interval."""
    recent = known[-4 * WEEK :]
    recent = recent[len(recent) % WEEK :]
    usual = np.median(recent.reshape(-1, WEEK), axis=0)
    spread = np.sqrt(np.sum((recent - np.resize(usual, len(recent))) ** 2) / (len(recent) - WEEK))
    return _around(np.resize(usual, days), np.full(days, spread))


def ets(known: Days, days: int) -> Days:
    """ETS(A, Ad, A) with a season of a week (Hyndman et al.: Forecasting with Exponential Smoothing, 2008), on log(1 + value):
    weeks and errors grow with the level."""
    # Loaded by the first fit: it takes longer than all else of a program that only knows of this method.
    import pandas as pd
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of convergence: a bad fit is found out by its trials
        fitted = ETSModel(
            pd.Series(np.log1p(known)), error="add", trend="add", damped_trend=True, seasonal="add", seasonal_periods=WEEK
        ).fit(disp=False, maxiter=_MOST_STEPS)
        frame = fitted.get_prediction(start=len(known), end=len(known) + days - 1).summary_frame(alpha=1 - CERTAINTY)
    found: Days = np.expm1(frame[["pi_lower", "mean", "pi_upper"]].to_numpy(dtype=np.float64))
    return _not_below_nothing(found)


BY_NAME: dict[str, Method] = dict(zip(METHODS, (naive, weekday, ets), strict=True))


def _around(mid: Days, spread: Days) -> Days:
    return _not_below_nothing(np.column_stack((mid - _SIDES * spread, mid, mid + _SIDES * spread)))


def _not_below_nothing(days: Days) -> Days:
    raised: Days = np.maximum(days, 0.0)
    return raised

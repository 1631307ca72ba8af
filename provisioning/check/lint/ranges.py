"""Windows, steps and offsets against how often there is something new, and against how long it is kept.

Windows are open on the left since Prometheus 3: one of exactly n intervals holds n samples, never n + 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import promql_parser as promql

from provisioning.check.lint.kinds import RATES
from provisioning.check.lint.model import Fault, Spot, shown
from provisioning.check.series import series_of

_NEED_TWO = RATES | {"delta", "idelta", "deriv", "predict_linear", "double_exponential_smoothing", "changes", "resets"}
_LOOKBACK = timedelta(minutes=5)
"""How old a sample may be for a question without a window."""
_SAFE = timedelta(minutes=4)
_MOST_STEPS = 11_000
"""As many as Prometheus gives to one query of a range."""


def rate_window(spot: Spot[promql.MatrixSelector]) -> Iterator[Fault]:
    """Two samples are needed; with fewer than four intervals, one lost scrape leaves a hole."""
    interval = _interval(spot.node.vector_selector, spot)
    if interval is None or spot.function not in _NEED_TWO:
        return
    window, least = spot.node.range, shown(4 * interval)
    if window < 2 * interval:
        yield Fault(f"{spot.function} over {shown(window)} never sees two samples", f"at least {least}")
    elif window < 4 * interval:
        found = f"{spot.function} over {shown(window)} has a hole wherever one of {shown(interval)} is lost"
        yield Fault(found, f"at least {least}", "warning")


def short_window(spot: Spot[promql.MatrixSelector]) -> Iterator[Fault]:
    interval = _interval(spot.node.vector_selector, spot)
    if interval is None or spot.function in _NEED_TWO or spot.function in ("absent_over_time", "present_over_time"):
        return
    if spot.node.range <= interval:
        found = f"{spot.function} over {shown(spot.node.range)} finds one sample at most, one comes every {shown(interval)}"
        yield Fault(found, f"at least {shown(2 * interval)}", "warning" if spot.node.range == interval else "error")


def stale_record(spot: Spot[promql.VectorSelector]) -> Iterator[Fault]:
    """A sample counts for five minutes: a series that is recorded more rarely has holes."""
    series = series_of(spot.node, spot.known)
    if series is None or series.interval is None or series.interval <= _SAFE:
        return
    if not any(isinstance(node, promql.MatrixSelector) for node in spot.around):
        found = f"{series.name} is recorded every {shown(series.interval)}, and Prometheus forgets after {shown(_LOOKBACK)}"
        yield Fault(found, f"last_over_time({series.name}[{shown(3 * series.interval)}])")


def subquery_step(spot: Spot[promql.SubqueryExpr]) -> Iterator[Fault]:
    step, window = spot.node.step, spot.node.range or timedelta()
    if step is None:
        return
    least = spot.question.interval or spot.house.scrape
    if step >= window:
        yield Fault(f"[{shown(window)}:{shown(step)}] has one point only", f"a step below {shown(window)}")
    elif step < least:
        what = "the rule is evaluated" if spot.question.interval else "there is something new"
        yield Fault(f"step {shown(step)} is shorter than {shown(least)}, as often as {what}", f":{shown(least)}", "warning")
    elif window / step > _MOST_STEPS:
        yield Fault(f"[{shown(window)}:{shown(step)}] has {int(window / step)} points", "a longer step", "warning")


def retention(spot: Spot[promql.VectorSelector]) -> Iterator[Fault]:
    reach = spot.span + spot.offsets + (spot.node.offset or timedelta())
    if reach > spot.house.retention:
        looks, kept = shown(reach), shown(spot.house.retention)
        yield Fault(f"looks back {looks}, but Prometheus keeps {kept}", "a shorter window, or more retention")


def _interval(selector: promql.VectorSelector, spot: Spot[promql.MatrixSelector]) -> timedelta | None:
    """How often a series gets a sample; None for series that are not known."""
    series = series_of(selector, spot.known)
    if series is None:
        return None
    return series.interval or spot.house.scrape

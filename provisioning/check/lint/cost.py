"""What a question costs: how many series it reads, estimated from how many values each label may take."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from math import prod

import promql_parser as promql

from contract.labels import LABELS
from provisioning.check.lint.model import Fault, Spot, shown
from provisioning.check.series import Known, Series, series_of
from provisioning.check.tree import names_read

MOST_SERIES = 10_000
_LONG = timedelta(hours=1)
_PER_TARGET = frozenset({"job", "instance"})
_BESIDE_AGENT = {"version": 4, "prompt_version": 4, "model": 4}
"""Values of a label for one agent: an agent has few versions at a time, however many there are in all."""


def raw_series(spot: Spot[promql.VectorSelector]) -> Iterator[Fault]:
    """Many scraped series over a long time, at every evaluation or by every reader."""
    series = series_of(spot.node, spot.known)
    if series is None or series.metric is None or spot.span <= _LONG:
        return
    count = estimate(spot.node, series, spot)
    if count > MOST_SERIES:
        answer = _recorded_for(series, spot.known)
        remedy = f"there is {answer}" if answer else "record it, or keep fewer labels"
        yield Fault(f"reads about {count:,} series of {series.name} over {shown(spot.span)}", remedy, "warning")


def estimate(selector: promql.VectorSelector, series: Series, spot: Spot[promql.VectorSelector]) -> int:
    """Greatest number of series that a selector can find, on one target. Labels with an `=` matcher have one value."""
    one = {matcher.name for matcher in selector.matchers.matchers if matcher.op == promql.MatchOp.Equal} | _PER_TARGET
    labels = (series.labels or frozenset()) - one
    return prod(_size(label, series, spot) for label in labels)


def _size(label: str, series: Series, spot: Spot[promql.VectorSelector]) -> int:
    if label == "le":
        return len(series.metric.buckets) + 1 if series.metric else 1
    if label == "environment":
        return max(1, len(spot.house.environments))
    if label in _BESIDE_AGENT and "agent" in (series.labels or ()):
        return _BESIDE_AGENT[label]
    return LABELS[label].size if label in LABELS else 1


def _recorded_for(series: Series, known: Known) -> str:
    """Recorded series that are made of these."""
    made = (other for other in known.values() if any(series.name in names_read(node) for node in other.made))
    return ", ".join(sorted(other.name for other in made)[:3])

"""Performance: versions, and what is planned with."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from statistics import NormalDist, fmean, linear_regression

import pytest

from tests.integration.moment import DAY, Moment
from tests.integration.runs import Run, grouped, hour_of, in_bucket, runs, share_failed, table, whole_hours
from tests.integration.tabs import Fault

HOUR = 3600


def version_gates(moment: Moment) -> None:
    first: dict[tuple[str, str], dict[str, datetime]] = defaultdict(dict)
    for agent, environment, version, at in moment.sql(
        "SELECT a.name, d.environment, d.version, min(d.deployed_at) FROM app.deployments d"
        " JOIN app.agents a ON a.id = d.agent_id WHERE d.environment = 'production' AND d.deployed_at <= :to GROUP BY 1, 2, 3"
    ):
        first[agent, environment][version] = at
    month = moment.at - 30 * DAY
    every = grouped(
        runs(moment, "environment = 'production' AND end_time >= :from", 31 * DAY),
        lambda row: (row.agent, row.environment, row.version),
    )
    sure = NormalDist().inv_cdf(0.99)
    shown = table(moment, "version_gates")
    assert {(row["agent"], row["environment"]) for row in shown} == {pair for pair, found in first.items() if len(found) > 1}
    worse = set(moment.sql("SELECT agent, environment, version FROM analytics.regressions WHERE state <> 'dismissed'"))
    for row in shown:
        pair = row["agent"], row["environment"]
        (new, since), (before, _) = sorted(first[pair].items(), key=lambda item: item[1], reverse=True)[:2]
        assert (row["version"], row["previous"], row["since"]) == (new, before, since)
        begin, end = max(since - timedelta(days=7), datetime.fromtimestamp(month, UTC)), since + timedelta(days=7)
        sides = [[run for run in every[*pair, version] if begin <= hour_of(run.ended) <= end] for version in (new, before)]
        for side, suffix in zip(sides, ("", "_before"), strict=True):
            assert (row[f"n{suffix}"] or 0) == len(side)
            if side:
                assert row[f"errors{suffix}"] == pytest.approx(share_failed(side))
                assert in_bucket(row[f"p95{suffix}"], 0.95, [run.seconds for run in side])
        verdict = "pass"
        if (*pair, new) in worse:
            verdict = "fail: recorded as worse"
        elif min(map(len, sides)) < 100:
            verdict = "too few to tell"
        elif row["p95"] > 1.2 * row["p95_before"]:
            verdict = "fail: slower"
        else:
            (now, then), (n, m) = map(share_failed, sides), map(len, sides)
            whole = (n * now + m * then) / (n + m)
            chance = sure * math.sqrt(whole * (1 - whole) * (1 / n + 1 / m))
            if now > 1.2 * then and now - then > chance:
                verdict = "fail: more errors"
        assert row["verdict"] == verdict


def _by_version(moment: Moment) -> dict[tuple[datetime, str], list[Run]]:
    """A day in hours, of the eight versions with most executions."""
    rows = grouped(whole_hours(moment, DAY, "environment = 'production'"), lambda row: f"{row.agent} {row.version}")
    most = dict(sorted(rows.items(), key=lambda item: (-len(item[1]), item[0]))[:8])
    return {
        (hour, version): found
        for version, every in most.items()
        for hour, found in grouped(every, lambda row: hour_of(row.ended)).items()
    }


def _history(moment: Moment, name: str) -> dict[tuple[datetime, str], float]:
    return {(row["time"].astimezone(UTC), row["metric"]): float(row["value"]) for row in table(moment, name)}


def version_latency(moment: Moment) -> None:
    shown, expected = _history(moment, "version_latency"), _by_version(moment)
    assert shown.keys() == expected.keys() and len(shown) > 20
    assert all(in_bucket(shown[key], 0.95, [row.seconds for row in rows]) for key, rows in expected.items())


def version_errors(moment: Moment) -> None:
    expected = {key: pytest.approx(share_failed(rows)) for key, rows in _by_version(moment).items()}
    assert _history(moment, "version_errors") == expected


def version_executions(moment: Moment) -> None:
    assert _history(moment, "version_executions") == {key: len(rows) for key, rows in _by_version(moment).items()}


def capacity_plan(moment: Moment) -> None:
    today = datetime.fromtimestamp(moment.at, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    rows = runs(moment, "environment = 'production' AND end_time >= :from", 30 * DAY)
    hours = Counter(hour_of(row.ended) for row in rows)
    peaks: dict[int, float] = {}
    for hour, count in hours.items():
        back = (hour.replace(hour=0) - today).days
        if -28 <= back < 0:
            peaks[back] = max(peaks.get(back, 0.0), count / HOUR)
    slope, start = linear_regression(list(peaks), list(peaks.values()))
    weekdays = grouped_floats((at % 7, peak - start - slope * at) for at, peak in peaks.items())
    limit = {"support": 8, "billing": 5, "sales": 4, "research": 2, "it-helpdesk": 4}
    assert limit == dict(moment.sql("SELECT scope, rps FROM analytics.capacity_limits"))
    shown = {int(row["day"]): row for row in table(moment, "capacity_plan")}
    assert sorted(shown) == list(range(-28, 15)) and len(peaks) == 28
    for at, row in shown.items():
        line = start + slope * at
        assert row["busiest"] == (pytest.approx(peaks[at]) if at in peaks else None)
        assert row["trend"] == pytest.approx(max(line, 0), abs=1e-9)
        expected = max(line + fmean(weekdays[at % 7]), 0)
        assert row["expected"] == (pytest.approx(expected, abs=1e-9) if at >= -1 else None)
        assert (row["limit"], row["warning"]) == (sum(limit.values()), pytest.approx(0.8 * sum(limit.values())))


def grouped_floats(pairs: Iterable[tuple[int, float]]) -> dict[int, list[float]]:
    found: dict[int, list[float]] = defaultdict(list)
    for key, value in pairs:
        found[key].append(value)
    return found


FIGURES = {
    f"performance/{check.__name__}": check
    for check in (version_gates, version_latency, version_errors, version_executions, capacity_plan)
}
FAULTS = (
    Fault("performance/version_gates", "p.since - interval '7 days'", "p.since - interval '1 day'"),
    Fault("performance/version_errors", "l.hour, l.agent", "l.hour - interval '1 hour' AS hour, l.agent"),
    Fault("performance/capacity_plan", "max(h.rps)", "avg(h.rps)"),
)

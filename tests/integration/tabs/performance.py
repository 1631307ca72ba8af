"""Performance. Times are durations of ended executions; percentiles of rows are interpolated between neighbours."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import NormalDist, fmean, linear_regression
from typing import Any, NamedTuple

import pytest

from tests.integration.moment import DAY, Moment
from tests.integration.tabs import Fault

BOUNDS = (
    0.05, 0.07, 0.1, 0.136, 0.185, 0.25, 0.35, 0.5, 0.66, 0.87, 1.15, 1.52, 2.0, 2.7, 3.7,
    5.0, 6.8, 9.2, 12.5, 17.0, 23.0, 31.0, 43.0, 60.0, 80.0, 160.0, 320.0,
)  # fmt: skip
LIMIT, HOUR = 5.0, 3600
ANY_KIND = {"error_type": ".*"}


class Run(NamedTuple):
    """An ended execution."""

    began: datetime
    ended: datetime
    agent: str
    version: str
    environment: str
    failed: bool
    kind: str
    seconds: float
    intent: str
    trace: str


def runs(moment: Moment, condition: str, seconds: float = DAY) -> list[Run]:
    rows = moment.sql(
        "SELECT start_time, end_time, agent_name, version, environment, status IN ('failure', 'timeout'), error_type,"
        f" duration_ms / 1000, intent, trace_id FROM app.agent_executions WHERE end_time IS NOT NULL AND {condition}",
        seconds,
    )
    return [Run(*row) for row in rows]


def day(moment: Moment, condition: str = "environment = 'production'") -> list[Run]:
    return runs(moment, f"start_time BETWEEN :from AND :to AND {condition}")


def percentile(share: float, seconds: Iterable[float]) -> float:
    ordered = sorted(seconds)
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    return ordered[low] + (ordered[min(low + 1, len(ordered) - 1)] - ordered[low]) * (place - low)


def in_bucket(shown: float, share: float, seconds: Iterable[float]) -> bool:
    """Whether a percentile lies in the bucket of the value that so many are not above."""
    ordered = sorted(seconds)
    exact = ordered[max(0, math.ceil(share * len(ordered) - 1e-9) - 1)]
    place = bisect_left(BOUNDS, exact)
    low, high = (0.0, *BOUNDS)[place], (*BOUNDS, BOUNDS[-1])[place]
    return low - 1e-9 <= shown <= high + 1e-9


def grouped(rows: Iterable[Run], key: Callable[[Run], Hashable]) -> dict[Any, list[Run]]:
    found: dict[Any, list[Run]] = defaultdict(list)
    for row in rows:
        found[key(row)].append(row)
    return found


def share_failed(rows: list[Run]) -> float:
    return sum(row.failed for row in rows) / len(rows)


def hour_of(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def table(moment: Moment, name: str, **choices: str) -> list[dict[str, Any]]:
    return moment.panel_table(f"performance/{name}", **choices)


def busiest_agents(moment: Moment) -> None:
    counted = Counter(row.agent for row in day(moment))
    assert {row["agent"]: row["executions"] for row in table(moment, "busiest_agents")} == counted and len(counted) > 2


def failing(moment: Moment) -> None:
    failed = [row for row in day(moment) if row.failed]
    patterns = grouped(failed, lambda row: (row.agent, row.version, row.environment, row.kind))
    shown = {
        (row["agent"], row["version"], row["environment"], row["kind"]): (row["failed"], row["first"], row["last"])
        for row in table(moment, "failing", **ANY_KIND)
    }
    expected = {
        pattern: (len(rows), min(row.began for row in rows), max(row.began for row in rows))
        for pattern, rows in patterns.items()
    }
    assert shown == expected and failed
    shares = [row["share"] for row in table(moment, "failing", **ANY_KIND)]
    assert sum(shares) == pytest.approx(1)


def distribution(moment: Moment) -> None:
    counted = Counter(bisect_left(BOUNDS, row.seconds) for row in day(moment))
    edges = [f"to {BOUNDS[0]:g}", *(f"{low:g}–{high:g}" for low, high in pairwise(BOUNDS))]
    shown = {row["seconds"]: (row["within"] or 0, row["beyond"] or 0) for row in table(moment, "distribution")}
    beyond = BOUNDS.index(LIMIT)
    expected = {edges[n]: (0, count) if n > beyond else (count, 0) for n, count in counted.items()}
    assert {edge: counts for edge, counts in shown.items() if counts != (0, 0)} == expected and len(expected) > 4


def spread(moment: Moment) -> None:
    [row] = table(moment, "spread")
    seconds = [run.seconds for run in day(moment)]
    for share in (0.5, 0.95, 0.99):
        assert row[f"p{share * 100:g}"] == pytest.approx(percentile(share, seconds))
    assert row["mean"] == pytest.approx(fmean(seconds)) and row["executions"] == len(seconds)
    assert row["within"] == pytest.approx(sum(one <= LIMIT for one in seconds) / len(seconds))


def _half_hours(moment: Moment) -> dict[int, list[Run]]:
    """A day is drawn in 48 parts."""
    return grouped(day(moment), lambda row: int(row.began.timestamp() // 1800 * 1800))


def percentile_heatmap(moment: Moment) -> None:
    shown = {int(row.pop("time").timestamp()): row for row in table(moment, "percentile_heatmap")}
    expected = {
        at: {
            f"p{share}": pytest.approx(percentile(share / 100, [row.seconds for row in rows])) for share in (50, 75, 90, 95, 99)
        }
        for at, rows in _half_hours(moment).items()
    }
    assert shown == expected and len(shown) > 20


def _speed(seconds: float) -> str:
    return "fast" if seconds < 0.1 else "normal" if seconds <= 0.5 else "slow" if seconds <= 2 else "critical"


def speeds(moment: Moment) -> None:
    shown = {int(row.pop("time").timestamp()): row for row in table(moment, "speeds")}
    expected = {}
    for at, rows in _half_hours(moment).items():
        counted = Counter(_speed(row.seconds) for row in rows)
        expected[at] = {tier: pytest.approx(counted[tier] / len(rows)) for tier in ("fast", "normal", "slow", "critical")}
    assert shown == expected


def departments(moment: Moment) -> None:
    owners = dict(moment.sql("SELECT a.name, d.name FROM app.agents a LEFT JOIN app.departments d ON d.id = a.department_id"))
    shown = {row["department"]: row for row in table(moment, "departments")}
    expected = grouped(day(moment), lambda row: owners[row.agent] or "none")
    assert shown.keys() == expected.keys() and len(shown) > 2
    for name, rows in expected.items():
        seconds = [row.seconds for row in rows]
        row = shown[name]
        assert (row["executions"], row["agents"]) == (len(rows), len({one.agent for one in rows}))
        assert row["p50"] == pytest.approx(percentile(0.5, seconds)) and row["p95"] == pytest.approx(percentile(0.95, seconds))
        assert row["within"] == pytest.approx(sum(one <= LIMIT for one in seconds) / len(rows))
        assert row["errors"] == pytest.approx(share_failed(rows))


def _intents(moment: Moment) -> dict[str, list[Run]]:
    """The twelve intents with most executions, in that order."""
    found = grouped(day(moment), lambda row: row.intent or "unknown")
    return dict(sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))[:12])


def intent_latency(moment: Moment) -> None:
    shown = {row["intent"]: (row["p50"], row["p95"]) for row in table(moment, "intent_latency")}
    assert shown == {
        intent: tuple(pytest.approx(percentile(share, [row.seconds for row in rows])) for share in (0.5, 0.95))
        for intent, rows in _intents(moment).items()
    }


def intent_errors(moment: Moment) -> None:
    shown = {row["intent"]: row["errors"] for row in table(moment, "intent_errors")}
    assert shown == {intent: pytest.approx(share_failed(rows)) for intent, rows in _intents(moment).items()}


def parity_latency(moment: Moment) -> None:
    shown = {row["environment"]: [row["p50"], row["p95"], row["p99"]] for row in table(moment, "parity_latency")}
    assert shown == {
        name: [pytest.approx(percentile(share, [row.seconds for row in rows])) for share in (0.5, 0.95, 0.99)]
        for name, rows in grouped(day(moment, "true"), lambda row: row.environment).items()
    }
    assert len(shown) > 1


def _whole_hours(moment: Moment, seconds: float, condition: str) -> list[Run]:
    """Executions that ended in hours which began in the range."""
    since = datetime.fromtimestamp(moment.at - seconds, UTC)
    found = runs(moment, f"end_time >= :from AND {condition}", seconds)
    return [row for row in found if hour_of(row.ended) >= since]


def parity(moment: Moment) -> None:
    rows = grouped(_whole_hours(moment, DAY, "true"), lambda row: row.environment)
    calls = [row for row in moment.calls(hour_of(datetime.fromtimestamp(moment.at - DAY, UTC))) if row.get("endTime")]
    since = datetime.fromtimestamp(moment.at - DAY, UTC)
    cost: Counter[str] = Counter()
    for call in calls:
        if hour_of(datetime.fromisoformat(call["startTime"].replace("Z", "+00:00"))) >= since:
            cost[call["environment"]] += (call.get("costDetails") or {}).get("total") or 0.0
    shown = {row["environment"]: row for row in table(moment, "parity")}
    assert shown.keys() == rows.keys()
    reference = shown["production"]
    for name, found in rows.items():
        row = shown[name]
        assert (row["executions"], row["errors"]) == (len(found), pytest.approx(share_failed(found)))
        assert in_bucket(row["p95"], 0.95, [one.seconds for one in found])
        assert row["rate"] == pytest.approx(len(found) / 24, rel=1e-3)
        assert row["cost"] == pytest.approx(cost[name] / len(found), rel=1e-6)
        if name == "production":
            assert (row["p95_gap"], row["errors_gap"], row["cost_gap"], row["verdict"]) == (None, None, None, "reference")
            continue
        gaps = (row["p95"] / reference["p95"] - 1, row["errors"] - reference["errors"], row["cost"] / reference["cost"] - 1)
        assert (row["p95_gap"], row["errors_gap"], row["cost_gap"]) == pytest.approx(gaps)
        apart = abs(gaps[0]) > 0.2 or abs(gaps[1]) > 0.05 or abs(gaps[2]) > 0.2
        assert row["verdict"] == ("too few to tell" if len(found) < 100 else "differs" if apart else "alike")


def only_in_production(moment: Moment) -> None:
    every = day(moment, "true")
    where = grouped((row for row in every if row.failed), lambda row: (row.agent, row.kind))
    expected = {
        pattern: (len(rows), max(row.began for row in rows))
        for pattern, rows in where.items()
        if {row.environment for row in rows} == {"production"}
    }
    shown = table(moment, "only_in_production")
    assert {(row["agent"], row["kind"]): (row["failed"], row["last"]) for row in shown} == expected
    assert {row["elsewhere"] for row in shown} <= {sum(row.environment != "production" for row in every)}


def slow_requests(moment: Moment) -> None:
    requests = moment.sql(
        "SELECT t.trace_id, a.name, t.version, t.started_at, t.latency_ms, t.status FROM app.traces t"
        " JOIN app.agents a ON a.id = t.agent_id WHERE t.environment = 'production' AND t.latency_ms IS NOT NULL"
        " AND t.started_at BETWEEN :from AND :to ORDER BY t.latency_ms DESC, t.started_at DESC, t.trace_id LIMIT 50"
    )
    spans: dict[str, Counter[str]] = defaultdict(Counter)
    steps: dict[str, Counter[str]] = defaultdict(Counter)
    for trace, phase, milliseconds in moment.sql(
        "SELECT s.trace_id, s.phase, s.duration_ms FROM app.trace_spans s JOIN app.traces t USING (trace_id)"
        " WHERE s.kind = 'phase' AND s.phase IS NOT NULL AND t.started_at BETWEEN :from AND :to"
    ):
        spans[trace][phase] += milliseconds
        steps[trace][phase] += 1
    shown = table(moment, "slow_requests")
    assert [(row["trace"], row["agent"], row["version"], row["time"]) for row in shown] == [row[:4] for row in requests]
    causes: dict[str, set[str]] = defaultdict(set)
    for row, (trace, _, _, _, latency, status) in zip(shown, requests, strict=True):
        parts = [spans[trace].get(phase) for phase in ("auth", "llm", "tool", "postprocess")]
        assert row["seconds"] == pytest.approx(latency / 1000)
        expected = [None if part is None else pytest.approx(part / 1000) for part in parts]
        assert [row["auth"], row["llm"], row["tool"], row["postprocess"]] == expected
        assert row["rest"] == pytest.approx((latency - sum(part or 0 for part in parts)) / 1000, abs=1e-6)
        longest = max(spans[trace], key=lambda phase: spans[trace][phase])
        many = longest == "llm" and steps[trace]["llm"] > 1
        causes["timeout" if status == "timeout" else f"{longest}, many" if many else longest].add(row["cause"])
    assert all(len(words) == 1 for words in causes.values()) and len(causes) == len(set.union(*causes.values()))


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
    rows = grouped(_whole_hours(moment, DAY, "environment = 'production'"), lambda row: f"{row.agent} {row.version}")
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


def error_map(moment: Moment) -> None:
    severities = dict(moment.sql("SELECT trace_id, severity FROM app.traces"))
    counted: Counter[tuple[str, ...]] = Counter()
    for row in day(moment):
        if row.failed:
            path = ("failed executions", row.kind, row.agent, severities.get(row.trace) or "not traced")
            counted.update(path[: depth + 1] for depth in range(4))
    shown: dict[tuple[str, ...], float] = {}
    path: tuple[str, ...] = ()
    for area in table(moment, "error_map", **ANY_KIND):
        path = (*path[: area["level"]], area["label"])
        assert len(path) == area["level"] + 1 and area["self"] == (area["value"] if area["level"] == 3 else 0)
        shown[path] = area["value"]
    assert shown == counted and counted


def unusual_errors(moment: Moment) -> None:
    weeks = []
    for week in range(5):
        till = datetime.fromtimestamp(moment.at, UTC) - timedelta(days=7 * week)
        bounds = f"start_time BETWEEN '{(till - timedelta(days=1)).isoformat()}' AND '{till.isoformat()}'"
        failed = [row for row in runs(moment, f"{bounds} AND environment = 'production'") if row.failed]
        weeks.append(Counter((row.agent, row.kind) for row in failed))
    expected = {}
    for pattern in set().union(*weeks):
        seen, *before = [week[pattern] for week in weeks]
        usual = fmean(before)
        spread = max(fmean(count**2 for count in before) - usual**2, usual, 1)
        score = (seen - usual) / math.sqrt(spread)
        verdict = (
            "unusual" if score >= 3 else "more than usual" if score >= 2 else "less than usual" if score <= -2 else "usual"
        )
        expected[pattern] = (seen, pytest.approx(usual), pytest.approx(score), verdict)
    shown = {
        (row["agent"], row["kind"]): (row["seen"], row["usual"], row["score"], row["verdict"])
        for row in table(moment, "unusual_errors", **ANY_KIND)
    }
    assert shown == expected and len(shown) > 3


FIGURES = {
    f"performance/{check.__name__}": check
    for check in (
        busiest_agents, failing, distribution, spread, percentile_heatmap, speeds, departments, intent_latency, intent_errors,
        parity_latency, parity, only_in_production, slow_requests, version_gates, version_latency, version_errors,
        version_executions, capacity_plan, error_map, unusual_errors,
    )
}  # fmt: skip
FAULTS = (
    Fault("performance/spread", "e.duration_ms / 1000", "e.duration_ms / 1024"),
    Fault("performance/departments", "d.id = a.department_id", "d.id = a.id % 2 + 1"),
    Fault("performance/parity", "sum(l.failed)", "sum(l.n - l.failed)"),
    Fault("performance/version_errors", "l.hour, l.agent", "l.hour - interval '1 hour' AS hour, l.agent"),
    Fault("performance/unusual_errors", "interval '7 days'", "interval '6 days'"),
    Fault("performance/capacity_plan", "max(h.rps)", "avg(h.rps)"),
)

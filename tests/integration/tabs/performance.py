"""Performance. Times are durations of ended executions; percentiles of rows are interpolated between neighbours."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import fmean

import pytest

from tests.integration.moment import DAY, Moment
from tests.integration.runs import (
    BOUNDS,
    Run,
    day,
    grouped,
    hour_of,
    in_bucket,
    percentile,
    runs,
    share_failed,
    table,
    whole_hours,
)
from tests.integration.tabs import Fault

LIMIT = 5.0
ANY_KIND = {"error_type": ".*"}


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


def parity(moment: Moment) -> None:
    rows = grouped(whole_hours(moment, DAY, "true"), lambda row: row.environment)
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


def error_map(moment: Moment) -> None:
    severities = dict(moment.sql("SELECT trace_id, severity FROM app.traces"))
    counted: Counter[tuple[str, ...]] = Counter()
    for row in day(moment):
        if row.failed:
            path = ("failed executions", row.kind.replace("_", " "), row.agent, severities.get(row.trace) or "not traced")
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


def load_tests(moment: Moment) -> None:
    """Every test of 90 days, and what is to come, with what its runner counted, whichever environment is chosen."""
    rows = moment.sql(
        "SELECT scope, (result->>'requests')::float8, (result->>'p95')::float8 FROM analytics.load_tests "
        "WHERE scheduled_at >= :from ORDER BY id DESC LIMIT 50",
        90 * DAY,
    )
    shown = moment.panel_table("performance/load_tests", seconds=90 * DAY, environment="production")
    found = [(row["agent"], row["requests"], row["p95"]) for row in shown]
    assert found == rows, (found, rows)


FIGURES = {
    f"performance/{check.__name__}": check
    for check in (
        busiest_agents, failing, distribution, spread, percentile_heatmap, speeds, departments, intent_latency, intent_errors,
        parity_latency, parity, only_in_production, slow_requests, error_map, unusual_errors,
        load_tests,
    )
}  # fmt: skip
FAULTS = (
    Fault("performance/spread", "e.duration_ms / 1000", "e.duration_ms / 1024"),
    Fault("performance/departments", "d.id = a.department_id", "d.id = a.id % 2 + 1"),
    Fault("performance/parity", "sum(l.failed)", "sum(l.n - l.failed)"),
    Fault("performance/unusual_errors", "interval '7 days'", "interval '6 days'"),
)

"""The tab on one agent, for the agent `support` in production."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, NamedTuple

import pytest

from tests.integration.moment import DAY, Moment
from tests.integration.reckoning import mean
from tests.integration.tabs import Fault

AGENT = "support"
RELEASED = 60 * DAY
"""In so long an agent gets a new version for sure: it may take seven weeks."""
PARTS = ("auth", "preprocess", "retrieval", "llm", "tool", "postprocess")
CAUSES = {"llm": "Model", "tool": "Tools", "retrieval": "Retrieval", "auth": "Auth", "preprocess": "Preprocessing",
          "postprocess": "Postprocessing"}  # fmt: skip
BOUNDS = (0.05, 0.07, 0.1, 0.136, 0.185, 0.25, 0.35, 0.5, 0.66, 0.87, 1.15, 1.52, 2, 2.7, 3.7, 5, 6.8, 9.2, 12.5, 17, 23,
          31, 43, 60, 80, 160, 320)  # fmt: skip


class Request(NamedTuple):
    trace: str
    agent: str
    version: str
    environment: str
    intent: str
    began: datetime
    took: float
    status: str
    error: str | None


class Step(NamedTuple):
    span: str
    parent: str | None
    name: str
    kind: str
    part: str | None
    dependency: str | None
    began: datetime
    took: float
    status: str


def requests_of(moment: Moment, seconds: float = DAY) -> list[Request]:
    """Every finished request of production that was kept as a trace and began in the range; milliseconds."""
    rows = moment.sql(
        "SELECT t.trace_id, a.name, t.version, t.environment, t.intent, t.started_at, t.latency_ms, t.status, t.error_type "
        "FROM app.traces t, app.agents a WHERE a.id = t.agent_id AND t.environment = 'production' "
        "AND t.latency_ms IS NOT NULL AND t.started_at BETWEEN :from AND :to",
        seconds,
    )
    return [Request(*row) for row in rows]


def steps_of(moment: Moment, seconds: float = DAY) -> dict[str, list[Step]]:
    """The steps of all requests of the range, by trace, in their order."""
    found: dict[str, list[Step]] = defaultdict(list)
    for trace, *step in moment.sql(
        "SELECT trace_id, span_id, parent_span_id, name, kind, phase, dependency, started_at, duration_ms, status "
        "FROM app.trace_spans WHERE started_at >= :from ORDER BY started_at, span_id",
        seconds,
    ):
        found[trace].append(Step(*step))
    return found


def slowest_first(requests: list[Request]) -> list[Request]:
    return sorted(requests, key=lambda one: (-one.took, -one.began.timestamp(), one.trace))


def newest_first(requests: list[Request]) -> list[Request]:
    return sorted(requests, key=lambda one: (-one.began.timestamp(), one.trace))


def of_agent(moment: Moment) -> list[Request]:
    found = [one for one in requests_of(moment) if one.agent == AGENT]
    assert found
    return found


def parts(steps: list[Step]) -> dict[str, float]:
    """Milliseconds in each part of a request."""
    found: dict[str, float] = defaultdict(float)
    for step in steps:
        if step.kind == "phase" and step.part:
            found[step.part] += step.took
    return found


def waits(steps: list[Step]) -> dict[str, float]:
    """Milliseconds that a request waited for each dependency."""
    found: dict[str, float] = defaultdict(float)
    for step in steps:
        if step.kind == "dependency" and step.dependency:
            found[step.dependency] += step.took
    return found


def longest(amounts: dict[str, float]) -> tuple[str, float]:
    return min(amounts.items(), key=lambda item: (-item[1], item[0]))


def cause(request: Request, steps: list[Step]) -> str:
    """What is written as the likely cause."""
    if request.status == "timeout":
        return "Time limit"
    part, _ = longest(parts(steps))
    calls = sum(step.kind == "phase" and step.part == part for step in steps)
    return "Model, several calls" if part == "llm" and calls > 1 else CAUSES[part]


def rounded(value: float) -> str:
    return str(Decimal(repr(value)).quantize(Decimal(1), ROUND_HALF_UP))


def same_bucket(shown: float, values: list[float], share: float) -> bool:
    """Whether a percentile read from buckets lies in the bucket of the exact one (seconds)."""
    exact = sorted(values)[max(0, -(-int(len(values) * share * 1000) // 1000) - 1)]
    place = bisect_left(BOUNDS, exact)
    low = BOUNDS[place - 1] if place else 0.0
    return low <= shown <= BOUNDS[place]


def waterfall(moment: Moment) -> None:
    newest, steps = newest_first(of_agent(moment))[:500], steps_of(moment)
    took: dict[tuple[str, str], float] = defaultdict(float)
    begins: dict[tuple[str, str], list[float]] = defaultdict(list)
    for one in newest:
        for step in steps[one.trace]:
            if step.kind == "dependency":
                key = (str(step.dependency), step.part or "")
                took[key] += step.took / 1000 / len(newest)
                begins[key].append((step.began - one.began).total_seconds())
    turns = sorted(took, key=lambda key: (sum(begins[key]) / len(begins[key]), key))
    expected, before = [], 0.0
    for key in turns:
        expected.append((key[0], before, took[key]))
        before += took[key]
    mean = sum(one.took for one in newest) / len(newest) / 1000
    expected.append(("own work", before, max(mean - before, 0)))
    shown = [
        (
            row["what"],
            row["before"],
            next(value for name, value in row.items() if name in (*CAUSES.values(), "Other") and value),
        )
        if any(row[name] for name in (*CAUSES.values(), "Tools", "Other"))
        else (row["what"], row["before"], 0.0)
        for row in moment.panel_table("one-agent/waterfall", agent=AGENT)
    ]
    assert [row[0] for row in shown] == [row[0] for row in expected]
    for (_, *found), (_, *right) in zip(shown, expected, strict=True):
        assert found == pytest.approx(right, abs=1e-9)


def in_service(moment: Moment) -> None:
    seconds = RELEASED
    start = datetime.fromtimestamp(moment.at - seconds, UTC)
    rows = moment.sql(
        "SELECT d.deployed_at, d.environment, d.version FROM app.deployments d, app.agents a "
        f"WHERE a.id = d.agent_id AND a.name = '{AGENT}' AND d.deployed_at <= :to ORDER BY d.deployed_at"
    )
    shown = moment.panel_table("one-agent/in_service", seconds=seconds, agent=AGENT)
    changes = {at for at, *_ in rows if at > start}
    assert {row["time"] for row in shown[1:]} == changes and abs((shown[0]["time"] - start).total_seconds()) < 1
    for row in shown:
        for environment in ("production", "staging", "development"):
            served = [version for at, where, version in rows if where == environment and at <= max(row["time"], start)]
            assert row[environment] == (served[-1] if served else None)


def slow_requests(moment: Moment) -> None:
    steps = steps_of(moment)
    expected = []
    for one in slowest_first(of_agent(moment))[:50]:
        inside = parts(steps[one.trace])
        seconds = [inside[part] / 1000 if part in inside else None for part in PARTS]
        expected.append([one.trace, one.took / 1000, one.status, cause(one, steps[one.trace]), *seconds])
    shown = [
        [row["trace"], row["seconds"], row["status"], row["cause"], *(row[part] for part in PARTS)]
        for row in moment.panel_table("one-agent/slow_requests", agent=AGENT)
    ]
    assert len(shown) == len(expected)
    for found, right in zip(shown, expected, strict=True):
        assert found == [pytest.approx(value) if isinstance(value, float) else value for value in right]


def advice(moment: Moment) -> None:
    steps = steps_of(moment)
    shown = moment.panel_table("one-agent/advice", agent=AGENT)
    expected = slowest_first(of_agent(moment))[:50]
    assert [row["trace"] for row in shown] == [one.trace for one in expected]
    for row, one in zip(shown, expected, strict=True):
        dependency, took = longest(waits(steps[one.trace]))
        assert row["cause"] == cause(one, steps[one.trace]) and row["seconds"] == pytest.approx(one.took / 1000)
        assert row["waited"] == f"{dependency} {rounded(100 * took / one.took)} %"
        assert row["command"].endswith(f"traceId={one.trace}'") and row["advice"] and "/" in row["runbook"]


def slowest_calls(moment: Moment) -> None:
    steps = steps_of(moment)
    calls = [
        (step, one) for one in slowest_first(of_agent(moment))[:500] for step in steps[one.trace] if step.kind == "dependency"
    ]
    for chosen in ("", "redis"):
        wanted = [(step, one) for step, one in calls if not chosen or step.dependency == chosen]
        wanted.sort(key=lambda pair: (-pair[0].took, -pair[0].began.timestamp(), pair[0].span))
        shown = moment.panel_table("one-agent/slowest_calls", agent=AGENT, dependency=f"'{chosen}'")
        assert [(row["dependency"], row["trace"], row["phase"]) for row in shown] == [
            (step.dependency, one.trace, step.part) for step, one in wanted[:100]
        ]
        for row, (step, one) in zip(shown, wanted, strict=False):
            assert [row["seconds"], row["whole"], row["share"]] == pytest.approx(
                [step.took / 1000, one.took / 1000, step.took / one.took]
            )


def failed_requests(moment: Moment) -> None:
    failed = newest_first([one for one in of_agent(moment) if one.status in ("error", "timeout")])[:100]
    shown = moment.panel_table("one-agent/failed_requests", agent=AGENT)
    assert [(row["trace"], row["status"], row["error_type"], row["version"]) for row in shown] == [
        (one.trace, one.status, one.error, one.version) for one in failed
    ]
    assert [row["seconds"] for row in shown] == pytest.approx([one.took / 1000 for one in failed])


class Ended(NamedTuple):
    hour: datetime
    version: str
    status: str
    seconds: float


def ended(moment: Moment, seconds: float) -> list[Ended]:
    """Executions of the agent in production that have ended, by the hour in which they did."""
    rows = moment.sql(
        "SELECT end_time, version, status, duration_ms / 1000 FROM app.agent_executions "
        f"WHERE agent_name = '{AGENT}' AND environment = 'production' AND end_time >= :from AND end_time <= :now",
        seconds,
    )
    return [Ended(at.astimezone(UTC).replace(minute=0, second=0, microsecond=0), *rest) for at, *rest in rows]


def failed_share(executions: list[Ended]) -> float | None:
    return mean(one.status in ("error", "failure", "failed", "timeout") for one in executions)


def versions(moment: Moment) -> None:
    start = datetime.fromtimestamp(moment.at - DAY, UTC)
    by_version: dict[str, list[Ended]] = defaultdict(list)
    for one in ended(moment, DAY + 3600):
        if one.hour >= start:
            by_version[one.version].append(one)
    shown = {row["version"]: row for row in moment.panel_table("one-agent/versions", agent=AGENT)}
    assert shown.keys() == by_version.keys() and shown
    for version, executions in by_version.items():
        row, times = shown[version], [one.seconds for one in executions]
        assert row["queries"] == len(executions) and row["errors"] == pytest.approx(failed_share(executions))
        assert all(same_bucket(row[f"p{share}"], times, share / 100) for share in (50, 95, 99))
        assert (row["first"], row["last"]) == (min(one.hour for one in executions), max(one.hour for one in executions))


def deployments(moment: Moment) -> None:
    seconds = RELEASED
    executions = ended(moment, seconds + DAY + 7200)
    expected = moment.sql(
        "SELECT d.deployed_at, d.version FROM app.deployments d, app.agents a WHERE a.id = d.agent_id "
        f"AND a.name = '{AGENT}' AND d.environment = 'production' AND d.deployed_at BETWEEN :from AND :to "
        "ORDER BY d.deployed_at DESC",
        seconds,
    )
    shown = moment.panel_table("one-agent/deployments", seconds=seconds, agent=AGENT)
    assert [(row["time"], row["version"]) for row in shown] == expected and expected
    for row in shown:
        hour = row["time"].astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        before = [one for one in executions if hour - timedelta(days=1) <= one.hour < hour]
        after = [one for one in executions if hour <= one.hour < hour + timedelta(days=1) and one.version == row["version"]]
        assert row["answered"] == len(after)
        for side, found in (("before", before), ("after", after)):
            assert row[f"errors_{side}"] == pytest.approx(failed_share(found))
            p95 = row[f"p95_{side}"]
            assert same_bucket(p95, [one.seconds for one in found], 0.95) if found else p95 is None


def regressions(moment: Moment) -> None:
    found = moment.sql(
        "SELECT detected_at, version, metric, before, after, p_value, state FROM analytics.regressions "
        f"WHERE agent = '{AGENT}' AND environment = 'production' AND detected_at BETWEEN :from AND :to "
        "ORDER BY detected_at DESC",
        90 * DAY,
    )
    shown: list[dict[str, Any]] = moment.panel_table("one-agent/regressions", seconds=90 * DAY, agent=AGENT)
    names = ("time", "version", "metric", "before", "after", "p_value", "state")
    assert [tuple(row[name] for name in names) for row in shown] == found


def profiling(moment: Moment) -> None:
    """Of this agent where it is looked at."""
    rows = moment.sql(
        "SELECT scope FROM analytics.profiling_sessions WHERE scheduled_at BETWEEN :from AND :to "
        f"AND scope = '{AGENT}' AND params->>'environment' = 'production'",
        30 * DAY,
    )
    shown = moment.panel_table("one-agent/profiling", seconds=30 * DAY, agent=AGENT)
    assert [row["agent"] for row in shown] == [agent for (agent,) in rows[:50]]


FIGURES = {
    "one-agent/profiling": profiling,
    "one-agent/waterfall": waterfall,
    "one-agent/in_service": in_service,
    "one-agent/slow_requests": slow_requests,
    "one-agent/advice": advice,
    "one-agent/slowest_calls": slowest_calls,
    "one-agent/failed_requests": failed_requests,
    "one-agent/versions": versions,
    "one-agent/deployments": deployments,
    "one-agent/regressions": regressions,
}
FAULTS = (
    Fault("one-agent/waterfall", "avg(r.latency_ms)", "max(r.latency_ms)"),
    Fault("one-agent/slow_requests", "ORDER BY r.latency_ms DESC", "ORDER BY r.latency_ms ASC"),
    Fault("one-agent/slow_requests", "most.steps > 1", "most.steps > 2"),
    Fault("one-agent/slowest_calls", "s.kind = 'dependency'", "s.kind <> 'phase'"),
    Fault("one-agent/versions", "sum(h.failed)", "sum(h.n - h.failed)"),
    Fault("one-agent/deployments", "h.version = d.version", "h.version <> d.version"),
    Fault("one-agent/in_service", "s.since <= m.since AND", ""),
)

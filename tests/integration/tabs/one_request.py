"""The tab on one request: the slowest of the day in production, and one that is named."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from statistics import median
from typing import Any

import pytest

from tests.integration.moment import Moment
from tests.integration.tabs import Fault
from tests.integration.tabs.one_agent import (
    PARTS,
    Request,
    Step,
    cause,
    longest,
    newest_first,
    parts,
    requests_of,
    rounded,
    slowest_first,
    steps_of,
    waits,
)

PART_NAMES = dict(zip(PARTS, ("Auth", "Preprocessing", "Retrieval", "Model", "Tools", "Postprocessing"), strict=True))


def shown(moment: Moment, panel: str) -> Iterator[tuple[Request, list[Step], list[dict[str, Any]]]]:
    """The request that is shown with none named, and one whose tools call others, named; their steps; what the panel shows.

    The first may have ended before it asked a model, the second has asked which tool to call.
    """
    steps = steps_of(moment)
    ranked = slowest_first(requests_of(moment))
    with_tools = next(one for one in ranked[1:] if any(step.dependency and step.part == "tool" for step in steps[one.trace]))
    for named, request in (("", ranked[0]), (with_tools.trace, with_tools)):
        yield request, steps[request.trace], moment.panel_table(f"one-request/{panel}", trace=f"'{named}'")


def others_of(moment: Moment, request: Request) -> list[Request]:
    """The newest 500 requests of the same agent and environment."""
    return newest_first([one for one in requests_of(moment) if one.agent == request.agent])[:500]


def calls_of(moment: Moment, request: Request) -> list[dict[str, Any]]:
    """The model calls that Langfuse has for a request, in their order."""
    found = [call for call in moment.calls(request.began - timedelta(minutes=1)) if call["traceId"] == request.trace]
    return sorted(found, key=lambda call: (call["startTime"], call["id"]))


def spent(calls: list[dict[str, Any]]) -> Any:
    """What equals the cost of model calls in USD; None where no call has a price."""
    known = [call["costDetails"]["total"] for call in calls if call["costDetails"]]
    return pytest.approx(sum(known), abs=1e-6) if known else None


def request(moment: Moment) -> None:
    for one, _, rows in shown(moment, "request"):
        [row] = rows
        names = ("trace", "agent", "version", "environment", "intent", "time", "status", "error_type")
        right = (one.trace, one.agent, one.version, one.environment, one.intent, one.began, one.status, one.error)
        assert tuple(row[name] for name in names) == right


def figures(moment: Moment) -> None:
    for one, steps, rows in shown(moment, "figures"):
        [row] = rows
        inside, calls = parts(steps), calls_of(moment, one)
        usual = median(other.took for other in others_of(moment, one))
        assert row["Took"] == pytest.approx(one.took / 1000) and row["Times the usual"] == pytest.approx(one.took / usual)
        for part, name in (("llm", "Model"), ("tool", "Tools"), ("retrieval", "Retrieval")):
            assert row[name] == (pytest.approx(inside[part] / 1000) if part in inside else None)
        assert row["Model calls"] == len(calls)
        assert row["Tokens"] == (sum(call["usageDetails"]["total"] for call in calls) if calls else None)
        assert row["Cost"] == spent(calls)
    assert calls


def _said(milliseconds: float) -> str:
    """A time as people say it: whole milliseconds, or seconds with a digit from one second on."""
    if milliseconds < 1000:
        return f"{rounded(milliseconds)} ms"
    return f"{Decimal(repr(milliseconds / 1000)).quantize(Decimal('0.1'), ROUND_HALF_UP)} s"


def verdict(moment: Moment) -> None:
    for one, steps, rows in shown(moment, "verdict"):
        [row] = rows
        dependency, waited = longest(waits(steps))
        assert row["cause"] == cause(one, steps) and row["waited"] == f"{dependency} {_said(waited)}"
        assert row["share"] == pytest.approx(longest(parts(steps))[1] / one.took)
        assert row["command"].endswith(f"traceId={one.trace}'") and row["advice"] and "/" in row["runbook"]


def trace(moment: Moment) -> None:
    for one, steps, rows in shown(moment, "trace"):
        found = {row["spanID"]: row for row in rows}
        assert found.keys() == {step.span for step in steps}
        for step in steps:
            row = found[step.span]
            assert (row["traceID"], row["parentSpanID"], row["operationName"]) == (one.trace, step.parent, step.name)
            assert row["startTime"] == pytest.approx(step.began.timestamp() * 1000, abs=0.01)
            assert row["duration"] == pytest.approx(step.took)


def waterfall(moment: Moment) -> None:
    for one, steps, rows in shown(moment, "waterfall"):
        bars = [step for step in steps if step.kind != "phase" or step.part is None]
        bars.sort(key=lambda step: (step.began, -step.took, step.span))
        assert [row["step"] for row in rows] == [f"{step.name} {_said(step.took)}" for step in bars]
        for row, step in zip(rows, bars, strict=True):
            assert row["before"] == pytest.approx((step.began - one.began).total_seconds(), abs=1e-6)
            assert row[PART_NAMES[step.part] if step.part else "Other"] == pytest.approx(step.took / 1000)
            assert sum(row[name] is not None for name in (*PART_NAMES.values(), "Other")) == 1


def beside_the_usual(moment: Moment) -> None:
    steps = steps_of(moment)
    for one, own, rows in shown(moment, "beside_the_usual"):
        others = others_of(moment, one)
        mean: dict[str, float] = defaultdict(float)
        for other in others:
            for part, took in parts(steps[other.trace]).items():
                mean[part] += took / len(others) / 1000
        assert [row["part"] for row in rows] == list(PART_NAMES.values())
        for row, part in zip(rows, PARTS, strict=True):
            assert [row["this request"], row["usual"]] == pytest.approx([parts(own)[part] / 1000, mean[part]])


def hung(steps: list[Step]) -> dict[str, str | None]:
    """What each step hangs below: the shortest longer neighbour that runs all the time that it does, else what started it."""
    found: dict[str, str | None] = {}
    for step in steps:
        end = step.began + timedelta(milliseconds=step.took)
        around = [
            other
            for other in steps
            if step.parent and other.parent == step.parent and other.span != step.span and other.took > step.took
            and other.began <= step.began and other.began + timedelta(milliseconds=other.took) >= end
        ]  # fmt: skip
        found[step.span] = min(around, key=lambda other: (other.took, other.span)).span if around else step.parent
    return found


def flames(moment: Moment) -> None:
    for _, steps, rows in shown(moment, "flames"):
        above = hung(steps)
        by_span = {step.span: step for step in steps}
        below: dict[str | None, list[Step]] = defaultdict(list)
        for step in steps:
            below[above[step.span]].append(step)
        expected: list[tuple[str, int, float, float]] = []

        def walk(step: Step, level: int, scale: float, below: dict[str | None, list[Step]], into: list[Any]) -> None:
            inner = sum(child.took for child in below[step.span])
            into.append((step.name, level, scale * step.took, scale * max(step.took - inner, 0)))
            for child in sorted(below[step.span], key=lambda child: (child.began, child.span)):
                walk(child, level + 1, scale * min(1, step.took / inner), below, into)

        [root] = [step for step in steps if above[step.span] is None]
        walk(root, 0, 1.0, below, expected)
        assert len(expected) == len(by_span) == len(rows)
        assert [(row["label"], row["level"]) for row in rows] == [(name, level) for name, level, *_ in expected]
        for row, (*_, value, own) in zip(rows, expected, strict=True):
            assert [row["value"], row["self"]] == pytest.approx([value, own], abs=1e-6)


def steps_table(moment: Moment) -> None:
    for one, steps, rows in shown(moment, "steps"):
        above = hung(steps)
        found = {row["span"]: row for row in rows}
        assert found.keys() == {step.span for step in steps} and len(rows) == len(steps)
        for step in steps:
            row, inner = found[step.span], sum(other.took for other in steps if above[other.span] == step.span)
            assert row["step"].endswith(step.name) and (row["kind"], row["phase"]) == (step.kind, step.part)
            begins = (step.began - one.began).total_seconds()
            right = [begins, step.took / 1000, max(step.took - inner, 0) / 1000, step.took / one.took]
            assert [row[name] for name in ("begins", "seconds", "own", "share")] == pytest.approx(right, abs=1e-6)
            assert row["status"] == step.status


def model_calls(moment: Moment) -> None:
    for one, _, rows in shown(moment, "model_calls"):
        calls = calls_of(moment, one)
        assert len(rows) == len(calls)
        for row, call in zip(rows, calls, strict=True):
            began, ended = (datetime.fromisoformat(call[f"{edge}Time"].replace("Z", "+00:00")) for edge in ("start", "end"))
            usage = call["usageDetails"]
            assert row["time"] == began and row["model"] == call["providedModelName"]
            assert row["seconds"] == pytest.approx((ended - began).total_seconds(), abs=1e-3)
            cached, reasoned = usage.get("input_cached_tokens", 0), usage.get("output_reasoning_tokens", 0)
            assert (row["input"], row["cached"]) == (usage["input"] + cached, cached)
            assert row["output"] == usage.get("output", 0) + reasoned
            assert row["cost"] == spent([call])
    assert calls


def others(moment: Moment) -> None:
    found = requests_of(moment)
    bad = [one for one in found if one.status in ("error", "timeout") or one.took > 5000]
    expected = [*newest_first(bad), *newest_first([one for one in found if one not in bad])][:100]
    rows = moment.panel_table("one-request/others")
    assert [row["trace"] for row in rows] == [one.trace for one in expected]
    assert [row["seconds"] for row in rows] == pytest.approx([one.took / 1000 for one in expected])


FIGURES = {
    "one-request/request": request,
    "one-request/figures": figures,
    "one-request/verdict": verdict,
    "one-request/trace": trace,
    "one-request/waterfall": waterfall,
    "one-request/beside_the_usual": beside_the_usual,
    "one-request/flames": flames,
    "one-request/steps": steps_table,
    "one-request/model_calls": model_calls,
    "one-request/others": others,
}
FAULTS = (
    Fault("one-request/request", "ORDER BY t.latency_ms DESC", "ORDER BY t.latency_ms"),
    Fault("one-request/figures", "percentile_cont(0.5)", "percentile_cont(0.4)"),
    Fault("one-request/beside_the_usual", "r.agent = a.name AND ", ""),
    Fault("one-request/flames", "o.duration_ms > s.duration_ms", "false"),
    Fault("one-request/others", "> 5000", "> 2000"),
)

"""Answers that a real server's own SQL gave on a real ClickHouse for the same rows."""

from __future__ import annotations

from typing import Any

import pytest
from langfuse_rows import Desk, at, by, iso, metrics, observation, score

from demo.langfuse.rows import Trace

A = observation(
    "a", at("10:00:00.100"), 2.25, trace_id="t1", user_id="u1", completion_start=at("10:00:00.600"),
    usage={"input": 100, "output": 50, "output_reasoning_tokens": 20, "input_cached_tokens": 30, "total": 200},
    cost={"input": 0.001, "output": 0.002, "total": 0.003},
)  # fmt: skip
B = observation(
    "b", at("12:00:00.100"), 1.0, trace_id="t2", user_id="u2", model="unknown-model", level="ERROR",
    usage={"input": 10, "total": 10},
)  # fmt: skip
C = observation("c", at("12:00:00.200"), None, trace_id="t2", parent_id="b", type="EVENT", model=None)
WINDOW = {"fromTimestamp": iso("09:30:00"), "toTimestamp": iso("13:15:00")}


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    desk.insert([A, B, C])
    return desk


def test_by_model(desk: Desk) -> None:
    keys = (
        "count_count", "sum_totalCost", "sum_totalTokens", "sum_inputTokens", "sum_outputTokens", "p95_latency",
        "p95_timeToFirstToken",
    )  # fmt: skip
    rows = desk.metrics(dimensions=by("providedModelName"), metrics=metrics(*keys), **WINDOW)
    assert {row["providedModelName"]: tuple(row[key] for key in keys) for row in rows} == {
        "gpt-x": (1, 0.003, 200, 130, 70, 2250, 500),
        "unknown-model": (1, 0, 10, 10, 0, 1000, None),
        None: (1, 0, 0, 0, 0, None, None),
    }


def test_by_model_and_hour_with_filled_gaps(desk: Desk) -> None:
    rows = desk.metrics(
        dimensions=by("providedModelName"),
        metrics=metrics("count_count", "sum_totalCost", "p95_latency"),
        timeDimension={"granularity": "hour"},
        **WINDOW,
    )
    facts = [(row["time_dimension"], row["providedModelName"], row["count_count"], row["sum_totalCost"]) for row in rows]
    assert facts[:3] == [
        ("2026-11-20T09:00:00Z", None, 0, None),
        ("2026-11-20T10:00:00Z", "gpt-x", 1, 0.003),
        ("2026-11-20T11:00:00Z", None, 0, None),
    ]
    assert sorted(facts[3:], key=str) == [
        ("2026-11-20T12:00:00Z", "unknown-model", 1, 0),
        ("2026-11-20T12:00:00Z", None, 1, 0),
    ]
    assert rows[0]["p95_latency"] is None


def test_by_kind_of_usage_and_cost(desk: Desk) -> None:
    usage = desk.metrics(metrics=metrics("sum_usageByType"), **WINDOW)
    assert {row["usageType"]: row["sum_usageByType"] for row in usage} == {
        "total": 210, "input": 110, "output": 50, "input_cached_tokens": 30, "output_reasoning_tokens": 20,
    }  # fmt: skip
    cost = desk.metrics(metrics=metrics("sum_costByType", "count_count"), **WINDOW)
    assert [(row["costType"], row["sum_costByType"], row["count_count"]) for row in cost] == [
        ("total", 0.003, 1), ("output", 0.002, 1), ("input", 0.001, 1),
    ]  # fmt: skip


def test_quantiles_lie_between_order_statistics() -> None:
    desk = Desk()
    desk.insert(observation(f"o{ms}", at("10:00:00"), ms / 1000) for ms in (400, 100, 300, 200))
    (row,) = desk.metrics(metrics=metrics("p50_latency", "p95_latency", "p99_latency"))
    assert row == {"p50_latency": 250, "p95_latency": 385, "p99_latency": 397}


def test_no_rows_and_no_dimensions_is_one_row() -> None:
    desk = Desk()
    keys = ("count_count", "sum_totalCost", "p95_latency", "avg_latency", "sum_totalTokens", "max_inputTokens")
    assert desk.metrics(metrics=metrics(*keys)) == [
        {
            "count_count": 0, "sum_totalCost": None, "p95_latency": None, "avg_latency": None, "sum_totalTokens": 0,
            "max_inputTokens": 0,
        }
    ]  # fmt: skip
    assert desk.metrics(metrics=metrics(*keys), dimensions=by("providedModelName")) == []


def test_traces_of_version_3_and_their_joins() -> None:
    desk = Desk("v3")
    noon = at("12:00:00")
    desk.insert(
        [
            observation("o1", noon, trace_id="t1", parent_id="outside", cost={"total": 0.5}),
            observation("o2", noon, trace_id="t1", parent_id="outside"),
            observation("o3", noon, trace_id="t2", parent_id="outside", cost={"total": 0.25}),
        ],
        [score("s1", noon), score("s2", noon)],
        [Trace(name, noon) for name in ("t1", "t2", "t3", "t4")],
    )

    def ask(*keys: str) -> dict[str, Any]:
        (row,) = desk.metrics(view="traces", metrics=metrics(*keys))
        return row

    assert ask("count_count") == {"count_count": 4}
    assert ask("count_count", "sum_totalCost") == {"count_count": 2, "sum_totalCost": 0.75}
    assert ask("sum_totalCost", "sum_scoresCount") == {"sum_totalCost": 1, "sum_scoresCount": 2}


def test_a_repeated_delivery_counts_twice_until_it_is_merged() -> None:
    desk = Desk()
    desk.insert([A])
    desk.standin.store.repeat(["a"])
    keys = metrics("count_count", "sum_totalCost", "uniq_traceId")
    assert desk.metrics(metrics=keys) == [{"count_count": 2, "sum_totalCost": 0.006, "uniq_traceId": 1}]
    desk.standin.store.merge()
    assert desk.metrics(metrics=keys) == [{"count_count": 1, "sum_totalCost": 0.003, "uniq_traceId": 1}]

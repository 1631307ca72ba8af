"""Metrics of scores, and the joins between scores and what they judge."""

from __future__ import annotations

import pytest
from langfuse_rows import Desk, at, by, iso, metrics, observation, score, where

NOON = at("12:00:00")


def test_counting_scores_leaves_out_rows_without_and_repeats_the_amounts() -> None:
    for mode in ("v3", "v4"):
        desk = Desk(mode)
        desk.insert(
            [observation("a", NOON, trace_id="t1", cost={"total": 1.0}), observation("b", NOON, cost={"total": 8.0})],
            [score("s1", NOON, observation_id="a"), score("s2", NOON, observation_id="a")],
        )
        keys = metrics("count_count", "sum_countScores", "sum_totalCost", "sum_latency")
        assert desk.metrics(metrics=keys) == [{"count_count": 1, "sum_countScores": 2, "sum_totalCost": 2, "sum_latency": 1000}]


def _scored(mode: str) -> Desk:
    desk = Desk(mode)
    early = at("08:00:00")
    desk.insert(
        [
            observation("r1", early, trace_id="t1", trace_name="chat", tags=("x",), type="AGENT", model=None, user_id="u1"),
            observation("g1", early, trace_id="t1", parent_id="r1", user_id="u1"),
        ],
        [
            score("n1", early, 0.5, observation_id="g1"),
            score("n2", NOON, 0.9),
            score("b1", NOON, 1.0, data_type="BOOLEAN", name="grounded"),
            score("c1", NOON, "kind", name="tone"),
        ],
    )
    return desk


@pytest.mark.parametrize("mode", ["v3", "v4"])
def test_views_of_scores(mode: str) -> None:
    desk = _scored(mode)
    keys = metrics("count_count", "avg_value")
    assert desk.metrics(view="scores-numeric", dimensions=by("name"), metrics=keys) == [
        {"name": "quality", "count_count": 2, "avg_value": 0.7},
        {"name": "grounded", "count_count": 1, "avg_value": 1},
    ]
    numbers = [where("dataType", "string", "=", "NUMERIC")]
    assert desk.metrics(view="scores-numeric", filters=numbers) == [{"count_count": 2}]
    assert desk.metrics(view="scores-boolean", dimensions=by("booleanValue")) == [{"booleanValue": True, "count_count": 1}]
    assert desk.metrics(view="scores-categorical", dimensions=by("stringValue")) == [{"stringValue": "kind", "count_count": 1}]
    high = desk.metrics(view="scores-numeric", filters=[where("value", "number", ">=", 0.9)])
    assert high == [{"count_count": 2}]


@pytest.mark.parametrize("mode", ["v3", "v4"])
def test_scores_by_properties_of_what_they_judge(mode: str) -> None:
    desk = _scored(mode)
    by_trace = {"view": "scores-numeric", "dimensions": by("traceName", "tags")}
    assert desk.metrics(**by_trace) == [{"traceName": "chat", "tags": ["x"], "count_count": 3}]
    # The trace began before this window: its later scores are lost.
    assert desk.metrics(**by_trace, fromTimestamp=iso("11:00:00")) == []
    assert desk.metrics(view="scores-numeric", fromTimestamp=iso("11:00:00")) == [{"count_count": 2}]
    # Scores of a whole trace have no observation.
    by_model = {"view": "scores-numeric", "dimensions": by("observationModelName")}
    assert desk.metrics(**by_model) == [{"observationModelName": "gpt-x", "count_count": 1}]

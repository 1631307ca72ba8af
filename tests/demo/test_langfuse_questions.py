"""Questions to the metrics interface that a server refuses, and what filters and dimensions mean."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from langfuse_rows import Desk, at, by, iso, metrics, observation, where

NOON = at("12:00:00")


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    desk.insert(
        [
            observation("a", NOON, trace_id="t1", user_id="u1", tags=("x", "y"), version="1.1", cost={"total": 2.0}),
            observation("b", NOON, trace_id="t2", user_id="u2", tags=("x",), version="1.2", cost={"total": 5.0}),
            observation("c", NOON, trace_id="t2", parent_id="b", type="SPAN", model=None, tags=(), cost={"total": 1.0}),
        ]
    )
    return desk


@pytest.mark.parametrize(
    ("question", "path"),
    [
        ({"view": "traces"}, ["query", "view"]),
        ({"view": "sessions"}, ["query", "view"]),
        ({"metrics": None}, ["query", "metrics"]),
        ({"metrics": [{"measure": "count", "aggregation": "median"}]}, ["query", "metrics", 0, "aggregation"]),
        ({"fromTimestamp": "2026-11-20T00:00:00"}, ["query", "fromTimestamp"]),
        ({"toTimestamp": "2026-11-20"}, ["query", "toTimestamp"]),
        ({"fromTimestamp": iso("23:59:59")}, ["query"]),
        ({"config": {"row_limit": 1001}}, ["query", "config", "row_limit"]),
        ({"config": {"row_limit": 0}}, ["query", "config", "row_limit"]),
        ({"config": {"row_limit": "10"}}, ["query", "config", "row_limit"]),
        ({"config": {"bins": 101}}, ["query", "config", "bins"]),
        ({"timeDimension": {"granularity": "5m"}}, ["query", "timeDimension", "granularity"]),
        ({"orderBy": [{"field": "count_count", "direction": "down"}]}, ["query", "orderBy", 0, "direction"]),
        ({"filters": [where("name", "text", "=", "a")]}, ["query", "filters", 0]),
        ({"filters": [where("name", "string", "<>", "a")]}, ["query", "filters", 0, "operator"]),
        ({"filters": [where("name", "stringOptions", "any of", [])]}, ["query", "filters", 0, "value"]),
        ({"filters": [where("userId", "null", "is null", "x")]}, ["query", "filters", 0, "value"]),
        ({"filters": [where("metadata", "stringObject", "=", "x")]}, ["query", "filters", 0, "key"]),
    ],
)
def test_a_question_of_the_wrong_form_gets_a_list_of_issues(desk: Desk, question: dict[str, Any], path: list[Any]) -> None:
    answer = desk.ask(**question)
    assert answer.status_code == 400
    assert answer.json()["message"] == "Invalid request data"
    (issue,) = answer.json()["error"]
    assert issue["path"] == path
    assert issue["message"]


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ({"dimensions": by("model")}, "Invalid dimension model. Must be one of name,type,level"),
        ({"dimensions": by("tagz")}, "isRootObservation"),
        ({"metrics": metrics("sum_price")}, "Invalid metric price"),
        ({"metrics": metrics("sum_traceId")}, "Valid aggregations: count, uniq"),
        ({"metrics": metrics("sum_costByType", "sum_usageByType")}, "Only one pairExpand dimension"),
        ({"dimensions": by("usageType"), "metrics": metrics("sum_costByType")}, "Only one pairExpand dimension"),
        ({"orderBy": [{"field": "sum_totalCost", "direction": "asc"}]}, "Invalid orderBy field: sum_totalCost"),
        ({"orderBy": [{"field": "time_dimension", "direction": "asc"}]}, "Invalid orderBy field: time_dimension"),
        ({"filters": [where("totalCost", "number", ">", 1)]}, "Invalid filter column totalCost"),
        ({"filters": [where("tags", "string", "=", "x")]}, "Array fields require type 'arrayOptions', not 'string'"),
        ({"filters": [where("tags", "stringOptions", "any of", ["x"])]}, "Array fields require type 'arrayOptions'"),
        ({"filters": [where("name", "arrayOptions", "any of", ["x"])]}, "'name'"),
        ({"filters": [where("level", "boolean", "=", True)]}, "'level'"),
        ({"filters": [where("isRootObservation", "string", "=", "true")]}, "use one of boolean, null"),
        ({"filters": [where("start_time", "string", "=", iso("10:00:00"))]}, "use one of datetime, null"),
        ({"filters": [where("metadata", "string", "=", "x")]}, "Metadata filters require type 'stringObject'"),
    ],
)
def test_a_question_about_what_is_not_there_is_an_invalid_request(desk: Desk, question: dict[str, Any], words: str) -> None:
    answer = desk.ask(**question)
    assert answer.status_code == 400
    assert answer.json()["error"] == "InvalidRequestError"
    assert words in answer.json()["message"]


def test_the_query_parameter_must_be_there_and_be_json(desk: Desk) -> None:
    missing = desk.get("v2/metrics")
    assert (missing.status_code, missing.json()["error"][0]["path"]) == (400, ["query"])
    broken = desk.get("v2/metrics", query="{view")
    assert (broken.status_code, broken.json()["error"]) == (400, "InvalidRequestError")


def test_unknown_keys_are_ignored(desk: Desk) -> None:
    ignored = {"rowLimit": 1, "limit": 1, "groupBy": "x", "entityDimension": {"field": "name"}, "filter": "nonsense"}
    assert len(desk.metrics(dimensions=by("version"), **ignored)) == 3


TOP = {"dimensions": by("userId"), "metrics": metrics("sum_totalCost", "count_count")}
FALLING = {"orderBy": [{"field": "sum_totalCost", "direction": "desc"}]}


def test_users_are_answered_as_a_top_list(desk: Desk) -> None:
    rows = desk.metrics(**TOP, **FALLING, config={"row_limit": 2})
    assert [(row["userId"], row["sum_totalCost"]) for row in rows] == [("u2", 5), ("u1", 2)]
    # Somebody without a name takes a place of the list unless the question excludes nobody's rows.
    assert desk.metrics(**TOP, **FALLING, config={"row_limit": 9})[2] == {"userId": None, "sum_totalCost": 1, "count_count": 1}
    named = [where("userId", "null", "is not null", "")]
    assert len(desk.metrics(**TOP, **FALLING, config={"row_limit": 9}, filters=named)) == 2


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (FALLING, "require both 'config.row_limit' and 'orderBy'"),
        ({"config": {"row_limit": 5}}, "require both 'config.row_limit' and 'orderBy'"),
        ({"config": {"row_limit": 5}, "orderBy": [{"field": "sum_totalCost", "direction": "asc"}]}, "require both"),
        ({"config": {"row_limit": 5}, "orderBy": [{"field": "userId", "direction": "desc"}]}, "'userId' is not a measure"),
        ({"config": {"row_limit": 5}, **FALLING, "timeDimension": {"granularity": "day"}}, "cannot be used with timeDimension"),
    ],
)
def test_users_are_answered_in_no_other_way(desk: Desk, more: dict[str, Any], words: str) -> None:
    answer = desk.ask(**TOP, **more)
    assert answer.status_code == 400
    assert words in answer.json()["message"]


def test_version_3_has_no_such_rule() -> None:
    desk = Desk("v3")
    desk.insert([observation("a", NOON, user_id="u1"), observation("b", NOON, user_id="u2")])
    assert {row["userId"] for row in desk.metrics(dimensions=by("userId"))} == {"u1", "u2"}


@pytest.mark.parametrize(
    ("filter_", "ids"),
    [
        (where("version", "string", "=", "1.1"), "a"),
        (where("version", "string", "=", ""), "c"),
        (where("version", "string", "contains", ".2"), "b"),
        (where("version", "string", "does not contain", ".2"), "ac"),
        (where("version", "string", "starts with", "1"), "ab"),
        (where("version", "string", "ends with", "2"), "b"),
        (where("version", "stringOptions", "any of", ["1.1", "1.2"]), "ab"),
        (where("version", "stringOptions", "none of", ["1.1"]), "bc"),
        (where("version", "null", "is null", ""), "c"),
        (where("tags", "arrayOptions", "any of", ["y", "z"]), "a"),
        (where("tags", "arrayOptions", "all of", ["x", "y"]), "a"),
        (where("tags", "arrayOptions", "none of", ["y"]), "bc"),
        (where("isRootObservation", "boolean", "=", True), "ab"),
        (where("isRootObservation", "boolean", "<>", True), "c"),
        (where("start_time", "datetime", ">", iso("12:00:00")), ""),
        (where("start_time", "datetime", ">=", iso("12:00:00")), "abc"),
        ({**where("metadata", "stringObject", "=", "x"), "key": "k"}, ""),
    ],
)
def test_filters(desk: Desk, filter_: dict[str, Any], ids: str) -> None:
    top = {"orderBy": [{"field": "count_count", "direction": "desc"}], "config": {"row_limit": 9}}
    rows = desk.metrics(dimensions=by("id"), filters=[filter_], **top)
    assert sorted(row["id"] for row in rows) == list(ids)


def test_a_missing_text_compares_as_nothing_in_version_3() -> None:
    desk = Desk("v3")
    desk.insert([observation("a", NOON, version="1.1"), observation("b", NOON)])
    without = [where("version", "stringOptions", "none of", ["1.2"])]
    assert [row["id"] for row in desk.metrics(dimensions=by("id"), filters=without)] == ["a"]


def test_kinds_of_values_in_rows(desk: Desk) -> None:
    rows = desk.metrics(dimensions=by("tags", "isRootObservation"), metrics=metrics("count_count", "avg_totalCost"))
    assert {"tags": ["x", "y"], "isRootObservation": True, "count_count": 1, "avg_totalCost": 2} in rows
    assert {"tags": [], "isRootObservation": False, "count_count": 1, "avg_totalCost": 1} in rows


def test_integers_are_text_on_an_old_clickhouse_and_nothing_else_is() -> None:
    desk = Desk("v3", numbers_as_strings=True)
    desk.insert([observation("a", NOON, usage={"input": 7}, cost={"total": 0.5})])
    keys = metrics("count_count", "sum_inputTokens", "max_latency", "sum_totalCost", "p95_latency", "avg_inputTokens")
    assert desk.metrics(metrics=keys) == [
        {
            "count_count": "1", "sum_inputTokens": "7", "max_latency": "1000", "sum_totalCost": 0.5, "p95_latency": 1000,
            "avg_inputTokens": 7,
        }
    ]  # fmt: skip


def test_a_model_without_price_costs_null_in_version_3_and_0_in_version_4() -> None:
    for mode, cost, priced in (("v3", None, 0), ("v4", 0, 1)):
        desk = Desk(mode)
        desk.insert([observation("a", NOON, usage={"input": 7})])
        assert desk.metrics(metrics=metrics("sum_totalCost", "count_totalCost")) == [
            {"sum_totalCost": cost, "count_totalCost": priced}
        ]


def test_a_cost_map_without_total_has_one_only_when_nothing_else_was_sent(desk: Desk) -> None:
    desk = Desk()
    desk.insert([observation("a", NOON, cost={"input": 1.0, "output": 2.0}), observation("b", NOON, cost={"cache": 4.0})])
    assert desk.metrics(metrics=metrics("sum_totalCost", "sum_inputCost")) == [{"sum_totalCost": 3, "sum_inputCost": 1}]


def test_sums_of_costs_are_exact() -> None:
    desk = Desk()
    desk.insert(observation(f"o{i}", NOON, cost={"total": 0.1}) for i in range(30))
    assert desk.metrics(metrics=metrics("sum_totalCost")) == [{"sum_totalCost": 3}]


def test_a_histogram_covers_all_values() -> None:
    desk = Desk()
    desk.insert(observation(f"o{i}", NOON, seconds=i / 1000) for i in range(1, 201))
    (row,) = desk.metrics(metrics=metrics("histogram_latency"), config={"bins": 5})
    bins = row["histogram_latency"]
    assert len(bins) == 5
    assert (bins[0][0], bins[-1][1], sum(height for _, _, height in bins)) == (1, 200, 200)
    assert all(left[1] == right[0] for left, right in pairwise(bins))


def test_distinct_traces_users_and_sessions() -> None:
    desk = Desk()
    desk.insert(
        observation(f"o{i}", NOON, trace_id=f"t{i // 2}", user_id=f"u{i % 3}" if i else None, session_id="s") for i in range(8)
    )
    keys = metrics("uniq_traceId", "uniq_uniqueUserIds", "count_uniqueUserIds", "uniq_uniqueSessionIds")
    assert desk.metrics(metrics=keys) == [
        {"uniq_traceId": 4, "uniq_uniqueUserIds": 3, "count_uniqueUserIds": 7, "uniq_uniqueSessionIds": 1}
    ]


def test_users_per_trace_in_version_3() -> None:
    desk = Desk("v3")
    desk.insert([observation("a", NOON, user_id="u1"), observation("b", NOON, user_id="u2"), observation("c", NOON)])
    keys = metrics("count_uniqueUserIds", "sum_uniqueUserIds", "uniq_uniqueUserIds")
    assert desk.metrics(view="traces", metrics=keys) == [
        {"count_uniqueUserIds": 3, "sum_uniqueUserIds": 2, "uniq_uniqueUserIds": 2}
    ]


def test_version_3_finds_users_only_of_traces_in_the_window() -> None:
    desk = Desk("v3")
    desk.insert(
        [
            observation("root", at("11:00:00"), 7200, trace_id="t1", user_id="u1", type="SPAN"),
            observation("call", NOON, trace_id="t1", parent_id="root", user_id="u1"),
        ]
    )
    late = {"fromTimestamp": iso("11:30:00")}
    assert desk.metrics(**late) == [{"count_count": 1}]
    assert desk.metrics(dimensions=by("userId"), **late) == []
    assert desk.metrics(dimensions=by("userId")) == [{"userId": "u1", "count_count": 2}]


def test_the_question_arrives_as_one_json_parameter(desk: Desk) -> None:
    question = {
        "view": "observations", "metrics": metrics("count_count"), "fromTimestamp": "2026-11-20T02:00:00+02:00",
        "toTimestamp": "2026-11-21T00:00:00.000Z",
    }  # fmt: skip
    assert desk.get("v2/metrics", query=json.dumps(question)).json() == {"data": [{"count_count": 3}]}

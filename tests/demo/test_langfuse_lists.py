"""Lists of observations, scores, traces, sessions and models: pages, cursors, fields, filters."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langfuse_rows import KEYS, Desk, at, desk_with_a_call, metrics, observation, score, where

from demo.langfuse.standin import Price

NOON = at("12:00:00")


def _all_pages(desk: Desk, path: str, limit: int, **parameters: Any) -> list[str]:
    """Ids of all rows, following the cursor."""
    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = desk.page(path, limit=limit, **parameters, **cursor)
        assert len(page["data"]) <= limit
        found += [row["id"] for row in page["data"]]
        if "cursor" not in page["meta"]:
            return found
        cursor = {"cursor": page["meta"]["cursor"]}


@given(
    moments=st.lists(st.integers(min_value=0, max_value=5), min_size=1, max_size=25),
    limit=st.integers(min_value=1, max_value=7),
)
def test_following_the_cursor_gives_every_row_once_newest_first(moments: list[int], limit: int) -> None:
    desk = Desk()
    rows = [observation(f"o{i}", NOON + moment / 1e6, trace_id=f"t{i % 3}") for i, moment in enumerate(moments)]
    desk.insert(rows, [score(f"s{i}", NOON + moment / 1e6) for i, moment in enumerate(moments)])
    start = {row.id: row.start for row in rows}
    found = _all_pages(desk, "v2/observations", limit)
    assert sorted(found) == sorted(start)
    assert [start[id_] for id_ in found] == sorted(start.values(), reverse=True)
    judged = _all_pages(desk, "v3/scores", limit)
    assert sorted(judged) == sorted(f"s{i}" for i in range(len(moments)))
    assert [start[f"o{id_[1:]}"] for id_ in judged] == sorted(start.values(), reverse=True)


def test_rows_that_arrive_between_two_pages_shift_nothing() -> None:
    desk = Desk()
    desk.insert(observation(f"o{i}", NOON + i) for i in range(4))
    first = desk.page("v2/observations", limit=2)
    desk.insert([observation("late", NOON + 9)])
    second = desk.page("v2/observations", limit=2, cursor=first["meta"]["cursor"])
    assert [row["id"] for row in first["data"] + second["data"]] == ["o3", "o2", "o1", "o0"]


def test_core_and_basic_fields_unless_asked_for_others() -> None:
    desk = desk_with_a_call()
    (row,) = desk.rows("v2/observations", parentObservationId="root")
    assert row == {
        "id": "o1", "traceId": "t1", "startTime": "2026-11-20T12:00:00.000Z", "endTime": "2026-11-20T12:00:02.500Z",
        "projectId": "agent-observatory", "parentObservationId": "root", "type": "GENERATION", "name": "call",
        "level": "DEFAULT", "version": "1.2", "environment": "production", "statusMessage": "ok", "bookmarked": False,
        "public": False, "userId": "u1", "sessionId": "s1", "isRootObservation": False, "modelId": None,
        "inputPrice": None, "outputPrice": None, "totalPrice": None,
    }  # fmt: skip


def test_groups_of_fields() -> None:
    desk = desk_with_a_call()
    groups = "model,usage,metrics,prompt,time,trace_context,io,metadata"
    (row,) = desk.rows("v2/observations", parentObservationId="root", fields=groups)
    assert "name" not in row
    expected = {
        "providedModelName": "gpt-x", "modelId": "gpt-x", "inputPrice": "0.000001", "outputPrice": "0.000004",
        "totalPrice": None, "usageDetails": {"input": 10, "output": 5, "total": 15}, "totalCost": 0.00003,
        "costDetails": {"input": 0.00001, "output": 0.00002, "total": 0.00003}, "latency": 2.5, "timeToFirstToken": 0.25,
        "promptName": "answer", "promptVersion": 3, "completionStartTime": "2026-11-20T12:00:00.250Z", "tags": ["x"],
        "release": "r1", "traceName": "chat",
    }  # fmt: skip
    assert {key: row[key] for key in expected} == expected


@pytest.mark.parametrize(
    ("parameters", "ids"),
    [
        ({"type": "GENERATION"}, ["call"]),
        ({"environment": ["staging", "development"]}, ["call", "span"]),
        ({"environment": "production"}, ["event"]),
        ({"level": "ERROR"}, ["span"]),
        ({"name": "event"}, ["event"]),
        ({"traceId": "t-span", "type": "SPAN"}, ["span"]),
        ({"isRootObservation": "true"}, ["call", "event"]),
        ({"parentObservationId": ""}, ["call", "event"]),
        ({"filter": json.dumps([where("latency", "number", ">", 1.5)])}, ["span"]),
        ({"filter": json.dumps([where("type", "string", "=", "SPAN")]), "type": "EVENT"}, ["span"]),
        ({"filter": json.dumps([where("startTime", "datetime", ">", "2026-11-20T12:00:00Z")])}, ["event"]),
    ],
)
def test_parameters_choose_rows(parameters: dict[str, Any], ids: list[str]) -> None:
    desk = Desk()
    desk.insert(
        [
            observation("call", NOON, 1.0, name="call", environment="staging"),
            observation("span", NOON, 2.0, name="span", type="SPAN", environment="development", level="ERROR", parent_id="x"),
            observation("event", NOON + 1, None, name="event", type="EVENT"),
        ]
    )
    assert sorted(row["id"] for row in desk.rows("v2/observations", **parameters)) == ids


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("v2/observations", {"limit": 1001}),
        ("v2/observations", {"limit": "many"}),
        ("v2/observations", {"level": "FATAL"}),
        ("v2/observations", {"fromStartTime": "2026-11-20"}),
        ("v2/observations", {"filter": '[{"column":"name","type":"string","operator":"~","value":"x"}]'}),
        ("v3/scores", {"limit": 101}),
        ("v3/scores", {"userId": "u1"}),
        ("v3/scores", {"fields": "everything"}),
        ("v3/scores", {"observationId": "o1"}),
        ("v3/scores", {"traceId": "t1", "sessionId": "s1"}),
        ("v3/scores", {"valueMin": 1}),
        ("v3/scores", {"value": "x", "dataType": "NUMERIC"}),
        ("v3/scores", {"value": "1", "dataType": "NUMERIC,BOOLEAN"}),
        ("models", {"limit": 101}),
        ("models", {"page": 0}),
    ],
)
def test_wrong_parameters_get_a_list_of_issues(path: str, parameters: dict[str, Any]) -> None:
    answer = Desk().get(path, **parameters)
    assert answer.status_code == 400
    assert answer.json()["message"] == "Invalid request data"
    assert answer.json()["error"][0]["message"]


@pytest.mark.parametrize("path", ["v2/observations", "v3/scores"])
@pytest.mark.parametrize("cursor", ["x", "e30", "bnVsbA"])
def test_a_cursor_of_somebody_else_is_refused(path: str, cursor: str) -> None:
    answer = Desk().get(path, cursor=cursor)
    assert (answer.status_code, answer.json()["message"]) == (400, "Invalid cursor format")


def test_values_of_scores_have_the_type_of_their_kind() -> None:
    desk = Desk()
    desk.insert(
        scores=[
            score("n", NOON, 0.25, observation_id="o1"),
            score("b", NOON + 1, 1.0, data_type="BOOLEAN", source="EVAL"),
            score("c", NOON + 2, "kind", environment="staging"),
        ]
    )
    rows = desk.rows("v3/scores", fields="subject,details,annotation")
    assert [(row["id"], row["value"], row["dataType"]) for row in rows] == [
        ("c", "kind", "CATEGORICAL"), ("b", True, "BOOLEAN"), ("n", 0.25, "NUMERIC"),
    ]  # fmt: skip
    assert rows[2]["subject"] == {"kind": "observation", "id": "o1", "traceId": "t1"}
    assert rows[1]["subject"] == {"kind": "trace", "id": "t1"}
    assert "subject" not in desk.rows("v3/scores")[0]
    for parameters, ids in (
        ({"dataType": "numeric,boolean"}, "bn"),
        ({"source": "eval"}, "b"),
        ({"environment": "staging"}, "c"),
        ({"name": "quality", "id": "n,c"}, "cn"),
        ({"dataType": "BOOLEAN", "value": "true"}, "b"),
        ({"dataType": "CATEGORICAL", "value": "kind,other"}, "c"),
        ({"dataType": "NUMERIC", "valueMin": 0.2, "valueMax": 0.3}, "n"),
        ({"traceId": "t1", "observationId": "o1"}, "n"),
        ({"queueId": "q"}, ""),
    ):
        assert "".join(row["id"] for row in desk.rows("v3/scores", **parameters)) == ids


def _post_score(desk: Desk, **body: Any) -> Any:
    return desk.send("POST", "/api/public/scores", json=body, auth=(KEYS.public, KEYS.secret))


def test_a_score_can_be_written_and_written_again() -> None:
    desk = Desk(now=NOON)
    assert _post_score(desk, id="s1", name="quality", value=0.5, traceId="t1").json() == {"id": "s1"}
    assert _post_score(desk, id="s1", name="quality", value=0.75, traceId="t1").json() == {"id": "s1"}
    other = _post_score(desk, name="tone", value="kind", sessionId="s").json()["id"]
    assert desk.rows("v3/scores") == []
    desk.now += 2
    rows = desk.rows("v3/scores", fields="subject")
    assert {row["id"]: (row["value"], row["subject"]["kind"]) for row in rows} == {
        "s1": (0.75, "trace"), other: ("kind", "session"),
    }  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [
        {"name": "quality", "value": 1},
        {"name": "quality", "traceId": "t1"},
        {"name": "quality", "traceId": "t1", "value": "good", "dataType": "NUMERIC"},
        {"name": "quality", "traceId": "t1", "value": 2, "dataType": "BOOLEAN"},
        {"name": "quality", "traceId": "t1", "value": 1, "environment": "Production!"},
    ],
)
def test_a_wrong_score_is_refused(body: dict[str, Any]) -> None:
    answer = _post_score(Desk(), **body)
    assert (answer.status_code, answer.json()["message"]) == (400, "Invalid request data")


def test_prices_come_in_pages() -> None:
    desk = Desk()
    desk.standin.prices = tuple(Price(f"m{i}", {"input": 0.000001, "output": 0.000002}) for i in range(5))
    page = desk.page("models", limit=2, page=3)
    assert page["meta"] == {"page": 3, "limit": 2, "totalItems": 5, "totalPages": 3}
    (model,) = page["data"]
    assert (model["modelName"], model["inputPrice"], model["prices"]["output"]) == ("m4", 0.000001, {"price": 0.000002})
    assert model["pricingTiers"][0]["prices"] == {"input": 0.000001, "output": 0.000002}


def test_a_known_id_replaces_the_old_row() -> None:
    desk = Desk()
    desk.insert([observation("a", NOON, None, cost={"total": 1.0})], [score("s", NOON, 0.1)])
    desk.insert([observation("a", NOON, 2.0, cost={"total": 3.0})], [score("s", NOON, 0.2)])
    assert desk.metrics(metrics=metrics("count_count", "sum_totalCost", "max_latency")) == [
        {"count_count": 1, "sum_totalCost": 3, "max_latency": 2000}
    ]
    assert [row["value"] for row in desk.rows("v3/scores")] == [0.2]


def test_rows_are_taken_whole_or_not_at_all() -> None:
    desk = Desk()
    good, bad = observation("a", NOON), observation("b", NOON, usage={"input": "many"})
    with pytest.raises(TypeError):
        desk.insert([good, bad])
    assert desk.metrics() == [{"count_count": 0}]
    desk.insert([good])
    assert desk.metrics() == [{"count_count": 1}]

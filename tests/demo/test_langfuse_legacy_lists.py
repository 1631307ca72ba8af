"""Lists that only version 3 has: observations, traces, sessions and scores in pages."""

from __future__ import annotations

import json

from langfuse_rows import at, desk_with_a_call, observation, score, where

NOON = at("12:00:00")


def test_observations_of_version_3_come_in_pages() -> None:
    desk = desk_with_a_call("v3")
    page = desk.page("observations", limit=1, page=2)
    assert page["meta"] == {"page": 2, "limit": 1, "totalItems": 2, "totalPages": 2}
    (row,) = desk.rows("observations", type="GENERATION", parentObservationId="root")
    expected = {
        "id": "o1", "model": "gpt-x", "inputPrice": 0.000001, "latency": 2.5, "timeToFirstToken": 0.25,
        "usage": {"input": 10, "output": 5, "total": 15, "unit": "TOKENS"}, "calculatedTotalCost": 0.00003,
    }  # fmt: skip
    assert {key: row[key] for key in expected} == expected
    assert desk.get("observations/o1").json() == row
    assert desk.get("observations/none").status_code == 404
    assert desk.get("observations", limit=101).status_code == 400


def test_traces_of_version_3() -> None:
    desk = desk_with_a_call("v3")
    desk.insert(
        [observation("other", NOON + 60, trace_id="t2", tags=("x", "y"), session_id="s1", environment="staging")],
        [score("s", NOON)],
    )
    page = desk.page("traces")
    assert page["meta"]["totalItems"] == 2
    assert [row["id"] for row in page["data"]] == ["t2", "t1"]
    first = desk.rows("traces", orderBy="timestamp.asc")[0]
    assert (first["latency"], first["totalCost"], first["observations"], first["scores"]) == (
        3.0,
        0.00003,
        ["o1", "root"],
        ["s"],
    )
    for parameters, ids in (
        ({"tags": ["x", "y"]}, ["t2"]),
        ({"userId": "u1"}, ["t1"]),
        ({"environment": "staging"}, ["t2"]),
        ({"toTimestamp": "2026-11-20T12:01:00Z"}, ["t1"]),
        ({"filter": json.dumps([where("environment", "string", "=", "production")])}, ["t1"]),
    ):
        assert [row["id"] for row in desk.rows("traces", **parameters)] == ids
    whole = desk.get("traces/t1").json()
    assert [row["id"] for row in whole["observations"]] == ["o1", "root"]
    assert whole["scores"][0]["value"] == 1.0
    assert desk.get("traces/none").status_code == 404
    assert desk.get("traces", orderBy="cost.desc").status_code == 400


def test_sessions_of_version_3() -> None:
    desk = desk_with_a_call("v3")
    desk.insert([observation("other", NOON + 60, trace_id="t2", session_id="s/2")])
    assert [row["id"] for row in desk.rows("sessions")] == ["s/2", "s1"]
    assert [row["id"] for row in desk.rows("sessions", fromTimestamp="2026-11-20T12:00:01Z")] == ["s/2"]
    assert [trace["id"] for trace in desk.get("sessions/s1").json()["traces"]] == ["t1"]
    assert desk.get("sessions/s%2F2").json()["createdAt"] == "2026-11-20T12:01:00.000Z"
    assert desk.get("sessions/none").status_code == 404


def test_scores_of_version_2_carry_their_trace() -> None:
    desk = desk_with_a_call("v3")
    desk.insert(scores=[score("s1", NOON, 0.5), score("s2", NOON + 1, 1.0, data_type="BOOLEAN", trace_id="gone")])
    rows = desk.rows("v2/scores")
    assert [(row["id"], row.get("stringValue")) for row in rows] == [("s2", "True"), ("s1", None)]
    assert rows[0]["trace"] is None
    assert rows[1]["trace"] == {"userId": "u1", "tags": [], "environment": "production", "sessionId": "s1"}
    assert [row["id"] for row in desk.rows("v2/scores", userId="u1")] == ["s1"]
    assert [row["id"] for row in desk.rows("v2/scores", operator=">", value=0.6)] == ["s2"]
    assert desk.page("v2/scores", limit=1, dataType="NUMERIC")["meta"]["totalItems"] == 1

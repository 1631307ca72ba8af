"""Modes dual and cloud: what both interfaces say of the same rows, what old clients send later, and the limits of Cloud."""

from __future__ import annotations

import json
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
from langfuse_rows import KEYS, Desk, at, by, desk_with_a_call, iso, metrics, observation, score

from demo.langfuse.faults import Fault
from demo.langfuse.rate_limits import LIMITS
from demo.langfuse.rows import Rows, Trace
from demo.langfuse.standin import MODES, StandIn
from demo.langfuse.store import Store

NOON = at("12:00:00")
OLD = ("metrics", "observations", "observations/a", "v2/scores", "traces", "traces/t", "sessions", "sessions/s")


def _question(**more: object) -> str:
    window = {"fromTimestamp": iso("00:00:00"), "toTimestamp": iso("23:00:00")}
    return json.dumps({"view": "observations", "metrics": metrics("count_count", "sum_totalCost"), **window, **more})


def test_dual_answers_both_interfaces_and_shows_a_row_for_each_trace_to_the_new_one() -> None:
    desk = desk_with_a_call("dual")
    types = {"dimensions": by("type")}
    new = {row["type"]: row["count_count"] for row in desk.rows("v2/metrics", query=_question(**types))}
    old = {row["type"]: row["count_count"] for row in desk.rows("metrics", query=_question(**types))}
    assert new == {"GENERATION": 2, "SPAN": 1}
    assert old == {"GENERATION": 2}
    rows = {row["id"]: row for row in desk.rows("v2/observations", fields="core,basic,model,usage,metrics,trace_context")}
    assert set(rows) == {"root", "o1", "t-t1"}
    extra = rows["t-t1"]
    expected = {
        "traceId": "t1", "type": "SPAN", "parentObservationId": None, "isRootObservation": True, "name": "chat", "userId": "u1",
        "startTime": rows["root"]["startTime"], "endTime": None, "latency": None, "totalCost": 0, "providedModelName": None,
    }  # fmt: skip
    assert {key: extra[key] for key in expected} == expected
    assert {row["id"] for row in desk.rows("observations")} == {"root", "o1"}


def test_dual_counts_two_roots_for_a_trace_but_one_trace_and_one_cost() -> None:
    desk = desk_with_a_call("dual")
    roots = desk.rows("v2/metrics", query=_question(dimensions=by("isRootObservation"), metrics=metrics("count_count")))
    assert {row["isRootObservation"]: row["count_count"] for row in roots} == {True: 2, False: 1}
    (row,) = desk.rows("v2/metrics", query=_question(metrics=metrics("uniq_traceId", "sum_totalCost")))
    assert row == {"uniq_traceId": 1, "sum_totalCost": 0.00003}


def test_dual_pages_through_rows_of_traces_once_each() -> None:
    desk = Desk("dual")
    desk.insert([observation(f"o{i:02d}", NOON + i // 3) for i in range(25)])
    seen, cursor = [], None
    while True:
        page = desk.page("v2/observations", limit=7, **({"cursor": cursor} if cursor else {}))
        seen += [row["id"] for row in page["data"]]
        cursor = page["meta"].get("cursor")
        if cursor is None:
            break
    assert sorted(seen) == sorted([f"o{i:02d}" for i in range(25)] + [f"t-t-o{i:02d}" for i in range(25)])


def test_a_score_counts_once_beside_two_roots() -> None:
    desk = desk_with_a_call("dual")
    desk.insert(scores=[score("s1", NOON, 0.5)])
    question = _question(view="scores-numeric", dimensions=by("traceName"), metrics=metrics("count_count", "avg_value"))
    assert desk.rows("v2/metrics", query=question) == [{"traceName": "chat", "count_count": 1, "avg_value": 0.5}]


@pytest.mark.parametrize(("mode", "later"), [("dual", True), ("cloud", True), ("v4", False)])
def test_what_old_clients_send_becomes_an_event_a_quarter_of_an_hour_later(mode: str, later: bool) -> None:
    desk = Desk(mode, now=NOON)
    sent = Rows((observation("o1", NOON - 5, 1.0),), (), (Trace("t9", NOON - 5),))
    desk.standin.take(sent, old_path=True)
    desk.standin.take(Rows((observation("o2", NOON - 5, 1.0),)), old_path=False)
    desk.now = NOON + 3
    seen = {row["id"] for row in desk.rows("v2/observations", type="GENERATION")}
    assert seen == ({"o2"} if later else {"o1", "o2"})
    desk.now = NOON + 903
    assert {row["id"] for row in desk.rows("v2/observations", type="GENERATION")} == {"o1", "o2"}


def test_the_old_interface_of_dual_shows_the_same_rows_at_once() -> None:
    desk = Desk("dual", now=NOON)
    desk.standin.take(Rows((observation("o1", NOON - 5, 1.0),), (), (Trace("t9", NOON - 5),)), old_path=True)
    desk.now = NOON + 3
    assert [row["id"] for row in desk.rows("observations")] == ["o1"]
    assert {row["id"] for row in desk.rows("traces")} == {"t9", "t-o1"}
    assert desk.rows("v2/observations") == []


def test_nothing_can_be_read_before_it_was_sent() -> None:
    desk = Desk("v4", now=NOON)
    desk.standin.take(Rows((observation("o1", NOON - 7200, 1.0),)), old_path=False)
    desk.now = NOON + 1
    assert desk.rows("v2/observations") == []
    desk.now = NOON + 2
    (row,) = desk.rows("v2/observations")
    assert row["startTime"] == iso("10:00:00.000")


def test_cloud_names_the_successor_of_what_is_gone_before_it_asks_for_keys() -> None:
    desk = Desk("cloud")
    for path in OLD:
        answer = desk.get(path, auth=None)
        assert answer.status_code == 404
        body = answer.json()
        assert body["message"].startswith("This endpoint is not available on deployments running in Langfuse v4 events_only")
        assert body["_deprecation"]["sunsetAt"] == "2026-11-16"
        assert body["_deprecation"]["replacement"].startswith("GET /api/public/v")
    assert "_deprecation" not in Desk("v4").get("traces").json()
    assert "_deprecation" not in desk.get("v3/scores").json()


@pytest.mark.parametrize("plan", list(LIMITS))
def test_the_last_request_of_a_window_is_refused_already(plan: str) -> None:
    desk = Desk("cloud", now=NOON, plan=plan)
    limit = LIMITS[plan]["metrics"]
    for _ in range(limit.requests - 1):
        assert desk.get("v2/metrics", query=_question()).status_code == 200
        desk.now += 0.25
    for _ in range(2):
        refused = desk.get("v2/metrics", query=_question())
        assert refused.status_code == 429
    end = NOON + limit.seconds
    assert refused.headers["x-ratelimit-limit"] == str(limit.requests)
    assert refused.headers["x-ratelimit-remaining"] == "0"
    assert refused.headers["retry-after"] == str(-int(-(end - desk.now) // 1))
    assert refused.headers["x-ratelimit-reset"].endswith("GMT+0000 (Coordinated Universal Time)")
    body = refused.json()
    assert (body["message"], body["code"]) == ("Rate limit exceeded", "rate_limited")
    assert set(body["details"]) == {"retryAfterSeconds", "limit", "remaining", "resetAt"}
    # Another bucket is another window, and a new window begins with its first request.
    assert desk.get("models").status_code == 200
    desk.now = end
    assert desk.get("v2/metrics", query=_question()).status_code == 200


def test_the_minute_of_the_other_requests() -> None:
    desk = Desk("cloud", now=NOON, plan="hobby")
    statuses = [desk.get(path).status_code for path in ("v2/observations", "v3/scores", "models") for _ in range(10)]
    assert statuses == [200] * 29 + [429]
    assert desk.get("projects").status_code == 200, "who one is may always be asked"
    assert desk.get("health", auth=None).status_code == 200
    desk.now += 60
    assert desk.get("models").status_code == 200


def test_wrong_keys_spend_nothing_and_wrong_questions_do() -> None:
    desk = Desk("cloud", now=NOON, plan="hobby")
    for _ in range(40):
        assert desk.get("models", auth=(KEYS.public, "sk-wrong")).status_code == 401
    for _ in range(29):
        assert desk.get("models", limit=1000).status_code == 400
    assert desk.get("models").status_code == 429


@pytest.mark.parametrize("mode", ["v3", "v4", "dual"])
def test_servers_of_ones_own_have_no_limits(mode: str) -> None:
    desk = Desk(mode)
    assert {desk.get("models").status_code for _ in range(120)} == {200}


def test_answers_are_dated_by_the_clock_of_the_server() -> None:
    desk = Desk(now=NOON)
    assert parsedate_to_datetime(desk.get("projects").headers["date"]).timestamp() == NOON
    desk.standin.faults.add(Fault(kind="clock", seconds=3600))
    answer = desk.get("projects")
    assert (answer.status_code, parsedate_to_datetime(answer.headers["date"]).timestamp()) == (200, NOON + 3600)


def test_a_storage_of_an_older_version_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "langfuse.sqlite"
    store = Store(path)
    store.insert([observation("o1", NOON)])
    for table in ("observations", "traces"):
        store.select("DROP VIEW IF EXISTS events", {})
        store.select(f"ALTER TABLE {table} DROP COLUMN late", {})
    store.close()
    standin = StandIn(Store(path), MODES["dual"], KEYS, lambda: NOON + 60)
    standin.store.insert([observation("o2", NOON)])
    rows = standin.store.select("SELECT id, ready FROM events ORDER BY id", {})
    ready = round((NOON + 1) * 1e6)
    assert [tuple(row) for row in rows] == [(name, ready) for name in ("o1", "o2", "t-t-o1", "t-t-o2")]
    standin.store.close()

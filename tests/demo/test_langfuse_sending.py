"""What clients send: spans by OTLP, scores, and the batches of old clients."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from langfuse_rows import KEYS, Desk, at, iso

from demo.langfuse import app
from demo.langfuse.standin import Price

NOON = at("12:00:00")
TRACE, ROOT, CALL = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "00f067aa0ba902b7"
DIRECT = {"x-langfuse-ingestion-version": "4"}
AUTH = (KEYS.public, KEYS.secret)


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, list):
        return {"arrayValue": {"values": [_value(each) for each in value]}}
    if isinstance(value, float):
        return {"doubleValue": value}
    return {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}


def _attributes(**values: Any) -> list[dict[str, Any]]:
    """`a__b` stands for `a.b`."""
    return [{"key": key.replace("__", "."), "value": _value(value)} for key, value in values.items()]


def _span(span_id: str = CALL, start: float = NOON - 10, seconds: float = 2.25, **attributes: Any) -> dict[str, Any]:
    nanoseconds = {"startTimeUnixNano": str(round(start * 1000) * 10**6)}
    nanoseconds["endTimeUnixNano"] = str(round((start + seconds) * 1000) * 10**6)
    span = {"traceId": TRACE, "spanId": span_id, "parentSpanId": ROOT, "name": "answer", **nanoseconds}
    return span | {"attributes": _attributes(**attributes)}


def _batch(*spans: dict[str, Any], **resource: Any) -> dict[str, Any]:
    return {"resourceSpans": [{"resource": {"attributes": _attributes(**resource)}, "scopeSpans": [{"spans": list(spans)}]}]}


def _send(desk: Desk, body: Any, headers: dict[str, str] | None = None) -> Any:
    return desk.send("POST", "/api/public/otel/v1/traces", json=body, auth=AUTH, headers=DIRECT if headers is None else headers)


def _rows(desk: Desk, after: float = 3) -> list[dict[str, Any]]:
    desk.now += after
    return desk.rows("v2/observations", fields="core,basic,time,model,usage,prompt,metrics,trace_context")


def test_every_attribute_of_a_span_finds_its_field() -> None:
    desk = Desk(now=NOON)
    sent = _span(
        langfuse__observation__type="generation",
        langfuse__observation__model__name="gpt-x",
        langfuse__observation__usage_details='{"input": 100, "output": 50, "input_cached_tokens": 30}',
        langfuse__observation__cost_details='{"input": 0.001, "output": 0.002}',
        langfuse__observation__level="WARNING",
        langfuse__observation__status_message="slow",
        langfuse__observation__completion_start_time=iso("11:59:50.500"),
        langfuse__observation__prompt__name="answer",
        langfuse__observation__prompt__version=3,
        langfuse__user__id="u1",
        langfuse__session__id="s1",
        langfuse__trace__name="chat",
        langfuse__trace__tags=["x", "y"],
        langfuse__environment="Staging",
        langfuse__version="1.2",
        langfuse__release="r1",
    )
    answer = _send(desk, _batch(sent))
    assert (answer.status_code, answer.json()) == (200, {})
    (row,) = _rows(desk)
    expected = {
        "id": CALL, "traceId": TRACE, "parentObservationId": ROOT, "type": "GENERATION", "name": "answer", "level": "WARNING",
        "statusMessage": "slow", "startTime": iso("11:59:50.000"), "endTime": iso("11:59:52.250"), "latency": 2.25,
        "timeToFirstToken": 0.5, "providedModelName": "gpt-x", "promptName": "answer", "promptVersion": 3, "userId": "u1",
        "sessionId": "s1", "traceName": "chat", "tags": ["x", "y"], "environment": "staging", "version": "1.2", "release": "r1",
        "usageDetails": {"input": 100, "output": 50, "input_cached_tokens": 30, "total": 180}, "totalCost": 0.003,
    }  # fmt: skip
    assert {key: row[key] for key in expected} == expected


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"gen_ai__operation__name": "chat"}, {"type": "GENERATION"}),
        ({"gen_ai__operation__name": "text_completion"}, {"type": "GENERATION"}),
        ({"gen_ai__operation__name": "embeddings"}, {"type": "EMBEDDING"}),
        ({"gen_ai__request__model": "m"}, {"type": "GENERATION", "providedModelName": "m"}),
        ({"gen_ai__request__model": "m", "gen_ai__response__model": "m-1"}, {"providedModelName": "m-1"}),
        ({"gen_ai__usage__input_tokens": 7}, {"usageDetails": {"input": 7, "total": 7}}),
        ({"gen_ai__usage__output_tokens": 2}, {"usageDetails": {"output": 2, "total": 2}}),
        ({"gen_ai__usage__cost": 0.25}, {"totalCost": 0.25}),
        ({"langfuse__observation__type": "tool"}, {"type": "TOOL"}),
        ({"langfuse__observation__type": "nonsense"}, {"type": "SPAN"}),
        ({"user__id": "u", "session__id": "s"}, {"userId": "u", "sessionId": "s"}),
        ({"deployment__environment__name": "Prod"}, {"environment": "prod"}),
        ({"langfuse__environment": "langfuse"}, {"environment": "default"}),
        ({"langfuse__environment": "two words"}, {"environment": "default"}),
        ({"langfuse__observation__usage_details": "[1]"}, {"usageDetails": {}}),
        ({"langfuse__observation__cost_details": '{"total": 1e999}'}, {"totalCost": 0}),
    ],
)  # fmt: skip
def test_other_names_for_the_same(attributes: dict[str, Any], expected: dict[str, Any]) -> None:
    desk = Desk(now=NOON)
    assert _send(desk, _batch(_span(**attributes))).status_code == 200
    (row,) = _rows(desk)
    assert {key: row[key] for key in expected} == expected


def test_resources_speak_for_all_their_spans() -> None:
    desk = Desk(now=NOON)
    own = _span(ROOT, langfuse__environment="staging", langfuse__version="2")
    _send(desk, _batch(_span(), own, langfuse__environment="production", service__version="1", langfuse__release="r9"))
    rows = {row["id"]: (row["environment"], row["version"], row["release"]) for row in _rows(desk)}
    assert rows == {CALL: ("production", "1", "r9"), ROOT: ("staging", "2", "r9")}


def test_a_call_without_a_cost_is_priced_and_one_with_a_cost_is_not() -> None:
    desk = Desk(now=NOON)
    desk.standin.prices = (Price("gpt-x", {"input": 0.001, "output": 0.01}),)
    usage = {"langfuse__observation__usage_details": '{"input": 10, "output": 2, "audio": 5}'}
    named = {"langfuse__observation__model__name": "GPT-X", **usage}
    other = {"langfuse__observation__model__name": "unknown", **usage}
    given = {**named, "langfuse__observation__cost_details": '{"total": 5}'}
    spans = [_span(f"{i:016x}", **values) for i, values in enumerate((named, other, given))]
    assert _send(desk, _batch(*spans)).status_code == 200
    rows = {row["id"][-1]: row["costDetails"] for row in _rows(desk)}
    assert rows == {"0": {"input": 0.01, "output": 0.02, "total": 0.03}, "1": {}, "2": {"total": 5.0}}


def test_errors_and_open_spans() -> None:
    desk = Desk(now=NOON)
    failed = _span("00000000000000aa") | {"status": {"code": 2, "message": "no answer"}}
    still_open = _span("00000000000000bb") | {"endTimeUnixNano": "0"}
    _send(desk, _batch(failed, still_open))
    rows = {row["id"][-2:]: (row["level"], row["statusMessage"], row["endTime"] is None) for row in _rows(desk)}
    assert rows == {"aa": ("ERROR", "no answer", False), "bb": ("DEFAULT", None, True)}


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"traceId": "xyz"}, "traceId"),
        ({"spanId": "AAAAAAAAAAA="}, "spanId"),
        ({"parentSpanId": "1"}, "parentSpanId"),
        ({"attributes": {"langfuse.user.id": "u"}}, "attributes"),
        ({"startTimeUnixNano": "soon"}, "startTimeUnixNano"),
        ({"endTimeUnixNano": str(2**70)}, "endTimeUnixNano"),
    ],
)
def test_one_wrong_span_refuses_the_whole_batch(change: dict[str, Any], place: str) -> None:
    desk = Desk(now=NOON)
    answer = _send(desk, _batch(_span(ROOT), _span() | change))
    assert answer.status_code == 400
    assert answer.json()["error"][0]["path"] == ["resourceSpans", 0, "scopeSpans", 0, "spans", 1, place]
    assert _rows(desk) == []


def test_spans_come_packed_and_an_empty_batch_is_fine() -> None:
    desk = Desk(now=NOON)
    headers = {**DIRECT, "content-type": "application/json", "content-encoding": "gzip"}
    for body, status in (
        (gzip.compress(json.dumps(_batch(_span())).encode()), 200),
        (gzip.compress(b"{}"), 200),
        (b"no gzip", 400),
        (gzip.compress(b"[" * 100_000), 400),
    ):
        answer = desk.send("POST", "/api/public/otel/v1/traces", content=body, auth=AUTH, headers=headers)
        assert answer.status_code == status, answer.text
    assert [row["id"] for row in _rows(desk)] == [CALL]


def test_a_small_body_that_unpacks_to_a_large_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "LARGEST_BODY", 1000)
    desk = Desk(now=NOON)
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    packed = gzip.compress(b" " * 1_000_000)
    answer = desk.send("POST", "/api/public/otel/v1/traces", content=packed, auth=AUTH, headers=headers)
    assert (answer.status_code, len(packed) < 2000) == (413, True)


def test_what_the_stand_in_cannot_read_it_names() -> None:
    desk = Desk(now=NOON)
    headers = {"content-type": "application/x-protobuf"}
    answer = desk.send("POST", "/api/public/otel/v1/traces", content=b"\x0a\x00", auth=AUTH, headers=headers)
    assert answer.status_code == 415
    assert "JSON" in answer.json()["message"]
    for version in ("5", "new"):
        answer = _send(desk, _batch(_span()), {"x-langfuse-ingestion-version": version})
        assert answer.status_code == 400
        assert answer.json() == {"error": f'Unsupported x-langfuse-ingestion-version: "{version}". Maximum supported: "4".'}
    assert desk.send("POST", "/api/public/otel/v1/traces", json=_batch(_span())).status_code == 401


@pytest.mark.parametrize("mode", ["dual", "cloud"])
def test_spans_without_the_version_of_their_client_take_the_long_way(mode: str) -> None:
    desk = Desk(mode, now=NOON)
    _send(desk, _batch(_span(CALL)), {})
    _send(desk, _batch(_span(ROOT)), DIRECT)
    assert [row["id"] for row in _rows(desk)] == [ROOT]
    assert {row["id"] for row in _rows(desk, after=900) if row["type"] == "SPAN"} >= {ROOT, CALL}


def test_a_score_with_an_id_can_be_sent_again() -> None:
    desk = Desk(now=NOON)
    for value in (0.5, 0.75):
        body = {"id": "s1", "name": "quality", "value": value, "traceId": TRACE}
        assert desk.send("POST", "/api/public/scores", json=body, auth=AUTH).json() == {"id": "s1"}
    assert desk.rows("v3/scores") == []
    desk.now += 3
    assert [(row["id"], row["value"]) for row in desk.rows("v3/scores")] == [("s1", 0.75)]


def _event(type_: str, id_: str = "e1", **body: Any) -> dict[str, Any]:
    return {"id": id_, "type": type_, "timestamp": iso("11:00:00.000"), "body": body}


def _old(desk: Desk, *events: Any) -> Any:
    answer = desk.send("POST", "/api/public/ingestion", json={"batch": list(events)}, auth=AUTH)
    assert answer.status_code == 207, answer.text
    return answer.json()


BATCH = (
    _event("trace-create", "e1", id="t1", name="chat", userId="u1", tags=["x"], environment="production", release="r1"),
    _event("generation-create", "e2", id="g1", traceId="t1", name="answer", model="gpt-x", startTime=iso("11:00:01.000")),
    _event("generation-update", "e3", id="g1", endTime=iso("11:00:03.000"), usageDetails={"input": 10, "output": 5}),
    _event("span-create", "e4", id="p1", traceId="t1", parentObservationId="g1", startTime=iso("11:00:00.500")),
    _event("score-create", "e5", id="s1", name="quality", value=1, traceId="t1"),
    _event("sdk-log", "e6", log="hello"),
)


@pytest.mark.parametrize("mode", ["v3", "dual"])
def test_old_batches_are_taken_where_the_old_tables_are(mode: str) -> None:
    desk = Desk(mode, now=NOON)
    desk.standin.prices = (Price("gpt-x", {"input": 0.001, "output": 0.01}),)
    answer = _old(desk, *BATCH)
    assert answer == {"successes": [{"id": f"e{i}", "status": 201} for i in range(1, 7)], "errors": []}
    desk.now += 3
    rows = {row["id"]: row for row in desk.rows("observations")}
    assert set(rows) == {"g1", "p1"}
    expected = {
        "type": "GENERATION",
        "latency": 2.0,
        "model": "gpt-x",
        "calculatedTotalCost": 0.06,
        "environment": "production",
    }
    assert {key: rows["g1"][key] for key in expected} == expected
    assert rows["p1"]["parentObservationId"] == "g1"
    (trace,) = desk.rows("traces")
    assert (trace["id"], trace["userId"], trace["tags"], trace["release"]) == ("t1", "u1", ["x"], "r1")
    (given,) = desk.rows("v3/scores")
    assert (given["id"], given["timestamp"]) == ("s1", iso("11:00:00.000"))


def test_an_update_prices_new_amounts_and_changes_nothing_else() -> None:
    desk = Desk("v3", now=NOON)
    desk.standin.prices = (Price("gpt-x", {"input": 0.001}),)
    _old(desk, *BATCH, _event("generation-update", "e7", id="g1", usageDetails={"input": 20}, level="ERROR"))
    desk.now += 3
    (row,) = desk.rows("observations", type="GENERATION")
    assert (row["calculatedTotalCost"], row["usageDetails"], row["level"]) == (0.02, {"input": 20, "total": 20}, "ERROR")
    assert (row["name"], row["latency"]) == ("answer", 2.0)


def test_old_rows_of_dual_become_events_with_the_properties_of_their_trace() -> None:
    desk = Desk("dual", now=NOON)
    _old(desk, *BATCH)
    assert _rows(desk) == []
    rows = {row["id"]: row for row in _rows(desk, after=900)}
    assert set(rows) == {"g1", "p1", "t-t1"}
    for row in rows.values():
        assert (row["userId"], row["traceName"], row["tags"], row["release"]) == ("u1", "chat", ["x"], "r1")


@pytest.mark.parametrize("mode", ["v4", "cloud"])
def test_servers_of_events_take_nothing_but_scores(mode: str) -> None:
    desk = Desk(mode, now=NOON)
    answer = _old(desk, *BATCH)
    assert [each["id"] for each in answer["successes"]] == ["e5", "e6"]
    assert [(each["id"], each["status"], each["message"]) for each in answer["errors"]] == [
        (f"e{i}", 400, "Event type not accepted") for i in range(1, 5)
    ]
    assert ("_deprecation" in answer) == (mode == "cloud")
    assert "_deprecation" not in _old(desk, BATCH[4])
    assert _rows(desk, after=1000) == []


def test_wrong_events_are_refused_one_by_one() -> None:
    desk = Desk("v3", now=NOON)
    wrong = _event("generation-create", "e8", id="g2", startTime="yesterday")
    answer = _old(desk, {"id": "e7"}, wrong, "text", _event("earthquake", "e9"), BATCH[0])
    assert [each["id"] for each in answer["successes"]] == ["e1"]
    assert [(each["id"], each["status"]) for each in answer["errors"]] == [
        ("e7", 400),
        ("e8", 400),
        ("unknown", 400),
        ("e9", 400),
    ]
    refused = desk.send("POST", "/api/public/ingestion", json={"batch": "none"}, auth=AUTH)
    assert (refused.status_code, refused.json()["error"][0]["path"]) == (400, ["batch"])

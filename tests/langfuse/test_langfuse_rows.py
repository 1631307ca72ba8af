"""Rows of both versions become the same calls and scores; what is no row is refused with a sentence."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from ledger_world import NOON, PATIENT, PRICES, World, call, score, world

from exporters.credentials import LangfuseAccess
from exporters.journal import QueryFailed, SourceDown
from exporters.langfuse.calls import Call, error_type, read_call, read_score
from exporters.langfuse.client import LangfuseClient
from exporters.langfuse.prices import PriceList
from exporters.langfuse.request_budget import GENERAL, RequestBudget
from exporters.langfuse.usage import tokens_by_type, total_tokens, types_of

if TYPE_CHECKING:
    from exporters.database.sharing import SharedSession
    from tests.scripted import Script, ScriptedServer

ROW: dict[str, Any] = {
    "id": "o1", "type": "GENERATION", "startTime": "2026-11-19T12:00:00.000Z", "endTime": None, "environment": "production",
    "level": "DEFAULT", "providedModelName": "gpt-x", "usageDetails": {}, "costDetails": {}, "totalCost": 0,
}  # fmt: skip


def read(**others: Any) -> Call:
    return read_call(ROW | others, PriceList(), lambda name: f"<{name}>")


def client(url: str, plan: str = "self-hosted") -> LangfuseClient:
    return LangfuseClient(lambda: LangfuseAccess(url, "pk", "sk"), RequestBudget(plan), PATIENT)


@pytest.mark.parametrize("mode", ["v4", "v3", "dual", "cloud"])
def test_every_mode_gives_the_same_calls(mode: str, shared: SharedSession) -> None:
    with world(shared, mode) as here:
        begun = NOON - timedelta(minutes=10)
        first = (begun + timedelta(seconds=0.5)).timestamp()
        here.insert(
            call("1", begun, 2.25, completion_start=first, user_id="u", prompt_name="answer", prompt_version=3),
            call("2", begun, 0.0, type="EMBEDDING", cost={}, usage={"input": 7}),
            call("3", begun, type="AGENT"),
        )
        page = client_of(here).calls(begun, NOON)
        rows = list(page.rows)
        while page.cursor:
            page = client_of(here).calls(begun, NOON, page.cursor)
            rows += page.rows
        calls = {row["id"]: read_call(row, PriceList(), str) for row in rows}
        assert sorted(calls) == ["1", "2"]
        one, two = calls["1"], calls["2"]
        assert (one.started_at, one.duration, one.first_token) == (begun, 2_250_000, 500_000)
        assert (one.tokens, one.total_tokens, one.total_cost) == ((100, 20, 30, 0, 0), 120, 750_000_000)
        assert (one.input_cost, one.output_cost, one.cost_source) == (250_000_000, 500_000_000, "recorded")
        assert (one.prompt_name, one.prompt_version, one.status) == ("answer", 3, "success")
        assert (two.type, two.total_cost, two.cost_source, two.tokens[0]) == ("EMBEDDING", None, None, 7)


def client_of(here: World) -> LangfuseClient:
    return LangfuseClient(lambda: LangfuseAccess(here.url, "pk-lf-test", "sk-lf-test"), RequestBudget("self-hosted"), PATIENT)


@pytest.mark.parametrize("mode", ["v4", "v3"])
def test_lists_are_paged_to_their_end(mode: str, shared: SharedSession) -> None:
    with world(shared, mode) as here:
        begun = NOON - timedelta(minutes=10)
        here.insert(*(call(f"c{n}", begun, type="GENERATION" if n % 3 else "EMBEDDING") for n in range(250)))
        here.insert(*(score(f"s{n}", begun, 1.0) for n in range(250)))
        asked, seen, cursor = client_of(here), [], ""
        while True:
            page = asked.calls(begun, NOON, cursor)
            seen += [row["id"] for row in page.rows]
            if not (cursor := page.cursor):
                break
        assert sorted(seen) == sorted(f"c{n}" for n in range(250))
        found, cursor = [], ""
        while True:
            page = asked.scores(begun, NOON, cursor)
            found += [row["id"] for row in page.rows]
            if not (cursor := page.cursor):
                break
        assert sorted(found) == sorted(f"s{n}" for n in range(250))
        assert [row["modelName"] for row in asked.models(1).rows] == [price.model for price in PRICES]


def test_a_cursor_of_the_other_version_begins_anew(server: ScriptedServer, script: type[Script]) -> None:
    server.scripts["/api/public/v2/observations"] = [script.status(404)]
    server.scripts["/api/public/observations"] = [script.body(b'{"data":[{"id":"x"}],"meta":{"page":1,"totalPages":1}}')]
    page = client(server.url).calls(NOON, NOON + timedelta(hours=1), "v2:abc")
    assert page.cursor == "v1:EMBEDDING/1"


def test_the_newer_endpoint_is_tried_again_after_an_hour(server: ScriptedServer, script: type[Script]) -> None:
    now = [0.0]
    server.scripts["/api/public/v2/observations"] = [script.status(404), script.body(b'{"data":[],"meta":{}}')]
    server.scripts["/api/public/observations"] = [script.body(b'{"data":[],"meta":{"page":1,"totalPages":0}}')]
    asked = LangfuseClient(
        lambda: LangfuseAccess(server.url, "pk", "sk"),
        RequestBudget("self-hosted"),
        PATIENT,
        timer=lambda: now[0],
    )
    for at in (0.0, 60.0, 3601.0, 3660.0):
        now[0] = at
        asked.calls(NOON, NOON)
    paths = [path.removeprefix("/api/public/") for path in server.paths()]
    assert paths == ["health", "v2/observations", "observations", "observations", "v2/observations", "v2/observations"]


def test_a_project_without_scores_is_no_reason_to_stop(server: ScriptedServer) -> None:
    with pytest.raises(QueryFailed, match="no scores at this address"):
        client(server.url).scores(NOON, NOON)
    with pytest.raises(SourceDown, match=r"no observations at this address.*is it Langfuse"):
        client(server.url).calls(NOON, NOON)


def test_what_the_server_says_is_left_is_believed(server: ScriptedServer, script: type[Script]) -> None:
    server.scripts["/api/public/models"] = [
        script.body(b'{"data":[],"meta":{"page":1,"totalPages":1}}', X_RateLimit_Remaining="3")
    ]
    asked = client(server.url, "hobby")
    asked.models(1)
    assert asked.budget.remaining(GENERAL) == 2


def test_no_text_is_asked_for(server: ScriptedServer, script: type[Script]) -> None:
    server.scripts["/api/public/v2/observations"] = [script.body(b'{"data":[],"meta":{}}')]
    client(server.url).calls(NOON, NOON)
    asked = server.addresses[-1]
    assert "fields=core%2Cbasic%2Ctime%2Cmodel%2Cusage%2Cmetrics%2Cprompt%2Ctrace_context" in asked
    assert "limit=1000" in asked


@pytest.mark.parametrize(
    ("key", "kinds"),
    [
        ("input", ("input",)),
        ("prompt_tokens_input_audio", ("input",)),
        ("input_cached_tokens", ("input", "cache_read")),
        ("input_cache_read", ("input", "cache_read")),
        ("input_cache_creation_1h", ("input", "cache_write")),
        ("cache_write_tokens", ("cache_write",)),
        ("output_reasoning_tokens", ("output", "reasoning")),
        ("reasoning_tokens", ("reasoning",)),
        ("total", ()),
        ("seconds", ()),
    ],
)
def test_keys_of_usage(key: str, kinds: tuple[str, ...]) -> None:
    assert types_of(key) == kinds


def test_tokens_add_up_as_langfuse_adds_them() -> None:
    usage = {"input": 100, "output": 50, "output_reasoning_tokens": 20, "input_cached_tokens": 30, "total": 200}
    assert tokens_by_type(usage) == {"input": 130, "output": 70, "cache_read": 30, "cache_write": 0, "reasoning": 20}
    assert total_tokens(usage) == 200
    assert total_tokens({"input": 3, "output": 4}) == 7


def test_spellings_numbers_and_times() -> None:
    old = read(
        providedModelName=None, model="vendor/old", usageDetails={"input": "12"}, costDetails=None, calculatedTotalCost="0.5",
        endTime="2026-11-19T12:00:01.500Z", timeToFirstToken="0.25", userId="erika", promptVersion=None,
    )  # fmt: skip
    assert (old.model, old.provider, old.tokens[0], old.total_cost) == ("vendor/old", "vendor", 12, 500_000_000)
    assert (old.duration, old.first_token, old.user_key) == (1_500_000, 250_000, "<erika>")
    free = read(costDetails={"total": 0})
    assert (free.total_cost, free.cost_source) == (0, "recorded")
    assert read(totalCost=0).total_cost is None, "version 4 shows an unknown price as 0 beside an empty map"
    assert read(environment=None, providedModelName=None).model == "unknown"
    assert read(environment="").environment == "default"
    early = read(completionStartTime="2026-11-19T11:59:00Z", endTime="2026-11-19T11:00:00Z")
    assert (early.first_token, early.duration) == (0, 0), "clocks may disagree"


@pytest.mark.parametrize("usd", [1e10, -5.0, float("inf")])
def test_a_cost_that_no_call_has_is_unknown(usd: float) -> None:
    found = read(costDetails={"input": usd, "total": usd})
    assert (found.input_cost, found.total_cost, found.cost_source) == (None, None, None)


@pytest.mark.parametrize(
    ("odd", "what"),
    [
        ({"endTime": "2299-12-31T00:00:00Z"}, "duration"),
        ({"completionStartTime": "2299-12-31T00:00:00Z"}, "first_token_at"),
        ({"timeToFirstToken": 2**53}, "first_token_at"),
        ({"promptVersion": 2**31}, "prompt_version"),
        ({"promptVersion": float("nan")}, "prompt_version"),
    ],
)
def test_what_cannot_be_is_unknown(odd: dict[str, Any], what: str) -> None:
    assert getattr(read(**odd), what) is None


def test_names_are_cut_and_cleaned() -> None:
    row = read(providedModelName="m\0o\x1fd" + "x" * 500, traceName="\ud800name")
    assert row.model.startswith("modx")
    assert len(row.model) == 120
    assert row.agent == "?name"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"id": None}, "a row without an id"),
        ({"type": "SPAN"}, "a row of type 'SPAN' among model calls"),
        ({"startTime": "yesterday"}, "startTime is 'yesterday' in an answer, not a time"),
        ({"startTime": None}, "a row without startTime"),
        ({"usageDetails": [1]}, "usageDetails is no map"),
        ({"usageDetails": {"input": True, "output": "x"}}, "usageDetails.output is 'x' in an answer, not a number"),
        ({"costDetails": {"total": float("nan")}}, "costDetails.total is 'nan' in an answer, not a number"),
        ({"usageDetails": {"input": 1e300}}, "not a number"),
        ({"usageDetails": {"input": 2**53}}, "not a number that it can be"),
        ({"usageDetails": {"input": -1}}, "not a number that it can be"),
        ({"startTime": "0001-01-01T00:00:00Z"}, "not a time that it can be"),
        ({"endTime": "9999-12-31T00:00:00Z"}, "not a time that it can be"),
    ],
)
def test_what_is_no_call(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(QueryFailed) as caught:
        read(**wrong)
    assert said in str(caught.value)


def test_scores_of_both_versions() -> None:
    base = {"id": "s", "name": "n", "source": "API", "environment": None, "timestamp": "2026-11-19T12:00:00Z"}
    new = read_score(
        base | {"dataType": "BOOLEAN", "value": True, "subject": {"kind": "observation", "id": "o", "traceId": "t"}}
    )
    assert new is not None
    assert (new.value, new.observation_id, new.trace_id, new.environment) == (1.0, "o", "t", "default")
    old = read_score(base | {"dataType": "CATEGORICAL", "value": 0, "stringValue": "good", "traceId": "t"})
    assert old is not None
    assert (old.value, old.string_value, old.trace_id) == (None, "good", "t")
    session = read_score(base | {"dataType": "NUMERIC", "value": 2, "subject": {"kind": "session", "id": "s1"}})
    assert session is not None
    assert (session.session_id, session.trace_id, session.at) == ("s1", None, datetime(2026, 11, 19, 12, tzinfo=UTC))
    assert read_score(base | {"dataType": "TEXT", "value": "what somebody wrote"}) is None
    with pytest.raises(QueryFailed, match=r"value is '1.7e[+]18' in an answer, not a number that it can be"):
        read_score(base | {"dataType": "NUMERIC", "value": 1.7e18})


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("429 Too Many Requests", "rate_limit"), ("Request timed out", "timeout"), ("Incorrect API key", "auth"),
        ("maximum context length", "validation"), ("tool call failed", "tool"), ("the model is overloaded", "llm"),
        ("", "llm"), ("boom", "other"),
    ],
)  # fmt: skip
def test_kinds_of_errors(message: str, kind: str) -> None:
    assert error_type(message) == kind

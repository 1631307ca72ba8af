"""The ledger against the stand-in: every call once, whatever Langfuse does with its rows."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import psycopg
import pytest
from ledger_world import NOON, World, call, score, world

if TYPE_CHECKING:
    from exporters.database.sharing import SharedSession

MODEL = ("gpt-x", "production")
MINUTE = timedelta(minutes=1)


@pytest.fixture(params=["v4", "v3", "dual"])
def each(request: pytest.FixtureRequest, shared: SharedSession) -> World:
    with world(shared, request.param) as found:
        yield found


def test_counters_windows_and_parts_of_tokens(each: World) -> None:
    exporter = each.exporter()
    each.run(exporter)
    begun = each.now[0]
    each.insert(
        call("1", begun + 10 * MINUTE / 60, 2.25, completion_start=(begun + 10 * MINUTE / 60).timestamp() + 0.5),
        call("2", begun + 11 * MINUTE / 60, 1.0, level="ERROR", status_message="Rate limit exceeded", usage={}, cost={}),
        call("3", begun + 12 * MINUTE / 60, 0.1, type="EMBEDDING", model="embed", usage={"input": 5}, cost={}),
        call("4", begun + 12 * MINUTE / 60, 60.0, type="AGENT"),
    )
    found = each.run(exporter, 2 * MINUTE)
    assert found["langfuse_generations_total", *MODEL, "success"] == 1
    assert found["langfuse_generations_total", *MODEL, "error"] == 1
    assert found["langfuse_generations_total", "embed", "production", "success"] == 1
    assert found["langfuse_generations_total", "embed", "production", "error"] == 0, "starts at zero"
    tokens = {type_: found["langfuse_tokens_total", *MODEL, type_] for type_ in ("input", "output", "cache_read", "reasoning")}
    assert tokens == {"input": 100, "output": 20, "cache_read": 30, "reasoning": 0}
    assert found["langfuse_cost_usd_total", *MODEL] == 0.75
    assert found["langfuse_unpriced_calls_total", "embed", "production"] == 1
    assert found["langfuse_generation_duration_seconds", *MODEL] == (2, pytest.approx(3.25))
    assert found["langfuse_time_to_first_token_seconds", *MODEL] == (1, pytest.approx(0.5))
    assert found["langfuse_window_calls", *MODEL, "1h"] == 2
    assert found["langfuse_window_errors", *MODEL, "mtd"] == 1
    assert found["langfuse_window_cost_usd", *MODEL, "24h"] == 0.75
    assert ("langfuse_window_cost_usd", "embed", "production", "24h") not in found, "an unknown price is not a price of zero"
    assert 1.28 < found["langfuse_window_latency_seconds", *MODEL, "30d"] < 2.56
    assert found["exporter_source_up", "langfuse"] == 1
    assert each.rows("SELECT error_type, status FROM analytics.llm_calls WHERE observation_id = '2'") == [
        ("rate_limit", "error")
    ]


def test_a_trace_counts_once_however_many_calls_it_has_and_whenever_they_come(each: World) -> None:
    exporter = each.exporter()
    with psycopg.connect(each.dsn, autocommit=True) as connection:
        for agent, environment in (("planner", "production"), ("planner", "staging")):
            labels = "\x1f".join((agent, "7", environment))
            connection.execute("INSERT INTO analytics.fresh (fact, labels, n) VALUES ('executions_started', %s, 3)", (labels,))
    found = each.run(exporter)
    assert found["langfuse_traces_total", "planner", "production"] == 0, "starts at zero where the platform knows an agent"
    begun = each.now[0]
    each.insert(*(call(f"{n}", begun, trace_id="one") for n in range(3)), call("open", begun, None, trace_id="late", cost={}))
    each.insert(*(call(f"s{n}", begun, trace_id=f"s-{n}", environment="staging") for n in range(4)))
    each.insert(call("a", begun, 60.0, type="AGENT", trace_id="without a model call"))
    found = each.run(exporter)
    each.insert(call("3", begun + MINUTE, trace_id="one"), call("open", begun, 30.0, trace_id="late"))
    found = each.run(exporter, 6 * MINUTE)
    found = each.run(exporter, 6 * MINUTE)
    ((ours,),) = each.rows("SELECT count(DISTINCT trace_id) FROM analytics.llm_calls WHERE environment = 'production'")
    agent = "unknown" if each.standin.mode.name == "v3" else "planner"  # version 3 does not tell a trace's name with a call
    counted = {key[1:]: value for key, value in found.items() if key[0] == "langfuse_traces_total"}
    assert counted[agent, "production"] == ours == 2
    assert counted[agent, "staging"] == 4


def test_how_late_calls_are_is_told_of_what_has_settled(each: World) -> None:
    exporter = each.exporter()
    each.run(exporter)
    begun = each.now[0]
    each.insert(*(call(f"{n}", begun, 10.0) for n in range(1, 5)))
    each.run(exporter)
    with psycopg.connect(each.dsn, autocommit=True) as connection:
        connection.execute(
            "UPDATE analytics.llm_calls SET ingested_at = ended_at + make_interval(secs => observation_id::int * 10)"
        )
    found = each.run(exporter, 20 * MINUTE)
    assert found["langfuse_call_delay_seconds",] == pytest.approx(38.5), "between 30 and 40 s, 95 % of the way to the latest"


def test_nothing_is_counted_twice_and_nothing_falls(each: World) -> None:
    exporter = each.exporter()
    each.run(exporter)
    begun = each.now[0]
    each.insert(call("1", begun), call("2", begun))
    before = each.run(exporter)
    if each.standin.mode.name == "v4":
        each.standin.store.repeat(["1", "2"])
    each.standin.store.delete_traces(["t-2"])
    for _ in range(3):
        found = each.run(exporter)
    for key, value in before.items():
        if key[0].endswith("_total") and not key[0].startswith("exporter_"):
            assert found[key] == value, key
    assert found["langfuse_generations_total", *MODEL, "success"] == 2, "deletion is not un-happening"


def test_a_late_row_is_counted_and_a_changed_one_corrected(each: World) -> None:
    exporter = each.exporter()
    each.run(exporter)
    begun = each.now[0]
    each.insert(call("1", begun), call("2", begun))
    each.run(exporter)
    each.run(exporter, 10 * MINUTE)
    each.insert(
        call("late", begun, 9 * 60.0),
        call("1", begun, cost={"total": 0.25}),
        call("2", begun, cost={"total": 1.0}, usage={"input": 300, "output": 10}),
    )
    found = each.run(exporter, 6 * MINUTE)
    assert found["langfuse_generations_total", *MODEL, "success"] == 3
    assert found["langfuse_cost_usd_total", *MODEL] == pytest.approx(3 * 0.75 + 0.25), "up by what the second rose"
    assert found["langfuse_ledger_corrections_total", "cost_usd"] == pytest.approx(0.5)
    assert found["langfuse_ledger_corrections_total", "tokens"] == 10
    assert found["langfuse_ledger_corrections_total", "calls"] == 0
    assert found["langfuse_tokens_total", *MODEL, "input"] == 500
    assert found["langfuse_window_cost_usd", *MODEL, "1h"] == pytest.approx(0.25 + 1.0 + 0.75), "windows are what is right"
    ledger = each.rows("SELECT sum(total_cost_usd), sum(output_tokens) FROM analytics.llm_calls")
    corrected = found["langfuse_cost_usd_total", *MODEL] - found["langfuse_ledger_corrections_total", "cost_usd"]
    assert float(ledger[0][0]) == pytest.approx(corrected)


def test_the_past_is_filled_in_without_a_rush_of_calls(each: World) -> None:
    each.settings["history"] = "3d"
    each.insert(*(call(f"old-{n}", NOON - timedelta(hours=n)) for n in range(1, 100)))
    exporter = each.exporter()
    found = each.run(exporter)
    for _ in range(5):
        found = each.run(exporter)
    assert each.rows("SELECT count(*) FROM analytics.llm_calls") == [(71,)]
    assert found["langfuse_generations_total", *MODEL, "success"] == 0, "counting begins now"
    assert found["langfuse_window_calls", *MODEL, "24h"] == 23
    assert ("langfuse_window_calls", *MODEL, "7d") not in found, "the ledger will never have a whole week"
    each.insert(call("new", each.now[0]))
    assert each.run(exporter)["langfuse_generations_total", *MODEL, "success"] == 1


def test_scores(each: World) -> None:
    exporter = each.exporter()
    each.run(exporter)
    at = each.now[0]
    each.insert(
        score("a", at, 0.5), score("b", at, -2.0), score("c", at, 1.0, "BOOLEAN", name="grounded"),
        score("d", at, "friendly", "CATEGORICAL", name="tone", source="ANNOTATION"),
    )  # fmt: skip
    found = each.run(exporter)
    assert found["langfuse_scores_total", "helpful", "EVAL", "production"] == 2
    assert found["langfuse_score_sum", "helpful", "EVAL", "production"] == -1.5
    assert found["langfuse_score_sum", "grounded", "EVAL", "production"] == 1
    assert found["langfuse_scores_total", "tone", "ANNOTATION", "production"] == 1
    each.insert(score("a", at, 0.25))
    found = each.run(exporter, 6 * MINUTE)
    assert found["langfuse_scores_total", "helpful", "EVAL", "production"] == 2
    assert found["langfuse_score_sum", "helpful", "EVAL", "production"] == -1.75
    assert each.rows("SELECT string_value FROM analytics.llm_scores WHERE score_id = 'd'") == [("friendly",)]


def test_golden_rows(each: World) -> None:
    """Three rows whose figures were computed with the database that Langfuse uses."""
    exporter = each.exporter()
    each.run(exporter)
    at = each.now[0]
    usage = {"input": 100, "output": 50, "output_reasoning_tokens": 20, "input_cached_tokens": 30, "total": 200}
    priced = {"input": 0.001, "output": 0.002, "total": 0.003}
    begun = at + timedelta(microseconds=100_000)
    first = (at + timedelta(microseconds=600_000)).timestamp()
    each.insert(
        call("A", begun, 2.25, usage=usage, cost=priced, completion_start=first),
        call("B", begun, 1.0, model="unknown-model", usage={"input": 10, "total": 10}, cost={}, level="ERROR"),
        call("C", begun, None, type="EVENT", model=None, usage={}, cost={}),
    )
    found = each.run(exporter)
    a, b = ("gpt-x", "production"), ("unknown-model", "production")
    assert found["langfuse_window_calls", *a, "1h"] == found["langfuse_window_calls", *b, "1h"] == 1
    assert not [key for key in found if key[:2] == ("langfuse_window_calls", "unknown")], "an event is no call"
    assert found["langfuse_window_cost_usd", *a, "1h"] == pytest.approx(0.003)
    assert ("langfuse_window_cost_usd", *b, "1h") not in found
    types = ("input", "output", "cache_read", "cache_write", "reasoning")
    assert [found["langfuse_tokens_total", *a, type_] for type_ in types] == [130, 70, 30, 0, 20]
    assert [found["langfuse_tokens_total", *b, type_] for type_ in types] == [10, 0, 0, 0, 0]
    assert found["langfuse_generation_duration_seconds", *a] == (1, 2.25)
    assert found["langfuse_generation_duration_seconds", *b] == (1, 1.0)
    assert found["langfuse_time_to_first_token_seconds", *a] == (1, 0.5)
    assert ("langfuse_time_to_first_token_seconds", *b) not in found
    assert found["langfuse_window_errors", *b, "1h"] == 1
    found = each.run(exporter, 40 * MINUTE)
    ratios = [found["exporter_reconciliation_ratio", measure] for measure in ("calls", "tokens", "cost_usd")]
    assert ratios == [1, 1, pytest.approx(1)]

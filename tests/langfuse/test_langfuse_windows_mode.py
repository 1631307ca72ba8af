"""What Langfuse's rows become: figures checked against numbers written by hand, in both data planes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from ledger_world import PATIENT

from contract.settings import Settings
from exporters.credentials import LangfuseAccess
from exporters.journal import SourceDown
from exporters.langfuse.client import LangfuseClient
from exporters.langfuse.request_budget import METRICS, RequestBudget
from exporters.langfuse.windows import WindowsCollector

if TYPE_CHECKING:
    from tests.scripted import Script, ScriptedServer

V2, V1 = "/api/public/v2/metrics", "/api/public/metrics"
NOW = datetime(2026, 2, 26, 12, 0, 30, tzinfo=UTC).timestamp()  # windows end 30 s earlier: on noon
SETTINGS = Settings.model_validate(
    {
        "budgets": [{"scope": "all", "monthly_usd": 1000}, {"scope": "staging", "monthly_usd": 10}],
        "environments": ["production", "staging"],
        "sources": {"langfuse": {"prices": [{"model": "gpt-*", "input": 2.0, "output": 8.0, "cache_read": 0.5}]}},
    }
)


def usage(
    model: str | None, environment: str | None, level: str, calls: Any, cost: Any, inp: Any = 0, out: Any = 0
) -> dict[str, Any]:
    return {
        "providedModelName": model, "environment": environment, "level": level, "count_count": calls,
        "sum_inputTokens": inp, "sum_outputTokens": out, "sum_totalCost": cost,
    }  # fmt: skip


def latency(model: str, environment: str, p95: Any) -> dict[str, Any]:
    return {"providedModelName": model, "environment": environment, "count_count": 1, "p95_latency": p95}


DAY = [usage("gpt-x", "production", "DEFAULT", 90, 1.5, 1000, 500), usage("gpt-x", "production", "ERROR", 10, 0.5, 100, 0)]
MONTH = [
    usage("gpt-x", "production", "DEFAULT", "900", "150.25", "10000", "5000"),
    usage("gpt-x", "staging", "DEFAULT", "100", 2.5),
    usage(None, None, "ERROR", "7", 0),
]
LATENCIES = [latency("gpt-x", "production", 2250.0), latency("gpt-x", "staging", None)]

PARTS = [
    {"providedModelName": "gpt-x", "environment": "production", "usageType": key, "sum_usageByType": tokens}
    for key, tokens in (("input", 800), ("input_cached_tokens", 2_000_000), ("output_reasoning_tokens", "70"), ("total", 900))
]
CONVERSATIONS = [
    {"traceName": "planner", "environment": "production", "sum_totalCost": 3.0, "uniq_uniqueSessionIds": 12},
    {"traceName": "idle", "environment": "production", "sum_totalCost": 0, "uniq_uniqueSessionIds": 0},
]


def by_day(production: float, staging: float) -> list[dict[str, Any]]:
    days = [f"2026-{month:02}-{day:02}" for month, last in ((1, 32), (2, 26)) for day in range(1, last)][-28:]
    return [
        {"environment": environment, "time_dimension": day, "sum_totalCost": cost}
        for day in days
        for environment, cost in (("production", production), ("staging", staging))
    ]


def answer(query: dict[str, Any]) -> list[dict[str, Any]]:
    if "timeDimension" in query:
        return by_day(5.0, 0.5)
    of_today = query["fromTimestamp"] == "2026-02-25T12:00:00.000Z"
    measures = {metric["measure"] for metric in query["metrics"]}
    if "latency" in measures:
        return LATENCIES
    if "usageByType" in measures:
        return PARTS
    if "uniqueSessionIds" in measures:
        return CONVERSATIONS
    return DAY if of_today else MONTH


def langfuse(handler: BaseHTTPRequestHandler) -> None:
    query = json.loads(parse_qs(urlsplit(handler.path).query)["query"][0])
    content = json.dumps({"data": answer(query)}).encode()
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content)


def collector(url: str, settings: Settings = SETTINGS, plan: str = "self-hosted") -> WindowsCollector:
    client = LangfuseClient(lambda: LangfuseAccess(url, "pk", "sk"), RequestBudget(plan), PATIENT)
    return WindowsCollector(settings, client)


Figures = dict[tuple[str, ...], float]


def figures(of: WindowsCollector, now: float = NOW) -> Figures:
    assert of.snapshot is not None
    return {(item.metric.name, *item.labels): item.value for item in of.snapshot.samples(now, of.max_age)}


@pytest.fixture(params=[V2, V1])
def either(request: pytest.FixtureRequest, server: ScriptedServer) -> ScriptedServer:
    server.scripts[request.param] = [langfuse]
    return server


def test_figures_of_the_windows(either: ScriptedServer) -> None:
    exporter = collector(either.url)
    exporter.collect(NOW)
    found = figures(exporter)
    today = ("gpt-x", "production", "24h")
    assert found["langfuse_window_calls", *today] == 100
    assert found["langfuse_window_errors", *today] == 10
    assert found["langfuse_window_tokens", *today, "input"] == 1100
    assert found["langfuse_window_tokens", *today, "output"] == 500
    assert found["langfuse_window_cost_usd", *today] == 2.0
    assert found["langfuse_window_latency_seconds", *today] == 2.25
    assert ("langfuse_window_latency_seconds", "gpt-x", "staging", "24h") not in found, "no percentile is not zero"
    assert found["langfuse_window_calls", "gpt-x", "production", "mtd"] == 900, "numbers may come as strings"
    assert found["langfuse_window_errors", "unknown", "default", "mtd"] == 7
    assert found["exporter_source_up", "langfuse"] == 1
    assert found["exporter_source_data_timestamp_seconds", "langfuse"] == NOW - 30


def test_parts_of_tokens_conversations_and_savings(server: ScriptedServer) -> None:
    server.scripts[V2] = [langfuse]
    exporter = collector(server.url)
    exporter.collect(NOW)
    found = figures(exporter)
    for window in ("24h", "mtd"):
        of_model = ("langfuse_window_tokens", "gpt-x", "production", window)
        assert found[*of_model, "cache_read"] == 2_000_000
        assert found[*of_model, "reasoning"] == 70
        assert (*of_model, "cache_write") not in found
        assert found["platform_cost_per_conversation_usd", "planner", "production", window] == 0.25
        assert ("platform_cost_per_conversation_usd", "idle", "production", window) not in found
        assert found["platform_cache_savings_usd", window] == pytest.approx(2 * 1.5)


def test_version_3_has_no_parts_of_tokens_and_is_not_blamed_for_it(server: ScriptedServer) -> None:
    server.scripts[V1] = [langfuse]
    exporter = collector(server.url)
    exporter.collect(NOW)
    found = figures(exporter)
    assert found["exporter_query_success", "langfuse", "token_types_24h"] == 1
    assert not [key for key in found if key[0] in ("platform_cache_savings_usd", "platform_cost_per_conversation_usd")]


def test_what_changes_slowly_is_asked_seldom(server: ScriptedServer) -> None:
    server.scripts[V2] = [langfuse]
    exporter = collector(server.url)

    def asks_parts(at: float) -> bool:
        before = len(server.requests)
        exporter.collect(at)
        return any("usageByType" in json.dumps(query) for _, query in server.requests[before:])

    assert [asks_parts(NOW + seconds) for seconds in (0, 60, 600, 900, 960)] == [True, False, False, True, False]


def test_money(either: ScriptedServer) -> None:
    exporter = collector(either.url)
    exporter.collect(NOW)
    found = figures(exporter)
    assert found["platform_cost_usd", "all", "mtd"] == 152.75
    assert found["platform_cost_usd", "production", "mtd"] == 150.25
    assert found["platform_cost_usd", "staging", "mtd"] == 2.5
    assert found["platform_budget_limit_usd", "all"] == 1000
    assert found["platform_budget_limit_usd", "staging"] == 10
    assert found["platform_budget_spent_ratio", "all"] == pytest.approx(0.15275)
    assert found["platform_budget_spent_ratio", "staging"] == pytest.approx(0.25)
    # noon of the 26th: half a day and two more days of February, at 5.50 and 0.50 a day
    assert found["platform_budget_forecast_usd", "all"] == pytest.approx(152.75 + 2.5 * 5.5)
    assert found["platform_budget_forecast_usd", "staging"] == pytest.approx(2.5 + 2.5 * 0.5)
    assert ("platform_budget_forecast_usd", "production") not in found, "it has no budget"


def test_what_is_asked(server: ScriptedServer) -> None:
    server.scripts[V2] = [langfuse]
    collector(server.url).collect(NOW)
    asked = [query for path, query in server.requests if path == V2]
    for query in asked:
        assert query["config"] == {"row_limit": 1000}
        assert query["orderBy"], "an explicit order turns made-up rows for empty days off"
        assert query["view"] == "observations"
        assert query["filters"][0] == {
            "column": "type", "type": "stringOptions", "operator": "any of", "value": ["GENERATION", "EMBEDDING"],
        }  # fmt: skip
    windows = {(query["fromTimestamp"], query["toTimestamp"]) for query in asked}
    assert windows == {
        ("2026-02-25T12:00:00.000Z", "2026-02-26T12:00:00.000Z"),
        ("2026-02-01T00:00:00.000Z", "2026-02-26T12:00:00.000Z"),
        ("2026-01-29T00:00:00.000Z", "2026-02-25T23:59:59.999Z"),
    }


def test_the_first_moment_of_a_month_has_no_empty_window(server: ScriptedServer) -> None:
    server.scripts[V2] = [langfuse]
    collector(server.url).collect(datetime(2026, 3, 1, 0, 0, 30, tzinfo=UTC).timestamp())
    for query in (query for path, query in server.requests if path == V2):
        assert query["fromTimestamp"] < query["toTimestamp"]


def test_an_unknown_price_is_not_a_price_of_zero(server: ScriptedServer, script: type[Script]) -> None:
    server.scripts[V1] = [script.rows(usage("home-grown", "production", "DEFAULT", 5, None))]
    exporter = collector(server.url)
    exporter.collect(NOW)
    found = figures(exporter)
    assert found["langfuse_window_calls", "home-grown", "production", "24h"] == 5
    assert ("langfuse_window_cost_usd", "home-grown", "production", "24h") not in found
    assert found["platform_cost_usd", "all", "mtd"] == 0
    assert found["exporter_query_success", "langfuse", "cost_per_day"] == 0, "a row without a day is no answer to that"


def test_a_server_that_fails_every_query_is_down(server: ScriptedServer, script: type[Script]) -> None:
    server.scripts[V2] = [script.status(500, "Internal Server Error")]
    exporter = collector(server.url)
    with pytest.raises(SourceDown, match="not answer one query: server error 500: Internal Server Error"):
        exporter.collect(NOW)
    assert figures(exporter)["exporter_source_up", "langfuse"] == 0


def test_a_query_too_heavy_leaves_the_others_and_the_forecast_waits(server: ScriptedServer, script: type[Script]) -> None:
    server.scripts[V2] = [script.status(422, "Please narrow"), langfuse]
    exporter = collector(server.url)
    exporter.collect(NOW)
    found = figures(exporter)
    assert found["exporter_query_success", "langfuse", "cost_per_day"] == 0
    assert found["exporter_query_success", "langfuse", "usage_mtd"] == 1
    assert found["exporter_source_up", "langfuse"] == 1
    assert found["exporter_api_requests_total", METRICS, "4xx"] == 1
    assert ("platform_budget_forecast_usd", "all") not in found
    exporter.collect(NOW + 60)
    assert ("platform_budget_forecast_usd", "all") in figures(exporter)


def test_the_history_is_asked_once_an_hour_and_on_a_new_day(server: ScriptedServer) -> None:
    server.scripts[V2] = [langfuse]
    exporter = collector(server.url)

    def asks_history(at: float) -> bool:
        before = len(server.requests)
        exporter.collect(at)
        return any("timeDimension" in query for _, query in server.requests[before:])

    assert [asks_history(NOW + seconds) for seconds in (0, 60, 3599, 3600, 7000)] == [True, False, False, True, False]
    assert figures(exporter, NOW + 7000)["exporter_query_success", "langfuse", "cost_per_day"] == 1
    assert asks_history(NOW + 12 * 3600), "the day before is whole now"


def test_refused_in_the_middle_keeps_what_was_answered(server: ScriptedServer, script: type[Script]) -> None:
    server.scripts[V2] = [langfuse]
    exporter = collector(server.url, plan="core")
    exporter.collect(NOW)
    assert figures(exporter)["exporter_api_budget_remaining", METRICS] == 90
    server.scripts[V2] = [langfuse, script.status(429, "Rate limit exceeded", Retry_After="900")]
    with pytest.raises(SourceDown) as caught:
        exporter.collect(NOW + 200)
    assert caught.value.retry_after == 900
    found = figures(exporter, NOW + 200)
    assert found["exporter_source_up", "langfuse"] == 0
    assert found["exporter_query_success", "langfuse", "usage_mtd"] == 1
    assert found["exporter_query_success", "langfuse", "usage_24h"] == 0
    assert found["langfuse_window_calls", "gpt-x", "production", "24h"] == 100, "of the run before"
    assert found["exporter_api_requests_total", METRICS, "429"] == 1
    assert found["exporter_api_budget_remaining", METRICS] == 0
    assert found["platform_budget_limit_usd", "all"] == 1000, "a budget is known without Langfuse"


def test_a_plan_stretches_the_interval_and_values_live_as_long() -> None:
    hobby = collector("http://127.0.0.1:9", plan="hobby")
    assert hobby.interval == 4800
    assert hobby.max_age > 2 * hobby.interval
    assert collector("http://127.0.0.1:9").interval == 60
    assert collector("http://127.0.0.1:9").max_age == 900


def test_cut_answers_are_counted(server: ScriptedServer, script: type[Script]) -> None:
    row = usage("gpt-x", "production", "DEFAULT", 1, 0.001) | {"p95_latency": 10, "time_dimension": "2026-02-25"}
    server.scripts[V2] = [script.rows(*([row] * 1000))]
    exporter = collector(server.url)
    exporter.collect(NOW)
    found = figures(exporter)
    assert found["exporter_truncated_results_total", "langfuse", "usage_24h"] == 1
    assert found["exporter_query_rows", "langfuse", "usage_24h"] == 1000


def test_models_beyond_the_cap_become_other_and_the_money_stays_whole(server: ScriptedServer, script: type[Script]) -> None:
    models = [
        usage(f"m{n}", "production", "DEFAULT", n + 1, 1.0) | {"p95_latency": 10, "time_dimension": "2026-02-25"}
        for n in range(60)
    ]
    server.scripts[V2] = [script.rows(*models)]
    exporter = collector(server.url)
    exporter.collect(NOW)
    found = figures(exporter)
    calls = {key[1]: value for key, value in found.items() if key[0] == "langfuse_window_calls" and key[3] == "24h"}
    assert len(calls) == 41
    assert calls["other"] == sum(range(1, 21))
    assert found["platform_cost_usd", "all", "mtd"] == 60
    assert found["exporter_label_overflow_total", "langfuse", "usage_24h"] > 0

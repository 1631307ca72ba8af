"""The living platform: its counters are exactly what happens in its world."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from contract.catalogue import of_source, series_catalogue
from contract.labels import LABELS
from contract.metrics import MetricType, Source
from demo.platform import exposition, state
from demo.platform.metrics import NAMES, PlatformMetrics
from demo.platform.registry import Registry
from demo.platform.traffic import SMALL_HANDLERS
from demo.world.happenings import Happening, happenings
from demo.world.model import Execution, Incident, WorldSpec
from demo.world.world import World

ANCHOR = 1_795_219_200.0  # a Saturday, 00:00 UTC
SPEC = WorldSpec(seed=11, anchor=ANCHOR, days=3, scale=0.05)
START = ANCHOR - 1.5 * 86400.0
Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def series(metrics: PlatformMetrics, environment: str) -> Series:
    return {(name, labels): value for name, labels, value in metrics.samples(environment)}


def everything(metrics: PlatformMetrics) -> dict[str, Series]:
    return {environment: series(metrics, environment) for environment in NAMES}


def total(metrics: PlatformMetrics, name: str, environments: tuple[str, ...] = NAMES, **labels: str) -> float:
    wanted = set(labels.items())
    return sum(
        value
        for environment in environments
        for series_name, pairs, value in metrics.samples(environment)
        if series_name == name and wanted <= set(pairs)
    )


@pytest.fixture(scope="module")
def lived() -> PlatformMetrics:
    metrics = PlatformMetrics(World(SPEC), START)
    metrics.advance(ANCHOR)
    return metrics


@pytest.fixture(scope="module")
def happened() -> list[Happening]:
    return list(happenings(World(SPEC), START, ANCHOR))


def of_kind(happened: list[Happening], kind: str) -> list[Happening]:
    return [happening for happening in happened if happening.kind == kind]


def test_queries_are_counted_exactly(lived: PlatformMetrics, happened: list[Happening]) -> None:
    ended: list[Execution] = [happening.subject for happening in of_kind(happened, "execution_ended")]
    assert len(ended) > 100
    for environment in NAMES:
        wanted = Counter((e.agent, e.status, e.version) for e in ended if e.environment == environment)
        counted = {
            (dict(labels)["agent"], dict(labels)["status"], dict(labels)["version"]): value
            for (name, labels), value in series(lived, environment).items()
            if name == "agent_queries_total" and value
        }
        assert counted == wanted
    answered = [e for e in ended if e.status != "cancelled"]
    assert total(lived, "agent_query_duration_seconds_count") == len(answered)
    assert total(lived, "agent_query_duration_seconds_sum") == pytest.approx(sum(e.duration for e in answered))
    assert total(lived, "agent_query_duration_seconds_bucket", le="2.0") == sum(e.duration <= 2.0 for e in answered)
    assert total(lived, "agent_query_duration_seconds_count", status="failed") == sum(
        e.status in ("error", "timeout") for e in ended
    )
    assert total(lived, "agent_errors_total") == sum(bool(e.error_type) for e in ended)
    assert total(lived, "http_requests_total", handler="/api/agents/{agent}/query") == len(ended)


def test_model_calls_and_tools_are_counted_exactly(lived: PlatformMetrics, happened: list[Happening]) -> None:
    ended = [happening.subject for happening in of_kind(happened, "execution_ended")]
    calls = [call for execution in ended for call in execution.calls]
    tools = [tool for execution in ended for tool in execution.tools]
    cost = sum((call.input_cost_usd or 0) + (call.output_cost_usd or 0) for call in calls)
    assert total(lived, "gen_ai_client_operation_duration_seconds_count") == len(calls)
    assert total(lived, "gen_ai_usage_cost_usd_total") == pytest.approx(cost)
    assert total(lived, "gen_ai_client_inference_usage_input_tokens_total") == sum(
        call.input_tokens + call.cache_read_tokens for call in calls
    )
    assert total(lived, "gen_ai_client_operation_time_to_first_chunk_seconds_count") == sum(
        call.first_token is not None for call in calls
    )
    assert total(lived, "agent_tool_calls_total") == len(tools)
    assert total(lived, "agent_external_api_requests_total") == sum(bool(tool.api) for tool in tools)


def test_business_is_counted_exactly(lived: PlatformMetrics, happened: list[Happening]) -> None:
    changes = of_kind(happened, "ticket_changed")
    assert total(lived, "tickets_created_total") == sum(h.detail.from_status is None for h in changes)
    assert total(lived, "tickets_resolved_total") == sum(h.detail.to_status == "resolved" for h in changes)
    assert total(lived, "kb_searches_total") == len(of_kind(happened, "search"))
    assert total(lived, "kb_document_uploads_total") == len(of_kind(happened, "document_finished"))
    assert total(lived, "auth_login_attempts_total") == len(of_kind(happened, "login"))
    assert total(lived, "agent_workflow_runs_total") == len(of_kind(happened, "workflow_ended"))
    assert total(lived, "agent_handoffs_total") == len(of_kind(happened, "handoff"))
    assert total(lived, "agent_conversations_ended_total") == len(of_kind(happened, "conversation_ended"))
    assert total(lived, "agent_feedback_total") == sum(h.subject.thumbs is not None for h in of_kind(happened, "feedback"))


def test_gauges_know_what_is_under_way() -> None:
    world = World(SPEC)
    conversations = [c for n in range(8) for c in world.hour(START - 7200 + n * 3600).conversations]
    executions = [e for c in conversations for e in c.executions]
    busy = max(executions, key=lambda e: e.duration if e.at > START + 3600 else 0)
    at = busy.at + busy.duration / 2
    metrics = PlatformMetrics(world, START)
    metrics.advance(at)
    assert total(metrics, "agent_queries_in_progress") == sum(e.at <= at < e.end for e in executions) >= 1
    assert total(metrics, "agent_conversations_active") == sum(c.at <= at < c.end for c in conversations) >= 1
    serving = world.version("support", "production", at)
    assert total(metrics, "agent_build_info", ("production",), agent="support") == 1
    assert total(metrics, "agent_build_info", ("production",), agent="support", version=serving.version) == 1
    # Right after the start, although the counters have just begun at zero.
    fresh = PlatformMetrics(world, at)
    for name in ("agent_queries_in_progress", "agent_conversations_active", "agent_sessions_active", "auth_sessions_active"):
        assert total(fresh, name) == total(metrics, name)
    assert total(fresh, "agent_queries_total") == total(fresh, "http_requests_total") == 0


def test_steps_of_time_do_not_matter(lived: PlatformMetrics) -> None:
    walked = PlatformMetrics(World(SPEC), START, lookahead=3600.0)
    at = START
    while at < ANCHOR:
        at = min(ANCHOR, at + (15.0 if at < START + 7200 else 37.7 if at < START + 10000 else 1800.0))
        walked.advance(at)
    assert everything(walked) == everything(lived)


def test_restored_metrics_go_on_where_they_were(lived: PlatformMetrics, tmp_path: Path) -> None:
    first = PlatformMetrics(World(SPEC), START)
    first.advance(START + 40_000.3)
    taken = first.checkpoint()
    state.write(tmp_path, taken)
    first.advance(START + 50_000)
    remembered = state.read(tmp_path)
    assert remembered is not None
    second = PlatformMetrics.restore(World(SPEC), remembered)
    assert json.dumps(second.checkpoint()) == json.dumps(taken)
    second.advance(ANCHOR)
    assert everything(second) == everything(lived)


def test_checkpoint_of_another_version_is_left_alone(tmp_path: Path) -> None:
    state.write(tmp_path, {"version": 0, "at": 1.0})
    assert state.read(tmp_path) is None
    with pytest.raises(ValueError, match="version 0"):
        PlatformMetrics.restore(World(SPEC), {"version": 0})
    (tmp_path / state.NAME).write_text("{half")
    assert state.read(tmp_path) is None


def test_every_metric_of_the_contract_is_exposed_with_its_labels(lived: PlatformMetrics) -> None:
    declared = {metric.name: metric for metric in of_source(Source.PLATFORM)}
    exposed = {series_catalogue()[name].name for name, _, _ in lived.samples("production")}
    assert set(declared) - exposed == {"gen_ai_client_inference_usage_cache_write_input_tokens_total"}  # no model of ours does
    assert exposed <= set(declared)
    for environment in NAMES:
        for name, labels, _ in lived.samples(environment):
            assert {label for label, _ in labels} <= {*series_catalogue()[name].labels, "le"}
            for label, value in labels:
                if label != "le" and LABELS[label].values:
                    assert value in LABELS[label].values, (name, label, value)


def test_exposition_is_read_by_the_fields_own_parser(lived: PlatformMetrics) -> None:
    families = list(text_string_to_metric_families(exposition.render(lived.registries["production"]).decode()))
    read = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value for family in families for sample in family.samples
    }
    assert read == {(name, tuple(sorted(labels))): value for name, labels, value in lived.samples("production")}
    assert {family.type for family in families} == {"counter", "gauge", "histogram"}
    assert all(family.documentation for family in families)


def test_histograms_are_consistent(lived: PlatformMetrics) -> None:
    for registry in lived.registries.values():
        for (name, _), first, end in registry.spans():
            if series_catalogue().get(f"{name}_bucket"):
                *buckets, whole, observations = *registry.values[first : end - 2], registry.values[end - 1]
                assert [*buckets, whole] == sorted(v for v in [*buckets, whole] if v is not None)
                assert whole == observations


def test_text_with_signs_survives_exposition() -> None:
    registry = Registry()
    registry.add("agent_feedback_total", 'a"b\\c\nd', "positive")
    (family,) = text_string_to_metric_families(exposition.render(registry).decode())
    assert family.samples[0].labels == {"agent": 'a"b\\c\nd', "sentiment": "positive"}


def test_a_metric_that_is_not_declared_is_refused() -> None:
    with pytest.raises(KeyError):
        Registry().add("made_up_total")
    with pytest.raises(ValueError, match="labels agent, sentiment"):
        Registry().add("agent_feedback_total", "support")


@pytest.mark.parametrize("hour", [9, 14])
def test_traffic_of_a_working_hour_is_believable(hour: int) -> None:
    spec = replace(SPEC, scale=1.0)
    begin = ANCHOR - 2 * 86400.0 + hour * 3600.0  # a Thursday
    metrics = PlatformMetrics(World(spec), begin)
    metrics.advance(begin + 3600)
    requests_ = total(metrics, "http_requests_total", ("production",))
    errors = sum(
        value
        for name, labels, value in metrics.samples("production")
        if name == "http_requests_total" and dict(labels)["status"].startswith("5")
    )
    hits = total(metrics, "cache_operations_total", ("production",), result="hit")
    misses = total(metrics, "cache_operations_total", ("production",), result="miss")
    assert 5 < requests_ / 3600 < 12
    assert 0.001 < errors / requests_ < 0.008
    assert 0.83 < hits / (hits + misses) < 0.87
    staging = {dict(labels)["handler"] for name, labels, _ in metrics.samples("staging") if name == "http_requests_total"}
    assert staging == {*SMALL_HANDLERS, "/api/agents/{agent}/query"}


def _share_of_errors(metrics: PlatformMetrics) -> float:
    found = [
        (dict(labels)["status"], value)
        for name, labels, value in metrics.samples("production")
        if name == "http_requests_total"
    ]
    return sum(value for status, value in found if status.startswith("5")) / sum(value for _, value in found)


def test_an_incident_shows_from_its_start_and_changes_nothing_before() -> None:
    begin = ANCHOR - 86400.0 - 10 * 3600.0
    metrics, calm = PlatformMetrics(World(SPEC), begin), PlatformMetrics(World(SPEC), begin)
    metrics.advance(begin + 600.0)
    before = everything(metrics)
    metrics.world = World(replace(SPEC, incidents=(Incident("errors", begin + 601.0, begin + 1801.0),)))
    assert everything(metrics) == before
    metrics.advance(begin + 1801.0)
    calm.advance(begin + 1801.0)
    assert total(metrics, "agent_queries_total", status="error") > total(calm, "agent_queries_total", status="error") + 50
    assert _share_of_errors(metrics) > 5 * _share_of_errors(calm)
    types = {series_catalogue()[name].type for name, _, _ in metrics.samples("production")}
    assert MetricType.COUNTER in types
    for key, value in before["production"].items():
        if series_catalogue()[key[0]].type is not MetricType.GAUGE:
            assert series(metrics, "production")[key] >= value

"""Metrics under other names become the contract's, in a real Prometheus: same totals, same rates, words and units turned."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from contract.catalogue import catalogue, series_catalogue
from contract.generations import GENERATIONS, Generation
from contract.naming import CONTRACT, Naming, origins_of, source_series
from contract.settings import Settings
from contract.signals.http import HTTP_LATENCY, HTTP_SERVER_ERROR_RATIO
from contract.signals.models import LLM_TOKENS_PER_CALL
from provisioning.check.excerpts import read_by
from recording_rules import adapters, registry

Expectation = dict[str, Any]


def proved(
    tmp_path: Path, promtool: Path, naming: Naming, series: Iterable[tuple[str, str]], expected: list[Expectation]
) -> None:
    """Let promtool evaluate a site's rules for names, and those that are asked for, over `series` (name with labels, values
    every 15 s)."""
    site = Settings(naming=naming)
    own, every = {group.name for group in adapters.groups(site)}, registry.rule_groups(site)
    asked = read_by(" ".join(one["expr"] for one in expected), every)
    groups = [whole if whole["name"] in own else short for whole, short in zip(every, asked, strict=True)]
    (tmp_path / "rules.yml").write_text(json.dumps({"groups": groups}))  # which is YAML, and far quicker
    test = {
        "interval": "15s",
        "input_series": [{"series": name, "values": values} for name, values in series],
        "promql_expr_test": expected,
    }
    document = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": "15s",
        "group_eval_order": [group["name"] for group in groups],
        "tests": [test],
    }
    (tmp_path / "test.yml").write_text(json.dumps(document))
    result = subprocess.run([promtool, "test", "rules", tmp_path / "test.yml"], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def one(expression: str, value: float) -> Expectation:
    return {"expr": f"round({expression}, 1e-6)", "eval_time": "10m", "exp_samples": [{"labels": "{}", "value": value}]}


def none(expression: str) -> Expectation:
    return {"expr": expression, "eval_time": "10m", "exp_samples": []}


@pytest.mark.parametrize("generation", GENERATIONS, ids=lambda generation: generation.name)
def test_what_is_recorded_rises_as_its_source_does_through_restarts(
    generation: Generation, tmp_path: Path, prometheus_tools: Any
) -> None:
    """Two processes of two environments, one of which starts anew."""
    sources = {source for origin in generation.origins for _, made in origin.series for source, _ in made}
    about = 'service="s",job="platform"'
    series = []
    for source in sorted(sources):
        for number, bound in enumerate(("5", "100.0", "+Inf") if source.endswith("_bucket") else ("",), 1):
            le = f',le="{bound}"' if bound else ""
            series += [
                (f'{source}{{{about},environment="p",instance="1"{le}}}', f"100+{number}x20 0+{2 * number}x40"),
                (f'{source}{{{about},environment="q",instance="2"{le}}}', f"0+{3 * number}x60"),
            ]
    expected = []
    for origin in generation.origins:
        for canonical, made in origin.series:
            scale = 1 if canonical.endswith(("_bucket", "_count")) else origin.scale
            by = "(environment, job, instance)"
            every = " or ".join(f'label_replace({source}, "from", "{source}", "", "")' for source, _ in made)
            rates = " or ".join(f'label_replace(rate({source}[5m]), "from", "{source}", "", "")' for source, _ in made)
            expected += [
                one(f"count(sum by {by} ({canonical}))", 2),
                none(f"abs(sum by {by} ({canonical}) - {scale:g} * sum by {by} ({every})) > 1e-9"),
                none(f"abs(sum by {by} (rate({canonical}[5m])) - {scale:g} * sum by {by} ({rates})) > 1e-9"),
                none(f'{canonical}{{service!=""}}'),
            ]
    proved(tmp_path, prometheus_tools.promtool, Naming(generations=(generation.name,)), series, expected)


def test_milliseconds_become_seconds_and_quantiles_agree(tmp_path: Path, prometheus_tools: Any) -> None:
    about = 'environment="p",job="platform",instance="1",http_method="GET",http_route="/chat"'
    bounds = (("5", 1), ("10", 2), ("250.0", 6), ("1000", 8), ("10000", 10), ("+Inf", 10))
    name = "http_server_duration_milliseconds"
    series = [
        *((f'{name}_bucket{{{about},http_status_code="200",le="{le}"}}', f"0+{n}x60") for le, n in bounds),
        (f'{name}_sum{{{about},http_status_code="200"}}', "0+5000x60"),
        (f'{name}_count{{{about},http_status_code="200"}}', "0+9x60"),
        (f'{name}_count{{{about},http_status_code="503"}}', "0+1x60"),
    ]
    source = f"histogram_quantile(0.9, sum by (le) (rate({name}_bucket[5m]))) / 1000"
    spelt = 'count by (le) (http_request_duration_seconds_bucket{method="GET",handler="/chat"})'
    labels = [{"labels": f'{{le="{le}"}}', "value": 1} for le in ("0.005", "0.01", "0.25", "1", "10", "+Inf")]
    expected = [
        one(registry.query(HTTP_LATENCY.at(0.9)), 5.5),
        one(source, 5.5),
        one("max(http_request_duration_seconds_sum)", 200),
        one(registry.query(HTTP_SERVER_ERROR_RATIO), 0.1),
        {"expr": spelt, "eval_time": "10m", "exp_samples": labels},
    ]
    proved(tmp_path, prometheus_tools.promtool, Naming(generations=("otel-http-milliseconds",)), series, expected)


@pytest.mark.parametrize(
    ("said", "status", "ended"),
    [
        ("", "success", "success"),
        ("ValueError", "error", "failed"),
        ("429", "error", "failed"),
        ("asyncio.TimeoutError", "timeout", "failed"),
        ("DEADLINE_EXCEEDED", "timeout", "failed"),
        ("504", "timeout", "failed"),
        ("CancelledError", "cancelled", None),
    ],
)
def test_kinds_of_errors_become_statuses(
    said: str, status: str, ended: str | None, tmp_path: Path, prometheus_tools: Any
) -> None:
    about = f'environment="p",job="platform",instance="1",gen_ai_agent_name="a",error_type="{said}"'
    count = "gen_ai_invoke_agent_duration_seconds_count"
    expected = [
        one(f'sum(agent_queries_total{{agent="a",status="{status}"}})', 80),
        none(f'agent_queries_total{{status!="{status}"}}'),
        one(f'sum(agent_query_duration_seconds_count{{status="{ended}"}})', 80)
        if ended
        else none("agent_query_duration_seconds_count"),
    ]
    naming = Naming(generations=("otel-agents",))
    proved(tmp_path, prometheus_tools.promtool, naming, [(f"{count}{{{about}}}", "0+2x40")], expected)


def test_counters_of_tokens_serve_the_signals_that_read_the_histogram(tmp_path: Path, prometheus_tools: Any) -> None:
    """Tokens read from a cache and spent on reasoning are parts of input and output, and are not added to them."""
    about = 'environment="p",job="platform",instance="1",gen_ai_request_model="m"'
    usage = "gen_ai_client_inference_usage"
    series = [
        (f"{usage}_input_tokens_total{{{about}}}", "0+90x60"),
        (f"{usage}_output_tokens_total{{{about}}}", "0+30x60"),
        (f"{usage}_cache_read_input_tokens_total{{{about}}}", "0+80x60"),
        (f"{usage}_reasoning_output_tokens_total{{{about}}}", "0+10x60"),
        (f"gen_ai_client_operation_duration_seconds_count{{{about}}}", "0+2x60"),
    ]
    expected = [one(registry.query(LLM_TOKENS_PER_CALL), 60), one("sum(model_type:llm_tokens:rate5m)", 8)]
    proved(tmp_path, prometheus_tools.promtool, Naming(generations=("otel-usage",)), series, expected)


def test_a_single_metric_may_come_from_elsewhere_or_keep_its_name() -> None:
    naming = Naming(
        generations=("otel-http",), metrics={"http_requests_in_progress": CONTRACT, "agent_queries_total": "otel-agents"}
    )
    groups = adapters.groups(Settings(naming=naming))
    assert [group.name for group in groups] == ["naming_otel_agents", "naming_otel_http"]
    assert {
        rule.record.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count") for g in groups for rule in g.rules
    } == {
        "agent_queries_total",
        "http_requests_total",
        "http_request_duration_seconds",
    }
    assert all(group.level == -1 and group.interval == "15s" for group in groups)
    assert adapters.groups(Settings()) == ()


@pytest.mark.parametrize(
    ("naming", "complaint"),
    [
        ({"generations": ["otel-htp"]}, "no generation of names 'otel-htp'; did you mean otel-http?"),
        ({"metrics": {"agent_query_total": "otel-agents"}}, "no metric 'agent_query_total'; did you mean agent_queries_total?"),
        ({"metrics": {"agent_queries_total": "litellm"}}, "does not come from 'litellm', only from contract, otel-agents"),
        ({"generations": ["openlit", "litellm"]}, "comes from openlit and from litellm; say here which one is right"),
    ],
)
def test_a_choice_that_cannot_be_is_explained(naming: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Naming.model_validate_json(json.dumps(naming))


def test_two_generations_with_one_metric_are_told_apart_by_name() -> None:
    naming = Naming(generations=("openlit", "litellm"), metrics={"gen_ai_usage_cost_usd_total": "openlit"})
    assert {choice.origin.canonical: choice.generation for choice in naming.choices}["gen_ai_usage_cost_usd_total"] == "openlit"


def test_generations_are_well_formed() -> None:
    assert len({generation.name for generation in GENERATIONS}) == len(GENERATIONS)
    for generation in GENERATIONS:
        for origin in generation.origins:
            declared = catalogue()[origin.canonical]
            assert {relabel.label for relabel in origin.labels} <= set(declared.labels)
            assert {canonical for canonical, _ in origin.series} <= set(declared.series_names)
            assert list(origin.bounds) == sorted(origin.bounds)
    assert origins_of("kb_searches_total") == {}
    recorded = {canonical for generation in GENERATIONS for origin in generation.origins for canonical, _ in origin.series}
    assert not recorded & source_series().keys(), "a series recorded from itself would feed on its own past"
    assert recorded <= series_catalogue().keys()


def test_every_generation_is_documented_with_its_names() -> None:
    rows = Path(__file__).parents[2].joinpath("docs", "naming.md").read_text().splitlines()
    for generation in GENERATIONS:
        (row,) = [row for row in rows if row.startswith(f"| `{generation.name}` | {generation.title} |")]
        names = {
            name for origin in generation.origins for name in (origin.canonical, *(source for source, _ in origin.sources))
        }
        assert {name for name in names if f"`{name}`" not in row} == set()

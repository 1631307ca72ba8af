"""`observatory doctor --suggest`: names found in a live Prometheus become the configuration that reads them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import yaml
from click.testing import CliRunner

from contract.catalogue import of_source
from contract.metrics import Source
from contract.settings import Settings
from provisioning import cli
from provisioning.doctor.naming import Suggestion, suggest
from provisioning.doctor.readers import readers
from recording_rules import registry
from tests.provisioning.conftest import free_port, wait_for

CONTRACTS = [name for metric in of_source(Source.PLATFORM) for name in metric.series_names]

Names = dict[str, list[str]]
"""What Prometheus says: names by a piece of the selector that asks for them; `` is the question for all."""


@pytest.fixture
def saying() -> Iterator[Callable[[Names], str]]:
    """Starts a Prometheus that says what it is told, and gives its address."""
    servers = []

    def start(names: Names) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                (selector,) = parse_qs(urlsplit(self.path).query).get("match[]", [""])
                said = next((found for piece, found in names.items() if piece and piece in selector), None)
                body = json.dumps({"status": "success", "data": names[""] if not selector else said or []}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def suggested(url: str, naming: dict[str, Any] | None = None) -> Suggestion:
    return suggest(Settings.model_validate({"sources": {"prometheus": {"url": url}}, "naming": naming or {}}))


def without(*beginnings: str) -> list[str]:
    return [name for name in CONTRACTS if not name.startswith(beginnings)]


def test_a_platform_with_the_contracts_names_needs_nothing(saying: Callable[[Names], str]) -> None:
    found = suggested(saying({"": CONTRACTS}))
    assert found.naming == {} and not found.changes and not found.warnings
    assert not found.of_state("missing") and "is right as it is" in found.as_text()


def test_a_whole_generation_is_suggested_where_all_of_it_fits(saying: Callable[[Names], str]) -> None:
    names = [*without("http_"), "http_server_request_duration_seconds_count", "http_server_active_requests"]
    found = suggested(saying({"": names}))
    assert found.naming == {"generations": ["otel-http"]} and found.changes
    assert "naming:\n  generations:\n  - otel-http" in found.as_text()
    assert not suggested(saying({"": [*names, "http_requests_total"]}), found.naming).changes, "our own rules recorded it"


def test_single_metrics_are_suggested_where_others_have_the_contracts_names(saying: Callable[[Names], str]) -> None:
    names = [*without("agent_query_duration"), "gen_ai_invoke_agent_duration_seconds_count"]
    found = suggested(saying({"": names}))
    assert found.naming == {"metrics": {"agent_query_duration_seconds": "otel-agents"}}


def test_of_two_generations_the_first_is_suggested_and_the_configured_one_kept(saying: Callable[[Names], str]) -> None:
    names = [*without("gen_ai_usage_cost"), "gen_ai_usage_cost_USD_sum", "litellm_spend_metric_total"]
    url = saying({"": names})
    assert "openlit (gen_ai_usage_cost_USD_sum); also litellm" in suggested(url).as_text()
    kept = suggested(url, {"metrics": {"gen_ai_usage_cost_usd_total": "litellm"}})
    assert kept.chosen == {"gen_ai_usage_cost_usd_total": "litellm"} and not kept.changes


def test_what_has_no_data_names_who_reads_it(saying: Callable[[Names], str]) -> None:
    text = suggested(saying({"": without("agent_queries_total", "agent_external")})).as_text()
    (line,) = [line for line in text.splitlines() if line.startswith("  agent_queries_total: ")]
    assert "panel overview/agent_errors" in line and "alert AgentErrorRatioHigh" in line


@pytest.mark.parametrize(
    ("names", "advice"),
    [
        (["gen_ai.client.operation.duration_seconds_count"], "stand as OpenTelemetry writes them"),
        (["gen_ai.client.operation.duration_count"], "stand as OpenTelemetry writes them"),
        (["gen_ai_client_operation_duration_count"], "lack their unit or type"),
    ],
)
def test_names_that_were_translated_otherwise_are_recognised(
    names: list[str], advice: str, saying: Callable[[Names], str]
) -> None:
    (warning,) = suggested(saying({"": [*CONTRACTS, *names, "some.other.metric", "gen_ai_thing"]})).warnings
    assert advice in warning and "UnderscoreEscapingWithSuffixes" in warning and warning.startswith("1 names")


def test_labels_that_are_missing_or_old_are_said(saying: Callable[[Names], str]) -> None:
    old = ["gen_ai_client_token_usage_count"]
    url = saying({"": CONTRACTS, 'environment=""': ["kb_searches_total"], 'gen_ai_system!=""': old})
    environment, provider = suggested(url).warnings
    assert "kb_searches_total: without a label `environment`" in environment
    assert "metric_relabel_configs" in provider and "target_label: gen_ai_provider_name" in provider


def test_readers_are_found_through_recorded_series() -> None:
    found = readers(Settings())
    assert "alert AgentResponseTimeHigh" in found["agent_query_duration_seconds"]
    assert not set(found) - {metric.name for source in Source for metric in of_source(source)}


EXPOSITION = b"""\
# TYPE gen_ai_invoke_agent_duration_seconds histogram
gen_ai_invoke_agent_duration_seconds_bucket{gen_ai_agent_name="clerk",le="1"} 3
gen_ai_invoke_agent_duration_seconds_bucket{gen_ai_agent_name="clerk",le="+Inf"} 4
gen_ai_invoke_agent_duration_seconds_sum{gen_ai_agent_name="clerk"} 5
gen_ai_invoke_agent_duration_seconds_count{gen_ai_agent_name="clerk"} 4
"""


class OpenTelemetryTarget(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(EXPOSITION)))
        self.end_headers()
        self.wfile.write(EXPOSITION)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def opentelemetry(prometheus_tools: Any, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A real Prometheus that scrapes OpenTelemetry's names, and the folder of its rules."""
    target = ThreadingHTTPServer(("127.0.0.1", 0), OpenTelemetryTarget)
    Thread(target=target.serve_forever, args=(0.05,), daemon=True).start()
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": ["rules/*.yml"],
        "scrape_configs": [{"job_name": "platform", "static_configs": [{"targets": [f"127.0.0.1:{target.server_port}"]}]}],
    }
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config))
    (tmp_path / "rules").mkdir()
    port = free_port()
    arguments = [f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data", "--web.enable-lifecycle"]
    server = subprocess.Popen(
        [prometheus_tools.prometheus, *arguments, f"--web.listen-address=127.0.0.1:{port}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: _has(url, "gen_ai_invoke_agent_duration_seconds_count"))
        yield url, tmp_path / "rules"
    finally:
        server.terminate()
        server.wait(20)
        target.shutdown()
        target.server_close()


def _has(url: str, series: str) -> bool:
    try:
        body = requests.get(f"{url}/api/v1/query", params={"query": series}, timeout=2).json()
    except (requests.RequestException, ValueError):
        return False
    return bool(body.get("data", {}).get("result"))


def test_what_is_suggested_makes_the_contracts_series_in_a_real_prometheus(
    opentelemetry: tuple[str, Path], tmp_path: Path
) -> None:
    url, rules = opentelemetry
    site = tmp_path / "site.yaml"
    site.write_text(yaml.safe_dump({"sources": {"prometheus": {"url": url, "scrape_interval": "1s"}}}))
    first = CliRunner().invoke(cli.main, ["doctor", "--suggest", "--config", str(site)])
    assert first.exit_code == 0, first.output
    assert "warning: gen_ai_invoke_agent_duration_seconds_count: without a label `environment`" in first.output
    snippet = yaml.safe_load(first.output[first.output.index("naming:") :])
    assert snippet == {"naming": {"generations": ["otel-agents"]}}

    site.write_text(yaml.safe_dump({**yaml.safe_load(site.read_text()), **snippet}))
    settings = Settings.model_validate(yaml.safe_load(site.read_text()))
    (group,) = [group for group in registry.rule_groups(settings) if group["name"] == "naming_otel_agents"]
    (rules / "naming.yml").write_text(yaml.safe_dump({"groups": [group]}))
    requests.post(f"{url}/-/reload", timeout=10).raise_for_status()
    wait_for(lambda: _has(url, 'agent_queries_total{agent="clerk",status="success"} == 4'))
    wait_for(lambda: _has(url, 'agent_query_duration_seconds_bucket{agent="clerk",le=~"1|1[.]0"} == 3'))

    again = CliRunner().invoke(cli.main, ["doctor", "--suggest", "--config", str(site), "--format", "json"])
    told = json.loads(again.output)
    assert told["changes"] is False and told["naming"] == snippet["naming"]


def test_a_prometheus_that_is_gone_and_a_needless_option_are_said_kindly(tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    site.write_text(yaml.safe_dump({"sources": {"prometheus": {"url": f"http://127.0.0.1:{free_port()}"}}}))
    gone = CliRunner().invoke(cli.main, ["doctor", "--suggest", "--config", str(site)])
    assert gone.exit_code == 3 and "cannot be reached" in gone.output
    needless = CliRunner().invoke(cli.main, ["doctor", "--suggest", "--tab", "overview", "--config", str(site)])
    assert needless.exit_code == 2 and "leave --tab away" in needless.output

"""What `observatory capacity` says of a size, held against pages that are counted one by one."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from alert_rules import rules as alerting
from benchmarks.fleet_pages import ENVIRONMENTS, agents, registry
from contract.catalogue import series_catalogue
from contract.metrics import MetricType, Source
from contract.settings import Settings
from demo.platform.metrics import NAMES, PlatformMetrics
from demo.world.catalogue import AGENTS, MODELS, TOOLS
from demo.world.model import WorldSpec
from demo.world.world import World
from provisioning.capacity import cost
from provisioning.capacity.advice import advice
from provisioning.capacity.cost import Estimate
from provisioning.capacity.fleet import FEW, Fleet
from provisioning.capacity.series import rules, scraped
from provisioning.cli import main
from recording_rules import registry as recorded

PAGE = Path(__file__).resolve().parents[2] / "docs" / "scale.md"
ANCHOR = 1_795_219_200.0
SETTINGS = Settings()
GROUPS = [*recorded.rule_groups(SETTINGS), *alerting.rule_groups(SETTINGS)]


def predicted(fleet: Fleet, source: Source = Source.PLATFORM) -> dict[str, int]:
    return {one.metric.name: one.series for one in scraped(fleet, source, SETTINGS)}


def estimate(**sizes: int) -> Estimate:
    return cost.estimate(Fleet(**sizes), GROUPS, SETTINGS)


@pytest.mark.parametrize("number", [10, 100])
def test_the_prediction_is_what_many_different_agents_come_to(number: int) -> None:
    counted = len(registry(agents(number)).series) * len(ENVIRONMENTS)
    assert sum(predicted(Fleet(agents=number)).values()) == pytest.approx(counted, rel=0.1)


def test_of_the_demonstration_what_grows_with_agents_is_predicted() -> None:
    start = ANCHOR - 86400.0
    metrics = PlatformMetrics(World(WorldSpec(seed=11, anchor=ANCHOR, days=2, scale=0.3)), start)
    metrics.advance(start + 6 * 3600.0)
    found = Counter(series_catalogue()[name].name for environment in NAMES for name, _, _ in metrics.samples(environment))
    foretold = predicted(Fleet(agents=len(AGENTS), models=len(MODELS), tools=len(TOOLS), versions=1))
    grow = [
        one.metric.name
        for one in scraped(Fleet(), Source.PLATFORM, SETTINGS)
        if "agent" in one.metric.labels and one.metric.type is MetricType.HISTOGRAM
    ]
    assert len(grow) == 3
    assert sum(foretold[name] for name in grow) == pytest.approx(sum(found[name] for name in grow), rel=0.25)


def test_every_assumption_is_about_a_label_that_its_metric_has() -> None:
    for name, label in FEW:
        assert label in series_catalogue_by_metric()[name], f"{name} has no label {label}"


def series_catalogue_by_metric() -> dict[str, tuple[str, ...]]:
    return {metric.name: metric.labels for metric in series_catalogue().values()}


def test_ten_times_the_agents_are_ten_times_the_series_where_agents_are_what_there_is() -> None:
    small, large = predicted(Fleet(agents=100)), predicted(Fleet(agents=1000))
    assert large["agent_query_duration_seconds"] == 10 * small["agent_query_duration_seconds"]
    assert large["http_request_duration_seconds"] == small["http_request_duration_seconds"]


def test_a_histogram_is_its_buckets_and_three_more() -> None:
    fleet = Fleet(agents=1, environments=1, versions=1)
    assert predicted(fleet)["agent_query_duration_seconds"] == 2 * (27 + 3)


def test_our_exporter_stays_within_its_caps_and_the_platform_does_not() -> None:
    fleet = Fleet(agents=50_000, exporters=1)
    ours = predicted(fleet, Source.POSTGRES)
    assert max(ours.values()) <= 201 * 3 * 12 * fleet.versions
    assert ours["platform_execution_duration_seconds"] <= SETTINGS.exporter.series_limit
    assert predicted(fleet)["agent_queries_in_progress"] == 50_000 * 3
    twice = predicted(replace(fleet, exporters=2), Source.POSTGRES)
    assert sum(twice.values()) == 2 * sum(ours.values())


def test_persons_are_no_series() -> None:
    assert estimate(users=10).series == estimate(users=10_000_000).series


def test_memory_disk_and_work_grow_with_series() -> None:
    small, large = estimate(agents=10), estimate(agents=1000)
    assert large.memory > 10 * small.memory and large.disk > 10 * small.disk and large.read > 10 * small.read
    assert 0 < large.recorded_disk < large.disk


def test_one_rule_is_counted_as_it_is_evaluated() -> None:
    fleet = Fleet(agents=10, environments=2, versions=3)
    group = {
        "name": "g",
        "interval": "30s",
        "rules": [
            {"record": "agent:queries:rate5m", "expr": "sum by (environment, agent) (rate(agent_queries_total[5m]))"},
            {"alert": "A", "expr": 'agent_queries_in_progress{environment="production"} > 5'},
        ],
    }
    found = rules(fleet, [group], SETTINGS)
    assert found.recorded == 10 * 2
    series = 10 * 4 * 3 * 2  # agents, statuses, versions, environments
    assert found.read_per_second == (series * 300 / 15 + 10) / 30


def test_advice_follows_the_size() -> None:
    assert "one Prometheus does" in next(advice(estimate(agents=10)))
    assert "one large Prometheus" in next(advice(estimate(agents=1000)))
    told = " ".join(advice(estimate(agents=10_000)))
    assert "distributed engine" in told and "200 of 10,000 values of agent" in told and "shard the groups" in told


def test_the_page_says_what_the_command_says() -> None:
    rows = re.findall(r"^\| ([0-9,]+) \| ([0-9,]+) \| ([0-9,]+) \| [0-9.]+ GB \|", PAGE.read_text(), re.MULTILINE)
    assert [row[0] for row in rows] == ["10", "100", "1,000", "10,000"]
    for number, series, samples in ([int(cell.replace(",", "")) for cell in row] for row in rows):
        found = estimate(agents=number)
        assert (series, samples) == (pytest.approx(found.series, rel=0.02), pytest.approx(found.samples_per_second, rel=0.02))


def test_the_command() -> None:
    run = CliRunner().invoke(main, ["capacity", "--agents", "10000", "--models", "40", "--users", "50000"])
    assert run.exit_code == 0 and run.output.startswith("10,000 agents, 40 models, 20 tools, 50,000 users in 3 environments")
    assert max(map(len, run.output.splitlines())) <= 110
    run = CliRunner().invoke(main, ["capacity", "--agents", "7", "--environments", "1", "--format", "json"])
    found = json.loads(run.output)
    assert found["fleet"]["environments"] == 1 and found["series"]["all"] == estimate(agents=7, environments=1).series
    refused = CliRunner().invoke(main, ["capacity", "--agents", "0"])
    assert refused.exit_code == 2 and "--agents" in refused.output

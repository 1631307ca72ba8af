"""The past in Prometheus: equal to what was counted, to what the exporter says, and without a step at its end."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from psycopg import sql

from contract.catalogue import series_catalogue
from contract.metrics import MetricType
from contract.settings import Budget, Settings
from demo.database.live import LiveDatabase
from demo.database.load import load
from demo.history import blocks, model_calls, openmetrics, recorded
from demo.history.blocks import HistoryError, Programs
from demo.history.exporter import ExporterHistory
from demo.history.fill import Filled, Instances, fill
from demo.history.openmetrics import Column, Table
from demo.history.platform import EVERYWHERE, MOST_SERIES, PRODUCTION
from demo.history.steps import Steps
from demo.langfuse.server import running
from demo.langfuse.standin import MODES, Keys, StandIn, price_list
from demo.langfuse.store import Store
from demo.platform import state
from demo.platform.metrics import PlatformMetrics
from demo.world.catalogue import MODELS
from demo.world.model import WorldSpec
from demo.world.world import World
from exporters.credentials import LangfuseAccess
from exporters.langfuse.client import LangfuseClient
from exporters.langfuse.request_budget import RequestBudget
from exporters.langfuse.windows import WindowsCollector
from exporters.postgres import PostgresCollector
from tests.conftest import PostgresServer, PrometheusTools

ANCHOR = float(int(time.time()) // 60 * 60)
"""The end of the past is now, because a real Prometheus takes part."""
SPEC = WorldSpec(seed=5, anchor=ANCHOR, days=70, scale=0.02)
SETTINGS = Settings(budgets=(Budget(scope="all", monthly_usd=90.0), Budget(scope="staging", monthly_usd=5.0)))
INSTANCES = Instances("127.0.0.1:9470", "127.0.0.1:9464")
DAYS = 0.2
GAP = 1500.0


@dataclass(frozen=True)
class Place:
    """A loaded database, the stand-in's storage and the past in `var`."""

    var: Path
    dsn: str

    @property
    def data(self) -> Path:
        return self.var / "prometheus"


@pytest.fixture(scope="module")
def loaded(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    name = "history"
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    var = tmp_path_factory.mktemp("var")
    dsn = psycopg.conninfo.make_conninfo(postgres.dsn, dbname=name)
    store = Store(var / "langfuse.sqlite")
    load(dsn, SPEC, store.insert, lambda _what, _share: None)
    store.close()
    yield Place(var, dsn)
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="module")
def first(loaded: Place, prometheus_tools: PrometheusTools) -> Filled:
    return _fill(loaded, prometheus_tools, ANCHOR)


def _fill(place: Place, tools: PrometheusTools, until: float, steps: list[tuple[str, float]] | None = None) -> Filled:
    def progress(step: str, share: float) -> None:
        if steps is not None:
            steps.append((step, share))

    return fill(place.var, place.dsn, World(SPEC), SETTINGS, tools, INSTANCES, until, progress, days=DAYS)


def _ask(url: str, expression: str, at: float) -> list[dict[str, Any]]:
    answer = requests.get(f"{url}/api/v1/query", params={"query": expression, "time": str(at)}, timeout=30).json()
    assert answer["status"] == "success", answer
    found: list[dict[str, Any]] = answer["data"]["result"]
    return found


# Text


def test_samples_are_fine_in_the_last_day_and_coarse_before() -> None:
    now = 1_795_219_200.0
    times = openmetrics.sample_times(now - 2 * 86400, now, now)
    assert times[0] == now - 2 * 86400 + 60
    assert times[-1] == now
    gaps = {(later - earlier, later > now - 86400) for earlier, later in pairwise(times)}
    assert gaps == {(60, False), (15, True)}
    assert openmetrics.sample_times(now - 20, now, now) == [now - 15, now]
    blocks_ = list(openmetrics.by_block(times))
    assert [at for block in blocks_ for at in block] == times
    assert all(len({at // 7200 for at in block}) == 1 for block in blocks_)
    assert len(blocks_) == 25


def test_files_are_openmetrics(tmp_path: Path) -> None:
    labels = (("agent", 'so"called\\'), ("job", "platform"))
    table = Table(
        [100, 115, 130],
        [
            Column("agent_queries_total", labels, [1, 2, 2]),
            Column("agent_sessions_active", (), [0, 0, 0]),
            Column("agent_errors_total", labels, [7, 7.25]),
            Column("langfuse_window_calls", labels, [None, 3, None]),
            Column("agent_retries_total", labels, []),
        ],
    )
    path = tmp_path / "file.om"
    assert openmetrics.write(path, [table, Table([60], [Column("platform_users", (), [9])])]) == 10
    read = {
        (sample.name, sample.labels.get("agent"), float(sample.timestamp)): sample.value
        for family in text_string_to_metric_families(path.read_text())
        for sample in family.samples
    }
    assert read == {
        ("agent_queries_total", 'so"called\\', 100): 1,
        ("agent_queries_total", 'so"called\\', 115): 2,
        ("agent_queries_total", 'so"called\\', 130): 2,
        ("agent_sessions_active", None, 100): 0,
        ("agent_sessions_active", None, 115): 0,
        ("agent_sessions_active", None, 130): 0,
        ("agent_errors_total", 'so"called\\', 115): 7,
        ("agent_errors_total", 'so"called\\', 130): 7.25,
        ("langfuse_window_calls", 'so"called\\', 115): 3,
        ("platform_users", None, 60): 9,
    }


def test_steps_count_from_their_moment_and_windows_end() -> None:
    steps = Steps()
    steps.expect("platform_users", [("admin",)])
    steps.change("platform_users", "member", at=10.0, by=2)
    steps.pass_through("platform_users_new", "24h", at=11.0, window=5.0)
    assert dict(steps.read([9, 10, 11, 15.9, 16])) == {
        ("platform_users", ("admin",)): [0, 0, 0, 0, 0],
        ("platform_users", ("member",)): [0, 2, 2, 2, 2],
        ("platform_users_new", ("24h",)): [0, 0, 1, 1, 0],
    }


def test_a_program_that_fails_is_named_with_its_last_words(prometheus_tools: PrometheusTools, tmp_path: Path) -> None:
    broken = tmp_path / "broken.om"
    broken.write_text("this is not a metric\n")
    with (
        pytest.raises(HistoryError, match=r"tsdb create-blocks-from openmetrics ended with 1 and said: .*ParseFloat"),
        Programs() as programs,
    ):
        blocks.import_file(programs, prometheus_tools.promtool, broken, tmp_path / "data")
    with pytest.raises(KeyboardInterrupt), Programs() as programs:
        programs.run(["sleep", "60"])
        (sleeping,) = (process for _, process, _ in programs._running)
        raise KeyboardInterrupt
    assert sleeping.poll() is not None


# What is written


@pytest.mark.integration
def test_the_past_is_there_and_equals_what_was_counted(loaded: Place, first: Filled, prometheus_tools: PrometheusTools) -> None:
    assert first.until == ANCHOR
    assert first.since == ANCHOR - DAYS * 86400
    remembered = state.read(loaded.var)
    assert remembered is not None
    live = PlatformMetrics.restore(World(SPEC), remembered)
    assert live.at == ANCHOR
    with recorded.serving(prometheus_tools.prometheus, loaded.data) as url:
        found = {
            (item["metric"]["environment"], item["metric"]["__name__"], _labels(item["metric"])): float(item["value"][1])
            for item in _ask(url, '{job="platform", instance="127.0.0.1:9470"}', ANCHOR)
        }
        series = _ask(url, 'count(last_over_time({job="platform"}[6h]))', ANCHOR)
    assert 600 < float(series[0]["value"][1]) <= MOST_SERIES
    counted = {
        (environment, name, tuple(sorted(labels))): value
        for environment in live.registries
        for name, labels, value in live.samples(environment)
    }
    assert found == {key: counted[key] for key in found}
    names = {series_catalogue()[name].name for environment, name, _ in found if environment == "production"}
    assert names == PRODUCTION
    assert {series_catalogue()[name].name for environment, name, _ in found if environment == "staging"} == EVERYWHERE


def _labels(metric: dict[str, str]) -> tuple[tuple[str, str], ...]:
    target = ("__name__", "environment", "instance", "job")
    return tuple(sorted((label, value) for label, value in metric.items() if label not in target))


@pytest.mark.integration
def test_recorded_series_have_a_past_on_every_level(loaded: Place, first: Filled, prometheus_tools: PrometheusTools) -> None:
    assert first.samples
    assert len(recorded.levels()) >= 2
    with recorded.serving(prometheus_tools.prometheus, loaded.data) as url:
        for level in recorded.levels():
            for name, expression in level:
                newest = _ask(url, expression, ANCHOR)
                # A ratio that ended for want of traffic would else be found for five more minutes.
                kept = _ask(url, f"{name} and timestamp({name}) == {ANCHOR}", ANCHOR)
                assert {_pairs(item) for item in kept} == {_pairs(item) for item in newest}, name
                points = _ask(url, f"count(count_over_time({name}[4h]) > 30)", ANCHOR)
                assert points or not _ask(url, f"{expression} > 0", ANCHOR), name
        assert _ask(url, "job:http_errors:ratio_rate5m", ANCHOR - DAYS * 40000)


def _pairs(item: dict[str, Any]) -> tuple[tuple[tuple[str, str], ...], str]:
    """Labels and value of an answer, the value to nine digits: sums are taken in another order."""
    labels = tuple(sorted((label, value) for label, value in item["metric"].items() if label != "__name__"))
    return labels, f"{float(item['value'][1]):.9g}"


@pytest.mark.integration
def test_later_only_what_is_missing_is_written(loaded: Place, first: Filled, prometheus_tools: PrometheusTools) -> None:
    """Runs after a Prometheus has lived on the folder: what it scraped last stands in its log only."""
    assert first.samples
    assert _fill(loaded, prometheus_tools, ANCHOR + 299) == Filled()
    scraped = _scrape_for_a_while(loaded, prometheus_tools)
    live = LiveDatabase(loaded.dsn, World(SPEC))
    live.catch_up(live.loaded_until, ANCHOR + GAP)
    live.close()
    steps: list[tuple[str, float]] = []
    filled = _fill(loaded, prometheus_tools, ANCHOR + GAP, steps)
    assert (filled.since, filled.until) == (ANCHOR, ANCHOR + GAP)
    assert [share for _, share in steps] == sorted(share for _, share in steps)
    assert steps[-1][1] == pytest.approx(1.0)
    with recorded.serving(prometheus_tools.prometheus, loaded.data) as url:
        assert _ask(url, f'last_over_time(prometheus_build_info{{job="itself"}}[{int(GAP)}s])', scraped + 60)
        assert _fallen(url, ANCHOR + GAP) == []
        window = int(GAP + 600)
        steady = _ask(url, f'max_over_time(platform_conversations{{environment="production"}}[{window}s])', ANCHOR + GAP)
        assert steady
        gaps = _ask(
            url, f'min(count_over_time(http_requests_total{{environment="production"}}[{int(GAP) - 1}s]))', ANCHOR + GAP
        )
        assert float(gaps[0]["value"][1]) == GAP / 15
        assert _ask(url, "handler:http_request_duration_seconds:p95_5m", ANCHOR + GAP / 2)
    assert not list(loaded.var.glob("*.part")) and not list(loaded.var.glob("recorded-*"))


def _fallen(url: str, at: float) -> list[str]:
    """Counters that fell in the six hours before. Each is asked for by its name, which `resets` takes away."""
    values = requests.get(f"{url}/api/v1/label/__name__/values", timeout=30).json()["data"]
    counters = [name for name in values if name.endswith(("_total", "_bucket", "_count")) and name in series_catalogue()]
    assert len(counters) > 15
    return [name for name in counters if _ask(url, f'resets({name}{{job=~"platform|exporter"}}[6h]) > 0', at)]


def _scrape_for_a_while(place: Place, tools: PrometheusTools) -> float:
    """Let a Prometheus scrape itself into the data folder and stop; gives the time of its last scrape."""
    config = place.var / "prometheus.yml"
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    target = f"static_configs: [{{targets: ['127.0.0.1:{port}']}}]"
    config.write_text(f"scrape_configs: [{{job_name: itself, scrape_interval: 1s, {target}}}]")
    process = subprocess.Popen(
        [
            str(tools.prometheus),
            f"--config.file={config}",
            f"--storage.tsdb.path={place.data}",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        end = time.monotonic() + 30
        while time.monotonic() < end:
            try:
                found = _ask(f"http://127.0.0.1:{port}", 'timestamp(prometheus_build_info{job="itself"})', time.time())
            except requests.RequestException:
                found = []
            if found:
                return float(found[0]["value"][1])
            time.sleep(0.1)
        pytest.fail("Prometheus did not scrape itself")
    finally:
        process.terminate()
        process.wait(20)


# What the exporter would have said


def _history(place: Place, at: float) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    storage = place.var / "langfuse.sqlite"
    table = ExporterHistory(place.dsn, storage, [int(at) - 3600, int(at)], SETTINGS, "here").table(int(at), int(at))
    return {
        (name, tuple(sorted(pair for pair in labels if pair[0] not in ("instance", "job")))): value
        for name, labels, (value,) in table.columns
        if value is not None
    }


def _collected(samples: Any) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.metric.name, tuple(sorted(zip(sample.metric.labels, sample.labels, strict=True)))): sample.value
        for sample in samples
    }


_ABOUT = {"exporter_source_up", "exporter_source_data_timestamp_seconds"}


def _past_of(wanted: dict[Any, float], history: dict[Any, float]) -> dict[Any, float]:
    """The history of what a collector gives; of what the exporter says about sources, only of the collector's own."""
    names = {name for name, _ in wanted}
    return {key: value for key, value in history.items() if key[0] in names and (key[0] not in _ABOUT or key in wanted)}


_TODAY_ONLY = {"platform_tickets", "platform_documents"}
"""The collector tells the status that a row has today; the past tells the one that it had."""


@pytest.mark.integration
@pytest.mark.parametrize("back", [0.0, 3 * 86400.0 + 1234 * 60.0])
def test_figures_from_postgres_equal_the_exporters(loaded: Place, back: float) -> None:
    with psycopg.connect(loaded.dsn) as connection:
        row = connection.execute("SELECT extract(epoch FROM loaded_until)::float8 FROM app.observatory_demo").fetchone()
    assert row is not None
    at = float(row[0]) - back
    collector = PostgresCollector(SETTINGS, lambda: loaded.dsn)
    try:
        collector.collect(at)
        assert collector.snapshot is not None
        wanted = _collected(collector.snapshot.samples(at, 1e9))
    finally:
        collector.close()
    past = _past_of(wanted, _history(loaded, at))
    names = {name for name, _ in past}
    assert names == {
        "platform_users", "platform_users_active", "platform_users_active_before", "platform_users_new",
        "platform_conversations", "platform_window_conversations", "platform_conversations_started_total",
        "platform_conversations_ended_total", "platform_tickets", "platform_documents", *_ABOUT,
    }  # fmt: skip
    compared = names - (_TODAY_ONLY if back else set())
    assert {k: v for k, v in past.items() if k[0] in compared} == {k: v for k, v in wanted.items() if k[0] in compared}
    assert sum(value for (name, _), value in past.items() if name == "platform_users_active") > 10


@pytest.mark.integration
@pytest.mark.parametrize("back", [0.0, 5 * 86400.0 + 600.0])
def test_figures_from_langfuse_equal_the_exporters(loaded: Place, back: float) -> None:
    at = ANCHOR - back
    store = Store(loaded.var / "langfuse.sqlite")
    standin = StandIn(store, MODES["v4"], Keys("pk", "sk"), lambda: at, price_list(MODELS), 0.0, False)
    with running(standin) as url:
        client = LangfuseClient(lambda: LangfuseAccess(url, "pk", "sk"), RequestBudget("self-hosted", lambda: at))
        collector = WindowsCollector(SETTINGS, client)
        collector.collect(at)
        collector.close()
    store.close()
    assert collector.snapshot is not None
    wanted = _collected(collector.snapshot.samples(at, 1e9))
    past = _past_of(wanted, _history(loaded, at))
    names = {name for name, _ in past}
    assert names == {
        "langfuse_window_calls", "langfuse_window_errors", "langfuse_window_tokens", "langfuse_window_cost_usd",
        "langfuse_window_latency_seconds", "platform_cost_usd", "platform_budget_limit_usd", "platform_budget_spent_ratio",
        "platform_budget_forecast_usd", *_ABOUT,
    }  # fmt: skip
    month_only = {
        "langfuse_window_calls",
        "langfuse_window_errors",
        "langfuse_window_tokens",
        "langfuse_window_latency_seconds",
    }
    parts = {("type", "cache_read"), ("type", "cache_write"), ("type", "reasoning")}
    compared = {
        (name, labels): value
        for (name, labels), value in wanted.items()
        if name in names
        and not (name in month_only and ("window", "mtd") in labels)
        and not (name == "platform_cost_usd" and ("window", "24h") in labels)  # of the past there is the month's cost only,
        and not parts & set(labels)  # and of tokens the two sides
    }
    assert set(past) == set(compared)
    for key, value in past.items():
        assert value == pytest.approx(compared[key], rel=1e-9, abs=1e-12), key
    types = {series_catalogue()[name].type for name, _ in past}
    assert types == {MetricType.GAUGE}


def test_the_month_to_date_begins_anew() -> None:
    last_of_november = int(datetime(2026, 11, 30, 23, 59, tzinfo=UTC).timestamp() // 86400)
    first_of_december = datetime(2026, 12, 1, tzinfo=UTC).timestamp()
    assert model_calls._month_end(last_of_november) == first_of_december + model_calls.SETTLE_SECONDS

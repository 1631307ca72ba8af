"""The past in Prometheus: equal to what was counted, to what the exporter says, and without a step at its end."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
from psycopg import sql

from contract.catalogue import series_catalogue
from contract.settings import Budget, Settings
from demo.database.live import LiveDatabase
from demo.database.load import load
from demo.history import active, blocks, model_calls, recorded, samples
from demo.history.blocks import HistoryError
from demo.history.exporter import ExporterHistory
from demo.history.fill import LEFT_OUT, Filled, Instances, Progress, fill
from demo.history.past import Past
from demo.history.platform import EVERYWHERE, LAST_SECONDS, MOST_SERIES, PRODUCTION
from demo.history.samples import Column, Table
from demo.history.steps import Steps
from demo.langfuse.rows import USD
from demo.langfuse.server import running
from demo.langfuse.standin import MODES, Keys, StandIn, price_list
from demo.langfuse.store import Store
from demo.langfuse.times import from_seconds
from demo.platform import state
from demo.platform.exposition import label_text
from demo.platform.metrics import PlatformMetrics
from demo.stack import counting, ledger
from demo.world.catalogue import MODELS
from demo.world.model import WorldSpec
from demo.world.world import World
from exporters.credentials import LangfuseAccess
from exporters.database.mapping import Mapping
from exporters.langfuse.client import LangfuseClient
from exporters.langfuse.cost import CostCollector
from exporters.langfuse.ledger_collector import LedgerCollector
from exporters.langfuse.request_budget import RequestBudget
from tests.business.figures import Figures
from tests.business.installed import Exporter
from tests.conftest import PostgresServer, PrometheusTools

ANCHOR = float(int(time.time()) // 3600 * 3600)
"""The end of the past is the last full hour: a real Prometheus takes part, and windows are told by the hour."""
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
    load(dsn, SPEC, store.insert, lambda _what, _share: None, workers=1)
    store.close()
    _count(dsn, var, ANCHOR)
    yield Place(var, dsn)
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _count(dsn: str, var: Path, until: float) -> None:
    """Everything that the exporter would have counted until then."""
    mapping = counting.install(dsn, SETTINGS)
    shares: dict[str, list[float]] = {}
    ledger.fill(dsn, var / "langfuse.sqlite", SETTINGS, until, lambda what, share: shares.setdefault(what, []).append(share))
    assert shares and all(told == sorted(told) for told in shares.values()), f"what is done seems to be undone: {shares}"
    counting.count(dsn, mapping, lambda _what, _share: None)
    counting.finish(dsn, SETTINGS, mapping, active.before(dsn, until))


@pytest.fixture(scope="module")
def first(loaded: Place, prometheus_tools: PrometheusTools) -> Filled:
    return _fill(loaded, prometheus_tools, ANCHOR)


def _fill(place: Place, tools: PrometheusTools, until: float, progress: Progress = lambda _step, _share: None) -> Filled:
    return fill(place.var, place.dsn, World(SPEC), SETTINGS, tools.prometheus, INSTANCES, until, progress, Past(DAYS))


def _ask(url: str, expression: str, at: float) -> list[dict[str, Any]]:
    answer = requests.get(f"{url}/api/v1/query", params={"query": expression, "time": str(at)}, timeout=30).json()
    assert answer["status"] == "success", answer
    found: list[dict[str, Any]] = answer["data"]["result"]
    return found


# Samples


def test_samples_are_fine_in_the_last_day_and_coarse_before() -> None:
    now = 1_795_219_200.0
    times = samples.sample_times(now - 2 * 86400, now, now)
    assert times[0] == now - 2 * 86400 + 60
    assert times[-1] == now
    gaps = {(later - earlier, later > now - 86400) for earlier, later in pairwise(times)}
    assert gaps == {(60, False), (15, True)}
    assert samples.sample_times(now - 20, now, now) == [now - 15, now]
    blocks_ = list(samples.by_block(times))
    assert [at for block in blocks_ for at in block] == times
    assert all(len({at // 7200 for at in block}) == 1 for block in blocks_)
    assert len(blocks_) == 25


@pytest.mark.integration
def test_samples_are_there_when_they_were_written(tmp_path: Path, prometheus_tools: PrometheusTools) -> None:
    """Also beside a block of a Prometheus that lived on."""
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
    data, part = tmp_path / "data", tmp_path / "part"
    with blocks.writing(prometheus_tools.prometheus, data, part, 0.0) as workshop:
        assert samples.write(workshop, [Table([60, 500], [Column("platform_users", (), [9, 9]), Column("up", (), [1])])]) == 3
    shutil.rmtree(part)
    with blocks.writing(prometheus_tools.prometheus, data, part, 99.0) as workshop:
        assert samples.write(workshop, [table]) == 9
        assert _written(workshop.url)["platform_users", None, 60] == 9
    with blocks.serving(prometheus_tools.prometheus, data) as url:
        assert _written(url) == {
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
            ("platform_users", None, 500): 9,
            ("up", None, 500): 1,
        }


def _written(url: str) -> dict[tuple[str, str | None, float], float]:
    """Every sample of the first ten minutes, by name, agent and time."""
    return {
        (series["metric"]["__name__"], series["metric"].get("agent"), at): float(value)
        for series in _ask(url, '{__name__=~".+"}[10m]', 600)
        for at, value in series["values"]
    }


@pytest.mark.integration
def test_nothing_is_left_of_what_was_not_written_to_its_end(tmp_path: Path, prometheus_tools: PrometheusTools) -> None:
    with (
        pytest.raises(HistoryError, match="out of order"),
        blocks.writing(prometheus_tools.prometheus, tmp_path / "data", tmp_path / "part", 0.0) as workshop,
    ):
        for at in (60, 45):
            samples.write(workshop, [Table([at], [Column("up", (), [1])])])
    assert not (tmp_path / "data").exists()


@pytest.mark.integration
def test_a_server_that_goes_away_is_told_in_words(tmp_path: Path, prometheus_tools: PrometheusTools) -> None:
    """As an error of the system it would end all that is prepared; without a past, a stack can still start."""
    with (
        pytest.raises(HistoryError, match="does not answer"),
        blocks.serving(prometheus_tools.prometheus, tmp_path, "--web.enable-lifecycle") as url,
    ):
        requests.post(f"{url}/-/quit", timeout=5)
        for _ in range(100_000):
            requests.get(f"{url}/-/ready", timeout=5)


def test_steps_count_from_their_moment() -> None:
    steps = Steps()
    steps.expect("platform_users", [("admin",)])
    steps.change("platform_users", "member", at=10.0, by=2)
    assert dict(steps.read([9, 10, 11])) == {
        ("platform_users", ("admin",)): [0, 0, 0],
        ("platform_users", ("member",)): [0, 2, 2],
    }


# What is written


@pytest.mark.integration
def test_the_past_is_there_and_equals_what_was_counted(loaded: Place, first: Filled, prometheus_tools: PrometheusTools) -> None:
    assert first.until == ANCHOR
    assert first.since == ANCHOR - DAYS * 86400
    remembered = state.read(loaded.var)
    assert remembered is not None
    live = PlatformMetrics.restore(World(SPEC), remembered)
    assert live.at == ANCHOR
    with blocks.serving(prometheus_tools.prometheus, loaded.data) as url:
        found = {
            (item["metric"]["environment"], item["metric"]["__name__"], _labels(item["metric"])): float(item["value"][1])
            for item in _ask(url, '{job="platform", instance="127.0.0.1:9470"}', ANCHOR)
        }
        past = _ask(url, '{job="platform", instance="127.0.0.1:9470"}', ANCHOR - LAST_SECONDS - 1)
        before = _ask(url, 'count(last_over_time({job="platform"}[5h]))', ANCHOR - LAST_SECONDS - 1)
        lately = _ask(url, 'count(last_over_time({job="platform"}[5m]))', ANCHOR - LAST_SECONDS + 300)
    assert 600 < float(before[0]["value"][1]) <= MOST_SERIES
    assert float(lately[0]["value"][1]) > 5 * MOST_SERIES
    counted = {
        (environment, name, tuple(sorted(labels))): value
        for environment in live.registries
        for name, labels, value in live.samples(environment)
    }
    assert found == counted
    names = {environment: set[str]() for environment in live.registries}
    for item in past:
        names[item["metric"]["environment"]].add(series_catalogue()[item["metric"]["__name__"]].name)
    assert names == {"production": PRODUCTION, "staging": EVERYWHERE, "development": EVERYWHERE}


def _labels(metric: dict[str, str]) -> tuple[tuple[str, str], ...]:
    target = ("__name__", "environment", "instance", "job")
    return tuple(sorted((label, value) for label, value in metric.items() if label not in target))


@pytest.mark.integration
def test_recorded_series_have_a_past_on_every_level(loaded: Place, first: Filled, prometheus_tools: PrometheusTools) -> None:
    assert first.samples
    assert len(recorded.levels(SETTINGS)) >= 2
    with blocks.serving(prometheus_tools.prometheus, loaded.data) as url:
        rules = [rule for level in recorded.levels(SETTINGS) for rule in level]
        for (name, given), group in groupby(sorted(rules, key=_own), key=_own):
            # Several rules may record series of one name, each for labels of its own.
            own, alike = f"{name}{label_text(given)}", list(group)
            newest = [
                {**item, "metric": item["metric"] | dict(given)}
                for rule in alike
                for item in _ask(url, rule.expression, ANCHOR)
            ]
            # A ratio that ended for want of traffic would else be found for five more minutes.
            kept = _ask(url, f"{own} and timestamp({own}) == {ANCHOR}", ANCHOR)
            assert {_pairs(item) for item in kept} == {_pairs(item) for item in newest}, name
            # There is a point for each moment at which there was anything: so small a world rests at times.
            wanted = sum(_points(url, f"({rule.expression})", max(60, rule.interval)) for rule in alike)
            assert _points(url, own) == wanted and (wanted or not newest), name
        assert _ask(url, "job:http_errors:ratio_rate5m", ANCHOR - DAYS * 40000)


def _points(url: str, what: str, step: int | None = None) -> int:
    """How many points series have in four hours; with a `step` in seconds, those of an expression."""
    looked_at = f"[14370s:{step}s]" if step else "[14370s]"
    found = _ask(url, f"sum(count_over_time({what}{looked_at}))", ANCHOR)
    return int(found[0]["value"][1]) if found else 0


def _own(rule: recorded.Rule) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Name of a rule's series and the labels that it gives to them itself."""
    return rule.name, tuple(sorted(rule.added.items()))


def _pairs(item: dict[str, Any]) -> tuple[tuple[tuple[str, str], ...], str]:
    """Labels and value of an answer, the value to nine digits: sums are taken in another order."""
    labels = tuple(sorted((label, value) for label, value in item["metric"].items() if label != "__name__"))
    return labels, f"{float(item['value'][1]):.9g}"


# What the exporter would have said


def _key(labels: dict[str, str]) -> tuple[str, ...]:
    """A series as the exporter's figures are named: name, label values, bound."""
    name = labels["__name__"]
    bound = [f"{float(labels['le']):g}"] if "le" in labels else []
    return (name, *(labels[label] for label in series_catalogue()[name].labels), *bound)


def _cumulated(figures: Figures) -> Figures:
    """The same with buckets as a page prints them; they stand in the order of their bounds."""
    found, sums = dict(figures), defaultdict[tuple[str, ...], float](float)
    for key, value in figures.items():
        if key[0].endswith("_bucket"):
            sums[key[:-1]] += value
            found[key] = sums[key[:-1]]
    return found


def _collected(place: Place, at: float) -> Figures:
    """All that the exporter's collectors say, asked at a moment."""
    exporter = Exporter.of(place.dsn, environments=SETTINGS.environments)
    store = Store(place.var / "langfuse.sqlite")
    standin = StandIn(store, MODES["v4"], Keys("pk", "sk"), lambda: at, price_list(MODELS), 0.0, False)
    with running(standin) as url:
        client = LangfuseClient(lambda: LangfuseAccess(url, "pk", "sk"), RequestBudget("self-hosted", lambda: at))
        seat = exporter.writing.seat()
        ledger_ = LedgerCollector(SETTINGS, client, seat, Mapping.of(SETTINGS), lambda _: None)
        exporter.collectors = (*exporter.collectors, ledger_, CostCollector(SETTINGS, seat))
        try:
            assert exporter.collect(at) == {}
            return _cumulated(exporter.served(at))
        finally:
            exporter.close()
            store.close()


@pytest.mark.integration
def test_the_past_ends_with_what_the_exporter_says(loaded: Place, first: Filled, prometheus_tools: PrometheusTools) -> None:
    """At a full hour, when windows that are told by the hour are those of the moment: every series that is written."""
    assert first.samples
    wanted = _collected(loaded, ANCHOR)
    with blocks.serving(prometheus_tools.prometheus, loaded.data) as url:
        points = [(_key(item["metric"]), *item["values"][-1]) for item in _ask(url, '{job="exporter"}[30s]', ANCHOR)]
    shown = {key: float(value) for key, at, value in points if at == ANCHOR}
    shown = {key: value for key, value in shown.items() if key[0] != "up"}
    written = {series_catalogue()[name].name for name, *_ in shown}
    without_a_past = {
        declared.name
        for name, *_ in wanted
        if not (declared := series_catalogue()[name]).name.startswith(("exporter_", "platform_rollup", "platform_table"))
    } - written
    # Whether something waits, a version is new, or calls began in the hour that has settled depends on when the test runs. How
    # late calls came is a matter of the reading itself, like `exporter_…`: calls of the past were read all at once.
    now_and_then = {
        "langfuse_call_delay_seconds", "platform_queue_messages", "platform_version_sample",
        "platform_version_regression_ratio", "platform_version_regression_p_value", "platform_regressions_open",
    }  # fmt: skip
    assert without_a_past - now_and_then == {
        *LEFT_OUT, "platform_tickets_unassigned", "platform_ticket_oldest_open_age_seconds", "platform_document_chunks",
        "platform_executions_in_progress", "platform_sessions_active", "langfuse_score_sum",
        "platform_ticket_sla_attainment_ratio", "platform_cache_savings_usd", "platform_cost_per_conversation_usd",
        "platform_cost_per_success_usd",
    }  # fmt: skip
    compared = {key: value for key, value in wanted.items() if series_catalogue()[key[0]].name in written}
    assert shown == {key: pytest.approx(compared[key], rel=1e-9, abs=1e-9) for key in shown}
    missing = {key: value for key, value in compared.items() if key not in shown and not key[0].startswith("exporter_")}
    assert {key: value for key, value in missing.items() if value} == {}, "only what begins at zero has no past"
    assert len(shown) > 500


@pytest.mark.integration
def test_stocks_and_active_users_of_days_ago_equal_what_is_asked_of_the_tables(loaded: Place) -> None:
    """Tickets and documents are told as they were then, of which the tables know nothing any more."""
    at = ANCHOR - 3 * 86400.0
    table = ExporterHistory(loaded.dsn, False, [int(at)], SETTINGS, "here", Past().keeps).table(int(at), int(at))
    past = {(column.name, *(value for _, value in column.labels[:-2])): column.values[0] for column in table.columns}
    queries = {
        ("platform_users_active", "7d"): "SELECT count(DISTINCT user_id) FROM app.messages WHERE role = 'user'"
        " AND created_at > %(at)s - interval '7 days' AND created_at <= %(at)s",
        ("platform_users_active_before", "24h"): "SELECT count(DISTINCT user_id) FROM app.messages WHERE role = 'user'"
        " AND created_at > %(at)s - interval '2 days' AND created_at <= %(at)s - interval '1 day'",
        ("platform_conversations", "staging"): "SELECT count(*) FROM app.conversations WHERE environment = 'staging'"
        " AND created_at <= %(at)s",
        ("platform_users", "admin"): "SELECT count(*) FROM app.users WHERE role = 'admin' AND created_at <= %(at)s",
    }
    with psycopg.connect(loaded.dsn) as connection:
        for key, query in queries.items():
            row = connection.execute(query.encode(), {"at": datetime.fromtimestamp(at, UTC)}).fetchone()
            assert row is not None
            assert past[key] == row[0] > 0, key
        late = "SELECT priority, count(*) FROM app.tickets WHERE created_at <= %(at)s AND sla_first_response_due_at < %(at)s"
        late += " AND (first_response_at IS NULL OR first_response_at > %(at)s) GROUP BY priority"
        expected = {
            ("platform_tickets_overdue", "first_response", priority): count
            for priority, count in connection.execute(late.encode(), {"at": datetime.fromtimestamp(at, UTC)})
        }
    found = {key: value for key, value in past.items() if key[:2] == ("platform_tickets_overdue", "first_response")}
    assert {key: value for key, value in found.items() if value} == expected


@pytest.mark.integration
def test_model_calls_of_days_ago_equal_the_stand_ins_rows(loaded: Place) -> None:
    at = int(ANCHOR - 2 * 86400)
    found = {key: values[0] for key, values in model_calls.series(loaded.dsn, [at], SETTINGS)}
    store = Store(loaded.var / "langfuse.sqlite")
    rows = store.select(
        "SELECT model, environment, count(*), sum(level = 'ERROR') FROM observations WHERE type IN ('GENERATION', 'EMBEDDING')"
        " AND copy = 0 AND ended IS NOT NULL AND started >= :since AND started < :until GROUP BY 1, 2",
        {"since": from_seconds(at - 86400), "until": from_seconds(at)},
    )
    calls = {(model, environment): (count, failed) for model, environment, count, failed in rows}
    assert calls
    for measure, place in (("calls", 0), ("errors", 1)):
        shown = {
            key[1][:2]: value for key, value in found.items() if key[0] == f"langfuse_window_{measure}" and key[1][2] == "24h"
        }
        assert shown == {labels: counts[place] for labels, counts in calls.items()}
    month = datetime.fromtimestamp(at, UTC).replace(day=1, hour=0, minute=0, second=0).timestamp()
    [(cost,)] = store.select(
        "SELECT sum(total_cost) FROM observations WHERE type IN ('GENERATION', 'EMBEDDING') AND copy = 0 AND ended IS NOT NULL"
        " AND started >= :since AND started < :until",
        {"since": from_seconds(month), "until": from_seconds(at)},
    )
    store.close()
    assert found["platform_cost_usd", ("all", "mtd")] == pytest.approx(cost / USD, rel=1e-6)
    assert found["platform_budget_spent_ratio", ("all",)] == pytest.approx(cost / USD / 90.0, rel=1e-6)


# Later


@pytest.mark.integration
def test_later_only_what_is_missing_is_written(loaded: Place, first: Filled, prometheus_tools: PrometheusTools) -> None:
    """Runs after a Prometheus has lived on the folder: what it scraped last stands in its log only."""
    assert first.samples
    assert _fill(loaded, prometheus_tools, ANCHOR + 299) == Filled()
    scraped = _scrape_for_a_while(loaded, prometheus_tools)
    live, store = LiveDatabase(loaded.dsn, World(SPEC)), Store(loaded.var / "langfuse.sqlite")
    live.catch_up(live.loaded_until, ANCHOR + GAP, store.insert)
    live.close()
    store.close()
    _count(loaded.dsn, loaded.var, ANCHOR + GAP)
    steps: list[tuple[str, float]] = []
    filled = _fill(loaded, prometheus_tools, ANCHOR + GAP, lambda step, share: steps.append((step, share)))
    assert (filled.since, filled.until) == (ANCHOR, ANCHOR + GAP)
    assert [share for _, share in steps] == sorted(share for _, share in steps)
    assert steps[-1][1] == pytest.approx(1.0)
    with blocks.serving(prometheus_tools.prometheus, loaded.data) as url:
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
        end = time.monotonic() + 60
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

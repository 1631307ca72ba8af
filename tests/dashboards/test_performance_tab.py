"""Performance: what the tab holds, whom its fleet row is about, and formulas that stand in no other place."""

from __future__ import annotations

import json
import math
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path

import psycopg
import pytest

from contract.buckets import AGENT
from contract.settings import Settings, Thresholds
from dashboards.lib.queries import PromQuery, SqlQuery
from dashboards.lib.variables import TIERS
from dashboards.performance import TAB
from dashboards.performance.fleet import BAD, OK, UNKNOWN, WATCH
from provisioning.check.excerpts import read_by
from provisioning.interpolation import Span, sql_macros, substitute
from recording_rules import registry
from tests.conftest import PrometheusTools

NOW = datetime(2026, 11, 18, 15, tzinfo=UTC)
FILTERS = ("environment", "agent", "version", "intent", "tier", "status", "error_type")
CONTENTS = {
    "fleet": [
        "state", "fleet_percentiles", "fleet_in_time", "fleet_errors", "fleet_throughput", "fleet_capacity", "agents_within",
    ],
    "traffic": ["throughput", "utilisation", "busiest_agents"],
    "errors": ["errors_by_kind", "budget_burn"],
    "latency": ["latency", "in_time"],
    "agents": ["agents", "slowest_agents"],
    "environments": ["parity"],
    "failing": ["failing"],
    "slow": ["slow_requests", "advised"],
    "distribution": ["distribution", "spread", "percentile_heatmap", "speeds", "speeds_now"],
    "levels": ["slo_grid", "slo_budgets"],
    "groups": ["departments", "intent_latency", "intent_errors"],
    "parity": ["parity_latency", "only_in_production"],
    "versions": ["version_gates", "version_latency", "version_errors", "version_executions"],
    "capacity": [
        "capacity_plan", "capacity_alerts", "capacity_room", "queries_ahead", "latency_ahead", "busiest_ahead",
        "forecast_trials",
    ],
    "scaling": ["time_with_load", "scaling", "per_process"],
    "before": ["changes_before", "queries_before", "latency_before", "errors_before"],
    "load_tests": ["load_tests"],
    "patterns": ["error_map", "unusual_errors"],
    "begin": ["questions"],
}  # fmt: skip
Database = psycopg.Connection[tuple[object, ...]]


def test_the_table_of_contents() -> None:
    assert {row.name: [panel.name for panel in row.panels] for row in TAB.rows(Settings())} == CONTENTS


def test_a_site_without_service_levels_has_no_panels_about_them() -> None:
    names = {panel.name for row in TAB.rows(Settings(slo=())) for panel in row.panels}
    assert set().union(*CONTENTS.values()) - names == {"budget_burn", "slo_grid", "slo_budgets"}


def test_the_fleet_is_everybody_of_the_environment() -> None:
    fleet = [panel for row in TAB.all_rows(Settings()) if row.name in ("fleet", "latency") for panel in row.panels]
    texts = [query.text for panel in fleet for query in panel.targets]
    assert sum("$environment" in text for text in texts) == len(texts) - 1, "all but the targets"
    assert not [text for text in texts for name in ("$version", "$agent") if name in text]


def test_the_marks_on_its_graphs(connection: Database) -> None:
    marks = {mark["name"]: mark for mark in TAB.dashboard(Settings())["annotations"]["list"]}
    assert list(marks) == ["Critical alerts", "Deployments", "Regressions", "Incidents", "Busiest hours"]
    columns = "ref text, opened_at timestamptz, closed_at timestamptz, severity text"
    connection.execute(f"CREATE TABLE analytics.incidents ({columns})".encode())
    for ref, opened, closed in (("still open", 30, None), ("closed", 20, 2), ("long over", 60, 50)):
        times = (NOW - timedelta(hours=hours) if hours else None for hours in (opened, closed))
        connection.execute("INSERT INTO analytics.incidents VALUES (%s, %s, %s, 'warning')", (ref, *times))
    span = Span(NOW.timestamp() - 86400, NOW.timestamp(), 60)
    found = connection.execute(sql_macros(marks["Incidents"]["target"]["rawSql"], span).encode()).fetchall()
    assert [(row[2], row[1]) for row in found] == [
        ("Incident: closed", NOW - timedelta(hours=2)), ("Incident: still open", NOW),
    ]  # fmt: skip


def test_every_filter_acts_on_what_asks_executions() -> None:
    for name in ("busiest_agents", "failing", "distribution", "spread", "percentile_heatmap", "departments", "unusual_errors"):
        [query] = next(panel for panel in TAB.panels(Settings()) if panel.name == name).targets
        assert not [filter_ for filter_ in FILTERS[:-1] if f"${{{filter_}:regex}}" not in query.text], name


PLATFORM = 'job="platform",environment="production",instance="p"'
WELL = {
    f'agent_queries_total{{{PLATFORM},agent="a",version="1",status="success"}}': "0+58x80",
    f'agent_queries_total{{{PLATFORM},agent="a",version="1",status="error"}}': "0+2x80",
    f'agent_query_duration_seconds_bucket{{{PLATFORM},agent="a",version="1",status="success",le="2.0"}}': "0+60x80",
    f'agent_query_duration_seconds_bucket{{{PLATFORM},agent="a",version="1",status="success",le="5.0"}}': "0+60x80",
    f'agent_query_duration_seconds_bucket{{{PLATFORM},agent="a",version="1",status="success",le="12.5"}}': "0+60x80",
    f'agent_query_duration_seconds_bucket{{{PLATFORM},agent="a",version="1",status="success",le="17.0"}}': "0+60x80",
    f'agent_query_duration_seconds_bucket{{{PLATFORM},agent="a",version="1",status="success",le="+Inf"}}': "0+60x80",
    f'agent_capacity_requests_per_second{{{PLATFORM},agent="a"}}': "4x80",
}
IN_ORDER = {"Overall": OK, "Latency": OK, "Errors": OK, "Capacity": OK}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, IN_ORDER),
        ({'status="error"': "0+6x80"}, IN_ORDER | {"Errors": WATCH, "Overall": WATCH}),
        ({'status="error"': "0+30x80"}, IN_ORDER | {"Errors": BAD, "Overall": BAD}),
        ({'le="2.0"': "0+0x80", 'le="5.0"': "0+0x80"}, IN_ORDER | {"Latency": WATCH, "Overall": WATCH}),
        ({'le="2': "0+0x80", 'le="5': "0+0x80", 'le="12': "0+0x80"}, IN_ORDER | {"Latency": BAD, "Overall": BAD}),
        ({"agent_capacity": "1.1x80"}, IN_ORDER | {"Capacity": WATCH, "Overall": WATCH}),
        ({"agent_": "_x80"}, dict.fromkeys(IN_ORDER, UNKNOWN)),
    ],
    ids=["in order", "errors", "many errors", "slow", "very slow", "full", "silence"],
)
def test_the_state_of_the_fleet(
    prometheus_tools: PrometheusTools, tmp_path: Path, changes: Mapping[str, str], expected: Mapping[str, float]
) -> None:
    """A site without service levels has no word about budgets."""
    expect(prometheus_tools, tmp_path, "state", "concern", changes, expected)


@pytest.mark.parametrize(
    ("changes", "share"),
    [({}, 1.0), ({'le="2.0"': "0+45x80", 'le="5.0"': "0+45x80"}, 0.75), ({'le="5.0"': "0+30x80", 'le="2.0"': "0+0x80"}, 0.5)],
    ids=["all", "three of four", "the limit itself is in time"],
)
def test_the_share_in_time(prometheus_tools: PrometheusTools, tmp_path: Path, changes: Mapping[str, str], share: float) -> None:
    expect(prometheus_tools, tmp_path, "fleet_in_time", "environment", changes, {"production": share})


@pytest.mark.parametrize(
    ("changes", "within"),
    [({}, 1), ({'status="error"': "0+6x80"}, 0), ({'le="2.0"': "0+0x80", 'le="5.0"': "0+0x80"}, 0)],
    ids=["both kept", "errors", "slow"],
)
def test_agents_within_their_targets(
    prometheus_tools: PrometheusTools, tmp_path: Path, changes: Mapping[str, str], within: int
) -> None:
    figures = {"share": within, "within": within, "with traffic": 1}
    expect(prometheus_tools, tmp_path, "agents_within", "figure", changes, figures)


@pytest.mark.parametrize(
    ("tier", "shown"),
    [
        (".*", {"fast": 1, "normal": 2, "slow": 3, "critical": 4}),
        ("(fast|critical)", {"fast": 1, "critical": 4}),
        ("slow", {"slow": 3}),
    ],
)
def test_queries_of_the_chosen_speeds(
    prometheus_tools: PrometheusTools, tmp_path: Path, tier: str, shown: Mapping[str, float]
) -> None:
    bucket = f'agent_query_duration_seconds_bucket{{{PLATFORM},agent="a",version="1",status="success",le="%s"}}'
    counted = {"0.1": 60, "0.5": 180, "2.0": 360, "+Inf": 600}
    series = {bucket % bound: f"0+{count}x80" for bound, count in counted.items()}
    in_order = {f'{place}",tier="{name}': shown[name] for place, name in enumerate(TIERS) if name in shown}
    expect(prometheus_tools, tmp_path, "speeds_now", "at", {}, in_order, fleet=series, tier=tier, agent="a")


def test_a_change_from_nothing_is_infinite_and_one_of_what_is_no_number_is_none(
    prometheus_tools: PrometheusTools, tmp_path: Path
) -> None:
    """Five minutes before, no query of one environment had ended, and none of another had failed."""
    steady, begun, never = "0+60x80", "0x71 1+1x8", "0x80"
    courses = {"as before": (steady, steady), "begun": (begun, begun), "failing": (steady, begun), "silent": (never, never)}
    series = {}
    for environment, (ended, failed) in courses.items():
        of = f'environment="{environment}",job="platform",instance="p",agent="a",version="1",status'
        series |= {f'agent_queries_total{{{of}="success"}}': ended, f'agent_queries_total{{{of}="error"}}': failed}
        for bound in ("2.0", "+Inf"):
            series[f'agent_query_duration_seconds_bucket{{{of}="success",le="{bound}"}}'] = ended
    changes = {
        "Queries": {"as before": 0, "begun": math.inf, "silent": 0, "failing": 0},
        "p95": {"as before": 0, "failing": 0},
        "Error ratio": {"as before": 0, "failing": math.inf},
    }
    expected = {f'{figure}",environment="{place}': n for figure, of in changes.items() for place, n in of.items()}
    shown = "round({}, 0.01) > -Inf"  # promtool cannot be told to expect what is no number
    expect(prometheus_tools, tmp_path, "changes_before", "figure", {}, expected, fleet=series, shown=shown, compare="5m")


def expect(
    tools: PrometheusTools, folder: Path, name: str, label: str, changes: Mapping[str, str], expected: Mapping[str, float],
    fleet: Mapping[str, str] = WELL, shown: str = "{}", **chosen: str,
) -> None:  # fmt: skip
    """Fails unless a panel shows these figures, by `label`, of the well fleet with other values for some series.

    `shown` is what of its query is compared.
    """
    settings = Settings(slo=())
    [query] = next(panel for panel in TAB.panels(settings) if panel.name == name).targets
    assert isinstance(query, PromQuery)
    rules = [group for group in read_by(query.expr, registry.rule_groups(settings)) if group["rules"]]
    (folder / "rules.yml").write_text(json.dumps({"groups": rules}))
    series = [
        {"series": name, "values": next((changed for part, changed in changes.items() if part in name), values)}
        for name, values in fleet.items()
    ]
    samples = [{"labels": f'{{{label}="{key}"}}', "value": value} for key, value in expected.items()]
    text = substitute(query.expr, lambda variable, _: {"environment": ".*", **chosen}.get(variable))
    asked = {"expr": shown.format(text), "eval_time": "75m", "exp_samples": samples}
    told = {"interval": "1m", "input_series": series, "promql_expr_test": [asked]}
    file = folder / "test.yml"
    text = json.dumps({"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": [told]})
    file.write_text(text.replace("Infinity", ".inf"))  # as YAML has it
    done = subprocess.run([tools.promtool, "test", "rules", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def connection(database: str) -> Database:
    """What panels read, as tables, and the function that merges histograms."""
    connection = psycopg.connect(database, autocommit=True)
    connection.execute("CREATE SCHEMA analytics")
    quantiles = resources.files("exporters.database") / "migrations" / "0006_quantiles.sql"
    connection.execute(quantiles.read_text().encode())
    for table in (
        "agents (id bigint, name text, department_id bigint)",
        "deployments (agent_id bigint, version text, environment text, deployed_at timestamptz)",
        "latency_hourly (hour timestamptz, agent text, version text, environment text, n bigint, failed bigint,"
        " histogram bigint[])",
        "regressions (agent text, version text, environment text, state text)",
        "agent_executions (agent_name text, version text, environment text, intent text, status text, error_type text,"
        " start_time timestamptz, duration_ms float8)",
        "trace_metrics_hourly (hour timestamptz, agent text, version text, environment text, executions bigint)",
        "capacity_limits (scope text, rps float8, valid_from timestamptz)",
    ):
        connection.execute(f"CREATE TABLE analytics.{table}".encode())
    return connection


def ask(connection: Database, name: str, settings: Settings | None = None, **choices: str) -> list[dict[str, object]]:
    """What a panel asks of the day before NOW."""
    [query] = next(panel for panel in TAB.panels(settings or Settings()) if panel.name == name).targets
    assert isinstance(query, SqlQuery)
    filled = substitute(query.sql, lambda variable, _: {**dict.fromkeys(FILTERS, ".*"), **choices}.get(variable))
    text = sql_macros(filled, Span(NOW.timestamp() - 86400, NOW.timestamp(), 60))
    with connection.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        return cursor.execute(text.encode()).fetchall()


def version(connection: Database, name: str, deployed: timedelta, runs: int, failed: int, seconds: float) -> None:
    """A version of agent 1 that took `seconds` in each of `runs`, all of them in its first hour."""
    at, bucket = NOW - deployed, next(n for n, bound in enumerate(AGENT) if seconds <= bound)
    histogram = [runs if n == bucket else 0 for n in range(len(AGENT) + 1)]
    connection.execute("INSERT INTO analytics.deployments VALUES (1, %s, 'production', %s)", (name, at))
    connection.execute(
        "INSERT INTO analytics.latency_hourly VALUES (%s, 'billing', %s, 'production', %s, %s, %s)",
        (at, name, runs, failed, histogram),
    )


@pytest.mark.parametrize(
    ("runs", "failed", "seconds", "verdict"),
    [
        (1000, 20, 1.0, "pass"),
        (99, 40, 9.0, "too few to tell"),
        (1000, 20, 2.5, "fail: slower"),
        (1000, 60, 1.0, "fail: more errors"),
        (200, 6, 1.0, "pass"),  # 3 % beside 2 %: more than 1.2 times, and well within chance
    ],
)
def test_a_gate_of_a_version(connection: Database, runs: int, failed: int, seconds: float, verdict: str) -> None:
    connection.execute("INSERT INTO analytics.agents VALUES (1, 'billing', 1)")
    version(connection, "1.0", timedelta(days=3), 1000, 20, 1.0)
    version(connection, "1.1", timedelta(days=1), runs, failed, seconds)
    [row] = ask(connection, "version_gates")
    assert (row["version"], row["previous"], row["verdict"]) == ("1.1", "1.0", verdict)
    connection.execute("INSERT INTO analytics.regressions VALUES ('billing', '1.1', 'production', 'open')")
    assert ask(connection, "version_gates")[0]["verdict"] == "fail: recorded as worse"
    connection.execute("UPDATE analytics.regressions SET state = 'dismissed'")
    assert ask(connection, "version_gates")[0]["verdict"] == verdict


def test_a_gate_looks_no_further_than_its_range(connection: Database) -> None:
    """The hour that begins where the range ends is not of it."""
    connection.execute("INSERT INTO analytics.agents VALUES (1, 'billing', 1)")
    version(connection, "1.0", timedelta(days=3), 1000, 20, 1.0)
    version(connection, "1.1", timedelta(hours=2), 1000, 20, 1.0)
    connection.execute(
        "INSERT INTO analytics.latency_hourly SELECT %s, agent, version, environment, n, n, histogram"
        " FROM analytics.latency_hourly WHERE version = '1.1'",
        (NOW,),
    )
    [row] = ask(connection, "version_gates")
    assert (row["verdict"], row["n"], row["errors"]) == ("pass", 1000, 0.02)


def test_a_gate_follows_the_configuration(connection: Database) -> None:
    connection.execute("INSERT INTO analytics.agents VALUES (1, 'billing', 1)")
    version(connection, "1.0", timedelta(days=3), 1000, 20, 1.0)
    version(connection, "1.1", timedelta(days=1), 1000, 20, 2.5)
    milder = Settings(thresholds=Thresholds(regression_ratio=4.0))
    assert ask(connection, "version_gates", milder)[0]["verdict"] == "pass"
    assert ask(connection, "version_gates", agent="sales") == []


def failures(connection: Database, count: int, weeks_ago: int, kind: str = "tool") -> None:
    at = NOW - timedelta(weeks=weeks_ago, hours=1)
    for _ in range(count):
        connection.execute(
            "INSERT INTO analytics.agent_executions VALUES ('billing', '1', 'production', 'refund', 'failed', %s, %s, 900)",
            (kind, at),
        )


def test_what_is_unusual_is_told_by_the_weeks_before(connection: Database) -> None:
    for week in range(1, 5):
        failures(connection, 4, week)
        failures(connection, 4 if week % 2 else 36, week, "llm")
    failures(connection, 10, 0)
    failures(connection, 30, 0, "llm")
    failures(connection, 1, 0, "auth")
    found = {
        row["kind"]: (row["seen"], row["usual"], row["score"], row["verdict"]) for row in ask(connection, "unusual_errors")
    }
    assert found == {
        "tool": (10, 4, pytest.approx(3.0), "unusual"),  # four a week are spread by two
        "auth": (1, 0, pytest.approx(1.0), "usual"),
        "llm": (30, 20, pytest.approx(10 / 16), "usual"),  # weeks of 4 and of 36 are spread by 16
    }
    assert ask(connection, "unusual_errors", status="timeout") == []


def test_the_plan_follows_line_and_weekday_into_the_future(connection: Database) -> None:
    today = NOW.replace(hour=0)
    for back in range(1, 29):
        busy = 3600 * (30 - back) * (2 if back % 7 == 0 else 1)
        for hour, executions in ((9, busy), (20, 1)):
            at = today - timedelta(days=back) + timedelta(hours=hour)
            connection.execute(
                "INSERT INTO analytics.trace_metrics_hourly VALUES (%s, 'billing', '1', 'production', %s)", (at, executions)
            )
    for rps, since in ((40, 90), (50, 10)):
        connection.execute(
            "INSERT INTO analytics.capacity_limits VALUES ('billing', %s, %s)", (rps, NOW - timedelta(days=since))
        )
    rows = {row["day"]: row for row in ask(connection, "capacity_plan")}
    assert (rows[-1]["busiest"], rows[-7]["busiest"], rows[0]["busiest"]) == (29, 46, None)
    assert rows[14]["trend"] > rows[0]["trend"] > rows[-28]["trend"]
    assert rows[7]["expected"] - rows[7]["trend"] == pytest.approx(rows[14]["expected"] - rows[14]["trend"])
    assert rows[7]["expected"] > rows[8]["expected"] and rows[-2]["expected"] is None
    assert (rows[0]["limit"], rows[0]["warning"]) == (50, 40)
    assert ask(connection, "capacity_plan", agent="sales") == []

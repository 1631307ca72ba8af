"""The Overview's figures, computed by a real Prometheus and a real PostgreSQL from known input."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from contract.keys import panel_id
from contract.relations import RELATIONS, SQL_TYPES
from contract.settings import Settings
from dashboards.overview import TAB
from dashboards.overview.health import DEGRADED, DOWN, OK, UNKNOWN
from provisioning.check.excerpts import read_by
from recording_rules import registry
from tests.conftest import PrometheusTools

Json = dict[str, Any]
Figures = Mapping[str, float]

PLATFORM = 'job="platform",environment="production",instance="p"'
EXPORTER = 'job="exporter",instance="e1"'
ANSWERS = f'http_requests_total{{{PLATFORM},handler="/",method="GET",status='
QUERIES = f'agent_queries_total{{{PLATFORM},agent="a",version="1",status='
TIMES = f'agent_query_duration_seconds_bucket{{{PLATFORM},agent="a",version="1",status="success",le='
SOURCE_UP = f"exporter_source_up{{{EXPORTER},source="
DATA_TIME = f"exporter_source_data_timestamp_seconds{{{EXPORTER},source="
WELL = {
    f"up{{{PLATFORM}}}": "1x60",
    f"up{{{EXPORTER}}}": "1x60",
    f'{ANSWERS}"2xx"}}': "0+99x60",
    f'{ANSWERS}"5xx"}}': "0+1x60",
    f'{QUERIES}"success"}}': "0+39x60",
    f'{QUERIES}"error"}}': "0+1x60",
    f'{TIMES}"2.0"}}': "0+40x60",
    f'{TIMES}"+Inf"}}': "0+40x60",
    f'{SOURCE_UP}"postgres"}}': "1x60",
    f'{SOURCE_UP}"langfuse"}}': "1x60",
    f'{DATA_TIME}"postgres"}}': "0+60x60",
    f'{DATA_TIME}"langfuse"}}': "0+60x60",
}
ALL_WELL = dict.fromkeys(("Overall", "Platform API", "Agents", "PostgreSQL", "Langfuse", "Exporter", "Alerts"), float(OK))


def changed(values: str, *starts: str) -> dict[str, str]:
    """The well platform with other values for the series that begin so."""
    return {name: values if name.startswith(starts) else before for name, before in WELL.items()}


def filled(expression: str) -> str:
    return re.sub(r"\$\{?(environment|agent)\}?", ".*", expression).replace("$__rate_interval", "5m")


def expect(
    tools: PrometheusTools,
    folder: Path,
    panels: list[Json],
    name: str,
    label: str,
    series: Mapping[str, str],
    figures: Figures,
    query: int = 0,
) -> None:
    """Fails unless a panel's query gives these figures, by `label`, an hour after the series began."""
    panel = next(panel for panel in panels if panel["id"] == panel_id(f"overview/{name}"))
    expression = panel["targets"][query]["expr"]
    rules = read_by(expression, registry.rule_groups(Settings()))
    (folder / "rules.yml").write_text(json.dumps({"groups": [group for group in rules if group["rules"]]}))
    labels = {key: key if key.startswith("{") else f'{{{label}="{key}"}}' if label else "{}" for key in figures}
    samples = [{"labels": labels[key], "value": value} for key, value in figures.items()]
    case = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": "15s",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": name, "values": values} for name, values in series.items()],
                "promql_expr_test": [{"expr": filled(expression), "eval_time": "60m", "exp_samples": samples}],
            }
        ],
    }
    (folder / "case.yml").write_text(json.dumps(case))
    run = subprocess.run([tools.promtool, "test", "rules", folder / "case.yml"], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stdout + run.stderr


CASES: dict[str, tuple[dict[str, str], Figures]] = {
    "all is well": (WELL, ALL_WELL),
    "nothing is known": ({}, dict.fromkeys(ALL_WELL, float(UNKNOWN)) | {"Alerts": OK}),
    "the database does not answer": (
        changed("0x60", f'{SOURCE_UP}"postgres"'), ALL_WELL | {"PostgreSQL": DOWN, "Overall": DOWN},
    ),
    "figures of Langfuse stand still": (
        changed("0x60", f'{DATA_TIME}"langfuse"'), ALL_WELL | {"Langfuse": DEGRADED, "Overall": DEGRADED},
    ),
    "one exporter of two is gone": (
        WELL | {'up{job="exporter",instance="e2"}': "0x60"}, ALL_WELL | {"Exporter": DEGRADED, "Overall": DEGRADED},
    ),
    "the platform is gone": (
        changed("0x60", f"up{{{PLATFORM}"), ALL_WELL | {"Platform API": DOWN, "Overall": DOWN},
    ),
    "a tenth of the answers are errors": (
        changed("0+11x60", f'{ANSWERS}"5xx"'), ALL_WELL | {"Platform API": DEGRADED, "Overall": DEGRADED},
    ),
    "a quarter of them are, which wakes nobody yet": (
        changed("0+33x60", f'{ANSWERS}"5xx"'), ALL_WELL | {"Platform API": DEGRADED, "Overall": DEGRADED},
    ),
    "half of the queries fail": (
        changed("0+39x60", f'{QUERIES}"error"'), ALL_WELL | {"Agents": DOWN, "Overall": DOWN},
    ),
    "most answers are slow": (
        changed("0+4x60", f'{TIMES}"2.0"') | {f'{TIMES}"5.0"}}': "0+8x60", f'{TIMES}"6.8"}}': "0+40x60"},
        ALL_WELL | {"Agents": DEGRADED, "Overall": DEGRADED},
    ),
    "too few queries to tell": (
        changed("0x60", QUERIES, TIMES), ALL_WELL | {"Agents": UNKNOWN, "Overall": UNKNOWN},
    ),
    "a critical alert alone": (
        WELL | {'ALERTS{alertname="A",alertstate="firing",severity="critical",scope="all"}': "1x60"},
        ALL_WELL | {"Alerts": DOWN, "Overall": DEGRADED},
    ),
    "a warning waits": (WELL | {'ALERTS{alertname="A",alertstate="pending",severity="warning"}': "1x60"}, ALL_WELL),
}  # fmt: skip


@pytest.mark.parametrize("series, states", CASES.values(), ids=CASES)
def test_health(
    prometheus_tools: PrometheusTools, tmp_path: Path, panels: list[Json], series: dict[str, str], states: Figures
) -> None:
    expect(prometheus_tools, tmp_path, panels, "health", "component", series, states)


def replicated(*series: str) -> dict[str, str]:
    """Each series (with its values after a space) on two replicas of the exporter."""
    return {
        f'{one.rsplit(" ", 1)[0][:-1]},job="exporter",instance="{instance}"}}': one.rsplit(" ", 1)[1] + "x60"
        for one in series
        for instance in ("e1", "e2")
    }


def test_figures_of_the_exporter(prometheus_tools: PrometheusTools, tmp_path: Path, panels: list[Json]) -> None:
    def shows(name: str, label: str, series: Mapping[str, str], figures: Figures, query: int = 0) -> None:
        expect(prometheus_tools, tmp_path, panels, name, label, series, figures, query)

    users = replicated(
        'platform_users{role="user"} 120', 'platform_users{role="admin"} 5', 'platform_users_new{window="30d"} 25'
    )
    shows("users", "figure", users, {"total": 125, "growth in 30 days": 0.25})
    active = replicated(
        'platform_users_active{window="24h"} 9',
        'platform_users_active{window="7d"} 60', 'platform_users_active{window="30d"} 90',
        'platform_users_active_before{window="7d"} 40', 'platform_users_active_before{window="30d"} 120',
    )  # fmt: skip
    shows("active_users", "figure", active, {"7 d": 60, "30 d": 90, "7 d change": 0.5, "30 d change": -0.25})
    tickets = replicated(
        'platform_tickets{status="open",priority="low"} 3', 'platform_tickets{status="open",priority="high"} 4',
        'platform_tickets{status="in_progress",priority="low"} 2',
    )  # fmt: skip
    shows("tickets", "figure", tickets, {"open": 7, "in progress": 2})
    documents = replicated('platform_documents{status="done"} 90', 'platform_documents{status="failed"} 10')
    shows("documents", "figure", documents, {"total": 100, "done": 90, "failed": 10})


def test_figures_of_langfuse(prometheus_tools: PrometheusTools, tmp_path: Path, panels: list[Json]) -> None:
    labels = 'environment="production",window="24h"'
    calls = {"a": 50, "b": 40, "c": 30, "d": 20, "e": 10, "f": 9, "g": 5, "h": 4, "other": 100}
    series = replicated(
        *(f'langfuse_window_calls{{model="{model}",{labels}}} {count}' for model, count in calls.items()),
        f'langfuse_window_tokens{{model="a",type="input",{labels}}} 2144',
        f'langfuse_window_tokens{{model="a",type="output",{labels}}} 536',
        'langfuse_window_calls{model="a",environment="production",window="7d"} 999',
    )  # fmt: skip
    expect(prometheus_tools, tmp_path, panels, "model_calls", "", series, {"": 268})
    expect(prometheus_tools, tmp_path, panels, "tokens_per_call", "", series, {"": 10})
    expect(
        prometheus_tools, tmp_path, panels, "model_distribution", "model", series,
        {"a": 50, "b": 40, "c": 30, "d": 20, "e": 10, "f": 9, "other": 109},
    )  # fmt: skip


def test_what_a_month_cost_is_known_without_a_budget(prometheus_tools: PrometheusTools, tmp_path: Path) -> None:
    series = replicated('platform_cost_usd{scope="all",window="mtd"} 12', 'platform_cost_usd{scope="staging",window="mtd"} 2')
    panels = TAB.dashboard(Settings(budgets=()))["panels"]
    expect(prometheus_tools, tmp_path, panels, "cost_month", "scope", series, {"all": 12})


def test_ages(prometheus_tools: PrometheusTools, tmp_path: Path, panels: list[Json]) -> None:
    series = {
        'exporter_source_data_timestamp_seconds{job="exporter",instance="e1",source="postgres"}': "0+60x58 3480x2",
        'exporter_source_data_timestamp_seconds{job="exporter",instance="e2",source="postgres"}': "0+60x59 3540",
        f"up{{{PLATFORM}}}": "1x50 0x10",
    }
    expect(
        prometheus_tools,
        tmp_path,
        panels,
        "data_age",
        "part",
        series,
        {
            '{part="data of postgres",source="postgres"}': 60,
            '{part="scrape of the platform",job="platform"}': 9 * 60 + 15,  # the last good scrape is seen until 50:45
        },
    )


NOW = datetime(2026, 11, 20, 12, 30, tzinfo=UTC)


@pytest.fixture
def platform(database: str, install_schema: Callable[[str], None]) -> str:
    """A database with a few conversations and executions of two agents."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA app")
        for relation in RELATIONS.values():
            columns = ", ".join(f"{column.name} {SQL_TYPES.get(column.type, column.type)}" for column in relation.columns)
            connection.execute(f"CREATE TABLE {relation.qualified} ({columns})")
        connection.execute("INSERT INTO app.agents (id, name) VALUES (1, 'billing'), (2, 'sales')")
        for agent, hours, outcome, environment in (
            (1, 0.2, "resolved", "production"), (1, 0.3, "resolved", "production"), (2, 0.4, None, "production"),
            (2, 1.2, "handoff", "production"), (1, 0.2, "failed", "staging"), (1, 30, "failed", "production"),
        ):  # fmt: skip
            connection.execute(
                "INSERT INTO app.conversations (agent_id, created_at, outcome, environment) VALUES (%s, %s, %s, %s)",
                (agent, NOW - timedelta(hours=hours), outcome, environment),
            )
        for minutes, status in enumerate(("success", "failure", "timeout", "in_progress", "cancelled", "Error")):
            connection.execute(
                "INSERT INTO app.agent_executions (agent_name, start_time, duration_ms, status, environment) "
                "VALUES ('billing', %s, 1500, %s, 'production')",
                (NOW - timedelta(minutes=minutes), status),
            )
    install_schema(database)
    return database


def ask(database: str, panels: list[Json], name: str, environment: str, agent: str) -> list[Json]:
    """A panel's SQL over the last 24 hours, as Grafana would send it."""
    from provisioning.interpolation import Span, sql_macros, substitute

    (target,) = next(panel for panel in panels if panel["id"] == panel_id(f"overview/{name}"))["targets"]
    values = {"environment": environment, "agent": agent}
    span = Span((NOW - timedelta(hours=24)).timestamp(), NOW.timestamp(), 60)
    sql = sql_macros(substitute(target["rawSql"], lambda variable, _form: values.get(variable)), span)
    with psycopg.connect(database, row_factory=psycopg.rows.dict_row) as connection:
        return connection.execute(sql.encode()).fetchall()


def test_conversations_by_outcome(platform: str, panels: list[Json]) -> None:
    rows = ask(platform, panels, "conversation_outcomes", "production", ".*")
    noon = NOW.replace(minute=0)
    assert [(row["time"].astimezone(UTC), row["metric"], row["value"]) for row in rows] == [
        (noon - timedelta(hours=1), "handoff", 1), (noon, "open", 1), (noon, "resolved", 2),
    ]  # fmt: skip
    assert [row["metric"] for row in ask(platform, panels, "conversation_outcomes", "(production|staging)", "billing")] == [
        "failed", "resolved",
    ]  # fmt: skip


def test_latest_failures(platform: str, panels: list[Json]) -> None:
    rows = ask(platform, panels, "latest_failures", "production", ".*")
    assert [(row["status"], row["seconds"]) for row in rows] == [("failure", 1.5), ("timeout", 1.5), ("Error", 1.5)]
    assert ask(platform, panels, "latest_failures", "staging", ".*") == []
    assert not {"query", "response", "error_message"} & rows[0].keys()  # what people wrote stays where it is

"""One agent in several environments: figures beside each other, gaps marked, and that it was asked is recorded."""

from __future__ import annotations

import csv
import io
import json
from importlib import resources
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result

from contract.buckets import AGENT
from provisioning.actions import audit
from provisioning.cli import main

TABLES = (
    "agents (id bigint, name text, environment text)",
    "deployments (agent_id bigint, version text, environment text)",
    "latency_hourly (hour timestamptz, agent text, version text, environment text, n bigint, failed bigint,"
    " histogram bigint[])",
    "trace_metrics_hourly (hour timestamptz, agent text, version text, environment text, executions bigint, cost_usd numeric)",
    "audit_log (id bigint GENERATED ALWAYS AS IDENTITY, actor text, action text, target text, before jsonb, "
    "after jsonb, rollback text)",
)
LIVED = {"production": (1000, 10, 1.0, 0.01), "staging": (500, 40, 2.9, 0.011), "development": (5, 0, 1.0, 0.01)}
"""By environment: executions, failed ones, seconds and dollars of each."""


@pytest.fixture
def site(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the figures are read from, as tables."""
    quantiles = resources.files("exporters.database") / "migrations" / "0006_quantiles.sql"
    with psycopg.connect(database) as connection:
        connection.execute("CREATE SCHEMA analytics")
        connection.execute(quantiles.read_text().encode())
        for table in TABLES:
            connection.execute(f"CREATE TABLE analytics.{table}".encode())
        connection.execute("INSERT INTO analytics.agents VALUES (1, 'billing', 'production'), (2, 'other', 'production')")
        for place, (runs, failed, seconds, cost) in LIVED.items():
            bucket = next(n for n, bound in enumerate(AGENT) if seconds <= bound)
            histogram = [runs if n == bucket else 0 for n in range(len(AGENT) + 1)]
            for agent in ("billing", "other"):
                times = 1 if agent == "billing" else 7
                connection.execute(
                    "INSERT INTO analytics.latency_hourly VALUES (now() - interval '5 hours', %s, '1', %s, %s, %s, %s)",
                    (agent, place, runs * times, failed, histogram),
                )
                connection.execute(
                    "INSERT INTO analytics.trace_metrics_hourly VALUES (now() - interval '5 hours', %s, '1', %s, %s, %s)",
                    (agent, place, runs, runs * cost),
                )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(audit.VARIABLE, database)
    monkeypatch.setenv(audit.ACTOR_VARIABLE, "ada")
    return database


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["environments", "compare", *words])


def test_side_by_side(site: str) -> None:
    told = run("billing", "--format", "json")
    assert told.exit_code == 0, told.output
    production, development, staging = json.loads(told.output)
    assert (production["verdict"], production["executions"], production["errors"]) == ("reference", 1000, 0.01)
    assert development["verdict"] == "too few to tell" and not development["advice"]
    assert staging["verdict"] == "differs" and staging["errors_gap"] == pytest.approx(0.07)
    assert staging["p95_gap"] == pytest.approx(staging["p95"] / production["p95"] - 1) and staging["p95_gap"] > 0.2
    assert staging["cost_gap"] == pytest.approx(0.1)
    assert "time to an answer" in staging["advice"] and "failures" in staging["advice"] and "cost" not in staging["advice"]
    rows = list(csv.DictReader(io.StringIO(run("billing", "--format", "csv", "--environments", "staging").output)))
    assert [row["environment"] for row in rows] == ["production", "staging"] and float(rows[1]["errors"]) == 0.08
    text = run("billing").output
    assert text.count("!") == 3, "two gaps, and what they may come from"
    with psycopg.connect(site) as connection:
        asked = connection.execute("SELECT actor, action, target, after->>'range' FROM analytics.audit_log").fetchall()
    assert asked == [("ada", "environments compare", "agent billing", "7d")] * 3


def test_another_reference(site: str) -> None:
    with psycopg.connect(site) as connection:
        connection.execute("INSERT INTO analytics.deployments VALUES (1, '1', 'staging')")
    told = json.loads(run("billing", "--reference", "staging", "--format", "json").output)
    assert told[0]["environment"] == "staging" and told[0]["verdict"] == "reference"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nobody",), "there is no agent nobody"),
        (("billing", "--reference", "moon"), "there is no environment moon"),
        (("billing", "--range", "week"), "not a duration"),
        (("billing", "--range", "1y"), "between 1h and 90d"),
    ],
)
def test_what_cannot_be_is_said(site: str, words: tuple[str, ...], said: str) -> None:
    done = run(*words)
    assert done.exit_code == 2 and said in done.output, done.output

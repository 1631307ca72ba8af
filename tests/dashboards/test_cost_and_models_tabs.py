"""Cost & usage, and Models: what they hold, and the formulas that stand in no other place, on a small database."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from contract.grades import LATENCY_SLACK, LEAST_CALLS, LEAST_SCORES, LETTERS, QUALITY_SLACK, WEIGHTS
from contract.settings import Settings
from dashboards.cost import TAB as COST
from dashboards.lib.queries import SqlQuery
from dashboards.lib.tab import Tab
from dashboards.models import TAB as MODELS
from exporters.database.migrations import migrate
from exporters.langfuse.month_end import forecast
from provisioning.database.rollup_views import rollup_queries
from provisioning.interpolation import Span, sql_macros, substitute
from tests.conftest import PrometheusTools

NOW = datetime(2026, 11, 18, 15, tzinfo=UTC)
"""A Wednesday."""
MODEL = ("gpt-4.1", "production")
CHOSEN = {"granularity": "'day'", "split": "'model'", "before": "'0'"}
Connection = psycopg.Connection[dict[str, Any]]

CONTENTS = {
    COST: {
        "headline": ["state", "spent_share", "month_end", "lasts", "per_query", "per_conversation", "per_success",
                     "token_efficiency"],
        "month": ["budgets", "course", "spend"],
        "traffic": ["tokens", "unit_costs", "volume"],
        "shares": ["by_model", "by_agent", "by_role", "by_department", "unattributed", "agents"],
        "saving": ["advised", "avoidable"],
        "efficiency": ["cached_share", "cache_savings", "failed_cost", "efficiency"],
        "unusual": ["cost_band", "traffic_band", "unusual_firing"],
        "forecast": ["usage", "trend", "season", "spend_ahead", "forecast_trials"],
        "people": ["queries_per_user", "tools"],
        "prices": ["prices", "unpriced", "priced_share", "reconciled"],
    },
    MODELS: {
        "headline": ["calls", "error_share", "quality", "latency", "first_token", "output_speed"],
        "ranking": ["ranking"],
        "traffic": ["call_rate", "token_rate"],
        "errors": ["error_ratio", "error_kinds"],
        "latency": ["latency_now", "first_chunk_now", "speed_now"],
        "saturation": ["under_way", "rate_limited"],
        "choice": ["recommended"],
        "repricing": ["repriced", "repriced_models"],
        "quality": ["quality_by_model", "quality_over_time", "evaluators"],
        "prompts": ["prompt_versions"],
        "days": ["latency_by_day", "cost_by_day", "latency_and_cost"],
    },
}  # fmt: skip


@pytest.mark.parametrize("tab", CONTENTS, ids=lambda tab: tab.key)
def test_contents(tab: Tab) -> None:
    rows = {row.name: [panel.name for panel in row.panels] for row in tab.rows(Settings())}
    assert rows == CONTENTS[tab]


@pytest.fixture
def counts(database: str) -> Iterator[Connection]:
    """An empty schema `analytics` with its roll-up views."""
    with psycopg.connect(database, autocommit=True) as installer:
        migrate(installer)
    with psycopg.connect(database, autocommit=True, row_factory=dict_row) as connection:
        connection.execute("SET timezone = 'UTC'")
        for name, query in rollup_queries():
            connection.execute(sql.SQL("CREATE VIEW {} AS {}").format(sql.Identifier("analytics", name), query))
        yield connection


def add(
    connection: Connection, fact: str, at: datetime, labels: Iterable[str], *figures: int, bucket: int | None = None
) -> None:
    """Counts of a fact: how often, and its sums."""
    counted = {"n": figures[0]} | {f"s{number}": figure for number, figure in enumerate(figures) if number}
    if bucket is not None:
        counted[f"h{bucket}"] = figures[0]
    connection.execute(
        sql.SQL("INSERT INTO analytics.fresh (fact, at, labels, {}) VALUES (%s, %s, %s, {})").format(
            sql.SQL(", ").join(map(sql.Identifier, counted)), sql.SQL(", ").join([sql.Placeholder()] * len(counted))
        ),
        (fact, at, "\x1f".join(labels), *counted.values()),
    )


def called(connection: Connection, at: datetime, usd: float, model: str = "gpt-4.1", n: int = 1, **tokens: int) -> None:
    """Successful calls."""
    kinds = [tokens.get(kind, 0) for kind in ("input", "output", "cached", "written", "reasoning")]
    add(connection, "llm_calls", at, (model, "production", "success"), n, *kinds, round(usd * 1e9))


def shown(
    connection: Connection, tab: Tab, name: str, days: float = 14, now: datetime = NOW, **chosen: str
) -> list[dict[str, Any]]:
    """What an SQL panel shows with all filters at all values."""
    panel = next(panel for panel in tab.panels(Settings()) if panel.name == name)
    [query] = panel.targets
    assert isinstance(query, SqlQuery)
    choices = CHOSEN | chosen
    text = substitute(query.sql, lambda variable, _: None if variable.startswith("__") else choices.get(variable, ".*"))
    span = Span((now - timedelta(days=days)).timestamp(), now.timestamp(), 60)
    return connection.execute(sql_macros(text, span).encode()).fetchall()


def test_the_month_is_forecast_as_the_exporter_does_it(counts: Connection) -> None:
    random, today = Random(7), NOW.replace(hour=0)
    costs = {today - timedelta(days=n): round(random.uniform(5, 50), 2) for n in range(1, 40)} | {today: 12.5}
    for day, usd in costs.items():
        called(counts, day + timedelta(hours=9), usd)
    daily: dict[date, float] = {day.date(): usd for day, usd in costs.items() if day < today}
    spent = sum(usd for day, usd in costs.items() if day.month == NOW.month)
    rows = shown(counts, COST, "course")
    assert len(rows) == 30
    assert rows[-1]["expected"] == pytest.approx(forecast(spent, daily, NOW), rel=1e-9)
    assert rows[17]["spent"] == pytest.approx(spent) and rows[18]["spent"] is None and rows[16]["expected"] is None
    widths = [row["high"] - row["low"] for row in rows[17:]]
    assert widths == sorted(widths) and widths[0] > 0, "what is further away is less certain"


def test_days_that_cost_the_same_leave_no_doubt(counts: Connection) -> None:
    for n in range(40):
        called(counts, NOW - timedelta(days=n), 10.0)
    last = shown(counts, COST, "course")[-1]
    assert last["low"] == last["high"] == pytest.approx(180 + 10 * (1 - 15 / 24) + 120)


def test_a_range_ends_where_it_ends(counts: Connection) -> None:
    """At midnight: the day that begins then is another range's first."""
    midnight = datetime(2026, 11, 10, tzinfo=UTC)
    for hours, usd in ((-24, 1.0), (-1, 2.0), (0, 4.0), (23, 8.0)):
        called(counts, midnight + timedelta(hours=hours), usd)
    for granularity in ("day", "hour"):
        rows = shown(counts, COST, "spend", days=1, now=midnight, granularity=f"'{granularity}'")
        assert sum(row["value"] for row in rows) == pytest.approx(3.0), granularity
    assert [row["cost"] for row in shown(counts, COST, "by_model", days=1, now=midnight)] == [pytest.approx(3.0)]


@pytest.mark.parametrize("name", ["course", "usage", "spend_ahead"])
def test_days_are_utc_where_clocks_of_the_session_are_changed(counts: Connection, name: str) -> None:
    now = datetime(2026, 10, 30, 15, tzinfo=UTC)  # some days after summer ended in Berlin
    for n in range(70):
        called(counts, now - timedelta(days=n), 1.0 + n)
    expected = shown(counts, COST, name, now=now)
    assert len(expected) >= 7
    counts.execute("SET timezone = 'Europe/Berlin'")
    assert shown(counts, COST, name, now=now) == expected


def test_a_change_is_told_only_against_days_that_the_ledger_knows(counts: Connection) -> None:
    def counted(days: range, usd: float) -> None:
        for n in days:
            at = NOW - timedelta(days=n)
            add(counts, "llm_agents", at, ("billing", "1", "production"), 4, 400, round(usd * 1e9), 4, round(usd * 1e9), 0)

    for n in range(40):
        labels = ("billing", "1", "production", "success", "success", "")
        add(counts, "executions_ended", NOW - timedelta(days=n), labels, 2)
    counted(range(7), 1.0)
    assert shown(counts, COST, "per_query", days=6) == [{"this range": 0.5, "change": None}]
    counted(range(7, 14), 0.8)
    assert shown(counts, COST, "per_query", days=6) == [{"this range": 0.5, "change": pytest.approx(0.25)}]
    for earlier, before in (("7", 0.8), ("1", 6.8 / 7), ("30", None)):
        change = before and pytest.approx(1 / before - 1)
        assert shown(counts, COST, "per_query", days=6, before=f"'{earlier}'") == [{"this range": 0.5, "change": change}]
        [row] = shown(counts, COST, "agents", days=6, before=f"'{earlier}'")
        assert (row["queries"], row["change"]) == (14, change)
    assert shown(counts, COST, "per_query", days=20)[0]["this range"] == pytest.approx(0.45), "older queries had no ledger"


def test_a_model_without_price_and_scores_is_graded_by_the_rest(counts: Connection) -> None:
    called(counts, NOW, 1.0, "gpt-4.1", n=100, input=1000, output=100)
    called(counts, NOW, 3.0, "claude", n=100, input=1000, output=100)
    called(counts, NOW, 0.0, "llama", n=100, input=1000, output=100)
    called(counts, NOW, 0.5, "rare", n=10, input=1000, output=100)
    add(counts, "llm_unpriced", NOW, ("llama", "production"), 100)
    for model in ("gpt-4.1", "claude", "llama", "rare"):
        add(counts, "llm_durations", NOW, (model, "production"), 100, 100_000_000, bucket=9)
    rows = {row["model"]: row for row in shown(counts, MODELS, "ranking")}
    latency = 100 * (1 - rows["llama"]["p95"] / 20.48)
    assert rows["llama"]["points"] == pytest.approx((25 * 100 + 20 * latency) / 45)
    assert rows["llama"]["thousand"] is None and rows["gpt-4.1"]["thousand"] == pytest.approx(10.0)
    assert rows["claude"]["points"] == pytest.approx((25 * 100 + 20 * latency + 15 * 100 / 6) / 60), "by the cost of a token"
    assert rows["rare"]["grade"] is None and rows["rare"]["verdict"] == "too few calls to tell"


def test_grades_cover_all_points() -> None:
    assert sum(WEIGHTS.values()) == pytest.approx(1) and list(LETTERS) == list("ABCDEF")
    assert min(LETTERS.values()) == 0 and list(LETTERS.values()) == sorted(LETTERS.values(), reverse=True)


def test_the_rule_is_written_down() -> None:
    text = " ".join((Path(__file__).parents[2] / "docs" / "cost.md").read_text().split())
    assert all(f"| {part} | {weight * 100:.0f} % |" in text for part, weight in WEIGHTS.items())
    assert all(f"{letter} from {least}" in text for letter, least in LETTERS.items() if least)
    assert f"at least {LEAST_CALLS} calls and {LEAST_SCORES} scores" in text
    assert f"at most {QUALITY_SLACK:g} below" in text and f"at most {LATENCY_SLACK:g} times as long" in text


@pytest.mark.parametrize(("spent", "expected", "state"), [(100, 900, 0), (100, 1100, 1), (850, 1100, 2), (1001, 1100, 3)])
def test_the_budget_in_words(
    prometheus_tools: PrometheusTools, tmp_path: Path, spent: float, expected: float, state: int
) -> None:
    panel = next(panel for panel in COST.panels(Settings()) if panel.name == "state")
    figures = {"budget_limit_usd": 1000, "budget_spent_ratio": spent / 1000, "budget_forecast_usd": expected}
    case = {
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    {"series": f'platform_{name}{{scope="all",instance="{replica}"}}', "values": f"{value}x5"}
                    for name, value in figures.items()
                    for replica in ("a", "b")
                ],
                "promql_expr_test": [
                    {
                        "expr": panel.targets[0].text,
                        "eval_time": "5m",
                        "exp_samples": [{"labels": '{scope="all"}', "value": state}],
                    }
                ],
            }
        ]
    }
    (tmp_path / "test.yml").write_text(json.dumps(case))
    command = [prometheus_tools.promtool, "test", "rules", "test.yml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr

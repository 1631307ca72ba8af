"""The collector on a real database, with the real process of statistics: what it learns from, writes and publishes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner
from psycopg import sql
from psycopg.rows import dict_row

from contract.forecasts import CAPACITY, HORIZON_DAYS, LEAST_DAYS, SUBJECTS
from contract.settings import Settings
from dashboards.cost import TAB as COST
from dashboards.lib.queries import SqlQuery
from dashboards.lib.tab import Tab
from dashboards.performance import TAB as PERFORMANCE
from dashboards.tickets import TAB as TICKETS
from exporters import journal
from exporters.database.mapping import Mapping
from exporters.database.sessions import Session
from exporters.database.sharing import SharedSession
from exporters.outlook import collector as outlook
from exporters.outlook import launch
from exporters.outlook.collector import OutlookCollector
from provisioning.cli import main
from provisioning.interpolation import Span, sql_macros
from tests.business.figures import Figures, figures
from tests.business.installed import as_role
from tests.business.life import insert

NOW = datetime(2026, 11, 18, 15, tzinfo=UTC)
MIDNIGHT = NOW.replace(hour=0)
DAYS, USERS = 40, 9
TASKS = (("large", 0.05, 300), ("small", 0.01, 120))
"""Models of one prompt: USD of a call, and calls; both are judged alike, and are as quick."""


def _counted(connection: psycopg.Connection[Any], fact: str, at: datetime, labels: tuple[str, ...], *amounts: int) -> None:
    columns = ["n", *(f"s{number}" for number in range(1, len(amounts)))]
    connection.execute(
        sql.SQL("INSERT INTO analytics.fresh (fact, at, labels, {}) VALUES (%s, %s, %s, {})").format(
            sql.SQL(", ").join(map(sql.Identifier, columns)), sql.SQL(", ").join([sql.Placeholder()] * len(amounts))
        ),
        (fact, at, "\x1f".join(labels), *amounts),
    )


def _tried(connection: psycopg.Connection[Any]) -> None:
    calls, scores = [], []
    for model, usd, count in TASKS:
        for number in range(count):
            at = MIDNIGHT - timedelta(days=1 + number % 25, hours=number % 20)
            wobble = 1 + (number % 7 - 3) / 10
            calls.append((f"{model}{number}", "billing", "production", model, usd * wobble, at, 900 + 10 * (number % 9)))
            scores.append((f"{model}{number}", 0.75 + (number % 5) / 20, model, at))
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO analytics.llm_calls (observation_id, agent, environment, model, total_cost_usd, started_at,"
            " latency_ms, cost_source, type, level, status, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens,"
            " reasoning_tokens, total_tokens, prompt_name, prompt_version, changed_at) VALUES (%s, %s, %s, %s, %s, %s, %s,"
            " 'recorded', 'GENERATION', 'DEFAULT', 'success', 100, 50, 0, 0, 0, 150, 'plan', 1, now())",
            calls,
        )
        cursor.executemany(
            "INSERT INTO analytics.llm_scores (score_id, name, source, environment, data_type, value, model, at, changed_at,"
            " agent, prompt_name, prompt_version) VALUES (%s, 'quality', 'API', 'production', 'NUMERIC', %s, %s, %s, now(),"
            " 'billing', 'plan', 1)",
            scores,
        )


@pytest.fixture(scope="module")
def lived(module_installed: str) -> str:
    """Forty days on which as many tickets came as the day's number in the week says, and users wrote; ten of queries."""
    with psycopg.connect(module_installed, autocommit=True) as connection:
        connection.execute("SET timezone = 'UTC'")
        for back in range(DAYS, -1, -1):
            at = MIDNIGHT - timedelta(days=back) + timedelta(hours=9)
            _counted(connection, "tickets_created", at, ("normal",), 5 + 3 * at.weekday())
        for back in range(10, 0, -1):
            ended = ("billing", "1", "production", "success", "success")
            _counted(connection, "executions_ended", MIDNIGHT - timedelta(days=back, hours=-9), ended, 7200, 0, 0, 0, 0)
        connection.execute("INSERT INTO analytics.capacity_limits VALUES ('billing', 4.0, '2026-01-01')")
        messages = [
            (back * USERS + user, user, user, "user", MIDNIGHT - timedelta(days=back) + timedelta(minutes=user))
            for back in range(1, 31) for user in range(USERS - (back % 2))
        ]  # fmt: skip
        insert(connection, "messages", "id conversation_id user_id role created_at", messages)
        _tried(connection)
    return module_installed


@pytest.fixture
def collector(lived: str) -> Iterator[OutlookCollector]:
    found = _collector(lived)
    yield found
    found.close()


def _collector(dsn: str) -> OutlookCollector:
    settings = Settings()
    reading = SharedSession(Session(lambda: as_role(dsn, "observatory_read"), 10.0), 5.0)
    writing = SharedSession(Session(lambda: as_role(dsn, "observatory_advance"), 10.0, read_only=False), 5.0)
    return OutlookCollector(settings, Mapping.of(settings), reading.seat(), writing.seat())


def _run(collector: OutlookCollector, at: datetime) -> Figures:
    collector.collect(at.timestamp())
    return figures(collector.snapshot, at.timestamp(), collector.max_age)


def _rows(dsn: str, text: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn, options="-c timezone=UTC") as connection:
        return connection.execute(text.encode()).fetchall()


@pytest.fixture(scope="module")
def made(lived: str) -> Figures:
    """What is published after the second run; the first one makes nothing."""
    found = _collector(lived)
    first = _run(found, NOW)
    assert not [key for key in first if key[0].startswith("platform_")]
    assert _rows(lived, "SELECT 1 FROM analytics.outlook_runs") == []
    published = _run(found, NOW + timedelta(minutes=1))
    assert published["exporter_query_success", "outlook", "made"] == 1
    found.close()
    return published


def test_the_days_ahead_are_those_of_the_week(lived: str, made: Figures) -> None:
    rows = _rows(lived, "SELECT at, value, low, high, method FROM analytics.forecasts WHERE series = 'tickets' ORDER BY at")
    assert [row[0] for row in rows] == [MIDNIGHT + timedelta(days=ahead) for ahead in range(HORIZON_DAYS)]
    assert all(value == low == high == 5 + 3 * at.weekday() for at, value, low, high, _ in rows)
    assert {method for *_, method in rows} == {"naive"}
    assert made["platform_forecast_error_ratio", "tickets"] == 0.0


def test_users_are_counted_by_day_and_forecast(lived: str, made: Figures) -> None:
    rows = _rows(lived, "SELECT day, users FROM analytics.active_users_daily ORDER BY day DESC")
    assert rows == [(MIDNIGHT - timedelta(days=back), USERS - back % 2) for back in range(1, 31)]
    assert len(_rows(lived, "SELECT 1 FROM analytics.forecasts WHERE series = 'active_users'")) == HORIZON_DAYS
    assert made["platform_forecast_change_ratio", "active_users"] == pytest.approx(1.0, abs=0.05)


def test_of_too_few_days_it_is_said_how_many_there_are(lived: str, made: Figures) -> None:
    rows = dict(_rows(lived, "SELECT series, (method, days)::text FROM analytics.forecast_trials WHERE used"))
    assert rows["queries"] == rows[f"{CAPACITY}billing"] == "(none,10)" and rows["spend"] == "(none,0)"
    assert rows.keys() == {*SUBJECTS, f"{CAPACITY}billing"}
    assert not _rows(lived, "SELECT 1 FROM analytics.forecasts WHERE series IN ('queries', 'spend')")
    assert ("platform_forecast_error_ratio", "queries") not in made
    assert LEAST_DAYS > 10


def test_the_planted_advice_stands_with_its_figures(lived: str, made: Figures) -> None:
    columns = "place, kind, agent, subject, setting, before, after, effect, low, high, unit, found_at = made_at, not_considered"
    [row] = _rows(lived, f"SELECT {columns} FROM analytics.advice")
    assert row[:7] == (1, "model", "billing", "plan", "model", "large", "small")
    assert row[8] <= 300 * 0.04 <= row[9] and row[7] == pytest.approx(300 * 0.04, rel=0.02)
    assert row[10:12] == ("currencyUSD", True) and row[12]
    assert made["platform_advice", "model"] == 1 and made["platform_advice", "slow"] == 0
    [(compared, advised)] = _rows(lived, "SELECT compared, advised FROM analytics.outlook_runs")
    assert (compared, advised) == (1, 1)


def _shown(dsn: str, tab: Tab, name: str) -> list[dict[str, Any]]:
    """What a panel shows, asked as the role of dashboards asks."""
    panel = next(panel for panel in tab.panels(Settings()) if panel.name == name)
    [query] = panel.targets
    assert isinstance(query, SqlQuery)
    text = sql_macros(query.sql, Span((NOW - timedelta(days=14)).timestamp(), NOW.timestamp(), 60))
    business = as_role(dsn, "observatory_grafana_business")
    with psycopg.connect(business, row_factory=dict_row) as connection:
        connection.execute("SET timezone = 'UTC'")
        return connection.execute(text.encode()).fetchall()


def test_a_panel_draws_the_past_and_what_is_to_come(lived: str, made: Figures) -> None:
    rows = {row["days"]: row for row in _shown(lived, TICKETS, "tickets_ahead")}
    assert list(rows) == list(range(-56, HORIZON_DAYS))
    assert {day for day, row in rows.items() if row["known"] is not None} == set(range(-DAYS, 0))
    assert {day for day, row in rows.items() if row["expected"] is not None} == set(range(HORIZON_DAYS))
    for day, row in rows.items():
        shown = row["expected"] if day >= 0 else row["known"]
        assert shown in (None, 5 + 3 * (MIDNIGHT + timedelta(days=day)).weekday())
    assert all(row["expected"] is None for row in _shown(lived, PERFORMANCE, "queries_ahead")), "ten days are too few"


def test_a_panel_says_how_good_forecasts_are(lived: str, made: Figures) -> None:
    [tickets] = _shown(lived, TICKETS, "forecast_trials")
    assert (tickets["title"], tickets["method"], tickets["days"], tickets["tried"]) == (
        "Tickets opened", "naive", DAYS, "2 x 7 days",
    )  # fmt: skip
    assert (tickets["share"], tickets["covered"]) == (0.0, 1.0)
    queries, _ = _shown(lived, PERFORMANCE, "forecast_trials")
    assert (queries["method"], queries["days"], queries["tried"], queries["share"]) == ("none", 10, None, None)
    [agent] = _shown(lived, PERFORMANCE, "busiest_ahead")
    assert (agent["agent"], agent["limit"], agent["expected"], agent["method"]) == ("billing", 4.0, None, "none")


def test_a_panel_gives_advice_with_the_command_that_follows_it(lived: str, made: Figures) -> None:
    [row] = _shown(lived, COST, "advised")
    assert row["command"] == f"observatory advice apply '{row['id']}'"
    assert row["low"] <= row["effect"] <= row["high"]
    assert _shown(lived, PERFORMANCE, "advised") == []


def _said(dsn: str, *words: str) -> str:
    done = CliRunner().invoke(main, [*words], env={"OBSERVATORY_POSTGRES_ACTIONS_DSN": as_role(dsn, "observatory_actions")})
    assert done.exit_code == 0, done.output
    return done.output


def test_the_command_lists_forecasts(lived: str, made: Figures) -> None:
    said = _said(lived, "forecast", "list").splitlines()
    assert said[0] == "made 2026-11-18 15:01 UTC"
    [tickets] = [
        line for line in said if line.startswith("Tickets opened: a day of the next week 14, 14, 14 (mean, low, high)")
    ]
    assert tickets.endswith("by the same weekday of last week: errs by 0%, 100% of days within")
    assert "Queries: none, 10 whole days are known, 28 are needed" in said
    found = json.loads(_said(lived, "forecast", "list", "--format", "json"))
    assert {row["series"] for row in found} == {*SUBJECTS, f"{CAPACITY}billing"}


def test_what_is_fresh_is_left_alone_and_what_is_old_is_made_anew(
    lived: str, made: Figures, collector: OutlookCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []

    def answer(_: launch.Launch, given: dict[str, Any]) -> dict[str, Any]:
        asked.append(given)
        return {"forecasts": {}, "compared": 0, "advice": []}

    monkeypatch.setattr(launch.Launch, "run", answer)
    before = made["platform_forecast_made_timestamp_seconds",]
    for minutes in (2, 3, 300):
        assert _run(collector, NOW + timedelta(minutes=minutes))["platform_forecast_made_timestamp_seconds",] == before
    assert asked == []
    with psycopg.connect(lived) as connection:
        later = NOW + timedelta(hours=7)
        kept = connection.execute("SELECT * FROM analytics.advice").fetchall()
        assert _run(collector, later)["platform_forecast_made_timestamp_seconds",] == later.timestamp()
    assert len(asked) == 1 and len(asked[0]["series"]["tickets"]) == DAYS and kept
    assert _rows(lived, "SELECT 1 FROM analytics.advice") == [], "what was not found again does not stand"


@pytest.mark.parametrize(("hours", "failure"), [(24, None), (36, launch.QueryFailed("broken off"))])
def test_the_time_of_statistics_is_no_time_of_a_query(
    lived: str, collector: OutlookCollector, monkeypatch: pytest.MonkeyPatch, hours: int, failure: Exception | None
) -> None:
    """Otherwise every healthy site is told that a query is slow."""
    passed = [0.0]

    def takes_a_minute(_: launch.Launch, given: dict[str, Any]) -> dict[str, Any]:
        passed[0] += 60.0
        if failure is not None:
            raise failure
        return {"forecasts": {}, "compared": 0, "advice": []}

    monkeypatch.setattr(launch.Launch, "run", takes_a_minute)
    monkeypatch.setattr(journal, "time", SimpleNamespace(perf_counter=lambda: passed[0]))
    later = NOW + timedelta(hours=hours)
    _run(collector, later)
    published = _run(collector, later + timedelta(minutes=1))
    assert passed == [60.0] and published["exporter_query_success", "outlook", "made"] == (failure is None)
    assert published["exporter_query_duration_seconds", "outlook", "made"] == 0.0


def test_a_failure_is_told_and_not_repeated_at_once(
    lived: str, collector: OutlookCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "_PROGRAM", (sys.executable, "-c", "raise SystemExit('no such library')"))
    later = NOW + timedelta(days=2)
    _run(collector, later)
    failed = _run(collector, later + timedelta(minutes=1))
    assert failed["exporter_query_success", "outlook", "made"] == 0 and failed["exporter_source_up", "outlook"] == 1
    again = _run(collector, later + timedelta(minutes=2))
    assert again["exporter_query_failures_total", "outlook", "made"] == 1
    assert _run(collector, later + timedelta(minutes=62))["exporter_query_failures_total", "outlook", "made"] == 2
    assert len(_rows(lived, "SELECT 1 FROM analytics.active_users_daily")) == 30


def test_a_day_that_is_over_is_learnt_from_once_its_last_rows_are_there(
    lived: str, collector: OutlookCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch.Launch, "run", lambda *_: {"forecasts": {}, "compared": 0, "advice": []})
    over = MIDNIGHT + timedelta(days=8)
    _run(collector, over - timedelta(minutes=2))
    for minutes, last in ((-1, -1), (1, -1), (4, -1), (6, 6), (7, 6), (300, 6)):
        published = _run(collector, over + timedelta(minutes=minutes))
        assert published["platform_forecast_made_timestamp_seconds",] == (over + timedelta(minutes=last)).timestamp(), minutes
    # What is made because it is old, while the last rows of a day still come, is made again.
    over += timedelta(days=1)
    _run(collector, over + timedelta(minutes=2))
    published = _run(collector, over + timedelta(minutes=6))
    assert published["platform_forecast_made_timestamp_seconds",] == (over + timedelta(minutes=6)).timestamp()


def test_the_process_is_ended_when_it_is_broken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "_PROGRAM", (sys.executable, "-c", "import time; time.sleep(600)"))
    monkeypatch.setattr(launch, "LONGEST_SECONDS", 0.2)
    with pytest.raises(launch.QueryFailed, match=r"longer than 0\.2 s"):
        launch.Launch().run({})


def test_no_process_is_started_once_it_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = tmp_path / "started"
    monkeypatch.setattr(launch, "_PROGRAM", (sys.executable, "-c", f"open({str(started)!r}, 'w')"))
    made = launch.Launch()
    made.close()
    with pytest.raises(launch.QueryFailed, match="not made any more"):
        made.run({})
    assert not started.exists()


def test_the_exporter_itself_loads_no_statistics() -> None:
    """They take more memory than all the rest of it."""
    code = (
        "import sys, exporters.process\n"
        "print([name for name in ('numpy', 'scipy', 'pandas', 'statsmodels') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(outlook.__file__).parents[2])
    assert done.stdout == "[]\n", done.stderr

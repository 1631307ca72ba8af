"""What people do by commands while the stack lives: the platform acts on it, the tab shows it, the record keeps it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dashboards.lib.profiles import profiled
from dashboards.observatory import changes
from demo.stack.effective import ACTIONS_DSN
from tests.integration.begun import CACHE, Begun
from tests.integration.commands import act, shown, wish
from tests.integration.conftest import PATIENCE, LivingStack, eventually
from tests.integration.loaded import PLACE, UNDER_LOAD

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("begun", "incident")]
"""What others look at later is begun before all else: the incident last, for a Prometheus that reads its rules again knows no
Alertmanager for some seconds, and says what fired then a minute later."""
PROFILES = profiled("Which agents are profiled?")


@pytest.fixture
def agent(begun: Begun) -> str:
    return begun.agent


def test_the_platform_profiles_what_it_is_asked_to(stack: LivingStack, agent: str) -> None:
    change = act(stack, "profile", "start", agent, "--for", "1h")
    assert change["before"] is None

    def state() -> str:
        return next(row["state"] for row in shown(stack, PROFILES) if row["agent"] == agent)

    eventually(lambda: state() == "running", PATIENCE, "the platform takes it up")
    [row] = [row for row in shown(stack, PROFILES) if row["agent"] == agent]
    assert row["command"] == f"observatory profile stop '{agent}' --environment 'production'"
    [changed] = [row for row in shown(stack, changes.record()) if row["action"] == "profile start"]
    assert (changed["actor"], changed["target"]) == ("ada", f"profile {agent} production")
    act(stack, "profile", "stop", agent)
    assert state() == "done"


def test_profiling_ends_by_itself_and_says_what_took_the_time(stack: LivingStack, agent: str) -> None:
    act(stack, "profile", "start", agent, "--for", "2m")
    with stack.database as database:  # half an hour passes: every request since then is within it
        database.execute(
            "UPDATE analytics.profiling_sessions SET state = 'running', scheduled_at = now() - interval '1 day', "
            "started_at = now() - interval '1 day' WHERE state IN ('scheduled', 'running')"
        )

    def result() -> dict[str, Any] | None:
        with stack.database as database:
            row = database.execute(
                "SELECT result FROM analytics.profiling_sessions WHERE state = 'done' ORDER BY id DESC LIMIT 1"
            ).fetchone()
        found: dict[str, Any] | None = row[0] if row else None
        return found if found and found.get("requests") else None

    found = eventually(result, PATIENCE, "it is over, and says what it found")
    with stack.database as database:
        row = database.execute(
            "SELECT count(DISTINCT t.trace_id) FROM app.traces t JOIN app.agents a ON a.id = t.agent_id "
            "WHERE a.name = %s AND t.environment = 'production' AND t.started_at >= now() - interval '1 day'",
            (agent,),
        ).fetchone()
    assert row is not None and found["requests"] == pytest.approx(row[0], abs=5)
    assert set(found["seconds_by_phase"]) <= {"auth", "preprocess", "retrieval", "llm", "tool", "postprocess"}
    assert found["seconds_by_phase"]["llm"] > 0


def test_the_platform_takes_over_what_its_cache_is_set_to(stack: LivingStack, agent: str) -> None:
    eventually(lambda: wish(stack, agent, CACHE)["state"] == "applied", PATIENCE, "the platform takes it over")
    row = wish(stack, agent, CACHE)
    assert (row["actor"], row["reason"]) == ("ada", "a rehearsal") and "cache reset" in row["command"]


def test_what_the_platform_refuses_it_says(stack: LivingStack, agent: str) -> None:
    act(stack, "configure", "set", agent, "batch_size", "100000")

    eventually(lambda: wish(stack, agent, "batch_size")["state"] == "refused", PATIENCE, "the platform has looked at it")
    row = wish(stack, agent, "batch_size")
    assert "from 1 to 256" in row["said"] and row["observed"] == "8"


def test_a_load_test_is_run_and_shown(stack: LivingStack, begun: Begun) -> None:
    """A tight time limit was taken over before it: what would have taken longer is given up."""
    loaded = begun.loaded
    assert (loaded.waited["state"], loaded.waited["agent"]) == ("scheduled", loaded.agent)
    assert "loadtest cancel" in loaded.waited["command"]
    told, row = loaded.told(), loaded.row()
    found = told["result"]
    assert told["state"] == "done" and set(found["statuses"]) == {"200", "504"} and found["errors"] == found["statuses"]["504"]
    assert [level["kept"] for level in found["service_levels"] if level["name"] == UNDER_LOAD] == [False]
    assert (row["state"], row["requests"], row["p95"]) == ("broken", found["requests"], found["p95"])
    actions = [row["action"] for row in shown(stack, changes.record()) if row["target"] == f"load test {loaded.agent} {PLACE}"]
    assert sorted(actions) == ["loadtest result", "loadtest run", "loadtest schedule"]


def test_environments_are_compared_as_the_panel_does(stack: LivingStack, agent: str) -> None:
    dsn_file = str(stack.var / "secrets" / ACTIONS_DSN)
    words = ("environments", "compare", agent, "--range", "24h", "--config", str(stack.config), "--actor", "ada")
    done = stack.observatory(*words, "--dsn-file", dsn_file, "--format", "json")
    assert done.returncode == 0, done.stderr
    told = {row["environment"]: row for row in json.loads(done.stdout)}
    with stack.database as database:
        counted = dict(
            database.execute(
                "SELECT environment, count(*) FROM app.agent_executions WHERE agent_name = %s AND end_time IS NOT NULL "
                "AND status <> 'cancelled' AND end_time > now() - interval '1 day' GROUP BY 1",
                (agent,),
            ).fetchall()
        )
    assert set(told) <= set(counted) and told["production"]["verdict"] == "reference"
    # Whole hours are read here, and the platform lives on.
    assert told["production"]["executions"] == pytest.approx(counted["production"], rel=0.25)
    assert told["production"]["p95"] > 0


def test_a_regression_is_marked_and_dismissed(stack: LivingStack) -> None:
    """Of the version that came last among those that have run within days, as the one before them has, whatever it is like."""
    with stack.database as database:
        row = database.execute(
            "WITH ran AS (SELECT DISTINCT agent_name, environment, version FROM app.agent_executions"
            "  WHERE status = 'success' AND end_time > now() - interval '6 days'),"
            " deployed AS (SELECT a.name, d.environment, d.version, d.deployed_at,"
            "  lag(d.version) OVER (PARTITION BY a.name, d.environment ORDER BY d.deployed_at) AS earlier"
            "  FROM app.deployments d JOIN app.agents a ON a.id = d.agent_id)"
            " SELECT name, version, environment FROM deployed WHERE (name, environment, version) IN (TABLE ran)"
            " AND (name, environment, earlier) IN (TABLE ran) ORDER BY deployed_at DESC LIMIT 1"
        ).fetchone()
    assert row is not None
    agent, version, environment = row
    words = (agent, version, "--metric", "latency", "--environment", environment)
    assert open_incidents(stack) == 0
    act(stack, "regression", "flag", *words)
    assert open_incidents(stack) == 1
    act(stack, "regression", "dismiss", *words)
    assert open_incidents(stack) == 0
    target = f"regression {agent} {version} {environment} latency"
    done = [row["action"] for row in shown(stack, changes.record()) if row["target"] == target]
    assert sorted(done) == ["regression dismiss", "regression flag"]


def open_incidents(stack: LivingStack) -> int:
    with stack.database as database:
        row = database.execute(
            "SELECT count(*) FROM analytics.incidents WHERE kind = 'regression' AND closed_at IS NULL AND evidence ? 'reason'"
        ).fetchone()
    return int(row[0]) if row else 0


def test_an_alert_is_muted_and_told_again(stack: LivingStack) -> None:
    words = ("AgentErrorRatioHigh", "--where", "environment=staging", "--config", str(stack.config))
    act(stack, "alert", "mute", *words, "--for", "1h", "--reason", "a rehearsal")
    act(stack, "alert", "unmute", *words)
    actions = [row["action"] for row in shown(stack, changes.record()) if row["target"].startswith(f"alert {words[0]} ")]
    assert sorted(actions) == ["alert mute", "alert unmute"]

"""What people do by commands while the stack lives: the platform acts on it, the tab shows it, the record keeps it."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from psycopg.rows import dict_row

from dashboards.lib.panel import Panel
from dashboards.observatory import changes
from demo.stack.effective import ACTIONS_DSN
from exporters.database.roles import Role
from provisioning.interpolation import Span, sql_macros
from tests.integration.conftest import LivingStack, eventually

pytestmark = pytest.mark.integration


def act(stack: LivingStack, *words: str) -> dict[str, Any]:
    dsn_file = str(stack.var / "secrets" / ACTIONS_DSN)
    done = stack.observatory(*words, "--yes", "--actor", "ada", "--format", "json", "--dsn-file", dsn_file)
    assert done.returncode == 0, done.stderr + done.stdout
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def shown(stack: LivingStack, panel: Panel) -> list[dict[str, Any]]:
    """The rows of a table of the tab Observatory, as its data source gives them now."""
    [query] = panel.targets
    now = time.time()
    with stack.database as database, database.cursor(row_factory=dict_row) as cursor:
        database.execute(f"SET ROLE {Role.GRAFANA_ADMIN}".encode())
        return cursor.execute(sql_macros(query.text, Span(now - 86400, now + 60, 60)).encode()).fetchall()


@pytest.fixture(scope="module")
def agent(stack: LivingStack) -> str:
    with stack.database as database:
        row = database.execute("SELECT name FROM app.agents ORDER BY id LIMIT 1").fetchone()
    assert row is not None
    return str(row[0])


def test_the_platform_profiles_what_it_is_asked_to(stack: LivingStack, agent: str) -> None:
    change = act(stack, "profile", "start", agent, "--for", "1h")
    assert change["before"] is None

    def state() -> str:
        return next(row["state"] for row in shown(stack, changes.profiling()) if row["agent"] == agent)

    eventually(lambda: state() == "running", 30, "the platform takes it up")
    [row] = [row for row in shown(stack, changes.profiling()) if row["agent"] == agent]
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

    found = eventually(result, 30, "it is over, and says what it found")
    with stack.database as database:
        row = database.execute(
            "SELECT count(DISTINCT t.trace_id) FROM app.traces t JOIN app.agents a ON a.id = t.agent_id "
            "WHERE a.name = %s AND t.environment = 'production' AND t.started_at >= now() - interval '1 day'",
            (agent,),
        ).fetchone()
    assert row is not None and found["requests"] == pytest.approx(row[0], abs=5)
    assert set(found["seconds_by_phase"]) <= {"auth", "preprocess", "retrieval", "llm", "tool", "postprocess"}
    assert found["seconds_by_phase"]["llm"] > 0


def test_an_alert_is_muted_and_told_again(stack: LivingStack) -> None:
    words = ("AgentErrorRatioHigh", "--where", "environment=staging", "--config", str(stack.config))
    act(stack, "alert", "mute", *words, "--for", "1h", "--reason", "a rehearsal")
    act(stack, "alert", "unmute", *words)
    actions = [row["action"] for row in shown(stack, changes.record()) if row["target"].startswith("alert ")]
    assert sorted(actions) == ["alert mute", "alert unmute"]

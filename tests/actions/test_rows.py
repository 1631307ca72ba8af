"""Regressions and profiling, as the role that people's commands have: effect, record, rollback, twice."""

from __future__ import annotations

import csv
import json
import shlex
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner, Result

from exporters.database.roles import Role
from provisioning.actions import audit
from provisioning.cli import main

FLAG = ("regression", "flag", "billing", "1.4.2", "--metric", "errors", "--reason", "since the new prompt", "--yes")
START = ("profile", "start", "billing", "--for", "1h", "--yes")


@pytest.fixture(autouse=True)
def _ada(platform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(audit.VARIABLE, psycopg.conninfo.make_conninfo(platform, options=f"-c role={Role.ACTIONS}"))
    monkeypatch.setenv(audit.ACTOR_VARIABLE, "ada")


def run(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


def rows(dsn: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(query.encode()).fetchall()


def log(dsn: str) -> list[tuple[Any, ...]]:
    return rows(dsn, "SELECT actor, action, target, before, after FROM analytics.audit_log ORDER BY id")


def take_back(result: Result) -> Result:
    return run(*shlex.split(result.output.strip().splitlines()[-1])[1:], "--yes")


class TestRegressions:
    def test_flagged_and_dismissed(self, platform: str) -> None:
        shown = run(*FLAG[:-1], "--dry-run")
        assert shown.exit_code == 0 and "1.4.1: 10 executions, 1 failed, median 1.00 s" in shown.output, shown.output
        assert not log(platform) and not rows(platform, "SELECT FROM analytics.regressions")
        done = run(*FLAG)
        assert done.exit_code == 0, done.output
        row = "SELECT agent, version, environment, metric, before, after, source, state FROM analytics.regressions"
        assert rows(platform, row) == [("billing", "1.4.2", "production", "errors", 0.1, 0.4, "manual", "confirmed")]
        [(kind, closed, evidence)] = rows(platform, "SELECT kind, closed_at, evidence FROM analytics.incidents")
        assert (kind, closed, evidence["reason"]) == ("regression", None, "since the new prompt")
        assert evidence["after"] == {"ended": 10, "failed": 4, "median": 3}
        [(who, action, _, before, after)] = log(platform)
        assert (who, action, before, after["state"], after["previous"]) == (
            "ada",
            "regression flag",
            None,
            "confirmed",
            "1.4.1",
        )
        again = run(*FLAG)
        assert "nothing to do" in again.output and len(log(platform)) == 1
        listed = json.loads(run("regression", "list", "--format", "json").output)
        assert [entry["state"] for entry in listed] == ["confirmed"]
        back = take_back(done)
        assert back.exit_code == 0, back.output
        assert rows(platform, "SELECT state FROM analytics.regressions") == [("dismissed",)]
        assert rows(platform, "SELECT closed_at IS NOT NULL FROM analytics.incidents") == [(True,)]
        assert take_back(back).exit_code == 0
        assert rows(platform, "SELECT state FROM analytics.regressions") == [("confirmed",)]
        assert [entry[1] for entry in log(platform)] == ["regression flag", "regression dismiss", "regression flag"]

    def test_one_that_was_found_by_itself(self, platform: str) -> None:
        with psycopg.connect(platform) as connection:
            connection.execute(
                "INSERT INTO analytics.regressions (agent, version, environment, metric, before, after, detected_at, source) "
                "VALUES ('billing', '1.4.2', 'production', 'latency', 1, 3, now(), 'auto')"
            )
        assert run("regression", "dismiss", "billing", "1.4.2", "--metric", "latency", "--yes").exit_code == 0
        assert rows(platform, "SELECT source, state FROM analytics.regressions") == [("auto", "dismissed")]

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (("flag", "billing", "1.4.1", "--metric", "errors"), "first version"),
            (("flag", "billing", "1.5", "--metric", "errors"), "known: 1.4.1, 1.4.2"),
            (("flag", "nobody", "1.4.2", "--metric", "errors"), "was never"),
            (("dismiss", "billing", "1.4.2", "--metric", "errors"), "there is no regression"),
        ],
    )
    def test_what_cannot_be_is_said(self, platform: str, words: tuple[str, ...], said: str) -> None:
        done = run("regression", *words, "--yes")
        assert done.exit_code == 2 and said in done.output, done.output
        assert not log(platform)


class TestProfiling:
    def test_started_and_stopped(self, platform: str) -> None:
        done = run(*START)
        assert done.exit_code == 0 and "5 to 10 %" in done.output, done.output
        [(scope, params, state)] = rows(platform, "SELECT scope, params, state FROM analytics.profiling_sessions")
        assert (scope, params["environment"], params["seconds"], state) == ("billing", "production", 3600, "scheduled")
        assert "nothing to do" in run(*START).output
        longer = run("profile", "start", "billing", "--for", "2h", "--yes")
        states = "SELECT params->>'for', state FROM analytics.profiling_sessions ORDER BY id"
        assert longer.exit_code == 0 and rows(platform, states) == [("1h", "cancelled"), ("2h", "scheduled")]
        assert take_back(longer).exit_code == 0
        with psycopg.connect(platform) as connection:  # the platform acts on it
            running = "SET state = 'running', started_at = now() WHERE state = 'scheduled'"
            connection.execute(f"UPDATE analytics.profiling_sessions {running}".encode())
        stopped = run("profile", "stop", "billing", "--yes")
        assert stopped.exit_code == 0, stopped.output
        assert [state for _, state in rows(platform, states)] == ["cancelled", "cancelled", "done"]
        self._found_is_listed(platform)
        assert [entry[1] for entry in log(platform)] == ["profile start", "profile start", "profile start", "profile stop"]

    def _found_is_listed(self, platform: str) -> None:
        with psycopg.connect(platform) as connection:
            found = '{"requests": 7, "seconds_by_phase": {"llm": 2.5, "tool": 0.5}, "note": "=1+1", "slow": ["sql", true]}'
            connection.execute("UPDATE analytics.profiling_sessions SET result = %s WHERE state = 'done'", (found,))
        sheet = list(csv.DictReader(run("profile", "list", "billing", "--format", "csv").output.splitlines()))
        assert [row["state"] for row in sheet] == ["done"] * 5 + ["cancelled"] * 2
        assert {row["figure"]: row["value"] for row in sheet} == {
            "requests": "7", "seconds_by_phase.llm": "2.5", "seconds_by_phase.tool": "0.5", "note": "'=1+1", "": "",
            "slow": '["sql", true]',
        }  # fmt: skip
        listed = json.loads(run("profile", "list", "--format", "json").output)
        assert [entry["result"] and entry["result"]["requests"] for entry in listed] == [7, None, None]
        assert "  seconds_by_phase.llm: 2.5\n" in run("profile", "list").output
        assert run("profile", "list", "clerk").output == "no agent was profiled\n"

    def test_the_command_that_takes_it_back_can_be_pasted(self, platform: str) -> None:
        with psycopg.connect(platform) as connection:
            connection.execute(
                "INSERT INTO app.deployments (id, agent_id, version, environment, deployed_at) "
                "VALUES (4, 1, '1.4.2', 'blue team', now())"
            )
        started = run("profile", "start", "billing", "--environment", "blue team", "--yes")
        assert started.exit_code == 0 and take_back(started).exit_code == 0, started.output

    def test_it_ends_by_itself(self, platform: str) -> None:
        assert run(*START).exit_code == 0
        began = "UPDATE analytics.profiling_sessions SET scheduled_at = now() - %s * interval '1 minute'"
        with psycopg.connect(platform) as connection:
            connection.execute(began, (55,))
        assert '-until: "' in run(*START[:-1], "--dry-run").output, "it is nearly over"
        with psycopg.connect(platform) as connection:
            connection.execute(began, (61,))
        assert "+for" in run(*START[:-1], "--dry-run").output, "it may be started again"
        assert "nothing to do" in run("profile", "stop", "billing", "--yes").output

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (("nobody",), "there is no agent nobody"),
            (("billing", "--environment", "no such"), "was never in no such; it is or was in: production, staging"),
            (("billing", "--for", "9h"), "between 1m and 4h"),
            (("billing", "--for", "soon"), "not a duration"),
        ],
    )
    def test_what_cannot_be_is_said(self, platform: str, words: tuple[str, ...], said: str) -> None:
        done = run("profile", "start", *words, "--yes")
        assert done.exit_code == 2 and said in done.output and not log(platform)

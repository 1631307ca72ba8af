"""Load tests from schedule to result: run when due, by one runner, judged by the service levels, ended by people."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from click.testing import CliRunner, Result

from contract.settings import Settings
from exporters.database.roles import Role
from provisioning.actions import audit, load_run, load_tests
from provisioning.actions.load import Answer, Outcome
from provisioning.cli import main
from tests.actions.test_load import Server

SCHEDULE = ("loadtest", "schedule", "billing", "--environment", "staging", "--per-second", "10", "--for", "1s", "--yes")
ROWS = "SELECT state, started_at IS NOT NULL, ended_at IS NOT NULL, result FROM analytics.load_tests ORDER BY id"
INCIDENTS = "SELECT kind, ref, closed_at IS NULL FROM analytics.incidents"
LEVEL = {
    "sli": "latency", "agents": ["billing"], "target_seconds": 5, "objective": 90, "team": "agents",
    "description": "Billing answers in time.", "name": "in-time", "environments": ["staging"],
}  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server() as found:
        threading.Thread(target=found.serve_forever, daemon=True).start()
        yield found
        found.released.set()
        found.shutdown()


@pytest.fixture
def site(tmp_path: Path, server: Server, platform: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(load_tests, "SHORTEST", "1s")
    configure(f"{server.url}/200")
    monkeypatch.setenv(audit.VARIABLE, psycopg.conninfo.make_conninfo(platform, options=f"-c role={Role.ACTIONS}"))
    return platform


def configure(url: str, **more: Any) -> None:
    targets = [{"environment": name, "url": url} for name in ("staging", "production")]
    Path("observatory.yaml").write_text(yaml.safe_dump({"load_tests": {"targets": targets}, "slo": [LEVEL], **more}))


def run(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


def rows(dsn: str, query: str = ROWS) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(query.encode()).fetchall()


def test_run_and_kept(site: str, server: Server) -> None:
    assert "no test was due" in run("loadtest", "run").output
    assert run(*SCHEDULE).exit_code == 0
    done = run("loadtest", "run")
    assert done.exit_code == 0 and "in-time: 100 % good, 90 % wanted" in done.output, done.output
    [(state, started, ended, result)] = rows(site)
    assert (state, started, ended) == ("done", True, True)
    assert result["requests"] + result["not_sent"] == 10 and result["errors"] == 0 and result["p99"] > 0
    assert rows(site, INCIDENTS) == []
    actions = [action for (action,) in rows(site, "SELECT action FROM analytics.audit_log ORDER BY id")]
    assert actions == ["loadtest schedule", "loadtest run", "loadtest result"]
    [told] = json.loads(run("loadtest", "list", "--format", "json").output)
    assert (told["agent"], told["state"], told["result"]) == ("billing", "done", result)


def test_a_broken_service_level_opens_an_incident_until_one_is_kept(site: str, server: Server) -> None:
    webhook = {"incidents": {"webhook": {"url": f"{server.url}/200"}}}
    configure(f"{server.url}/500", actions=webhook)
    assert run(*SCHEDULE).exit_code == 0
    broken = run("loadtest", "run")
    assert broken.exit_code == 1 and "not kept" in broken.output and "told 127.0.0.1" in broken.stderr
    assert rows(site, INCIDENTS) == [("load test", "load test billing staging", True)]
    configure(f"{server.url}/200", actions=webhook)
    for told in (True, False):
        assert run(*SCHEDULE).exit_code == 0
        kept = run("loadtest", "run")
        assert kept.exit_code == 0 and ("told 127.0.0.1" in kept.stderr) == told
        assert rows(site, INCIDENTS) == [("load test", "load test billing staging", False)]


def test_cancelled_by_others_while_it_runs(site: str, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load_run, "LOOK_SECONDS", 0.05)
    assert run(*(word if word != "1s" else "10m" for word in SCHEDULE)).exit_code == 0
    real = load_run.put

    def put_and_cancel(load: Any, stop: Any) -> Outcome:
        assert run("loadtest", "cancel", "billing", "--environment", "staging", "--yes").exit_code == 0
        return real(load, stop)

    monkeypatch.setattr(load_run, "put", put_and_cancel)
    done = run("loadtest", "run")
    assert done.exit_code == 1 and "cancelled" in done.output, done.output
    [(state, _, ended, result)] = rows(site)
    assert (state, ended) == ("cancelled", True) and result["not_sent"] > 5000


def test_ctrl_c_ends_it_and_keeps_what_it_found(site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(*(word if word != "1s" else "10m" for word in SCHEDULE)).exit_code == 0
    looked: list[bool] = []

    class Pressed(threading.Thread):
        """Its first wait is interrupted, as by Ctrl-C."""

        def join(self, timeout: float | None = None) -> None:
            if not looked:
                looked.append(True)
                raise KeyboardInterrupt
            super().join(timeout)

    monkeypatch.setattr(load_run, "Thread", Pressed)
    done = run("loadtest", "run")
    assert done.exit_code == 1, done.output
    [(state, _, ended, result)] = rows(site)
    assert (state, ended) == ("cancelled", True) and result["service_levels"] == []


def test_only_one_runner_takes_a_test_and_a_lost_one_is_told(site: str) -> None:
    assert run(*SCHEDULE).exit_code == 0
    with psycopg.connect(site, autocommit=True) as first, psycopg.connect(site, autocommit=True) as second:
        taken = load_run.take(first, "ada")
        assert taken is not None and load_run.take(second, "bob") is None
        first.execute("UPDATE analytics.load_tests SET started_at = now() - interval '1 hour'")
        assert [row["state"] for row in load_tests.listed(second)] == ["lost"]
        assert run(*SCHEDULE).exit_code == 0, "it does not stand in the way"
        assert load_run.take(second, "bob") is not None
    [(state, *_), (other, *_)] = rows(site)
    assert (state, other) == ("cancelled", "running")


def test_not_before_its_moment(site: str) -> None:
    later = run(*SCHEDULE, "--at", "2099-01-01T00:00:00Z")
    assert later.exit_code == 2 and "within the next 30 days" in later.output
    assert run(*SCHEDULE).exit_code == 0
    with psycopg.connect(site) as connection:
        connection.execute("UPDATE analytics.load_tests SET scheduled_at = now() + interval '1 hour'")
    assert "no test was due" in run("loadtest", "run").output


def test_a_configuration_that_changed_is_kept_to(site: str, server: Server) -> None:
    assert run(*SCHEDULE).exit_code == 0
    Path("observatory.yaml").write_text("load_tests: {targets: []}")
    done = run("loadtest", "run")
    assert done.exit_code == 1 and "names no target for staging" in done.output
    [(state, _, _, result)] = rows(site)
    assert state == "failed" and "names no target" in result["problem"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nobody", "--per-second", "1", "--for", "10s"), "there is no agent nobody"),
        (("billing", "--per-second", "21", "--for", "10s"), "at most 20"),
        (("billing", "--per-second", "nan", "--for", "10s"), "more than 0"),
        (("billing", "--per-second", "1", "--for", "11m"), "between 1s and 10m"),
        (("billing", "--per-second", "1", "--for", "soon"), "not a duration"),
        (("billing", "--per-second", "1", "--for", "10s", "--at-once", "0"), "1 to 20"),
        (("billing", "--per-second", "1", "--for", "10s", "--at", "tomorrow"), "--at tomorrow"),
        (("billing", "--per-second", "1", "--for", "10s", "--environment", "production"), "--people-notice"),
        (("billing", "--per-second", "1", "--for", "10s", "--environment", "development"), "was never in development"),
    ],
)
def test_what_cannot_be_is_said(site: str, words: tuple[str, ...], said: str) -> None:
    done = run("loadtest", "schedule", *words, "--yes")
    assert done.exit_code == 2 and said in done.output, done.output
    assert not rows(site)


def test_where_people_are_it_has_to_be_said(site: str) -> None:
    words = ("loadtest", "schedule", "billing", "--environment", "production", "--per-second", "1", "--for", "10s", "--yes")
    assert run(*words, "--people-notice").exit_code == 0
    assert "--people-notice" in run("loadtest", "cancel", "billing", "--environment", "production", "--yes").output


def test_judged_by_levels_that_are_about_it() -> None:
    levels = [
        LEVEL,
        {**LEVEL, "name": "others", "agents": ["sales"]},
        {**LEVEL, "name": "elsewhere", "environments": ["production"]},
    ]
    errors = {"name": "errors", "sli": "errors", "objective": 99, "team": "agents", "description": "Hardly any fails."}
    settings = Settings.model_validate({"slo": [*levels, errors]})
    outcome = Outcome((*(Answer(200, 1.0) for _ in range(8)), Answer(200, 6.0), Answer(500, 0.1)), 10.0, 0)
    found = [(level["name"], level["kept"]) for level in load_run.judged(settings, "billing", "staging", outcome)]
    assert found == [("in-time", False), ("errors", False)]
    better = Outcome(tuple(Answer(200, 1.0) for _ in range(8)), 10.0, 0)
    assert all(level["kept"] for level in load_run.judged(settings, "billing", "staging", better))

"""Load tests from schedule to result: run when due, by one runner, judged by the service levels, ended by people."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from click.testing import CliRunner, Result

from contract.settings import Settings
from dashboards.lib.requests import FILTERS
from dashboards.performance import load_tests as panel
from exporters.database.roles import Role
from provisioning.actions import audit, load_run, load_tests
from provisioning.actions.load import Answer, Outcome
from provisioning.cli import main
from provisioning.interpolation import Span, sql_macros, substitute
from tests.actions.test_load import Server
from tests.business.figures import of
from tests.business.installed import Exporter

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
    assert done.exit_code == 0 and re.search(r"in-time: (90|100) % good, 90 % wanted", done.output), done.output
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


def test_without_an_answer_it_has_failed_and_closes_no_incident(site: str, server: Server) -> None:
    Path("authorization").write_text("Bearer gently\ndown-the-stream")
    target = {"environment": "staging", "url": f"{server.url}/200", "authorization_file": "authorization"}
    for given, said in (
        ({"load_tests": {"targets": [target]}}, "authorization holds no header"),
        ({"load_tests": {"targets": [{"environment": "staging", "url": "http://127.0.0.1:1/"}]}, "slo": []}, "was answered"),
    ):
        with psycopg.connect(site) as connection:
            connection.execute(
                "INSERT INTO analytics.incidents (kind, ref, opened_at, severity, evidence) SELECT 'load test',"
                " 'load test billing staging', now(), 'warning', '{}' WHERE NOT EXISTS (SELECT FROM analytics.incidents)"
            )
        Path("observatory.yaml").write_text(yaml.safe_dump(given))
        assert run(*SCHEDULE).exit_code == 0
        done = run("loadtest", "run")
        assert done.exit_code == 1 and said in done.output and "gently" not in done.output + done.stderr, done.output
        assert rows(site)[-1][0] == "failed" and said in rows(site)[-1][3]["problem"]
        assert rows(site, INCIDENTS) == [("load test", "load test billing staging", True)]


def test_the_exporter_tells_what_the_newest_test_that_says_something_found(site: str) -> None:
    broken, kept = (
        '{"service_levels": [{"kept": false}, {"kept": true}, {"kept": false}]}',
        '{"service_levels": [{"kept": true}]}',
    )
    none = '{"service_levels": []}'
    tests = {
        "billing": (("done", kept), ("done", broken), ("failed", '{"problem": "no request was sent"}'), ("cancelled", none)),
        "sales": (("done", broken), ("running", None), ("done", none)),
        "support": (("done", broken), ("done", kept), ("scheduled", None)),
        "research": (("scheduled", None), ("cancelled", none)),
    }
    with psycopg.connect(site) as connection:
        for agent, told in tests.items():
            for minutes, (state, result) in enumerate(told):
                connection.execute(
                    "INSERT INTO analytics.load_tests (scope, params, state, scheduled_at, started_at, ended_at, result)"
                    " SELECT %s, %s, %s, at, at, CASE WHEN %s::jsonb IS NOT NULL THEN at END, %s"
                    " FROM (SELECT now() - interval '1 hour' + %s * interval '1 minute' AS at) AS begun",
                    (agent, '{"environment": "staging", "seconds": 60}', state, result, result, minutes),
                )
    exporter, now = Exporter.of(site), datetime.now(UTC).timestamp()
    exporter.collect(now)
    found = exporter.served(now)
    exporter.close()
    assert found["exporter_query_success", "postgres", "load_tests"] == 1
    assert of(found, "platform_load_test_levels_broken") == {
        ("billing", "staging"): 2, ("sales", "staging"): 0, ("support", "staging"): 0,
    }  # fmt: skip


def test_the_panel_shows_what_waits_what_is_lost_and_whole_figures(site: str) -> None:
    levels = '{"requests": 3, "service_levels": [{"name": "in-time", "good_percent": 66.667, "kept": false}]}'
    length = '{"environment": "staging", "per_second": 5, "for": "1m", "at_once": 3, "seconds": 60}'
    states = (
        ("scheduled", "now() + interval '8 hours'", "NULL", "{}"),
        ("scheduled", "now() - interval '2 days'", "NULL", "{}"),
        ("running", "now() - interval '1 minute'", "now()", "{}"),
        ("running", "now() - interval '1 hour'", "now() - interval '1 hour'", "{}"),
        ("done", "now() - interval '1 hour'", "now() - interval '1 hour'", levels),
        ("done", "now() - interval '1 hour'", "now() - interval '1 hour'", '{"service_levels": []}'),
        ("done", "now() - interval '100 days'", "now() - interval '100 days'", levels),
    )
    with psycopg.connect(site) as connection:
        for state, due, begun, result in states:
            connection.execute(
                "INSERT INTO analytics.load_tests (scope, params, state, scheduled_at, started_at, result)"
                f" VALUES ('billing', %s, %s, {due}, {begun}, %s)".encode(),
                (length, state, result),
            )
    [query] = panel.tests(Settings()).targets
    now = datetime.now(UTC).timestamp()
    text = sql_macros(
        substitute(query.text, lambda name, _: ".*" if name in FILTERS else None), Span(now - 90 * 86400, now, 60)
    )
    shown = rows(psycopg.conninfo.make_conninfo(site, options=f"-c role={Role.GRAFANA_BUSINESS}"), text)
    told = [(row[4], row[-2], row[-1].split()[2]) for row in reversed(shown)]
    assert told == [
        ("scheduled", None, "cancel"), ("lost", None, "schedule"), ("running", None, "cancel"), ("lost", None, "schedule"),
        ("broken", "in-time 66.67 %", "schedule"), ("unjudged", None, "schedule"),
    ]  # fmt: skip


def test_as_many_wait_as_the_target_allows_where_nothing_is_said(site: str) -> None:
    target = {"environment": "staging", "url": "http://127.0.0.1:1/", "at_once": 3}
    Path("observatory.yaml").write_text(yaml.safe_dump({"load_tests": {"targets": [target]}}))
    done = run(*SCHEDULE)
    assert done.exit_code == 0 and "at_once: 3" in done.output, done.output
    assert run(*SCHEDULE, "--at-once", "4").exit_code == 2


def test_what_takes_back_names_no_moment_that_is_over(site: str) -> None:
    ahead = f"{datetime.now(UTC) + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
    assert run(*SCHEDULE, "--at", ahead).exit_code == 0
    cancel = ("loadtest", "cancel", "billing", "--environment", "staging", "--dry-run", "--format", "json")
    assert f"--at {ahead}" in json.loads(run(*cancel).output)["rollback"]
    with psycopg.connect(site) as connection:
        connection.execute(
            "UPDATE analytics.load_tests SET scheduled_at = now() - interval '1 hour',"
            ' params = params || \'{"at": "2026-01-31T03:00:00Z"}\''
        )
    assert "--at " not in json.loads(run(*cancel).output)["rollback"]


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
    crowded = Outcome((Answer(200, 1.0),), 10.0, 199)
    found = [(level["good_percent"], level["kept"]) for level in load_run.judged(settings, "billing", "staging", crowded)]
    assert found == [(0.5, False), (0.5, False)], "what was never sent for want of room was not good"
    assert load_run.judged(settings, "billing", "staging", Outcome((), 10.0, 200)) == []

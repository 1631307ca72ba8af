"""What holds for every action: dry run, rights, killed, done, recorded, again, several at once, taken back, done again."""

from __future__ import annotations

import contextlib
import json
import shlex
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from exporters.database.roles import Role
from provisioning.actions import audit
from tests.actions.cases import CASES, Case, as_role, at_once, log, run
from tests.actions.killing import POINTS, Point, killed


@contextlib.contextmanager
def unrecorded(dsn: str) -> Iterator[None]:
    """The database ends every change at its very end: as when the command is killed before its transaction was kept."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'no'; END$$;"
            "CREATE CONSTRAINT TRIGGER late AFTER INSERT ON analytics.audit_log DEFERRABLE INITIALLY DEFERRED "
            "FOR EACH ROW EXECUTE FUNCTION refuse()"
        )
        yield
        connection.execute("DROP TRIGGER late ON analytics.audit_log; DROP FUNCTION refuse()")


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_life_of_an_action(case: Case, site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = case.standing(site)

    shown = run(*case.words, "--dry-run")
    assert shown.exit_code == 0 and shown.output.strip(), shown.output
    nobody = run(*case.words)
    assert nobody.exit_code == 2 and "--yes" in nobody.output, nobody.output
    with monkeypatch.context() as patch:
        patch.setenv(audit.VARIABLE, as_role(site, Role.GRAFANA_BUSINESS))
        refused = run(*case.words, "--yes")
    assert refused.exit_code == 2 and "observatory_actions" in refused.output, refused.output
    with unrecorded(site):
        assert run(*case.words, "--yes").exit_code == 2
    assert case.standing(site) == before and not log(site)

    done = run(*case.words, "--yes")
    assert done.exit_code == 0, done.output
    after = case.standing(site)
    assert after != before
    [(actor, action, target, was, _)] = log(site)
    assert (actor, action, was) == ("ada", " ".join(case.words[:2]), None)
    assert target and action in done.output

    again = run(*case.words, "--yes")
    assert again.exit_code == 0 and "nothing to do" in again.output and case.standing(site) == after and len(log(site)) == 1

    back = tuple(shlex.split(done.output.strip().splitlines()[-1])[1:])
    refused_to = at_once(monkeypatch, back, 3)
    assert len(refused_to) == 2 and len(log(site)) == 2, refused_to
    assert log(site)[1][2] == target
    assert case.standing(site) == (before if case.left is None else case.left)

    assert run(*case.words, "--yes").exit_code == 0 and len(log(site)) == 3
    assert case.standing(site) == after


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_killed_in_between(case: Case, point: Point, site: str) -> None:
    """Either nothing was done, or all of it; a file that was written and not recorded is recorded by the next one."""
    before = case.standing(site)
    target = json.loads(run(*case.words, "--dry-run", "--format", "json").output)["target"]
    killed(site, point, target, *case.words, "--yes")
    left, recorded = case.standing(site), log(site)
    again = run(*case.words, "--yes")
    assert again.exit_code == 0, again.output
    after = case.standing(site)
    assert after != before and [path.name for path in Path.cwd().iterdir()] == ["observatory.yaml"]
    if point == "as it commits, which still arrives":
        assert left == after and log(site) == recorded and "nothing to do" in again.output
    elif point == "as it commits, which is lost" and not case.state:
        assert left == after and not recorded and "not in the audit log, and is now" in again.output
    else:
        assert left == before and not recorded
    [(actor, action, about, _, _)] = log(site)
    assert (actor, about) == ("ada", target) and action.startswith(" ".join(case.words[:2]))


def test_advice_says_why_how_sure_and_what_it_sets(site: str) -> None:
    shown = run("advice", "list")
    assert (
        "slow billing production: Give up after 12 s" in shown.output and "100 seconds in 30 days (80 to 120)" in shown.output
    )
    assert "sets: timeout_seconds from 30 to 12" in shown.output
    assert run("advice", "apply", "slow", "--yes").exit_code == 0
    [(_, _, _, _, after)] = log(site)
    assert after["value"] == 12 and after["advice"] == "slow" and (after["low"], after["high"]) == (80, 120)
    for number, said in (("look", "sets nothing"), ("none", "there is: slow")):
        done = run("advice", "apply", number, "--yes")
        assert done.exit_code == 2 and said in done.output


def test_settings_and_caches_are_listed_with_what_the_platform_says(site: str) -> None:
    assert run("cache", "set", "billing", "--ttl", "1h", "--invalidate-on", "deployment", "--yes").exit_code == 0
    asked = run("cache", "list", "billing").output
    assert "kept 1h, dropped on deployment (version 1, asked)" in asked
    with psycopg.connect(site) as connection:  # the platform acts on it, and tells of what else it has
        connection.execute(
            "INSERT INTO analytics.configuration_observed (agent, environment, setting, version, value, state, said) VALUES "
            "('billing', 'production', 'cache.response', 1, '{\"ttl_seconds\": 60}', 'refused', 'at most one minute'), "
            "('billing', 'production', 'batch_size', 0, '8', 'applied', '')"
        )
    assert (
        "kept 1m; asked for: kept 1h, dropped on deployment (version 1, refused: at most one minute)"
        in run("cache", "list").output
    )
    assert "batch_size: 8, the platform's own" in run("configure", "list", "billing").output
    unknown = run("configure", "set", "billing", "batch_sice", "9", "--yes")
    assert unknown.exit_code == 2 and "did you mean batch_size?" in unknown.output
    off = run("cache", "off", "billing", "--yes")
    assert off.output.splitlines()[-1].strip() == (
        "observatory cache set billing --ttl 1h --invalidate-on deployment --environment production"
    )


def test_a_budget_of_time_is_a_service_level_of_a_departments_agents(site: str) -> None:
    with psycopg.connect(site) as connection:
        connection.execute("INSERT INTO app.departments (id, name, team) VALUES (1, 'Finance', 'finance')")
        connection.execute("UPDATE app.agents SET department_id = 1 WHERE name = 'billing'")
    words = (
        "budget",
        "performance",
        "finance-answers",
        "--p95-seconds",
        "2",
        "--team",
        "finance",
        "--reason",
        "People wait here.",
    )
    done = run(*words, "--department", "Finance", "--yes")
    assert done.exit_code == 0 and done.output.splitlines()[-1].strip() == "observatory slo remove finance-answers", done.output
    [level] = [one for one in json.loads(run("slo", "list", "--format", "json").output) if one["name"] == "finance-answers"]
    assert (level["agents"], level["target_seconds"], level["objective"]) == (["billing"], 2, 95)
    with psycopg.connect(site) as connection:
        connection.execute(
            "INSERT INTO app.agents (id, name, type, department_id, environment, is_active) "
            "VALUES (77, 'invoices', 'chat', 1, 'production', true)"
        )
    later = run(*words, "--department", "Finance", "--dry-run", "--format", "json")
    assert json.loads(later.output)["after"]["agents"] == ["billing", "invoices"], "who came since is shown"
    for more, said in (((), "--department"), (("--department", "Sales"), "there are: Finance")):
        refused = run(*words, *more, "--yes")
        assert refused.exit_code == 2 and said in refused.output

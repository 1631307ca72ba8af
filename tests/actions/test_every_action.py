"""What holds for every action: dry run, rights, killed, done, recorded, again, several at once, taken back, done again."""

from __future__ import annotations

import importlib
import json
import re
import shlex
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from psycopg.rows import dict_row

from dashboards.observatory import changes
from exporters.database.roles import Role
from provisioning.actions import ACTIONS, audit
from provisioning.interpolation import Span, sql_macros
from tests.actions.cases import CASES, Case, Told, action_of, as_role, at_once, log, run
from tests.actions.killing import POINTS, Point, killed, unrecorded
from tests.alert_rules.delivery import Delivery

pytestmark = pytest.mark.integration


@pytest.fixture
def site(site: str, unmuted: Delivery) -> str:
    """It has an Alertmanager, too."""
    place = Path("observatory.yaml")
    known = yaml.safe_load(place.read_text())
    place.write_text(yaml.safe_dump(known | {"sources": {"alertmanager": {"url": unmuted.url}}}))
    return site


def commands() -> set[str]:
    """The commands that change something, as the catalogue of actions has them."""
    groups = {name: getattr(importlib.import_module(module), name) for name, (module, _) in ACTIONS.items()}
    return {
        f"{name} {command.name}"
        for name, group in groups.items()
        for command in group.commands.values()
        if {"dry_run", "yes"} <= {parameter.name for parameter in command.params}
    }


def test_every_command_that_changes_something_is_driven_here() -> None:
    assert {command for case in CASES.values() for command in (" ".join(case.words[:2]), case.back)} == commands()


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_life_of_an_action(case: Case, site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways: looked at, refused, done by one of three who said yes at the same moment, recorded, and said again."""
    before = case.standing(site)
    done = driven(case, site, monkeypatch, case.words, case.words, case.rival)
    after = case.standing(site)
    assert after != before

    back = tuple(shlex.split(done.output.strip().splitlines()[-1])[1:])
    assert " ".join(back[:2]) == case.back
    driven(case, site, monkeypatch, back, back, back)
    assert case.standing(site) == (before if case.left is None else case.left)

    [first, last] = log(site)
    assert first[2] == last[2], "both are about the same"
    assert (first[3], first[4] is not None) == (None, True)
    assert last[3] is not None and (last[4] is None or last[4] != first[4])


def driven(case: Case, site: str, monkeypatch: pytest.MonkeyPatch, *people: tuple[str, ...]) -> Told:
    """What the one who did it was told. All of them are about the same thing."""
    words, before, recorded = people[0], case.standing(site), log(site)
    shown = run(*words, "--dry-run")
    assert shown.exit_code == 0 and shown.output.strip(), shown.output
    nobody = run(*words)
    assert nobody.exit_code == 2 and "--yes" in nobody.output, nobody.output
    with monkeypatch.context() as patch:
        patch.setenv(audit.VARIABLE, as_role(site, Role.GRAFANA_BUSINESS))
        refused = run(*words, "--yes")
    assert refused.exit_code == 2 and "observatory_actions" in refused.output, refused.output
    with unrecorded(site):
        assert run(*words, "--yes").exit_code == 2
    assert case.standing(site) == before and log(site) == recorded

    names = [f"person {number}" for number in range(len(people))]
    told = at_once(*((*said, "--actor", name) for said, name in zip(people, names, strict=True)))
    [(number, done)] = [(number, one) for number, one in enumerate(told) if one.exit_code == 0]
    late = [one for one in told if one is not done]
    assert all(one.exit_code == 2 and re.search("was changed meanwhile|there is no", one.output) for one in late), late
    [(actor, action, target, _, _)] = log(site)[len(recorded) :]
    assert (actor, action) == (names[number], action_of(people[number])) and target and action in done.output

    assert offered(site, target) == done.output.strip().splitlines()[-1].strip()

    after = case.standing(site)
    assert after != before
    again = run(*people[number], "--yes")
    assert re.search("nothing to do|there is no", again.output) and "Traceback" not in again.output, again.output
    assert case.standing(site) == after and len(log(site)) == len(recorded) + 1
    return done


def offered(site: str, target: str) -> Any:
    """The command to copy that the tab gives for what was changed last about something."""
    [query] = changes.record().targets
    now = time.time()
    with psycopg.connect(as_role(site, Role.GRAFANA_ADMIN), row_factory=dict_row) as connection:
        rows = connection.execute(sql_macros(query.text, Span(now - 90 * 86400, now + 60, 60)).encode()).fetchall()
    assert all(row["command"] is None for row in [row for row in rows if row["target"] == target][1:]), "the newest alone"
    return next(row["command"] for row in rows if row["target"] == target)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_killed_in_between(case: Case, site: str) -> None:
    """Nothing was done, or all of it; what was done and not recorded is recorded by the next one. So is taking it back."""
    for point in POINTS:
        back = killed_and_said_again(case, site, point, case.words)
        killed_and_said_again(case, site, point, back)


def killed_and_said_again(case: Case, site: str, point: Point, words: tuple[str, ...]) -> tuple[str, ...]:
    """The command that takes it back."""
    before, rows = case.standing(site), log(site)
    planned = json.loads(run(*words, "--dry-run", "--format", "json").output)
    killed(site, point, planned["target"], *words, "--yes")
    left, recorded = case.standing(site), log(site)[len(rows) :]
    again = run(*words, "--yes")
    after = case.standing(site)
    assert after != before and [path.name for path in Path.cwd().iterdir()] == ["observatory.yaml"], point
    if point == "as it commits, which still arrives":
        assert left == after and len(recorded) == 1 and re.search("nothing to do|there is no", again.output), again.output
    elif point == "as it commits, which is lost" and not case.covered:
        assert left == after and not recorded and "not in the audit log, and is now" in again.output, again.output
    else:
        assert left == before and not recorded and again.exit_code == 0, (point, again.output)
    [(actor, action, about, _, _)] = log(site)[len(rows) :]
    assert (actor, about) == ("ada", planned["target"]) and action.startswith(planned["action"]), point
    return tuple(shlex.split(planned["rollback"])[1:])


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
    listed = run("slo", "list").output
    assert "queries-answered: sli errors, objective 95, each, window_days" in listed and "agents billing, " in listed, listed
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

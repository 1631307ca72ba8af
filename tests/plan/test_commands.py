"""The commands: what they print, what they change, and how they end."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from memory_target import BY_LEDGER, ME, Held, MemoryTarget, Server, wanted

from provisioning.cli import main
from provisioning.findings import Unreachable
from provisioning.plan.objects import Key, digest
from provisioning.plan.target import Moved, Refused
from provisioning.targets import catalogue

BOARD = Key("dashboard", "overview")
NOTHING, FINDINGS, WRONG_INPUT, UNREACHABLE, CHANGES, DESTRUCTIVE, INTERRUPTED = 0, 1, 2, 3, 10, 11, 130


class Site:
    """A configuration with targets in memory. `wants` may be changed between commands."""

    def __init__(self) -> None:
        self.server, self.wants = Server(), [wanted("dashboard", "overview", {"title": "Overview"})]
        self.unverified: tuple[str, ...] = ()

    def targets(self, _settings: object, _only: object = ()) -> tuple[MemoryTarget, ...]:
        target = MemoryTarget(self.server, self.wants)
        target.unverified = self.unverified
        return (target,)

    def applied(self) -> None:
        for want in self.wants:
            self.server.objects[want.key] = Held(want.payload)
            self.server.ledger[want.key] = digest(want.document)


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Site:
    found = Site()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(catalogue, "targets", found.targets)
    return found


def run(*words: str, answer: str = "") -> Result:
    return CliRunner().invoke(main, list(words), input=answer)


def failing(problem: BaseException) -> Callable[[int, str], None]:
    def fail(_number: int, name: str) -> None:
        if name.startswith(("write", "remove")):
            raise problem

    return fail


def test_plan_ends_with_what_it_found(site: Site) -> None:
    found = run("plan")
    assert (found.exit_code, found.stdout.splitlines()[0]) == (CHANGES, "1 to create")
    site.applied()
    found = run("plan")
    assert (found.exit_code, found.stdout) == (NOTHING, "nothing to do: 1 as wanted\n")
    site.wants = []
    found = run("plan")
    assert (found.exit_code, found.stdout.splitlines()[0]) == (DESTRUCTIVE, "1 to remove")


def test_an_edit_is_a_change_that_plan_tells(site: Site) -> None:
    site.applied()
    site.server.edit(BOARD, {"title": "Mine"})
    found = run("plan")
    assert found.exit_code == CHANGES
    assert (
        "! dashboard «overview of ours» (overview): was edited there; --overwrite-edits puts it back  [cosmetic]"
        in found.stdout
    )
    assert "title: Mine instead of Overview" in found.stdout
    found = run("plan", "--overwrite-edits")
    assert found.exit_code == DESTRUCTIVE
    assert "~ dashboard «overview of ours» (overview): was edited there; the edit goes  [destructive]" in found.stdout
    assert "title: Overview instead of Mine" in found.stdout


def test_plan_changes_nothing(site: Site) -> None:
    run("plan")
    run("apply", "--dry-run")
    assert (site.server.calls, site.server.objects) == ([], {})


def test_a_dry_run_says_what_it_could_not_verify(site: Site) -> None:
    site.unverified = ("the password of data source PostgreSQL",)
    found = run("apply", "--dry-run")
    assert found.exit_code == NOTHING
    assert "memory: the password of data source PostgreSQL" in found.stdout
    assert "nothing was changed. Not verified by this:" in found.stdout


def test_apply_does_what_it_says_and_then_nothing_is_left(site: Site) -> None:
    found = run("apply", "--yes")
    assert found.exit_code == NOTHING
    assert "created: memory: dashboard «overview of ours» (overview)\n1 done" in found.stdout
    assert site.server.objects[BOARD].document == {"title": "Overview"}
    assert run("plan").exit_code == NOTHING
    calls = len(site.server.calls)
    assert run("apply", "--yes").exit_code == NOTHING
    assert len(site.server.calls) == calls


def test_without_a_terminal_somebody_has_to_say_yes_first(site: Site) -> None:
    found = run("apply")
    assert (found.exit_code, site.server.calls) == (WRONG_INPUT, [])
    assert "give --yes, or the file of a plan" in found.stderr


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    import click.testing

    monkeypatch.setattr(click.testing._NamedTextIOWrapper, "isatty", lambda _self: True, raising=False)


@pytest.mark.usefixtures("terminal")
def test_somebody_who_says_no_changes_nothing(site: Site) -> None:
    found = run("apply", answer="n\n")
    assert (found.exit_code, site.server.calls) == (FINDINGS, [])
    assert "nothing was changed" in found.stdout


@pytest.mark.usefixtures("terminal")
def test_somebody_who_says_yes_is_asked_once(site: Site) -> None:
    found = run("apply", answer="y\n")
    assert (found.exit_code, found.stdout.count("Apply this to memory?")) == (NOTHING, 1)


@pytest.mark.usefixtures("terminal")
def test_what_moves_while_somebody_reads_the_plan_ends_the_apply(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.applied()
    site.wants = [wanted("dashboard", "overview", {"title": "Bots"})]

    def meanwhile(*_words: Any, **_options: Any) -> bool:
        site.server.edit(BOARD, {"title": "Mine"})
        return True

    monkeypatch.setattr("click.confirm", meanwhile)
    found = run("apply")
    assert (found.exit_code, site.server.calls) == (FINDINGS, [])
    assert "since the plan was made, these changed here or there:\n  memory: dashboard overview" in found.stderr


def test_a_kept_plan_is_applied_without_a_question(site: Site) -> None:
    assert run("plan", "--out", "plan.json").exit_code == CHANGES
    found = run("apply", "plan.json")
    assert found.exit_code == NOTHING
    assert site.server.objects[BOARD].document == {"title": "Overview"}


def test_a_kept_plan_is_refused_when_the_world_or_the_configuration_moved(site: Site) -> None:
    site.applied()
    site.wants = [wanted("dashboard", "overview", {"title": "Bots"})]
    run("plan", "--out", "plan.json")
    site.server.edit(BOARD, {"title": "Mine"})
    found = run("apply", "plan.json")
    assert (found.exit_code, site.server.calls) == (FINDINGS, [])
    assert "memory: dashboard overview" in found.stderr

    run("plan", "--out", "plan.json")
    site.wants.append(wanted("dashboard", "new", 1))
    found = run("apply", "plan.json")
    assert (found.exit_code, site.server.calls) == (FINDINGS, [])
    assert "memory: dashboard new" in found.stderr


def test_a_plan_that_was_applied_is_not_applied_twice(site: Site) -> None:
    run("plan", "--out", "plan.json")
    assert run("apply", "plan.json").exit_code == NOTHING
    found = run("apply", "plan.json")
    assert (found.exit_code, "memory: (last apply)" in found.stderr) == (FINDINGS, True)


def test_a_kept_plan_overwrites_edits_only_when_it_was_made_to(site: Site) -> None:
    site.applied()
    site.server.edit(BOARD, {"title": "Mine"})
    run("plan", "--out", "plan.json")
    assert run("apply", "plan.json").exit_code == FINDINGS
    assert site.server.objects[BOARD].document == {"title": "Mine"}
    run("plan", "--overwrite-edits", "--out", "plan.json")
    assert run("apply", "plan.json").exit_code == NOTHING
    assert site.server.objects[BOARD].document == {"title": "Overview"}


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "this is no plan"),
        ("[]", "this is no plan"),
        ("{}", "this is no plan"),
        ('{"version": 1, "owner": 3, "overwrite_edits": false, "seen": {"memory": {}}}', "this is no plan"),
        ('{"version": 7}', "a plan of version 7, not 1; plan again"),
        ("[" * 100_000, "this is no plan"),
        ('{"version": 1, "owner": "other", "overwrite_edits": false, "seen": {"memory": {}}}', "was made for owner other"),
    ],
)
def test_a_file_that_is_no_plan_is_refused_kindly(text: str, said: str) -> None:
    Path("plan.json").write_text(text)
    found = run("apply", "plan.json")
    assert found.exit_code == WRONG_INPUT
    assert said in found.stderr


@pytest.mark.usefixtures("site")
def test_a_plan_that_is_not_there_is_told() -> None:
    found = run("apply", "none.json")
    assert (found.exit_code, "there is no such file" in found.stderr) == (WRONG_INPUT, True)
    assert run("apply", "none.json", "--only", "grafana").exit_code == WRONG_INPUT


def test_a_plan_as_json_is_the_same_on_every_run(site: Site) -> None:
    site.wants.append(wanted(BY_LEDGER, "business", 1))
    one, other = run("plan", "--format", "json"), run("plan", "--format", "json")
    assert one.stdout == other.stdout
    told = json.loads(one.stdout)
    assert [change["kind"] for change in told["targets"][0]["changes"]] == [BY_LEDGER, "dashboard"]
    assert set(told["seen"]["memory"]) == {"(last apply)", "dashboard overview", "folder business"}


@pytest.mark.parametrize(
    ("problem", "code", "said"),
    [
        (Moved("dashboard overview was changed"), FINDINGS, "dashboard overview was changed\n    run `observatory plan` again"),
        (Refused("the right dashboards:write is missing"), FINDINGS, "the right dashboards:write is missing"),
        (Unreachable("error: Grafana does not answer"), UNREACHABLE, "error: Grafana does not answer"),
    ],
)
def test_what_ends_an_apply_is_told(site: Site, problem: Exception, code: int, said: str) -> None:
    site.server.at_call = failing(problem)
    found = run("apply", "--yes")
    assert found.exit_code == code
    assert said in found.stderr
    assert "1 not done; another apply takes them up" in found.stdout


@pytest.mark.parametrize(
    ("problem", "code"), [(Refused("the token has expired"), WRONG_INPUT), (Unreachable("no answer"), UNREACHABLE)]
)
@pytest.mark.parametrize("command", [("plan",), ("apply", "--yes"), ("release", "dashboard", "overview")])
def test_a_server_that_cannot_be_read_ends_every_command(
    site: Site, monkeypatch: pytest.MonkeyPatch, problem: Exception, code: int, command: tuple[str, ...]
) -> None:
    def fail(_self: MemoryTarget) -> None:
        raise problem

    monkeypatch.setattr(MemoryTarget, "live", fail)
    found = run(*command)
    assert (found.exit_code, site.server.calls) == (code, [])
    assert str(problem) in found.stderr


def test_an_apply_that_is_ended_frees_the_lock_and_says_so(site: Site) -> None:
    before = signal.getsignal(signal.SIGTERM)
    site.server.at_call = lambda _number, name: os.kill(os.getpid(), signal.SIGTERM) if name.startswith("write") else None
    found = run("apply", "--yes")
    assert (found.exit_code, site.server.busy) == (INTERRUPTED, False)
    assert "interrupted: what is done stays" in found.stderr
    assert signal.getsignal(signal.SIGTERM) is before
    site.server.at_call = lambda _number, _name: None
    assert run("apply", "--yes").exit_code == NOTHING


def test_a_server_that_keeps_something_else_than_it_was_sent_is_found_out(site: Site) -> None:
    site.wants = [wanted("dashboard", "overview", {"title": "Overview"}, payload={"title": "Overview", "style": "dark"})]
    found = run("apply", "--yes")
    assert found.exit_code == FINDINGS
    assert "dashboard «overview of ours» (overview): is still not as wanted after the apply" in found.stderr


def test_apply_as_json_says_what_was_done_and_what_was_left(site: Site) -> None:
    site.applied()
    site.server.edit(BOARD, {"title": "Mine"})
    site.wants.append(wanted("dashboard", "new", 1))
    found = run("apply", "--yes", "--format", "json")
    assert found.exit_code == FINDINGS
    told = json.loads(found.stdout)
    assert [[change["name"] for change in told[what]] for what in ("done", "left", "taken_back")] == [["new"], ["overview"], []]


def test_adopting_marks_an_object_and_leaves_it_as_it_is(site: Site) -> None:
    site.server.objects[BOARD] = Held({"title": "Mine"}, owner="")
    found = run("plan")
    assert "is not ours; `observatory adopt dashboard overview` makes it so" in found.stdout
    assert run("apply", "--yes").exit_code == FINDINGS
    found = run("adopt", "dashboard", "overview")
    assert (found.exit_code, site.server.objects[BOARD]) == (NOTHING, Held({"title": "Mine"}, ME))
    found = run("plan")
    assert "~ dashboard «overview of ours» (overview)  [cosmetic]\n      title: Overview instead of Mine" in found.stdout
    assert run("apply", "--yes").exit_code == NOTHING


def test_releasing_takes_the_mark_away_and_leaves_the_object(site: Site) -> None:
    site.applied()
    found = run("release", "dashboard", "overview")
    assert (found.exit_code, site.server.objects[BOARD]) == (NOTHING, Held({"title": "Overview"}, ""))
    assert "it is still wanted, so the next plan asks to adopt it" in found.stdout
    assert site.server.ledger == {}
    site.wants = []
    assert run("plan").stdout == "nothing to do: 1 of others\n"


def test_what_carries_no_mark_is_adopted_and_released_by_memory_alone(site: Site) -> None:
    folder = Key(BY_LEDGER, "business")
    site.wants = [wanted(BY_LEDGER, "business", 1)]
    site.server.objects[folder] = Held(1, "")
    assert run("adopt", BY_LEDGER, "business").exit_code == NOTHING
    assert run("plan").exit_code == NOTHING
    assert run("release", BY_LEDGER, "business").exit_code == NOTHING
    assert site.server.ledger == {}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("adopt", "dashboard", "overvew"), "the configuration wants no dashboard overvew; did you mean dashboard overview?"),
        (("adopt", "dashbord", "overview"), "no dashbord overview; did you mean dashboard overview?"),
        (("adopt", "board", "new one"), "no board new one; did you mean dashboard?"),
        (("adopt", "x", "new one"), "no x new one; known: dashboard"),
        (("adopt", "dashboard", "overview"), "dashboard overview on memory is ours already"),
        (("adopt", "dashboard", "new"), "memory has no dashboard new; an apply creates it"),
        (("adopt", "dashboard", "theirs"), "belongs to another; release it there first"),
        (("release", "dashboard", "theirs"), "we have no dashboard theirs"),
        (("release", "dashboard", "nothing"), "we have no dashboard nothing"),
    ],
)
def test_what_cannot_be_adopted_or_released_is_told(site: Site, words: tuple[str, ...], said: str) -> None:
    site.applied()
    site.wants += [wanted("dashboard", "new", 1), wanted("dashboard", "theirs", 1)]
    site.server.objects[Key("dashboard", "theirs")] = Held(1, "another")
    found = run(*words)
    assert (found.exit_code, site.server.calls) == (WRONG_INPUT, [])
    assert said in found.stderr


def test_an_adoption_that_meets_another_apply_is_refused(site: Site) -> None:
    site.server.objects[BOARD] = Held({"title": "Mine"}, owner="")
    site.server.busy = True
    found = run("adopt", "dashboard", "overview")
    assert (found.exit_code, "somebody else is applying" in found.stderr) == (FINDINGS, True)

"""An apply does what its plan says, stops at what it cannot do, and can be taken up again."""

from __future__ import annotations

import pytest
from memory_target import BY_LEDGER, ME, Held, Killed, MemoryTarget, Server, wanted

from provisioning.findings import Unreachable, error
from provisioning.plan import changes
from provisioning.plan.apply import Outcome, carry_out
from provisioning.plan.changes import Change, Choice
from provisioning.plan.objects import Key, digest
from provisioning.plan.target import Moved, Refused
from provisioning.plan.verdict import Verdict

BOARD = Key("dashboard", "overview")


def applied(*targets: MemoryTarget, overwrite_edits: bool = False, protected: str = "") -> Outcome:
    def protects(kind: str, name: str) -> bool:
        return f"{kind} {name}" == protected

    return carry_out(changes.make(targets, Choice(ME, protects, overwrite_edits)), lambda _change: None)


def kept(server: Server, key: Key, document: object) -> None:
    """The server holds the object as an apply left it."""
    server.objects[key] = Held(document)
    server.ledger[key] = digest(document)


def test_folders_come_before_what_lies_in_them_and_go_after_it() -> None:
    server = Server()
    kept(server, Key("dashboard", "old"), 1)
    kept(server, Key(BY_LEDGER, "old"), 1)
    wants = [wanted("alert rules", "a", 1), wanted("dashboard", "d", 1), wanted(BY_LEDGER, "f", 1)]
    outcome = applied(MemoryTarget(server, wants))
    assert outcome.complete
    assert [call for call in server.calls if call.split()[0] in ("write", "remove")] == [
        "write folder f",
        "write dashboard d",
        "write alert rules a",
        "remove dashboard old",
        "remove folder old",
    ]


def test_an_apply_without_anything_to_do_touches_nothing() -> None:
    server = Server()
    kept(server, BOARD, 1)
    outcome = applied(MemoryTarget(server, [wanted("dashboard", "overview", 1)]))
    assert (outcome.complete, outcome.done, server.calls) == (True, [], [])


def test_what_an_interrupted_apply_had_done_is_remembered_by_the_next() -> None:
    server = Server({BOARD: Held(2)}, {BOARD: digest(1)})
    target = MemoryTarget(server, [wanted("dashboard", "overview", 2)])
    assert applied(target).done == []
    assert server.ledger == {BOARD: digest(2)}
    assert target.said == ["nothing changed; what an interrupted apply had done is remembered"]


def test_what_is_gone_and_not_wanted_is_forgotten() -> None:
    server = Server({}, {BOARD: digest(1)})
    applied(MemoryTarget(server, []))
    assert server.ledger == {}


def test_what_is_remembered_of_a_kind_that_is_left_to_others_stays_remembered() -> None:
    server = Server({BOARD: Held(1)}, {BOARD: digest(1), Key("data source", "postgres"): digest(1)})
    applied(MemoryTarget(server, [wanted("dashboard", "overview", 2)]))
    assert server.ledger == {BOARD: digest(2), Key("data source", "postgres"): digest(1)}


def test_an_edit_stays_until_somebody_asks_to_overwrite_it() -> None:
    server = Server()
    kept(server, BOARD, 1)
    server.edit(BOARD, "edited")
    target = MemoryTarget(server, [wanted("dashboard", "overview", 1)])
    applied(target)
    assert server.objects[BOARD].document == "edited"
    applied(target, overwrite_edits=True)
    assert server.objects[BOARD].document == 1


def test_an_object_that_is_no_longer_wanted_stays_when_it_was_edited() -> None:
    server = Server()
    kept(server, BOARD, 1)
    server.edit(BOARD, "edited")
    applied(MemoryTarget(server, []))
    assert BOARD in server.objects
    applied(MemoryTarget(server, []), overwrite_edits=True)
    assert BOARD not in server.objects


@pytest.mark.parametrize("wants", [[wanted("dashboard", "overview", 2)], []])
def test_a_protected_object_is_neither_replaced_nor_removed(wants: list) -> None:
    server = Server()
    kept(server, BOARD, 1)
    outcome = applied(MemoryTarget(server, wants), overwrite_edits=True, protected="dashboard overview")
    assert (server.objects[BOARD].document, outcome.complete) == (1, True)


def test_a_protected_object_is_created() -> None:
    server = Server()
    applied(MemoryTarget(server, [wanted("dashboard", "overview", 1)]), protected="dashboard overview")
    assert server.objects[BOARD].document == 1


def test_what_is_foreign_stays_even_when_edits_are_overwritten() -> None:
    server = Server({BOARD: Held("theirs", ""), Key("dashboard", "other"): Held("others", "another")})
    before = dict(server.objects)
    applied(MemoryTarget(server, [wanted("dashboard", "overview", 1), wanted("dashboard", "other", 1)]), overwrite_edits=True)
    assert server.objects == before


def test_an_object_that_moves_while_applying_ends_the_apply_before_it_is_touched() -> None:
    server = Server()
    kept(server, BOARD, 1)
    server.after_call = lambda _number, name: server.edit(BOARD, "edited") if name == "begin" else None
    outcome = applied(MemoryTarget(server, [wanted("dashboard", "overview", 2)]))
    assert server.objects[BOARD].document == "edited"
    assert "no longer what it was" in str(outcome.findings[0])
    assert not server.busy


def test_two_applies_at_once_are_one_apply_and_one_refusal() -> None:
    server = Server()
    wants = [wanted("dashboard", "overview", 1)]
    other: list[Outcome] = []

    def meanwhile(_number: int, name: str) -> None:
        if name == "begin" and not other:
            other.append(applied(MemoryTarget(server, wants)))

    server.after_call = meanwhile
    outcome = applied(MemoryTarget(server, wants))
    assert outcome.complete
    assert "somebody else is applying" in str(other[0].findings[0])


def test_a_plan_that_was_made_before_another_apply_is_refused() -> None:
    server = Server()
    target = MemoryTarget(server, [wanted("dashboard", "overview", 1)])
    old = changes.make([target], Choice(ME))
    applied(target)
    outcome = carry_out(old, lambda _change: None)
    assert "somebody applied since" in str(outcome.findings[0])


@pytest.mark.parametrize(
    "problem", [Refused("the right dashboards:write is missing"), Unreachable("no answer"), Moved("moved")]
)
def test_a_failure_ends_the_apply_frees_the_lock_and_leaves_later_targets_alone(problem: Exception) -> None:
    first, second = Server(), Server()

    def fail(_number: int, name: str) -> None:
        if name == "write dashboard two":
            raise problem

    first.at_call = fail
    outcome = applied(
        MemoryTarget(first, [wanted("dashboard", "one", 1), wanted("dashboard", "two", 1)]),
        MemoryTarget(second, [wanted("dashboard", "overview", 1)], name="later"),
    )
    assert [change.key.name for change in outcome.done] == ["one"]
    assert (outcome.complete, first.busy, second.calls) == (False, False, [])
    assert str(problem) in outcome.silent + "".join(map(str, outcome.findings))
    first.at_call = lambda _number, _name: None
    assert applied(MemoryTarget(first, [wanted("dashboard", "one", 1), wanted("dashboard", "two", 1)])).complete


def test_of_a_target_that_changes_as_a_whole_nothing_is_done_when_its_apply_ends_early() -> None:
    server = Server()

    def fail(_number: int, name: str) -> None:
        if name == "write dashboard two":
            raise Refused("no")

    server.at_call = fail
    wants = [wanted("dashboard", "one", 1), wanted("dashboard", "two", 1)]
    assert (applied(MemoryTarget(server, wants, staged=True)).done, server.objects) == ([], {})


def test_a_target_that_takes_everything_back_ends_the_apply() -> None:
    first, second = (
        MemoryTarget(Server(), [wanted("dashboard", "one", 1)]),
        MemoryTarget(Server(), [wanted("dashboard", "one", 1)]),
    )
    first.findings = [error("memory", "the server refuses it")]
    outcome = applied(first, second)
    assert (outcome.complete, second.server.calls) == (False, [])
    assert (outcome.done, [change.key.name for change in outcome.taken_back]) == ([], ["one"])


def test_what_a_killed_apply_meant_to_create_without_a_mark_is_known_as_ours() -> None:
    server = Server()
    target = MemoryTarget(server, [wanted(BY_LEDGER, "ours", 1)])

    def kill(_number: int, name: str) -> None:
        if name.startswith("write"):
            raise Killed

    server.after_call = kill
    with pytest.raises(Killed):
        applied(target)
    server.after_call = lambda _number, _name: None
    found = changes.make([MemoryTarget(server, target.wants)], Choice(ME))
    assert found.changes == ()


def test_each_change_is_told_as_soon_as_it_is_made() -> None:
    server, told = Server(), []
    target = MemoryTarget(server, [wanted("dashboard", "one", 1), wanted("dashboard", "two", 1)])

    def say(change: Change) -> None:
        told.append((change.key.name, change.verdict, server.calls[-1]))

    carry_out(changes.make([target], Choice(ME)), say)
    assert told == [("one", Verdict.CREATE, "remember"), ("two", Verdict.CREATE, "remember")]


def test_the_servers_own_records_say_what_was_done() -> None:
    server = Server()
    kept(server, Key("dashboard", "old"), 1)
    target = MemoryTarget(server, [wanted("dashboard", "one", 1), wanted("dashboard", "two", 1)])
    applied(target)
    assert target.said == ["2 created, 1 removed: dashboard «one of ours» (one), and 2 more"]

"""Whatever there is, and wherever an apply is killed: the next one does the rest, and others' things stay as they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as some
from memory_target import BY_LEDGER, KINDS, ME, Held, Killed, MemoryTarget, Server, wanted

from provisioning.plan import changes
from provisioning.plan.apply import carry_out
from provisioning.plan.changes import Action, Choice, Plan
from provisioning.plan.objects import Key, digest
from provisioning.plan.verdict import Verdict

keys = some.builds(Key, some.sampled_from(KINDS), some.sampled_from("abc"))
documents = some.integers(0, 2)
held = some.builds(Held, documents, some.sampled_from([ME, ME, "", "another"]))


@dataclass(frozen=True)
class World:
    wants: dict[Key, int]
    objects: dict[Key, Held]
    ledger: dict[Key, str]
    staged: bool
    overwrite: bool

    def server(self) -> Server:
        return Server(dict(self.objects), dict(self.ledger))

    def plan(self, server: Server) -> Plan:
        wants = [wanted(key.kind, key.name, document) for key, document in self.wants.items()]
        return changes.make([MemoryTarget(server, wants, self.staged)], Choice(ME, overwrite_edits=self.overwrite))

    def foreign(self) -> dict[Key, Held]:
        """What nobody but its owner may touch. What carries no mark is ours when the ledger has it."""
        return {
            key: held
            for key, held in self.objects.items()
            if (key not in self.ledger if key.kind == BY_LEDGER else held.owner != ME)
        }


worlds = some.builds(
    World,
    some.dictionaries(keys, documents, max_size=6),
    some.dictionaries(keys, held, max_size=6),
    some.dictionaries(keys, documents.map(digest), max_size=6),
    some.booleans(),
    some.booleans(),
)


def nothing(_number: int, _name: str) -> None:
    return


def killing(when: int) -> Callable[[int, str], None]:
    def kill(number: int, _name: str) -> None:
        if number == when:
            raise Killed

    return kill


def apply_until_killed(world: World, server: Server, when: int, after: bool) -> None:
    setattr(server, "after_call" if after else "at_call", killing(when))
    try:
        carry_out(world.plan(server), lambda _change: None)
    except Killed:
        server.busy = False
    server.at_call = server.after_call = nothing


@given(world=worlds, when=some.integers(0, 20), after=some.booleans())
def test_the_next_apply_does_the_rest_and_others_things_stay(world: World, when: int, after: bool) -> None:
    server = world.server()
    left = {change.key for change in world.plan(server).left}
    apply_until_killed(world, server, when, after)
    assert {key: server.objects[key] for key in world.foreign()} == world.foreign()

    assert carry_out(world.plan(server), lambda _change: None).complete
    assert {key: server.objects[key] for key in world.foreign()} == world.foreign()

    plan, calls = world.plan(server), len(server.calls)
    assert plan.todo == ()
    assert all(part.ledger == part.state.ledger for part in plan.parts)
    carry_out(plan, lambda _change: None)
    assert len(server.calls) == calls
    assert {change.key for change in plan.left} == left
    for key in world.wants.keys() - left:
        assert server.objects[key].document == world.wants[key]


@given(world=worlds, when=some.integers(0, 20), after=some.booleans())
def test_edits_that_are_not_to_be_overwritten_stay_whatever_happens(world: World, when: int, after: bool) -> None:
    assume(not world.overwrite)
    server = world.server()
    edits = {change.key: world.objects[change.key] for change in world.plan(server).left}
    apply_until_killed(world, server, when, after)
    carry_out(world.plan(server), lambda _change: None)
    assert {key: server.objects[key] for key in edits} == edits


@given(world=worlds)
def test_a_plan_says_the_same_whoever_makes_it_and_changes_nothing(world: World) -> None:
    server = world.server()
    before: Any = (dict(server.objects), dict(server.ledger), server.version)
    one, other = world.plan(server), world.plan(server)
    assert [change.verdict for change in one.changes] == [change.verdict for change in other.changes]
    assert one.seen == other.seen
    assert (server.objects, server.ledger, server.version, server.calls) == (*before, [])


@given(world=worlds)
def test_only_what_we_left_there_is_removed_unasked(world: World) -> None:
    for change in world.plan(world.server()).changes:
        if change.action is Action.REMOVE and change.verdict is not Verdict.EDITED:
            assert change.live is not None
            assert world.ledger[change.key] == digest(change.live.document)
            assert change.key not in world.foreign()


@given(world=worlds, key=keys, document=some.integers(3, 5))
def test_a_plan_notices_whatever_moves_that_it_was_made_from(world: World, key: Key, document: int) -> None:
    server = world.server()
    before = world.plan(server)
    ours = key in server.objects and key not in world.foreign()
    if key in server.objects:
        server.edit(key, document)
    moved = world.plan(server).seen != before.seen
    assert moved == (ours or (key in server.objects and key in world.wants))

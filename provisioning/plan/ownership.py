"""Taking over an object that was made by hand, and letting one go: the mark on it and our memory of it, nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from provisioning.findings import Finding, InputError, closest
from provisioning.plan.apply import opened
from provisioning.plan.objects import IN_FORCE, Key, Live, State, digest
from provisioning.plan.target import Refused, Target


@dataclass(frozen=True)
class Taken:
    """What `adopt` or `release` did, in a sentence, and what the target had to say about it."""

    said: str
    findings: Sequence[Finding] = ()


def adopt(targets: Sequence[Target], key: Key, owner: str) -> Taken:
    """Make an object ours that the configuration wants and somebody else made. It stays as it is until an apply.

    Raises InputError when it is not wanted, not there, or ours or another owner's already; Moved, Refused and Unreachable as
    targets do.
    """
    target = _the_one(
        targets,
        lambda target: [want.key for want in target.wanted() if _may_change_hands(want.key)],
        key,
        "the configuration wants",
    )
    state = _state(target)
    live = _there(state, target, key)
    if live.owner == owner:
        raise InputError(f"error: {key} on {target.name} is ours already; `observatory plan` says how it differs")
    if live.owner:
        raise InputError(f"error: {key} on {target.name} belongs to {live.owner}; release it there first")
    with opened(target, state):
        held = target.mark(live, owner)
        target.remember({**state.ledger, key: digest(held.document)})
        findings = target.finish(f"adopted: {key}")
    return Taken(f"adopted: {target.name}: {key}; `observatory plan` says how it differs from what is wanted", findings)


def release(targets: Sequence[Target], key: Key, owner: str) -> Taken:
    """Let an object go: it stays as it is, and is nobody's. Raises as `adopt` does."""
    states = {target.name: _state(target) for target in targets}
    target = _the_one(targets, lambda target: _ours(states[target.name], owner), key, "we have")
    state = states[target.name]
    live = _there(state, target, key)
    with opened(target, state):
        target.mark(live, "")
        target.remember({other: last for other, last in state.ledger.items() if other != key})
        findings = target.finish(f"released: {key}")
    wanted = any(want.key == key for want in target.wanted())
    still = "; it is still wanted, so the next plan asks to adopt it" if wanted else ""
    return Taken(f"released: {target.name}: {key} stays as it is, and is not ours{still}", findings)


def _may_change_hands(key: Key) -> bool:
    """What a server works with is no object: it is nobody's."""
    return key.kind != IN_FORCE


def _ours(state: State, owner: str) -> list[Key]:
    return [live.key for live in state.objects if live.owner == owner and _may_change_hands(live.key)]


def _the_one(targets: Sequence[Target], keys: Callable[[Target], list[Key]], key: Key, whose: str) -> Target:
    """The target that has the key. Raises InputError when none has it, or several have."""
    known = {target.name: keys(target) for target in targets}
    having = [target for target in targets if key in known[target.name]]
    if len(having) == 1:
        return having[0]
    if having:
        names = ", ".join(target.name for target in having)
        raise InputError(f"error: {key} is on {names}; say which one is meant, for example --only {having[0].name}")
    raise InputError(f"error: {whose} no {key}{_near(key, [other for others in known.values() for other in others])}")


def _near(key: Key, known: Sequence[Key]) -> str:
    """What may have been meant: the same name of another kind, another name, or one of the kinds that there are."""
    kinds = sorted({other.kind for other in known})
    same = [str(other) for other in known if other.name == key.name]
    if same:
        return f"; did you mean {same[0]}?"
    if kinds and key.kind not in kinds:
        return f"; {closest(key.kind, kinds) or 'known: ' + ', '.join(kinds)}"
    near = closest(str(key), {str(other) for other in known if other.kind == key.kind})
    return f"; {near}" if near else ""


def _state(target: Target) -> State:
    try:
        return target.live()
    except Refused as problem:
        raise InputError(f"error: {target.name}: {problem}") from None


def _there(state: State, target: Target, key: Key) -> Live:
    for live in state.objects:
        if live.key == key:
            return live
    raise InputError(f"error: {target.name} has no {key}; an apply creates it")

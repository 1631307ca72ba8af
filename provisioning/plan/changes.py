"""The plan: what an apply would do to every object of every target, in the order in which it would."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum

from provisioning.findings import InputError, Unreachable, as_error
from provisioning.plan import labels
from provisioning.plan.differences import Difference, differences
from provisioning.plan.labels import Label
from provisioning.plan.objects import Key, Live, State, Wanted, digest
from provisioning.plan.target import Refused, Target
from provisioning.plan.verdict import Verdict, verdict


class Action(Enum):
    WRITE = "write"
    REMOVE = "remove"
    LEAVE = "leave"
    """Something would have to be done, and an apply does not do it unasked."""
    KEEP = "keep"
    """The site protects it."""


@dataclass(frozen=True)
class Change:
    """One object that is not as it is wanted. `reason` says in words why it is left alone, where it is.

    `differences` lead from what is there to what is wanted; of an edit that is left alone, from what is wanted to the edit.
    """

    target: str
    key: Key
    title: str
    verdict: Verdict
    action: Action
    label: Label
    differences: tuple[Difference, ...] = ()
    reason: str = ""
    wanted: Wanted | None = None
    live: Live | None = None

    @property
    def name(self) -> str:
        """What people call it: its kind and title, and its name where the title does not end with it."""
        if self.title in ("", self.key.name) or self.title.endswith(f" {self.key.name}"):
            return str(self.key)
        return f"{self.key.kind} «{self.title}» ({self.key.name})"


@dataclass(frozen=True)
class Part:
    """What the plan has to say of one target. `seen` are digests of all that the plan was made from, by object.

    `ledger` is what is to be remembered before anything is changed: without what is gone, with what is as wanted already.
    """

    target: Target
    state: State
    changes: tuple[Change, ...]
    same: int
    foreign: int
    seen: Mapping[str, str]
    ledger: Mapping[Key, str]

    @property
    def todo(self) -> tuple[Change, ...]:
        return tuple(change for change in self.changes if change.action in (Action.WRITE, Action.REMOVE))


@dataclass(frozen=True)
class Plan:
    """`told` says in sentences who would be paged differently."""

    owner: str
    overwrite_edits: bool
    parts: tuple[Part, ...]
    told: tuple[str, ...] = ()

    @property
    def changes(self) -> tuple[Change, ...]:
        return tuple(change for part in self.parts for change in part.changes)

    @property
    def todo(self) -> tuple[Change, ...]:
        return tuple(change for part in self.parts for change in part.todo)

    @property
    def left(self) -> tuple[Change, ...]:
        return tuple(change for change in self.changes if change.action is Action.LEAVE)

    @property
    def destructive(self) -> bool:
        return any(change.label is Label.DESTRUCTIVE for change in self.todo)

    @property
    def seen(self) -> dict[str, dict[str, str]]:
        """The fingerprint: equal when the configuration, the servers and the memory of the last apply are."""
        return {part.target.name: dict(part.seen) for part in self.parts}


@dataclass(frozen=True)
class Choice:
    """Whose plan it is, which objects are never replaced or removed, and whether edits made on the servers are."""

    owner: str
    protects: Callable[[str, str], bool] = lambda _kind, _name: False
    overwrite_edits: bool = False


_EDITS = {
    Verdict.DRIFT: "was edited there; --overwrite-edits puts it back",
    Verdict.CONFLICT: "was edited there, and here too; --overwrite-edits drops the edit",
    Verdict.EDITED: "is no longer wanted, but was edited there; --overwrite-edits removes it",
}


def make(targets: Sequence[Target], choice: Choice) -> Plan:
    """The plan for these targets, in their order. Raises Unreachable, or InputError when one of them lets us read nothing."""
    with ThreadPoolExecutor(max_workers=max(1, len(targets))) as pool:
        states = [pool.submit(target.live) for target in targets]
        wanted = [target.wanted() for target in targets]
    refused, silent = [], []
    parts = []
    for target, wants, state in zip(targets, wanted, states, strict=True):
        try:
            parts.append(_part(target, wants, state.result(), choice))
        except Refused as problem:
            refused.append(f"error: {target.name}: {problem}")
        except Unreachable as problem:
            silent.append(as_error(problem))
    if refused:
        raise InputError("\n".join([*refused, *silent]))
    if silent:
        raise Unreachable("\n".join(silent))
    return Plan(choice.owner, choice.overwrite_edits, tuple(parts))


def _part(target: Target, wanted: Sequence[Wanted], state: State, choice: Choice) -> Part:
    wants, lives = _by_key(target.name, wanted), {live.key: live for live in state.objects}
    changes, seen, ledger = [], {"(last apply)": state.revision}, dict(state.ledger)
    verdicts = []
    # What is remembered of kinds that are left to somebody else for now stays remembered.
    remembered = [key for key in state.ledger if key.kind in target.kinds]
    for key in dict.fromkeys([*wants, *lives, *remembered]):
        want, live = wants.get(key), lives.get(key)
        digests = [digest(side.document) if side else None for side in (want, live)]
        found = verdict(digests[0], digests[1], state.ledger.get(key), live.owner if live else "", choice.owner)
        verdicts.append(found)
        if found is Verdict.GONE:
            ledger.pop(key, None)
        elif found is Verdict.SAME:
            ledger[key] = digests[1] or ""
        elif found is not Verdict.FOREIGN:
            changes.append(_change(target.name, key, found, want, live, choice))
        if found is not Verdict.FOREIGN:
            about = [*digests, state.ledger.get(key), live.owner if live else None, live.revision if live else None]
            seen[str(key)] = digest(about)
    return Part(
        target,
        state,
        _in_order(changes, target.kinds),
        verdicts.count(Verdict.SAME),
        verdicts.count(Verdict.FOREIGN),
        seen,
        ledger,
    )


def _by_key(target: str, wanted: Sequence[Wanted]) -> dict[Key, Wanted]:
    wants = {want.key: want for want in wanted}
    if len(wants) < len(wanted):
        twice = sorted({str(want.key) for want in wanted if wants[want.key] is not want})
        raise InputError(f"error: {target}: wanted twice: {', '.join(twice)}; each needs a name of its own")
    return wants


def _in_order(changes: Sequence[Change], kinds: Sequence[str]) -> tuple[Change, ...]:
    """By kind as the target wants it; what is removed comes last, in reverse."""
    level = {kind: number for number, kind in enumerate(kinds)}
    kept = sorted((change for change in changes if change.wanted), key=lambda change: level[change.key.kind])
    gone = sorted((change for change in changes if not change.wanted), key=lambda change: level[change.key.kind])
    return (*kept, *reversed(gone))


def _change(target: str, key: Key, found: Verdict, want: Wanted | None, live: Live | None, choice: Choice) -> Change:
    action, reason = _action(key, found, live, choice)
    if want and live:
        edit = found is Verdict.DRIFT and action is not Action.WRITE
        sides = (want.document, live.document) if edit else (live.document, want.document)
        changed = differences(key.kind, *sides)
        label = labels.weightiest(difference.label for difference in changed)
    else:
        changed = ()
        label = labels.of_new(key.kind) if want else Label.DESTRUCTIVE
    if found in (Verdict.DRIFT, Verdict.CONFLICT) and action is Action.WRITE:
        label = Label.DESTRUCTIVE  # somebody's edit is lost
    title = want.title if want else live.title if live else ""
    return Change(target, key, title, found, action, label, changed, reason, want, live)


def _action(key: Key, found: Verdict, live: Live | None, choice: Choice) -> tuple[Action, str]:
    """What an apply does with the object, and why it leaves it alone where it does."""
    if found is Verdict.ADOPT and live is not None:
        if live.owner:
            return Action.LEAVE, f"belongs to {live.owner}, which has to release it first"
        return Action.LEAVE, f"is not ours; `observatory adopt {_argument(key.kind)} {_argument(key.name)}` makes it so"
    if live is not None and choice.protects(key.kind, key.name):
        return Action.KEEP, "is protected"
    if not choice.overwrite_edits and found in _EDITS:
        return Action.LEAVE, _EDITS[found]
    return (Action.REMOVE if found in (Verdict.PRUNE, Verdict.EDITED) else Action.WRITE), ""


def _argument(text: str) -> str:
    return f'"{text}"' if " " in text else text

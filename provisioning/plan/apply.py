"""Carrying a plan out: exactly its changes, target by target, so that an interrupted apply can be taken up again.

Each target is done before the next begins, since later ones build on earlier ones: dashboards on recorded series, alerts on the
routes that bring them to people. Within a target all changes come before it is told to bring them into force.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from provisioning.findings import Finding, Unreachable, error, has_errors
from provisioning.plan.changes import Action, Change, Part, Plan
from provisioning.plan.objects import Key, State, digest
from provisioning.plan.target import Moved, Refused, Target
from provisioning.plan.verdict import Verdict

DONE = {
    Verdict.CREATE: "created",
    Verdict.RECREATE: "created again",
    Verdict.UPDATE: "updated",
    Verdict.DRIFT: "put back",
    Verdict.CONFLICT: "replaced, with the edit in it",
    Verdict.PRUNE: "removed",
    Verdict.EDITED: "removed, with the edit in it",
}


@dataclass
class Outcome:
    """What came of an apply. `silent` is why a server could not be reached, where that ended it; else findings tell why.

    `taken_back` are changes that were made, and undone because the server would not work with them.
    """

    done: list[Change] = field(default_factory=list)
    taken_back: list[Change] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    silent: str = ""

    @property
    def complete(self) -> bool:
        return not self.silent and not has_errors(self.findings)


def carry_out(plan: Plan, say: Callable[[Change], None]) -> Outcome:
    """Make the plan's changes; `say` hears of each that is made.

    Stops at the first that cannot be made: what comes after may need it. Whatever is written by then stays, is remembered, and
    is not done again by the next apply.
    """
    outcome = Outcome()
    for part in plan.parts:
        try:
            _carry_out(part, outcome, say)
        except Moved as problem:
            outcome.findings.append(error(part.target.name, str(problem), "run `observatory plan` again"))
        except Refused as problem:
            outcome.findings.append(error(part.target.name, str(problem)))
        except Unreachable as problem:
            outcome.silent = str(problem)
        if not outcome.complete:
            if part.target.as_a_whole:  # what it was given by then was not written
                outcome.done = [change for change in outcome.done if change not in part.todo]
            break
    return outcome


def _carry_out(part: Part, outcome: Outcome, say: Callable[[Change], None]) -> None:
    target = part.target
    if not part.todo and part.ledger == part.state.ledger:
        return
    # What is created is ours from before it exists on: some kinds carry no mark of their own.
    intended = {change.key: digest(change.wanted.document) for change in part.todo if change.wanted and not change.live}
    ledger = {**part.ledger, **intended}
    with opened(target, part.state):
        target.remember(ledger)
        for change in part.todo:
            _make(target, change, ledger)
            target.remember(ledger)
            outcome.done.append(change)
            say(change)
        findings = target.finish(sentence(part.todo))
    outcome.findings += findings
    if has_errors(findings):
        outcome.taken_back += part.todo
        outcome.done = [change for change in outcome.done if change not in part.todo]


def _make(target: Target, change: Change, ledger: dict[Key, str]) -> None:
    if change.action is Action.WRITE and change.wanted:
        ledger[change.key] = digest(target.write(change.wanted, change.live).document)
    elif change.live:
        target.remove(change.live)
        ledger.pop(change.key, None)


@contextmanager
def opened(target: Target, state: State) -> Iterator[None]:
    """Nobody else applies to the target within; however it ends early, others may again."""
    target.begin(state)
    try:
        yield
    except BaseException:
        with suppress(Unreachable, Refused, Moved):
            target.abandon()
        raise


def still_differing(outcome: Outcome, again: Plan) -> list[Finding]:
    """What a plan finds right after an apply that was to have done it: a server keeps something else than it was sent."""
    done = {(change.target, change.key) for change in outcome.done}
    return [
        error(
            f"{change.target}: {change.name}",
            "is still not as wanted after the apply",
            "`observatory plan` says how it differs",
        )
        for change in again.changes
        if change.action in (Action.WRITE, Action.REMOVE) or (change.target, change.key) in done
    ]


def sentence(changes: tuple[Change, ...]) -> str:
    """`3 created, 1 removed: dashboard «Agents» (…), and 3 more`, for the server's own records."""
    if not changes:
        return "nothing changed; what an interrupted apply had done is remembered"
    counts: dict[str, int] = {}
    for change in changes:
        counts[DONE[change.verdict]] = counts.get(DONE[change.verdict], 0) + 1
    more = f", and {len(changes) - 1} more" if len(changes) > 1 else ""
    return f"{', '.join(f'{count} {what}' for what, count in counts.items())}: {changes[0].name}{more}"

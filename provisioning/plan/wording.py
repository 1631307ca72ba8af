"""Words that the reports of a plan share: signs, counts, and the lines about one object."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from provisioning.plan.changes import Action, Change, Part, Plan
from provisioning.plan.verdict import Verdict

SIGNS = {
    Verdict.CREATE: "+",
    Verdict.RECREATE: "+",
    Verdict.UPDATE: "~",
    Verdict.DRIFT: "~",
    Verdict.CONFLICT: "~",
    Verdict.PRUNE: "-",
    Verdict.EDITED: "-",
}
_NOTES = {
    Verdict.RECREATE: "is missing there, though an apply was to write it",
    Verdict.DRIFT: "was edited there; the edit goes",
    Verdict.CONFLICT: "was edited there, and here too; the edit goes",
    Verdict.EDITED: "was edited there; it goes with the edit",
}
_ALONE, _NAMED = 6, 3
"""So many objects that are alike are listed one by one; of more, so many are named."""
_COUNTED = (
    ("to create", (Verdict.CREATE, Verdict.RECREATE)),
    ("to change", (Verdict.UPDATE,)),
    ("to put back", (Verdict.DRIFT, Verdict.CONFLICT)),
    ("to remove", (Verdict.PRUNE, Verdict.EDITED)),
)


def sign(change: Change) -> str:
    """`+`, `~`, `-`, or `!` for what an apply leaves alone."""
    return SIGNS[change.verdict] if change.action in (Action.WRITE, Action.REMOVE) else "!"


def note(change: Change) -> str:
    """What is to be known of the change beside its differences; empty for most."""
    return change.reason or _NOTES.get(change.verdict, "")


def grouped(changes: Iterable[Change]) -> list[tuple[Change, ...]]:
    """The changes in their order; those that there is nothing to tell of but their names, and that are alike, together."""

    def alike(numbered: tuple[int, Change]) -> tuple[object, ...]:
        number, change = numbered
        plain = not change.differences and not note(change)
        return (sign(change), change.key.kind, change.label) if plain else (number,)

    groups = [tuple(change for _, change in group) for _, group in groupby(enumerate(changes), key=alike)]
    return [part for group in groups for part in ([group] if len(group) > _ALONE else [(change,) for change in group])]


def of_group(group: Sequence[Change]) -> str:
    """`63 recording rules: agent_buckets, agent_figures, agent_rates and 60 more`."""
    names = ", ".join(change.key.name for change in group[:_NAMED])
    return f"{len(group)} {_plural(group[0].key.kind)}: {names} and {len(group) - _NAMED} more"


def _plural(kind: str) -> str:
    return kind if kind.endswith("s") else f"{kind}s"


def counts(parts: Iterable[Part]) -> list[tuple[str, int]]:
    """`[("to create", 3), …]`, without zeros."""
    chosen = list(parts)
    todo = [change for part in chosen for change in part.todo]
    found = [(words, sum(change.verdict in verdicts for change in todo)) for words, verdicts in _COUNTED]
    held = [change for part in chosen for change in part.changes if change not in todo]
    found.append(("left alone", len(held)))
    found.append(("as wanted", sum(part.same for part in chosen)))
    found.append(("of others", sum(part.foreign for part in chosen)))
    return [(words, count) for words, count in found if count]


def summary(plan: Plan) -> str:
    """One line: what an apply would do."""
    if not plan.changes:
        return f"nothing to do: {_list(counts(plan.parts)) or 'nothing is wanted'}"
    return _list(counts(plan.parts))


def _list(found: Sequence[tuple[str, int]]) -> str:
    return ", ".join(f"{count} {words}" for words, count in found)

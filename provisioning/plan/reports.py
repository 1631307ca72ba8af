"""A plan and what came of it, for people at a terminal: counts, who is told differently, then each object."""

from __future__ import annotations

from provisioning.plan.apply import DONE, Outcome
from provisioning.plan.changes import Change, Plan
from provisioning.plan.wording import grouped, note, of_group, sign, summary

_LINES = 8
"""Differences of one object that are told; the others are counted."""
_SENTENCES = 20
"""The same for sentences about who is told differently."""


def plan_text(plan: Plan) -> str:
    """The whole plan. The first line is its summary."""
    lines = [summary(plan)]
    if plan.told:
        lines += ["", "who is told", *(f"  {sentence}" for sentence in plan.told[:_SENTENCES])]
        lines += [f"  and {len(plan.told) - _SENTENCES} more"] if len(plan.told) > _SENTENCES else []
    for part in plan.parts:
        if part.changes:
            lines += ["", part.target.name]
            for group in grouped(part.changes):
                lines += _of_change(group[0]) if len(group) == 1 else _of_group(group)
    unverified = [f"  {part.target.name}: {sentence}" for part in plan.parts for sentence in part.state.unverified]
    if unverified:
        lines += ["", "not verified", *unverified]
    return "\n".join(lines)


def _of_group(group: tuple[Change, ...]) -> list[str]:
    return [f"  {sign(group[0])} {of_group(group)}  [{group[0].label}]"]


def _of_change(change: Change) -> list[str]:
    said = note(change)
    lines = [f"  {sign(change)} {change.name}{f': {said}' if said else ''}  [{change.label}]"]
    lines += [f"      {difference}" for difference in change.differences[:_LINES]]
    if len(change.differences) > _LINES:
        lines.append(f"      and {len(change.differences) - _LINES} more")
    return lines


def done_text(change: Change) -> str:
    """The line about a change that was just made."""
    return f"{DONE[change.verdict]}: {change.target}: {change.name}"


def outcome_text(plan: Plan, outcome: Outcome) -> str:
    """What was done, what was not, and why; without the findings."""
    back = len(outcome.taken_back)
    missing = len(plan.todo) - len(outcome.done) - back
    words = [(len(outcome.done), "done"), (back, "taken back"), (missing, "not done; another apply takes them up")]
    lines = [", ".join(f"{count} {what}" for count, what in words if count) or "nothing was to be done"]
    lines += [f"left alone: {change.target}: {change.name} {change.reason}" for change in plan.left]
    return "\n".join(lines)


def dry_run_text(plan: Plan) -> str:
    """The plan, and what no plan can know."""
    unknown = [
        "whether the servers take it: their own checks and this login's rights to write show only when something is written",
        "passwords and other write-only fields: they are sent with an object that changes, and cannot be compared",
    ]
    lines = [plan_text(plan), "", "nothing was changed. Not verified by this:", *(f"  {sentence}" for sentence in unknown)]
    return "\n".join(lines)

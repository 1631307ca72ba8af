"""A plan as a comment of a pull request: who is told differently first, then counts, details folded."""

from __future__ import annotations

import html
import re

from provisioning.plan.changes import Change, Part, Plan
from provisioning.plan.differences import Difference
from provisioning.plan.wording import counts, grouped, note, of_group, sign, summary

_MOST = 60_000
"""Characters; hosts of pull requests take little more in a comment."""
_VALUE = 2_000
"""Characters of one value that are shown."""
_SIGNIFICANT = re.compile(r"([\\`*_\[\]#|~@])")


def plan_markdown(plan: Plan) -> str:
    """The whole plan, cut after whole objects where it grows longer than a comment may be."""
    lines = [f"### Plan of {_text(plan.owner)}: {summary(plan)}", ""]
    if plan.told:
        lines += ["**Who is told**", "", *(f"- {_text(sentence)}" for sentence in plan.told), ""]
    if plan.changes:
        lines += _table(plan)
    size = sum(len(line) + 1 for line in lines)
    hidden = 0
    for part in plan.parts:
        for group in grouped(part.changes):
            block = _of_change(part, group[0]) if len(group) == 1 else _of_group(part, group)
            length = sum(len(line) + 1 for line in block)
            if size + length > _MOST:
                hidden += len(group)
            else:
                size += length
                lines += block
    if hidden:
        lines += [f"{hidden} more objects change; the plan's file has them all.", ""]
    for part in plan.parts:
        lines += [f"- not verified, {part.target.name}: {_text(sentence)}" for sentence in part.state.unverified]
    return "\n".join(lines).rstrip() + "\n"


def _table(plan: Plan) -> list[str]:
    columns = [words for words, _ in counts(plan.parts)]
    lines = [f"| target | {' | '.join(columns)} |", f"|---|{'---:|' * len(columns)}"]
    for part in plan.parts:
        found = dict(counts([part]))
        lines.append(f"| {part.target.name} | {' | '.join(str(found.get(words, '')) for words in columns)} |")
    return [*lines, ""]


def _of_group(part: Part, group: tuple[Change, ...]) -> list[str]:
    return [f"- `{group[0].label}` {_text(f'{sign(group[0])} {part.target.name}: {of_group(group)}')}", ""]


def _of_change(part: Part, change: Change) -> list[str]:
    said = note(change)
    heading = f"{sign(change)} {part.target.name}: {change.name}{f': {said}' if said else ''}"
    if not change.differences:
        return [f"- `{change.label}` {_text(heading)}", ""]
    lines = [f"<details><summary><code>{change.label}</code> {html.escape(heading)}</summary>", ""]
    for difference in change.differences:
        lines += _of_difference(difference)
    return [*lines, "", "</details>", ""]


def _of_difference(difference: Difference) -> list[str]:
    if difference.short:
        return [f"- `{difference.label}` {_text(str(difference))}"]
    lines = [f"- `{difference.label}` {_text(difference.place)} {difference.what}", ""]
    values = [f"{mark} {line}" for mark, text in _sides(difference) for line in text[:_VALUE].split("\n")]
    longest = max((len(run) for line in values for run in re.findall(r"`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return [*lines, *(f"  {line}" for line in (f"{fence}diff", *values, fence)), ""]


def _sides(difference: Difference) -> list[tuple[str, str]]:
    return [(mark, text) for mark, text in (("-", difference.before), ("+", difference.after)) if text]


def _text(words: str) -> str:
    """Words of servers and people as plain text, mentioning nobody."""
    return _SIGNIFICANT.sub(r"\\\1", html.escape(words, quote=False)).replace("\\@", "@\u200b")

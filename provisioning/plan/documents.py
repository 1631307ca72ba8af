"""A plan as JSON: for machines, and as the file that `apply` takes. It holds digests and differences, no documents."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from provisioning.findings import InputError
from provisioning.plan.apply import Outcome
from provisioning.plan.changes import Change, Plan
from provisioning.plan.target import Moved
from provisioning.text import as_json

VERSION = 1
_MOST_BYTES = 20_000_000


def of_plan(plan: Plan) -> dict[str, object]:
    """The same text for the same plan, on every run."""
    return {
        "version": VERSION,
        "owner": plan.owner,
        "overwrite_edits": plan.overwrite_edits,
        "targets": [
            {
                "name": part.target.name,
                "same": part.same,
                "foreign": part.foreign,
                "unverified": list(part.state.unverified),
                "changes": [of_change(change) for change in part.changes],
            }
            for part in plan.parts
        ],
        "told": list(plan.told),
        "seen": plan.seen,
    }


def of_change(change: Change) -> dict[str, object]:
    return {
        "kind": change.key.kind,
        "name": change.key.name,
        "title": change.title,
        "verdict": change.verdict.value,
        "action": change.action.value,
        "label": str(change.label),
        "reason": change.reason,
        "differences": [
            {
                "label": str(difference.label),
                "place": difference.place,
                "what": difference.what,
                "before": difference.before,
                "after": difference.after,
            }
            for difference in change.differences
        ],
    }


def of_outcome(outcome: Outcome, left: tuple[Change, ...]) -> dict[str, object]:
    return {
        "done": [{"target": change.target, **of_change(change)} for change in outcome.done],
        "taken_back": [{"target": change.target, **of_change(change)} for change in outcome.taken_back],
        "left": [{"target": change.target, **of_change(change)} for change in left],
        "findings": [finding.as_json() for finding in outcome.findings],
        "unreachable": outcome.silent,
    }


class _File(BaseModel):
    """What `apply` needs of a plan's file; the rest of it is for readers."""

    model_config = ConfigDict(strict=True)
    version: Literal[1]
    owner: str
    overwrite_edits: bool
    seen: Annotated[dict[str, dict[str, str]], Field(min_length=1)]


@dataclass(frozen=True)
class Saved:
    """A plan that was made earlier, perhaps on another machine."""

    owner: str
    overwrite_edits: bool
    seen: dict[str, dict[str, str]]

    def check(self, plan: Plan) -> None:
        """Raises Moved when the plan of now is made from anything else, and InputError when it is somebody else's."""
        if plan.owner != self.owner:
            raise InputError(f"error: this plan was made for owner {self.owner}, and plan.owner is {plan.owner}")
        check_same(self.seen, plan.seen)


def check_same(before: dict[str, dict[str, str]], now: dict[str, dict[str, str]]) -> None:
    """Raises Moved with the objects that are no longer what the plan was made from."""
    moved = [
        f"{target}: {name}"
        for target in sorted({*before, *now})
        for name in sorted({*before.get(target, {}), *now.get(target, {})})
        if before.get(target, {}).get(name) != now.get(target, {}).get(name)
    ]
    if moved:
        listed = "".join(f"\n  {place}" for place in moved[:10])
        more = f"\n  and {len(moved) - 10} more" if len(moved) > 10 else ""
        raise Moved(f"nothing was changed: since the plan was made, these changed here or there:{listed}{more}")


def save(plan: Plan, path: Path) -> None:
    path.write_bytes(as_json(of_plan(plan)))


def load(path: Path) -> Saved:
    """The plan in a file that `observatory plan --out` wrote. Raises InputError for any other file."""
    remedy = "name a file that `observatory plan --out` wrote"
    try:
        if not path.is_file():  # reading a pipe may never end
            kind = "this is a folder" if path.is_dir() else "this is no file" if path.exists() else "there is no such file"
            raise InputError(f"error: {path}: {kind}; {remedy}")
        with path.open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)
        if len(raw) > _MOST_BYTES:
            raise InputError(f"error: {path}: more than {_MOST_BYTES} bytes; {remedy}")
        read = json.loads(raw)
        if isinstance(read, dict) and read.get("version", VERSION) != VERSION:
            raise InputError(f"error: {path}: a plan of version {read['version']!r}, not {VERSION}; plan again")
        found = _File.model_validate(read)
    except (ValidationError, ValueError, RecursionError):
        raise InputError(f"error: {path}: this is no plan; {remedy}") from None
    return Saved(found.owner, found.overwrite_edits, found.seen)

"""The frame of every action: what would change is shown, asked about, done in one transaction with its record, and told.

An action that finds things as it would make them changes nothing and says so. Between the question and the answer the world may
move: then nothing is done.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

from provisioning.actions import audit
from provisioning.actions.audit import Connection
from provisioning.findings import InputError

Say = Callable[[str], None]


@dataclass(frozen=True)
class Change:
    """What an action would do.

    `action` is its name as a command, such as `slo set`; `target` what it is about; `before` and `after` are JSON values, None
    where there is nothing. `rollback` is the command that takes it back. `said` are further lines for people, and `evidence` is
    recorded with what it becomes. `afterwards` is done for the actor once the change stands; it cannot fail, and gives a line.
    """

    action: str
    target: str
    before: Any
    after: Any
    rollback: str
    said: tuple[str, ...] = field(default=(), compare=False)
    evidence: Mapping[str, Any] = field(default_factory=dict, compare=False)
    afterwards: Callable[[str], str] | None = field(default=None, compare=False)

    @property
    def nothing(self) -> bool:
        return bool(self.before == self.after)

    @property
    def recorded(self) -> Any:
        """What the audit log says that it became."""
        return {**self.after, **self.evidence} if isinstance(self.after, dict) else self.after

    @property
    def text(self) -> str:
        """A diff of both sides, line by line."""
        old, new = ([] if side is None else _lines(side) for side in (self.before, self.after))
        lines = list(difflib.unified_diff(old, new, lineterm="", n=3))[2:]
        return "\n".join(
            [f"{self.action}: {self.target}", *(f"  {line}" for line in lines if not line.startswith("@@")), *self.said]
        )


class Action(Protocol):
    """One change of one thing."""

    reads_database: ClassVar[bool]
    """Whether the database knows what is to be changed; otherwise it is only asked to record it."""

    def planned(self, connection: Connection | None) -> Change:
        """What it would do, as the world is now. `connection` is None only where the action does not read the database.

        Raises InputError when it cannot be done.
        """

    def carry_out(self, connection: Connection, change: Change) -> Callable[[], None]:
        """Does it, within the transaction of `connection`; what is returned takes back what no transaction does."""


@dataclass(frozen=True)
class Manner:
    """How an action is done: by whom, whether only shown, whether without a question, for whom it is told, and where."""

    actor: str
    dry_run: bool
    yes: bool
    form: str
    dsn_file: Path | None
    say: Say
    aside: Say
    ask: Callable[[str], bool]


def perform(action: Action, manner: Manner) -> Change:
    """Shows, asks, does and records. Raises InputError when the world moved, or when nobody could be asked."""
    if manner.dry_run and not action.reads_database:
        change = action.planned(None)
        _show(change, manner)
        return change
    with audit.recorded(manner.dsn_file) as connection:
        change = action.planned(connection)
        _show(change, manner)
        if manner.dry_run:
            return change
        if change.nothing:
            if not action.reads_database:
                _record_what_stands(connection, change, manner)
            return change
        if not manner.yes and not manner.ask("Do it?"):
            manner.say("nothing was changed")
            raise SystemExit(1)
        _do(action, change, manner, connection)
    if change.afterwards and (line := change.afterwards(manner.actor)):
        manner.aside(line)
    if manner.form == "text":
        manner.say(f"done, and recorded as {manner.actor}. To take it back:\n  {change.rollback}")
    return change


def _do(action: Action, change: Change, manner: Manner, connection: Connection) -> None:
    undo: Callable[[], None] | None = None
    try:
        with connection.transaction():
            audit.alone(connection, change.target)
            if action.planned(connection) != change:
                raise InputError(f"error: {change.target} was changed meanwhile, so nothing was done; look again")
            audit.add(
                connection, manner.actor, change.action, change.target, change.before, change.recorded, change.rollback
            )
            undo = action.carry_out(connection, change)
    except BaseException:
        if undo is not None:
            undo()
        raise


def _record_what_stands(connection: Connection, change: Change, manner: Manner) -> None:
    """A change that no transaction covers, and whose command was killed before the record, is recorded by the next one."""
    with connection.transaction():
        audit.alone(connection, change.target)
        last = audit.last(connection, change.target)
        if last == change.after or (isinstance(last, dict) and change.after and last.items() >= change.after.items()):
            return
        audit.add(connection, manner.actor, f"{change.action} (found so)", change.target, None, change.after)
    if manner.form == "text":
        manner.say("it was not in the audit log, and is now")


def _show(change: Change, manner: Manner) -> None:
    if manner.form == "json":
        fields = {name: getattr(change, name) for name in ("action", "target", "before", "after", "rollback", "nothing")}
        manner.say(json.dumps({**fields, "actor": manner.actor, "dry_run": manner.dry_run}, indent=2, ensure_ascii=False))
    elif change.nothing:
        manner.say(f"{change.action}: {change.target}: nothing to do, it is so already")
    else:
        manner.say(change.text)


def _lines(value: Any) -> list[str]:
    if not isinstance(value, dict):
        return [str(value)]
    return [f"{key}: {json.dumps(item, ensure_ascii=False)}" for key, item in value.items()]

"""What `observatory db status` says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import psycopg

from contract.settings import Settings
from exporters.database.condition import Condition, condition
from exporters.database.installation import Plan
from exporters.database.mapping import Mapping
from exporters.rollups.sources import SOURCES
from exporters.rollups.state import State, states
from exporters.rollups.triggers import OFF, switched_off
from provisioning.database import capturing
from provisioning.database.admin import installed
from provisioning.sizes import size


@dataclass(frozen=True)
class Status:
    """`missing` are sentences about what is to be done, `notes` about what may be left as it is; `now` is the server's time."""

    now: datetime
    condition: Condition
    sources: tuple[State, ...]
    missing: tuple[str, ...]
    notes: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "ok": not self.missing,
            "missing": list(self.missing),
            "notes": list(self.notes),
            **asdict(self.condition),
            "sources": {state.source: self._source(state) for state in self.sources},
        }

    def _source(self, state: State) -> dict[str, Any]:
        return {
            "mode": state.mode,
            "lag_seconds": round((self.now - state.advanced_at).total_seconds(), 1),
            "counted_rows": state.counted,
            "backfill": "done" if state.backfilled else f"{state.backfill_rows} of about {state.backfill_total}",
            "drift_rows": state.drift,
            "corrections": state.corrections,
            "problem": state.problem,
            "rebuild_needed": state.rebuild_needed,
        }

    def as_text(self) -> str:
        lines = [f"schema analytics: version {self.condition.version}"]
        if self.sources:
            lines.append(f"\n{'source':<16}{'mode':<10}{'lag':>8}  {'rows counted':>13}  {'backfill':<28}{'drift':>6}")
        for state in self.sources:
            said = self._source(state)
            drift = "-" if state.drift is None else str(state.drift)
            lag, filled = f"{said['lag_seconds']:.0f} s", said["backfill"]
            lines.append(f"{state.source:<16}{state.mode:<10}{lag:>8}  {state.counted:>13}  {filled:<28}{drift:>6}")
        total = sum(size_ for size_, _ in self.condition.sizes.values())
        lines.append(f"\nsize: {size(total)}")
        lines += [f"  {size(size_):>8}  {name}" for name, (size_, _) in list(self.condition.sizes.items())[:5]]
        if self.condition.slow is None:
            lines.append("slow statements: unknown, pg_stat_statements is not installed or not readable")
        for slow in self.condition.slow or ():
            lines.append(f"  {slow.mean_ms:8.1f} ms x {slow.calls}  {slow.statement}")
        lines += [f"note: {sentence}" for sentence in self.notes]
        lines += [f"missing: {sentence}" for sentence in self.missing]
        return "\n".join(lines)


def status(connection: psycopg.Connection[Any], settings: Settings, plan: Callable[[], Plan]) -> Status:
    """Looks at an installation. Raises InputError when there is none."""
    installed(connection)
    mapping = Mapping.of(settings)
    found = condition(connection, mapping.table("users"))
    row = connection.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None
    sources = tuple(states(connection))
    notes = (
        *capturing.other_choices(connection, mapping, settings),
        *capturing.dear_changes(connection, mapping),
        *capturing.waiting_lines(connection),
    )
    missing = (*_missing(connection, found, sources, plan()), *_unseen(sources, _switched_off(connection, mapping, sources)))
    return Status(row[0], found, sources, missing, notes)


def _missing(connection: psycopg.Connection[Any], found: Condition, sources: tuple[State, ...], plan: Plan) -> list[str]:
    sentences = [f"{title}: run `observatory db install`" for title in plan.missing(connection)]
    sentences += [f"{request.reason} ({request.step.title})" for request in plan.requests]
    for state in sources:
        if state.rebuild_needed:
            why = state.problem or "what was counted does not belong to what is there"
            sentences.append(f"{state.source}: {why}; run `observatory db rebuild {state.source}`")
        elif state.problem:
            sentences.append(f"{state.source}: {state.problem}")
    if found.users_without_key:
        sentences.append(
            f"pseudonyms of {found.users_without_key} users; the exporter makes them when it has OBSERVATORY_USER_KEY or "
            "database.user_key_file"
        )
    return sentences


def _switched_off(connection: psycopg.Connection[Any], mapping: Mapping, sources: tuple[State, ...]) -> list[str]:
    stamped = (SOURCES[state.source] for state in sources if state.mode == "snapshot" and state.source in SOURCES)
    return switched_off(connection, mapping, stamped)


def _unseen(sources: tuple[State, ...], off: list[str]) -> list[str]:
    """What has to be said of triggers where the source itself does not say it yet."""
    unsaid = [state.source for state in sources if state.source in off and not state.rebuild_needed]
    return [f"{source}: {OFF}; after that run `observatory db rebuild {source}`" for source in unsaid]

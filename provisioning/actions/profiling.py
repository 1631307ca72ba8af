"""Profiling of an agent that people start and stop: a wish in `analytics.profiling_sessions`, which the platform acts on.

The row says what is wanted (`scheduled_at`, `params`) and what the platform made of it (`started_at`, `ended_at`, `state`,
`result`). It ends by itself: nobody has to remember it, and a platform that never looks leaves nothing running.
"""

from __future__ import annotations

import csv
import io
import json
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from contract.values import duration_seconds
from provisioning.actions.action import Change
from provisioning.actions.audit import Connection
from provisioning.actions.lengths import seconds_within
from provisioning.actions.places import refuse_unknown
from provisioning.report.sheets import harmless

LONGEST = "4h"
OVERHEAD = "5 to 10 %"
_SAME = timedelta(minutes=1)
"""A command that is given twice within this changes nothing the second time."""

_RUNNING = """
SELECT params->>'for', ends, now() - scheduled_at
FROM (SELECT *, scheduled_at + (params->>'seconds')::double precision * interval '1 second' AS ends
      FROM analytics.profiling_sessions) AS profiles
WHERE scope = %(agent)s AND params->>'environment' = %(environment)s AND state IN ('scheduled', 'running') AND ends > now()
ORDER BY id DESC LIMIT 1
"""
_START = """
INSERT INTO analytics.profiling_sessions (scope, params, scheduled_at) VALUES (%(agent)s, %(params)s, now())
"""
_STOP = """
UPDATE analytics.profiling_sessions
SET state = CASE WHEN started_at IS NULL THEN 'cancelled' ELSE 'done' END,
    ended_at = CASE WHEN started_at IS NOT NULL THEN greatest(started_at, now()) END
WHERE scope = %(agent)s AND params->>'environment' = %(environment)s AND state IN ('scheduled', 'running')
"""
_LISTED = """
SELECT id, scope AS agent, params->>'environment' AS environment, params->>'for' AS length, state, scheduled_at, started_at,
       ended_at, result
FROM analytics.profiling_sessions WHERE %(agent)s IN ('', scope) ORDER BY scheduled_at DESC, id DESC LIMIT 100
"""
_HEADS = ("id", "agent", "environment", "length", "state", "scheduled_at", "started_at", "ended_at", "figure", "value")


@dataclass(frozen=True)
class Profiling:
    """Profiles an agent for a time such as `1h`, or stops that where `length` is None."""

    agent: str
    environment: str
    length: str | None
    reads_database: ClassVar[bool] = True

    def planned(self, connection: Connection | None) -> Change:
        assert connection is not None
        self._refuse_what_is_odd(connection)
        row = connection.execute(_RUNNING, self._key).fetchone()
        before = None if row is None else _standing(*row)
        after = None if self.length is None else {"for": self.length}
        way = "stop" if before is None else "start"
        length = [] if before is None else ["--for", before["for"]]
        rollback = shlex.join(["observatory", "profile", way, self.agent, "--environment", self.environment, *length])
        said = () if self.length is None else (f"  costs the agent about {OVERHEAD} of its time, and ends by itself",)
        name = "profile stop" if self.length is None else "profile start"
        return Change(name, f"profile {self.agent} {self.environment}", before, after, rollback, said)

    def carry_out(self, connection: Connection, change: Change) -> Callable[[], None]:  # noqa: ARG002 - it says what is done here
        connection.execute(_STOP, self._key)
        if self.length is not None:
            params: dict[str, Any] = {
                "environment": self.environment, "for": self.length, "seconds": duration_seconds(self.length)
            }  # fmt: skip
            connection.execute(_START, self._key | {"params": Jsonb(params)})
        return lambda: None

    @property
    def _key(self) -> dict[str, Any]:
        return {"agent": self.agent, "environment": self.environment}

    def _refuse_what_is_odd(self, connection: Connection) -> None:
        refuse_unknown(connection, self.agent, self.environment)
        if self.length is not None:
            seconds_within("--for", self.length, "1m", LONGEST)


def _standing(length: str, ends: datetime, age: timedelta) -> dict[str, str]:
    """A profile that is taken; one that was begun a while ago is another than one of the same length that begins now."""
    return {"for": length} | ({} if age <= _SAME else {"until": f"{ends.astimezone(UTC):%Y-%m-%d %H:%M} UTC"})


def listed(connection: Connection, agent: str) -> list[dict[str, Any]]:
    """The profiles of an agent, or of all, newest first, each with what the platform found (`result`, None before that)."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_LISTED, {"agent": agent}).fetchall()


def figures(result: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """What a result holds as names and values, names within names joined by dots: `seconds_by_phase.llm`. Lists stay JSON."""
    if isinstance(result, Mapping):
        for key, value in result.items():
            yield from figures(value, f"{name}.{key}" if name else str(key))
    elif result is not None:
        yield name, json.dumps(result, ensure_ascii=False) if isinstance(result, list | bool) else result


def sheet(profiles: Sequence[Mapping[str, Any]]) -> str:
    """CSV with a row for each figure of each profile; one without figures has a row without any."""
    out = io.StringIO()
    table = csv.DictWriter(out, _HEADS, lineterminator="\n")
    table.writeheader()
    for profile in profiles:
        for figure, value in [*figures(profile["result"])] or [("", "")]:
            row = {**profile, "figure": figure, "value": value}
            table.writerow({head: harmless(row[head]) for head in _HEADS})
    return out.getvalue()

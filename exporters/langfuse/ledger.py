"""The ledger in schema `analytics`: one page of rows, what it changes in the counts, and the place in the list, all or nothing.

Only one process writes at a time, under an advisory lock that ends with its transaction. A page that was read twice, by two
processes or after a kill, changes nothing the second time: the ledger's own rows say what was counted.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from exporters.database.sessions import Connection
from exporters.database.sharing import Seat
from exporters.langfuse.attribution import Attribution, Origin
from exporters.langfuse.calls import Call, Score
from exporters.langfuse.counting import Changes
from exporters.langfuse.reading import Reading
from exporters.langfuse.storage import (
    CALLS,
    SCORES,
    counted_traces,
    insert_state,
    place_scores,
    read_state,
    stored_calls,
    stored_scores,
    upsert_calls,
    upsert_scores,
    write_state,
)
from exporters.langfuse.totals import add_changes

_LOCK = 0x0B5E_0004
"""Key of the advisory lock under which the ledger is written."""

_Row = TypeVar("_Row", Call, Score)


class Overtaken(Exception):
    """Another process writes the ledger, or has read on since: leave it to that one."""


class Ledger:
    """Everything raises DatabaseDown or StatementRefused when the database does not do it."""

    def __init__(self, seat: Seat, attribution: Attribution) -> None:
        self._seat, self._attribution = seat, attribution

    def reading(self, source: str, now: datetime, reread: timedelta) -> Reading:
        """Where reading of a list stands; the first time it begins at `now`."""
        with self._seat.transaction() as connection:
            reading = read_state(connection, source)
            if reading is None:
                insert_state(connection, source, Reading.begin(now, reread))
                reading = read_state(connection, source)
        if reading is None:
            raise Overtaken
        return reading

    def claim(self, source: str, seconds: float) -> bool:
        """Whether this process is to ask now: no other has within the last `seconds`. By the database's clock."""
        with self._seat.transaction() as connection:
            claimed = connection.execute(
                "UPDATE analytics.sync_state SET asked_at = clock_timestamp() WHERE source = %s"
                " AND (asked_at IS NULL OR abs(extract(epoch FROM clock_timestamp() - asked_at)) >= %s)",
                (source, seconds),
            )
            return claimed.rowcount == 1

    def release(self, source: str) -> None:
        """Takes a claim back: it came to nothing, and whoever comes next is to ask."""
        with self._seat.transaction() as connection:
            connection.execute("UPDATE analytics.sync_state SET asked_at = NULL WHERE source = %s", (source,))

    def move(self, source: str, before: Reading, after: Reading) -> None:
        """Changes the place in a list alone. Raises Overtaken."""
        with self._seat.transaction() as connection:
            _take_turn(connection, source, before)
            write_state(connection, source, after)

    def go_back(self, source: str, begin: datetime) -> None:
        """Lets the next window begin at `begin`, where reading stands later than that and nobody else is reading on."""
        with contextlib.suppress(Overtaken), self._seat.transaction() as connection:
            if (reading := read_state(connection, source)) is not None:
                _take_turn(connection, source, reading)
                write_state(connection, source, reading.back_to(begin))

    def write_calls(self, calls: Sequence[Call], before: Reading, after: Reading, now: datetime) -> int:
        """Takes one page of calls; how many rows are new or changed. Raises Overtaken."""
        latest, origins = _latest(calls), self._attribution.of(calls)
        with self._seat.transaction() as connection:
            _take_turn(connection, CALLS, before)
            stored = stored_calls(connection, list(latest))
            settled = {key: _settled(stored.get(key), call, origins) for key, call in sorted(latest.items())}
            if changed := _changed(stored, settled):
                changes = _counted(stored, changed, before, now)
                for first in _new_traces(connection, changed):
                    changes.trace(first)
                upsert_calls(connection, changed)
                place_scores(connection, _traces(changed))
                add_changes(connection, changes)
            write_state(connection, CALLS, after)
        return len(changed)

    def write_scores(self, scores: Sequence[Score], before: Reading, after: Reading, now: datetime) -> int:
        """Takes one page of scores; how many are new or changed. Raises Overtaken."""
        latest = _latest(scores)
        with self._seat.transaction() as connection:
            _take_turn(connection, SCORES, before)
            stored = stored_scores(connection, list(latest))
            if changed := _changed(stored, dict(sorted(latest.items()))):
                upsert_scores(connection, changed)
                place_scores(connection, _traces(changed))
                add_changes(connection, _counted(stored, changed, before, now))
            write_state(connection, SCORES, after)
        return len(changed)


def _latest(rows: Sequence[_Row]) -> dict[str, _Row]:
    """By id. The newer interface may show a row several times."""
    found: dict[str, _Row] = {}
    for row in rows:
        if row[0] not in found or row.changed_at >= found[row[0]].changed_at:
            found[row[0]] = row
    return found


def _changed(stored: Mapping[str, _Row], latest: Mapping[str, _Row]) -> list[_Row]:
    """New rows and those that say something else now. What is older than what is stored changes nothing."""
    return [
        row
        for key, row in latest.items()
        if (old := stored.get(key)) is None or (row != old and row.changed_at >= old.changed_at)
    ]


def _counted(stored: Mapping[str, _Row], changed: Sequence[_Row], reading: Reading, now: datetime) -> Changes:
    changes = Changes(reading.counted_from, now)
    for row in changed:
        changes.row(stored.get(row[0]), row)
    return changes


def _new_traces(connection: Connection, calls: Sequence[Call]) -> list[Call]:
    """The earliest call of each trace that no call in the ledger was counted for yet. Ask before these are written."""
    first: dict[str, Call] = {}
    for call in sorted(calls, key=lambda call: (call.started_at, call.observation_id)):
        if call.trace_id is not None and call.counts:
            first.setdefault(call.trace_id, call)
    known = counted_traces(connection, list(first)) if first else set()
    return [call for trace, call in first.items() if trace not in known]


def _traces(rows: Sequence[_Row]) -> list[str]:
    return sorted({row.trace_id for row in rows if row.trace_id is not None})


def _settled(old: Call | None, new: Call, origins: Mapping[str, Origin]) -> Call:
    """A call with what the platform knows of it. What was known once stays, should the platform have forgotten it."""
    origin = origins.get(new.trace_id or "", Origin())
    if old is not None and origin.conversation_id is None and (old.conversation_id is not None or origin == Origin()):
        origin = Origin(old.agent, old.version, old.conversation_id, old.user_key, old.user_role, old.department)
    return new._replace(
        agent=origin.agent or new.agent,
        version=origin.version or new.version,
        conversation_id=origin.conversation_id,
        user_key=origin.user_key or new.user_key,
        user_role=origin.user_role,
        department=origin.department,
    )


def _take_turn(connection: Connection, source: str, before: Reading) -> None:
    row = connection.execute("SELECT pg_try_advisory_xact_lock(%s)", (_LOCK,)).fetchone()
    if not (row and row[0]) or read_state(connection, source) != before:
        raise Overtaken

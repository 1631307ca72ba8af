"""What the process does for the roll-ups between two countings: folds, history, old rows, retention, pseudonyms.

Each job says whether it is due; none takes long, and each goes on where it stopped, here or at another replica.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from contract.durations import duration_seconds
from exporters.database import ageing
from exporters.database.mapping import Mapping
from exporters.database.sessions import Connection
from exporters.database.sharing import Seat
from exporters.database.user_keys import UserKeyError, checked_key, fill
from exporters.journal import Answer, QueryFailed
from exporters.rollups import active_users, backfill, retention
from exporters.rollups.fold import fold
from exporters.rollups.state import State
from exporters.rollups.statement import Form
from exporters.timing import due

if TYPE_CHECKING:
    from contract.settings import Settings

FOLD_SECONDS, RETENTION_SECONDS = 60.0, 3600.0
BACKFILL_SHARE = 0.25
"""Old rows are counted, and old buckets deleted, in at most this part of an interval: the database is its platform's."""
CHUNK_SECONDS = 1.0
_LEAST_CHUNK, _MOST_CHUNK = 1_000.0, 500_000.0


class Upkeep:
    """`user_key` gives the key that turns users into pseudonyms, or None where there is none."""

    def __init__(
        self, settings: Settings, mapping: Mapping, seat: Seat, interval: float, user_key: Callable[[], str | None]
    ) -> None:
        self._retention, self._mapping, self._seat, self._user_key = settings.database.retention, mapping, seat, user_key
        self._minutes = f"{duration_seconds(self._retention.minute):.0f} seconds"
        self._budget = BACKFILL_SHARE * interval
        self._chunk = float(backfill.FIRST_ROWS)
        self._folded = self._tidied = float("-inf")
        self._noted: datetime | None = None
        self.users_changed = True

    def due(self, now: float, states: Sequence[State], forms: dict[str, Form]) -> dict[str, Callable[[], Answer]]:
        """The jobs that are due at `now` (seconds since the epoch), by name, in their order."""
        at = datetime.fromtimestamp(now, UTC)
        jobs: dict[str, Callable[[], Answer]] = {}
        waiting = [forms[state.source] for state in states if not state.backfilled and state.source in forms]
        counted = {state.source for state in states if state.backfilled}
        if waiting:
            jobs["backfill"] = lambda: self._backfill(waiting)
        minute = at.replace(second=0, microsecond=0)
        if "messages" in counted and minute != self._noted:
            jobs["note_active"] = lambda: self._note(at, minute)
        if due(self._folded, FOLD_SECONDS, now):
            jobs["fold"] = lambda: self._fold(now)
        if due(self._tidied, RETENTION_SECONDS, now):
            jobs["retention"] = lambda: self._tidy(now, at)
        if self.users_changed:
            jobs["user_keys"] = self._fill
        return jobs

    def _backfill(self, waiting: Sequence[Form]) -> Answer:
        end, counted = time.monotonic() + self._budget, 0
        for form in waiting:
            done = False
            while not done and time.monotonic() < end:
                begun = time.monotonic()
                with self._seat.transaction() as connection:
                    chunk = backfill.step(connection, form, int(self._chunk), self._minutes)
                if chunk is None:  # another replica is at it
                    break
                wanted = self._chunk * CHUNK_SECONDS / max(time.monotonic() - begun, 0.001)
                self._chunk = max(_LEAST_CHUNK, min(wanted, 2 * self._chunk, _MOST_CHUNK))
                counted, done = counted + chunk.rows, chunk.done
        return Answer((), counted)

    def _note(self, at: datetime, minute: datetime) -> Answer:
        with self._seat.transaction() as connection:
            active_users.note(connection, _not_ahead(connection, at))
        self._noted = minute
        return Answer((), 1)

    def _fold(self, now: float) -> Answer:
        with self._seat.transaction() as connection:
            rows = fold(connection, self._minutes)
        self._folded = now
        return Answer((), rows or 0)

    def _tidy(self, now: float, at: datetime) -> Answer:
        """Deletes old buckets and rows in small steps. What is left when its time is over waits for the next run."""
        end, deleted = time.monotonic() + self._budget, 0
        with self._seat.transaction() as connection:
            at = _not_ahead(connection, at)
        for step in self._removals(at):
            gone = retention.STEP_ROWS
            while gone and time.monotonic() < end:
                with self._seat.transaction() as connection:
                    gone = step(connection)
                deleted += gone
            if gone:
                return Answer((), deleted)
        self._tidied = now
        return Answer((), deleted)

    def _removals(self, at: datetime) -> Iterator[Callable[[Connection], int]]:
        for tier, before in retention.horizons(self._retention, at).items():
            if retention.table(tier) not in self._retention.archived:
                yield partial(retention.step, aged=tier, before=before)
        for aged in ageing.BY_THE_EXPORTER:
            if aged.table not in self._retention.archived:
                yield partial(ageing.step, aged=aged, retention=self._retention)

    def _fill(self) -> Answer:
        key = self._user_key()
        if key is None:
            self.users_changed = False
            return Answer((), 0)
        try:
            with self._seat.transaction() as connection:
                filled = fill(connection, self._mapping, checked_key(key))
        except UserKeyError as error:
            raise QueryFailed(str(error)) from None
        self.users_changed = filled > 0
        return Answer((), filled)


def _not_ahead(connection: Connection, at: datetime) -> datetime:
    """The time `at`, or the server's where that is earlier: a clock here that is years ahead must not make everything old."""
    row = connection.execute("SELECT now()").fetchone()
    return min(at, row[0]) if row else at


JOBS = ("backfill", "note_active", "fold", "retention", "user_keys")
"""Names of all jobs."""
COUNTING = frozenset({"backfill", "fold"})
"""Those behind which totals and states are others than before."""

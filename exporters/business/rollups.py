"""The collector that counts: it advances every source over the connection that may write, then publishes the totals.

A source that cannot be counted is left behind, and goes on where it stopped once it heals; the others do not notice. Every
replica of the exporter does this, each for all, and all publish the same totals.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from functools import partial

from contract.settings import Settings
from contract.values import duration_seconds
from exporters.business import counted, states
from exporters.business.frame import DatabaseCollector
from exporters.business.names import AGENTS, VERSIONS, Names
from exporters.business.newest import Newest
from exporters.business.schema import schema_problem
from exporters.database.mapping import Mapping
from exporters.database.sessions import StatementRefused
from exporters.database.sharing import Seat
from exporters.database.user_keys import UserKeyError, fill
from exporters.journal import Answer, QueryFailed, SourceDown
from exporters.rollups import backfill, origin
from exporters.rollups.advance import advance, news
from exporters.rollups.fold import fold
from exporters.rollups.forms import form
from exporters.rollups.read import totals
from exporters.rollups.sources import SOURCES
from exporters.rollups.state import State
from exporters.rollups.state import states as read_states
from exporters.rollups.statement import Form

_FOLD_SECONDS, _NAMES_SECONDS, _SCHEMA_SECONDS = 60.0, 60.0, 60.0
_BACKFILL_SHARE = 0.25
"""Old rows are counted in at most this part of an interval, so that the database has time for its platform."""
_CHUNK_SECONDS = 1.0
_LONGEST_ADVANCE = 600.0
"""Seconds. After a long pause there is much to count at once: the limit of a step doubles up to this until it is enough."""

_TIMED_OUT = "57014"

YIELDS: dict[str, tuple[str, ...]] = {"totals": counted.YIELDS, "states": states.YIELDS}
"""The metrics that each query gives."""


class RollupsCollector(DatabaseCollector):
    """`user_key` gives the key that turns users into pseudonyms, or None when there is none."""

    def __init__(self, settings: Settings, mapping: Mapping, seat: Seat, user_key: bytes | None = None) -> None:
        self._sources = [name for name, source in SOURCES.items() if not mapping.is_absent(source.relation)]
        steps = [f"advance_{name}" for name in self._sources]
        queries = [AGENTS, VERSIONS, *steps, "fold", "backfill", *["user_keys"] * (user_key is not None), *YIELDS]
        super().__init__("rollups", settings.exporter.intervals.rollups, settings, seat, queries, mapping)
        self.timeout += 2 * _LONGEST_ADVANCE
        self._mapping, self._user_key = mapping, user_key
        self._minutes = f"{duration_seconds(settings.database.retention.minute):.0f} seconds"
        self._names = Names(mapping, settings.environments)
        self._newest = Newest(self.max_age)
        self._forms: dict[str, Form] = {}
        self._limits: dict[str, float] = {}
        self._looked_at: dict[str, float] = {}
        self._states: list[State] = []
        self._due: dict[str, float] = {}
        self._chunk_rows = float(backfill.FIRST_ROWS)
        self._users_changed = True

    def ask_all(self, now: float) -> None:
        try:
            with self.seat.transaction() as connection:
                if problem := schema_problem(connection) if self._is_due("schema", now, _SCHEMA_SECONDS) else "":
                    raise SourceDown(problem)
                self._states = read_states(connection)
        except (SourceDown, StatementRefused):
            self._due.pop("schema", None)
            raise
        if self._is_due("names", now, _NAMES_SECONDS):
            self._names.ask(self, now)
        new = self._news()
        for name in self._sources:
            self.ask(f"advance_{name}", now, partial(self._advance, name, new, now))
        if self._is_due("fold", now, _FOLD_SECONDS):
            self.ask("fold", now, self._fold)
        self.ask("backfill", now, self._backfill)
        if self._user_key is not None and self._users_changed:
            self.ask("user_keys", now, partial(self._fill, self._user_key))
        self.ask("totals", now, partial(self._totals, now))
        self.ask("states", now, self._read_states)

    def kept(self, now: float, /) -> Collection[str]:
        """Queries that are not asked in this run, so that what is said of them stays."""
        names = [] if self._due.get("names", 0.0) <= now else [AGENTS, VERSIONS]
        fold_ = [] if self._due.get("fold", 0.0) <= now else ["fold"]
        return [*names, *fold_, *["user_keys"] * (not self._users_changed)]

    def _is_due(self, what: str, now: float, every: float) -> bool:
        if now < self._due.get(what, 0.0):
            return False
        self._due[what] = now + every
        return True

    def _news(self) -> Collection[str] | None:
        """The sources that have something to count; None when one of them cannot even be asked, so each is tried by itself."""
        try:
            with self.seat.transaction() as connection:
                for name in self._sources:
                    if name not in self._forms:
                        self._forms[name] = form(connection, self._mapping, SOURCES[name])
                origin.check(connection, self._forms)
                return frozenset(news(connection, self._forms))
        except StatementRefused:
            self._forms.clear()
            return None

    def _advance(self, name: str, new: Collection[str] | None, now: float) -> Answer:
        if not any(state.source == name for state in self._states):
            raise QueryFailed(f"{name} is not counted yet; run `observatory db install`")
        if new is not None and name not in new:
            self._looked_at[name] = now
            return Answer((), 0)
        limit = self._limits.get(name, self.query_timeout)
        try:
            with self.seat.transaction(limit) as connection:
                if name not in self._forms:
                    self._forms[name] = form(connection, self._mapping, SOURCES[name])
                step = advance(connection, self._forms[name])
        except StatementRefused as refused:
            self._forms.pop(name, None)
            if refused.sqlstate == _TIMED_OUT:
                self._limits[name] = min(2 * limit, _LONGEST_ADVANCE)
            raise
        self._limits.pop(name, None)
        if step is None:  # another replica is at it
            return Answer((), 0)
        self._looked_at[name] = now
        self._users_changed |= name == "users" and step.looked > 0
        return Answer((), step.looked + step.gone)

    def _fold(self) -> Answer:
        with self.seat.transaction() as connection:
            return Answer((), fold(connection, self._minutes) or 0)

    def _backfill(self) -> Answer:
        """Old rows of one source, for a part of the interval; nothing when all are counted."""
        waiting = [state.source for state in self._states if not state.backfilled and state.source in self._forms]
        end, counted_rows = time.monotonic() + _BACKFILL_SHARE * self.interval, 0
        for name in waiting:
            done = False
            while not done and time.monotonic() < end:
                begun = time.monotonic()
                with self.seat.transaction() as connection:
                    chunk = backfill.step(connection, self._forms[name], int(self._chunk_rows), self._minutes)
                if chunk is None:  # another replica is at it
                    break
                with self.seat.transaction() as connection:
                    fold(connection, self._minutes)
                wanted = self._chunk_rows * _CHUNK_SECONDS / max(time.monotonic() - begun, 0.001)
                self._chunk_rows = max(1_000.0, min(wanted, 2 * self._chunk_rows, 500_000.0))
                counted_rows, done = counted_rows + chunk.rows, chunk.done
        return Answer((), counted_rows)

    def _fill(self, key: bytes) -> Answer:
        try:
            with self.seat.transaction() as connection:
                filled = fill(connection, self._mapping, key)
        except UserKeyError as error:
            raise QueryFailed(str(error)) from None
        self._users_changed = filled > 0
        return Answer((), filled)

    def _totals(self, now: float) -> Answer:
        with self.seat.transaction() as connection:
            cells = totals(connection)
        found = self._newest.of(tuple(counted.figures(cells, self._names.expected)), now)
        return Answer(found, len(cells))

    def _read_states(self) -> Answer:
        with self.seat.transaction() as connection:
            self._states = read_states(connection)
        return Answer(tuple(states.samples(self._states, self._looked_at)), len(self._states))

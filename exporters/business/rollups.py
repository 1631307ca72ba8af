"""The collector that counts: it advances every source over the connection that may write, then publishes the totals.

A source that cannot be counted is left behind, and goes on where it stopped once it heals; the others do not notice. Every
replica of the exporter does this, each for all, and all publish the same totals.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from exporters.business import counted, states
from exporters.business.frame import DatabaseCollector, Question
from exporters.business.names import AGENTS, VERSIONS, Names
from exporters.business.newest import Newest
from exporters.business.schema import schema_problem
from exporters.business.upkeep import COUNTING, JOBS, Upkeep
from exporters.database.mapping import Mapping
from exporters.database.sessions import Rows, StatementRefused
from exporters.database.sharing import Seat
from exporters.journal import Answer, QueryFailed, SourceDown
from exporters.rollups import origin, planned
from exporters.rollups.advance import Step, advance, news
from exporters.rollups.forms import form
from exporters.rollups.fresh import Latest
from exporters.rollups.read import Totals
from exporters.rollups.sources import SOURCES
from exporters.rollups.state import STATES, State
from exporters.rollups.statement import Form
from exporters.rollups.triggers import asks_for_rebuild, switched_off
from exporters.timing import due

if TYPE_CHECKING:
    from contract.settings import Settings

_CHECK_SECONDS = 60.0
"""How often it is asked whether the schema is this version's, and which agents and versions there are."""
_LONGEST_ADVANCE = 600.0
"""Seconds. After a long pause there is much to count at once: the limit of a step doubles up to this until it is enough."""

_TIMED_OUT = "57014"
_NOTHING = "SELECT WHERE false"

YIELDS: dict[str, tuple[str, ...]] = {"totals": counted.YIELDS, "states": states.YIELDS}
"""The metrics that each query gives."""


@dataclass(frozen=True)
class _Round:
    """Steps that were taken together; the sources that have something to count and are left to a step of their own; and what
    was asked behind the steps: the rows of `Totals.question` and of the states. All of it took the `seconds`."""

    steps: dict[str, Step]
    left: Collection[str]
    found: Sequence[Rows]
    seconds: float


class RollupsCollector(DatabaseCollector):
    """`user_key` gives the key that turns users into pseudonyms, or None where there is none. `latest` is what it read last."""

    def __init__(self, settings: Settings, mapping: Mapping, seat: Seat, user_key: Callable[[], str | None]) -> None:
        self._sources = [name for name, source in SOURCES.items() if not mapping.is_absent(source.relation)]
        queries = [AGENTS, VERSIONS, *map(_step, self._sources), *JOBS, *YIELDS]
        super().__init__("rollups", settings.exporter.intervals.rollups, settings, seat, queries, mapping)
        self.seldom = frozenset({AGENTS, VERSIONS, *JOBS})
        self.timeout += 2 * _LONGEST_ADVANCE
        self._mapping = mapping
        self._upkeep = Upkeep(settings, mapping, seat, self.interval, user_key)
        self._names = Names(mapping, settings.environments)
        self._newest, self._totals = Newest(self.max_age), Totals()
        self.latest = Latest(2 * self.interval)
        self._forms: dict[str, Form] = {}
        self._limits: dict[str, float] = {}
        self._looked_at: dict[str, float] = {}
        self._states: dict[str, State] = {}
        self._halted: dict[str, str] = {}
        self._unchecked: dict[str, str] = {}
        self._failed: set[str] = set()
        self._checked = self._named = float("-inf")

    def collect(self, now: float) -> None:
        self.latest.withdraw()
        super().collect(now)

    def ask_all(self, now: float) -> None:
        if due(self._checked, _CHECK_SECONDS, now):
            self._check(now)
        if due(self._named, _CHECK_SECONDS, now):
            self._named = now
            self._names.ask(self, now)
        self._make_forms()
        round_ = self._advance_together()
        if round_ is None:
            self._look_around()
        for name in sorted(self._sources, key=self._failed.__contains__):  # who had trouble, and may take long, is last
            spent = 0.0 if round_ is None or name in round_.left else round_.seconds
            well = self.ask(_step(name), now, partial(self._advance, name, round_, now), spent=spent)
            (self._failed.discard if well else self._failed.add)(name)
        jobs = self._upkeep.due(now, list(self._states.values()), self._forms)
        for job, run in jobs.items():
            self.ask(job, now, run, late=True)
        questions = {
            "totals": Question(self._totals.question(), partial(self._read_totals, now)),
            "states": Question(STATES, self._read_states),
        }
        if round_ is None or round_.left or COUNTING & jobs.keys():
            self.ask_together(now, questions, late=True)
        else:
            self.ask_together(now, questions, round_.found, late=True, spent=round_.seconds)

    def _check(self, now: float) -> None:
        """Raises SourceDown with what to do when nothing can be counted into this schema."""
        with self.seat.transaction() as connection:
            problem = schema_problem(connection)
            if problem:
                raise SourceDown(problem)
            self._note_states(connection.execute(STATES).fetchall())
            stamped = (SOURCES[name] for name, state in self._states.items() if state.mode == "snapshot" and name in SOURCES)
            for source in switched_off(connection, self._mapping, stamped):
                connection.execute(asks_for_rebuild(source))
        self._checked = now

    def _make_forms(self) -> None:
        """What each source is here. One that cannot be told is asked again in its own step, which then says why."""
        for name in self._sources:
            if name not in self._forms:
                try:
                    with self.seat.transaction() as connection:
                        self._forms[name] = form(connection, self._mapping, SOURCES[name])
                except StatementRefused:
                    continue

    def _advance_together(self) -> _Round | None:
        """One step of all sources that can take it together; None when one of them fails, so each is tried by itself."""
        self._unchecked, begun = {}, time.perf_counter()
        try:
            steps = planned.question(one for one in self._forms.values() if one.planned) or _NOTHING
            # Totals are read behind the commit: who writes in a transaction finds the same rows new once more in the next.
            counts, *found = self.seat.answers([steps], [self._totals.question(), STATES])
            seconds = time.perf_counter() - begun
            self._note_states(found[1])
            taken = {source: Step(source, *done) for source, done in planned.taken(counts).items()}
            left = {
                name: one
                for name, one in self._forms.items()
                if name in self._states and name not in self._halted and name not in taken
            }
            return _Round(taken, self._news(left), found, seconds)
        except StatementRefused:
            self._upkeep.users_changed = True  # perhaps they were counted, and what failed came behind
            return None

    def _news(self, left: dict[str, Form]) -> Collection[str]:
        """Those that have something to count, and those that are not what they were, which are halted first."""
        if not left:
            return ()
        with self.seat.transaction() as connection:
            halted = origin.check(connection, left)
            self._halted |= halted
            return halted.keys() | news(connection, left)

    def _note_states(self, rows: Rows) -> None:
        self._states = {state.source: state for state in (State(*row) for row in rows)}
        self._halted = {name: state.problem or "" for name, state in self._states.items() if state.halted}

    def _look_around(self) -> None:
        """Sources that are not what they were are halted. What cannot be told apart from that is not counted either."""
        try:
            self._note_states(self.seat.rows(STATES))
        except StatementRefused:
            self._checked = float("-inf")  # whatever it is, the next run says what to do
            raise
        for name, one in self._forms.items():
            try:
                with self.seat.transaction() as connection:
                    self._halted |= origin.check(connection, {name: one})
            except StatementRefused as refused:
                self._unchecked[name] = str(refused)

    def _advance(self, name: str, round_: _Round | None, now: float) -> Answer:
        if name not in self._states:
            raise QueryFailed(f"{name} is not counted yet; run `observatory db install`")
        if name in self._halted:
            raise QueryFailed(f"{name} is not counted: {self._halted[name]}")
        if name in self._unchecked:
            raise QueryFailed(self._unchecked[name])
        step: Step | None = None
        if round_ is not None and name in self._forms and name not in round_.left:
            step = round_.steps.get(name, Step(name, 0, 0, 0))
        else:
            step = self._advance_alone(name)
        if step is None:  # another replica is at it
            return Answer((), 0)
        self._looked_at[name] = now
        self._upkeep.users_changed |= name == "users" and step.looked > 0
        return Answer((), step.looked + step.gone)

    def _advance_alone(self, name: str) -> Step | None:
        limit = self._limits.get(name, self.query_timeout)
        try:
            with self.seat.transaction(limit) as connection:
                if name not in self._forms:
                    self._forms[name] = form(connection, self._mapping, SOURCES[name])
                step = advance(connection, self._forms[name])
        except StatementRefused as refused:
            self._forms.pop(name, None)  # the table may have become another
            if refused.sqlstate == _TIMED_OUT:
                self._limits[name] = min(2 * limit, _LONGEST_ADVANCE)
            raise
        self._limits.pop(name, None)
        return step

    def _read_totals(self, now: float, rows: Rows) -> Answer:
        cells = self._totals.added(rows)
        if cells is None:
            with self.seat.transaction() as connection:
                cells = self._totals.read(connection)
        found = self._newest.of(tuple(counted.figures(cells, self._names.expected)), now)
        self.latest.publish(self._totals.not_folded, now)
        return Answer(found, len(cells), in_order=True)

    def _read_states(self, rows: Rows) -> Answer:
        self._note_states(rows)
        return Answer(tuple(states.samples(list(self._states.values()), self._looked_at)), len(rows))


def _step(source: str) -> str:
    return f"advance_{source}"

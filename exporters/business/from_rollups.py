"""The collector of the figures of windows where there are roll-ups: it reads what was counted, never the platform's tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from psycopg import sql

from exporters.business import load_tests, open_tickets
from exporters.business.active_users import ACTIVE, ACTIVE_BEFORE, COMPARED
from exporters.business.figures import FIGURES, PAST_DUE, Figure, Tally, samples
from exporters.business.frame import DatabaseCollector, Question
from exporters.business.happened import Happened
from exporters.business.names import AGENTS, VERSIONS, Names
from exporters.business.schema import schema_problem
from exporters.database.mapping import Mapping
from exporters.database.sessions import Rows
from exporters.database.sharing import Seat
from exporters.journal import Answer, QueryFailed
from exporters.rollups.fresh import Latest, NotFolded
from exporters.rollups.sources.service import TICKETS
from exporters.rollups.sources.talk import MESSAGES
from exporters.snapshot import sample
from exporters.timing import due
from exporters.windows import Tier, Window, windows

if TYPE_CHECKING:
    from contract.settings import Settings

assert MESSAGES.last_seen is not None
_SEEN = MESSAGES.last_seen.fact

_FIGURES = {figure.metric.removeprefix("platform_"): figure for figure in FIGURES}
_TIERS: dict[Tier, str] = {"minute": "minutes", "hour": "hours", "day": "days"}

_ACTIVE, _ACTIVE_BEFORE, _OLDEST = "users_active", "users_active_before", "tickets_oldest_open"
_COUNTS = "counts"

YIELDS: dict[str, tuple[str, ...]] = {
    **{name: (figure.metric,) for name, figure in _FIGURES.items()},
    _ACTIVE: (ACTIVE,),
    _ACTIVE_BEFORE: (ACTIVE_BEFORE,),
    _OLDEST: open_tickets.YIELDS,
    "load_tests": load_tests.YIELDS,
    "rollup_open_rows": ("platform_rollup_open_rows",),
}
"""The metrics that each query gives."""

_SELDOM_SECONDS = 45.0
"""Less than an interval of a minute with its jitter."""

_NOTED = timedelta(minutes=5)
"""How long before the end of a window its users may have been noted last."""

_OPEN_ROWS = "SELECT source, count(key) FROM analytics.sources LEFT JOIN analytics.shadows USING (source) GROUP BY source"


def open_ticket_rows() -> sql.Composed:
    """The open tickets as they were counted, with the columns of their image that are asked for."""
    typed = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(TICKETS.image[name].type))
        for name in ("open", *open_tickets.COLUMNS)
    )
    return sql.SQL(
        "SELECT ticket.* FROM analytics.shadows AS s, jsonb_to_record(s.image) AS ticket ({})"
        " WHERE s.source = {} AND ticket.open"
    ).format(typed, TICKETS.name)


def active_before(within: Sequence[Window]) -> sql.Composed:
    """Windows that are compared, each with the users who were active in the window that ended where it starts."""
    compared = [
        sql.SQL(
            "(SELECT window_name, n FROM analytics.users_active_history WHERE window_name = {} AND at > {} AND at <= {}"
            " ORDER BY at DESC LIMIT 1)"
        ).format(window.name, window.start - _NOTED, window.start)
        for window in within
        if window.name in COMPARED
    ]
    return sql.SQL(" UNION ALL ").join(compared)


class FiguresCollector(DatabaseCollector):
    """Its cost depends on how many agents and environments there are, not on how much happened.

    What the collector that counts has read, which is `latest`, is not asked for.
    """

    def __init__(self, settings: Settings, mapping: Mapping, seat: Seat, latest: Latest) -> None:
        self._latest = latest
        self._figures = {
            name: figure
            for name, figure in _FIGURES.items()
            if not any(mapping.is_absent(relation) for relation in figure.relations)
        }
        facts = frozenset(fact for figure in self._figures.values() for fact in figure.facts)
        self._happened = Happened([*sorted(facts - {PAST_DUE}), _SEEN])
        self._has_tickets, self._has_messages = (not mapping.is_absent(name) for name in ("tickets", "messages"))
        asked = [_COUNTS, *[_OLDEST] * self._has_tickets, *[_ACTIVE, _ACTIVE_BEFORE] * self._has_messages]
        queries = [AGENTS, VERSIONS, "load_tests", "rollup_open_rows", *self._figures, *asked]
        super().__init__("postgres", settings.exporter.intervals.business, settings, seat, queries, mapping)
        self.seldom = frozenset({AGENTS, VERSIONS, "load_tests", "rollup_open_rows", _ACTIVE_BEFORE, _OLDEST})
        self._names = Names(mapping, settings.environments)
        self._named = self._looked_at_tickets = float("-inf")
        self._now = datetime.fromtimestamp(0, UTC)
        self._windows = windows(self._now)
        self._compared: tuple[Window, ...] = ()
        self._tallies: dict[str, Tally] = {}
        self._past_due: Tally = {}

    def ask_all(self, now: float) -> None:
        self._now = datetime.fromtimestamp(now, UTC)
        self._windows = windows(self._now)
        self._tallies = {} if due(self._looked_at_tickets, _SELDOM_SECONDS, now) else {PAST_DUE: self._past_due}
        if due(self._named, _SELDOM_SECONDS, now):
            self._named = now
            self._names.ask(self, now)
            self.ask("rollup_open_rows", now, self._open_rows)
            self.ask("load_tests", now, self._load_tests)
        counted = self._latest.at(now, self._happened.place)
        if counted is not None:
            self.ask(_COUNTS, now, partial(self._count, counted))
        if questions := self._questions(counts=counted is None):
            self.ask_together(now, questions)
        if self._has_messages:
            self.ask(_ACTIVE, now, self._users_active)
        for name, figure in self._figures.items():
            self.ask(name, now, partial(self._figure, figure), late=True)

    def _questions(self, counts: bool) -> dict[str, Question]:
        asked = {_COUNTS: Question(self._happened.question(), self._count)} if counts else {}
        if self._has_tickets and due(self._looked_at_tickets, _SELDOM_SECONDS, self._now.timestamp()):
            asked[_OLDEST] = Question(open_tickets.question(open_ticket_rows(), self._windows, self._now), self._open_tickets)
        if self._has_messages and self._windows != self._compared:
            asked[_ACTIVE_BEFORE] = Question(active_before(self._windows), self._users_active_before)
        return asked

    def _count(self, fresh: Rows | NotFolded) -> Answer:
        found = self._happened.counts(fresh, self._windows, self.seat.answers)
        self._tallies |= found
        return Answer((), sum(map(len, found.values())))

    def _open_tickets(self, rows: Rows) -> Answer:
        self._looked_at_tickets = self._now.timestamp()
        self._tallies[PAST_DUE] = self._past_due = open_tickets.past_due(rows, self._windows)
        return Answer((*open_tickets.ages(rows), *open_tickets.deadlines(rows)), len(rows))

    def _users_active(self) -> Answer:
        seen = self._tally(_SEEN).get((), {})
        return Answer(tuple(sample(ACTIVE, window.name, value=seen.get(window.name, 0)) for window in self._windows), 1)

    def _users_active_before(self, rows: Rows) -> Answer:
        """As it was noted when those windows ended; nothing before counting has gone on for that long."""
        self._compared = self._windows
        return Answer(tuple(sample(ACTIVE_BEFORE, name, value=count) for name, count in rows), len(rows))

    def _figure(self, figure: Figure) -> Answer:
        tallies = {fact: self._tally(fact) for fact in sorted(figure.facts)}
        found = tuple(samples(figure, tallies, self._names.expected))
        return Answer(found, sum(map(len, tallies.values())))

    def _tally(self, fact: str) -> Tally:
        if fact not in self._tallies:
            raise QueryFailed(f"not worked out: {fact} could not be read")
        return self._tallies[fact]

    def _open_rows(self) -> Answer:
        rows = self.seat.rows(_OPEN_ROWS)
        return Answer(tuple(sample("platform_rollup_open_rows", name, value=count) for name, count in rows), len(rows))

    def _load_tests(self) -> Answer:
        rows = self.seat.rows(load_tests.QUESTION)
        return Answer(tuple(load_tests.samples(rows)), len(rows))

    def explanation(self) -> str:
        """Roll-ups are not there, or are another version's."""
        with self.seat.transaction() as connection:
            return schema_problem(connection, may_be_standby=True)

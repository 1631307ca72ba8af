"""The collector for a database in which nothing may be written: figures of windows, and what stands in small tables.

There are no counters and no histograms then, because counting everything again on each run would cost the more the longer the
platform lives. What is missing is said in the log and on the landing page.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from psycopg import sql

from contract.catalogue import of_source
from contract.metrics import Source as Exposed
from exporters.business import active_users, open_tickets, tables
from exporters.business.expected import counts
from exporters.business.figures import FACTS, FIGURES, PAST_DUE, Figure, Tally, by_labels, samples
from exporters.business.frame import DatabaseCollector
from exporters.business.names import AGENTS, VERSIONS, Names
from exporters.business.raw import RECENT, image, standing, tally
from exporters.database.mapping import Mapping
from exporters.database.sessions import Rows, StatementRefused
from exporters.database.sharing import Seat
from exporters.journal import Answer, QueryFailed
from exporters.logs import LOG, pairs
from exporters.rollups.model import Source, Stock
from exporters.rollups.sources import SOURCES
from exporters.rollups.sources.service import TICKETS
from exporters.windows import windows

if TYPE_CHECKING:
    from contract.settings import Settings

_SMALL = ("users", "tickets", "tickets_unassigned", "documents", "queue_messages")
_RECENT = ("executions_in_progress", "sessions_active")
_STOCKS = {stock.name: (source, stock) for source in SOURCES.values() for stock in source.stocks}
"""Stocks are counted in tables that stay small, and among the rows of the last day. Others would mean whole histories."""

_FIGURES = {figure.metric.removeprefix("platform_"): figure for figure in FIGURES}
_ACTIVE, _OLDEST = "users_active", "tickets_oldest_open"

YIELDS: dict[str, tuple[str, ...]] = {
    **{name: (figure.metric,) for name, figure in _FIGURES.items()},
    **{name: tuple(wanted.metric for wanted in _STOCKS[name][1].yields) for name in (*_SMALL, *_RECENT)},
    _ACTIVE: (active_users.ACTIVE, active_users.ACTIVE_BEFORE),
    _OLDEST: open_tickets.YIELDS,
}
"""The metrics that each query gives."""

_REMEDY = "`observatory db install`, then OBSERVATORY_POSTGRES_ADVANCE_DSN or sources.postgres.advance_dsn_file"


def missing() -> tuple[str, ...]:
    """The metrics from PostgreSQL that this collector and the one of tables cannot give."""
    given = {name for yields in (YIELDS, tables.YIELDS) for names in yields.values() for name in names}
    return tuple(declared.name for declared in of_source(Exposed.POSTGRES) if declared.name not in given)


class ReadOnlyCollector(DatabaseCollector):
    """Asks the platform's tables once an interval. Relations that are absent are not asked for."""

    note = f"no connection that may write schema analytics, so {len(missing())} metrics are missing; want {_REMEDY}"
    """What a person should know although nothing fails."""

    def __init__(self, settings: Settings, mapping: Mapping, seat: Seat) -> None:
        self._mapping = mapping
        self._figures = {name: figure for name, figure in _FIGURES.items() if self._has(*figure.relations)}
        self._stocks = {name: _STOCKS[name] for name in (*_SMALL, *_RECENT) if self._has(_STOCKS[name][0].relation)}
        queries = [AGENTS, VERSIONS, *self._figures, *self._stocks]
        self._others: dict[str, Callable[[], Answer]] = {}
        if self._has("messages"):
            self._others[_ACTIVE] = self._users_active
        if self._has("tickets"):
            self._others[_OLDEST] = self._oldest_open
        super().__init__("postgres", settings.exporter.intervals.business, settings, seat, [*queries, *self._others], mapping)
        self._names = Names(mapping, settings.environments)
        self._now = datetime.fromtimestamp(0, UTC)
        self._windows = windows(self._now)
        self._tallies: dict[str, Tally | QueryFailed] = {}
        self._said = False

    def _has(self, *relations: str) -> bool:
        return not any(self._mapping.is_absent(relation) for relation in relations)

    def ask_all(self, now: float) -> None:
        self._now = datetime.fromtimestamp(now, UTC)
        self._windows = windows(self._now)
        self._tallies = {}
        if not self._said:
            LOG.warning("read only", extra=pairs(source=self.name, missing=",".join(missing()), remedy=_REMEDY))
            self._said = True
        self._names.ask(self, now)
        for name, figure in self._figures.items():
            self.ask(name, now, partial(self._figure, figure))
        for name, (source, stock) in self._stocks.items():
            self.ask(name, now, partial(self._stock, source, stock))
        for name, question in self._others.items():
            self.ask(name, now, question)

    def _figure(self, figure: Figure) -> Answer:
        tallies = {fact: self._tally(fact) for fact in sorted(figure.facts)}
        found = tuple(samples(figure, tallies, self._names.expected))
        return Answer(found, sum(map(len, tallies.values())))

    def _tally(self, fact: str) -> Tally:
        """What several figures are made of is asked once a run, also when it fails."""
        if fact not in self._tallies:
            try:
                self._tallies[fact] = self._ask_tally(fact)
            except StatementRefused as refused:
                self._tallies[fact] = QueryFailed(str(refused))
        known = self._tallies[fact]
        if isinstance(known, QueryFailed):
            raise known
        return known

    def _ask_tally(self, fact: str) -> Tally:
        if fact == PAST_DUE:
            return open_tickets.past_due(self._open_tickets(), self._windows)
        source, declared = FACTS[fact]
        rows = self.seat.rows(tally(source, declared, self._windows, self._mapping))
        return by_labels(rows, len(declared.labels), self._windows)

    def _stock(self, source: Source, stock: Stock) -> Answer:
        since = self._now - RECENT if stock.name in _RECENT else None
        rows = self.seat.rows(standing(source, stock, self._mapping, since))
        return Answer(tuple(counts(stock, rows, self._names.expected)), len(rows))

    def _users_active(self) -> Answer:
        rows = self.seat.rows(active_users.counts(self._windows, self._mapping))
        return Answer(tuple(active_users.samples(rows, self._windows)), len(rows))

    def _oldest_open(self) -> Answer:
        rows = self._open_tickets()
        return Answer((*open_tickets.ages(rows), *open_tickets.deadlines(rows)), len(rows))

    def _open_tickets(self) -> Rows:
        tickets = sql.SQL("SELECT * FROM ({}) AS image WHERE open").format(image(TICKETS, self._mapping))
        return self.seat.rows(open_tickets.question(tickets, self._windows, self._now))

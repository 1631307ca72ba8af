"""The collector that recounts: one source each run, one hour of it, held against what was counted.

The drift that it finds is published with the state of the roll-ups.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from exporters.business.frame import DatabaseCollector
from exporters.business.schema import schema_problem
from exporters.database.mapping import Mapping
from exporters.database.sharing import Seat
from exporters.journal import Answer, SourceDown
from exporters.rollups import audit
from exporters.rollups.forms import form
from exporters.rollups.sources import SOURCES

if TYPE_CHECKING:
    from contract.settings import Settings


class AuditCollector(DatabaseCollector):
    """Which hour is recounted depends on the time alone, so replicas look at the same one."""

    answers_needed = False  # one source is asked, and its trouble is no other's

    def __init__(self, settings: Settings, mapping: Mapping, seat: Seat) -> None:
        self._sources = [
            source
            for source in SOURCES.values()
            if not mapping.is_absent(source.relation) and audit.audited_fact(source) is not None
        ]
        queries = [source.name for source in self._sources]
        super().__init__("audit", settings.exporter.intervals.audit, settings, seat, queries, mapping)
        self.seldom = frozenset(queries)
        self._mapping = mapping

    def ask_all(self, now: float) -> None:
        with self.seat.transaction() as connection:
            problem = schema_problem(connection)
        if problem:
            raise SourceDown(problem)
        source, seed = self._sources[self._turn(now)], int(now // self.interval)
        self.ask(source.name, now, partial(self._audit, source.name, seed))

    def _turn(self, now: float) -> int:
        return int(now // self.interval) % len(self._sources)

    def _audit(self, name: str, seed: int) -> Answer:
        """The rows of the hour that was recounted; 0 when the source cannot be recounted now."""
        with self.seat.transaction() as connection:
            found = audit.step(connection, form(connection, self._mapping, SOURCES[name]), seed)
        return Answer((), found.recounted if found else 0)

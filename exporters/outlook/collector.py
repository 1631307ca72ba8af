"""The collector of forecasts and advice: publishes what stands in the tables, and has it made anew when it is old.

The first run after a start makes nothing: whoever waits for the exporter to be ready does not wait for statistics.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from psycopg import sql

from contract.durations import duration_seconds
from contract.forecasts import BUSIEST_HOURS, SUBJECTS
from exporters.business.frame import DatabaseCollector
from exporters.database.mapping import Mapping
from exporters.database.sessions import CONNECT_SECONDS, Rows, StatementRefused
from exporters.database.sharing import Seat
from exporters.journal import Answer
from exporters.logs import LOG, pairs
from exporters.outlook import evidence, tables
from exporters.outlook.launch import LONGEST_SECONDS, Launch
from exporters.outlook.series import COUNTED, LIMITS, agents, count_active, filled, midnight, question, uncounted
from exporters.rollups.capture.window import SKEW_SECONDS

if TYPE_CHECKING:
    from contract.settings import Settings

LOOKED_EVERY = "15s"
"""How often it is looked whether what stands is old."""
_AGAIN = timedelta(hours=1)
"""After a failure it is left alone for so long: it costs processor time."""
_LATE = timedelta(seconds=SKEW_SECONDS)
"""A day is learnt from when its end is so long ago: by then its last rows are there."""

YIELDS: dict[str, tuple[str, ...]] = {
    "standing": (
        "platform_forecast_made_timestamp_seconds",
        "platform_forecast_error_ratio",
        "platform_forecast_change_ratio",
        "platform_advice",
    ),
}
"""The metrics that each query gives."""
_MADE = "made"


class OutlookCollector(DatabaseCollector):
    """`reading` reads schema `analytics`, `seat` may write it."""

    answers_needed = False  # the schema's own collector says when it is not there

    def __init__(self, settings: Settings, mapping: Mapping, reading: Seat, seat: Seat) -> None:
        super().__init__("outlook", LOOKED_EVERY, settings, seat, [*YIELDS, _MADE], mapping)
        self.seldom = frozenset({_MADE})
        self.timeout = CONNECT_SECONDS + LONGEST_SECONDS + 20 * self.query_timeout
        self._every = timedelta(seconds=duration_seconds(settings.exporter.intervals.outlook))
        self._mapping, self._reading, self._launch = mapping, reading, Launch()
        self._last: datetime | None = None
        self._tried: datetime | None = None
        self._settled = False

    def ask_all(self, now: float) -> None:
        at = datetime.fromtimestamp(now, UTC)
        known = self.ask("standing", now, self._standing)
        if known and self._settled and self._due(at):
            self._tried = at
            if self.ask(_MADE, now, lambda: self._make(at)):
                self._tried = None
                self.ask("standing", now, self._standing, late=True)
        self._settled = True

    def _due(self, at: datetime) -> bool:
        old = self._last is None or at - self._last >= self._every or self._last - _LATE < midnight(at - _LATE)
        return old and (self._tried is None or at - self._tried >= _AGAIN)

    def _standing(self) -> Answer:
        last, rows = self.seat.answers([tables.LAST, tables.STANDING])
        self._last = last[0][0]
        return Answer(tuple(tables.samples(list(rows), self._last)), len(rows))

    def _make(self, at: datetime) -> Answer:
        begun = time.monotonic()
        self._count_active(at)
        series = self._series(at)
        given = {"series": series, "evidence": self._evidence(at)}
        with self.journal.aside():  # statistics take what they take; no query is slow for that
            found = self._launch.run(given)
        with self.seat.transaction() as connection:
            tables.replace(connection, series, found, at, time.monotonic() - begun)
        return Answer((), len(found["forecasts"]) + len(found["advice"]))

    def _count_active(self, at: datetime) -> None:
        for begin, end in uncounted(_only(self.seat.rows(COUNTED)), at):
            with self.seat.transaction() as connection:
                connection.execute(count_active(self._mapping, begin, end))

    def _series(self, at: datetime) -> dict[str, list[float]]:
        found = {key: filled(self._rows(question(one.sql, at)), one, at) for key, one in SUBJECTS.items()}
        limits = self._rows(LIMITS)
        return found | (agents(self._rows(question(BUSIEST_HOURS, at)), limits, at) if limits else {})

    def _evidence(self, at: datetime) -> dict[str, Any]:
        return {name: _only(self._rows(asked)) or [] for name, asked in evidence.questions(at).items()}

    def _rows(self, asked: sql.Composable) -> Rows:
        """What is refused, or takes too long, keeps nothing else from being worked out."""
        try:
            return self._reading.rows(asked)
        except StatementRefused as refused:
            LOG.warning("left out of forecasts and advice", extra=pairs(reason=str(refused)))
            return ()

    def abort(self) -> None:
        self._launch.end()
        self._reading.abort()
        super().abort()

    def close(self) -> None:
        self._launch.close()
        self._reading.close()
        super().close()


def _only(rows: Rows) -> Any:
    return rows[0][0] if rows else None

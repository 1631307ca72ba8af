"""The collector that compares versions of agents, and records what it finds in `analytics.regressions`.

A finding is recorded once. While it is open its figures follow the comparison; a person confirms or dismisses it, and what was
dismissed is not opened again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from psycopg import sql

from exporters.business.frame import DatabaseCollector
from exporters.business.versions import MEASURES, Change, Comparison, Comparisons, changes_question, samples
from exporters.database.mapping import Mapping
from exporters.database.sessions import Connection, Rows
from exporters.database.sharing import Seat
from exporters.journal import Answer, QueryFailed
from exporters.snapshot import Sample, sample

if TYPE_CHECKING:
    from contract.settings import Settings

YIELDS: dict[str, tuple[str, ...]] = {
    "comparisons": (
        "platform_version_regression_ratio",
        "platform_version_regression_p_value",
        "platform_version_sample",
    ),
    "regressions": ("platform_regressions_open",),
}
"""The metrics that each query gives."""

_RECORD = """
INSERT INTO analytics.regressions AS known
    (agent, version, environment, metric, before, after, p_value, detected_at, source)
VALUES (%(agent)s, %(version)s, %(environment)s, %(metric)s, %(before)s, %(after)s, %(p_value)s, %(at)s, 'auto')
ON CONFLICT (agent, version, environment, metric) WHERE source = 'auto' DO UPDATE
SET before = excluded.before, after = excluded.after, p_value = excluded.p_value
WHERE known.state = 'open' AND (known.before, known.after, known.p_value) <> (excluded.before, excluded.after, excluded.p_value)
"""
_OPEN = """
SELECT agent, environment, metric FROM analytics.regressions
WHERE state <> 'dismissed' AND (agent, environment, version) IN (SELECT * FROM unnest({}::text[], {}::text[], {}::text[]))
GROUP BY agent, environment, metric
"""


class RegressionsCollector(DatabaseCollector):
    """`seat` may write schema `analytics`. The platform has a table of deployments."""

    answers_needed = False  # the schema's own collector says when it is not there

    def __init__(self, settings: Settings, mapping: Mapping, seat: Seat) -> None:
        super().__init__("versions", settings.exporter.intervals.versions, settings, seat, YIELDS, mapping)
        self._mapping, self._thresholds = mapping, settings.thresholds
        self._comparisons = Comparisons()
        self._changes: list[Change] = []
        self._found: list[Comparison] | None = None

    def ask_all(self, now: float) -> None:
        at = datetime.fromtimestamp(now, UTC)
        self._found = None
        self.ask("comparisons", now, lambda: self._compare(at))
        self.ask("regressions", now, lambda: self._record(at))

    def _compare(self, now: datetime) -> Answer:
        with self.seat.transaction() as connection:
            self._changes = [Change(*row) for row in connection.execute(changes_question(self._mapping, now)).fetchall()]
            self._found = self._comparisons.read(connection, self._changes, now)
        return Answer(tuple(samples(self._found, self._thresholds)), len(self._found))

    def _record(self, now: datetime) -> Answer:
        if self._found is None:
            raise QueryFailed("not worked out: the versions could not be compared")
        with self.seat.transaction() as connection:
            for regression in self._regressions(self._found):
                connection.execute(_RECORD, regression | {"at": now})
            open_ = self._open(connection)
        return Answer(tuple(_open_samples(self._changes, open_)), len(open_))

    def _regressions(self, comparisons: Sequence[Comparison]) -> Iterator[dict[str, object]]:
        """What is worse by more than chance explains, and by more than nobody would mind."""
        limits = self._thresholds
        for one in comparisons:
            for measure in MEASURES:
                p, ratio, values = one.p_value(measure, limits.regression_minimum), one.ratio(measure), one.values(measure)
                if p is None or ratio is None or values is None:
                    continue
                if p < limits.regression_p_value and ratio > limits.regression_ratio:
                    change = one.change
                    yield {
                        "agent": change.agent,
                        "version": change.version,
                        "environment": change.environment,
                        "metric": measure,
                        "before": values[0],
                        "after": values[1],
                        "p_value": p,
                    }

    def _open(self, connection: Connection) -> Rows:
        agents, environments, versions = (
            [getattr(change, name) for change in self._changes] for name in ("agent", "environment", "version")
        )
        return connection.execute(sql.SQL(_OPEN).format(agents, environments, versions)).fetchall()


def _open_samples(changes: Sequence[Change], rows: Rows) -> Iterator[Sample]:
    found = {tuple(row) for row in rows}
    for change in changes:
        for measure in MEASURES:
            place = (change.agent, change.environment, measure)
            yield sample("platform_regressions_open", *place, value=place in found)

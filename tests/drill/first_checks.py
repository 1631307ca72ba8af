"""The first checks of runbooks, asked as by somebody whom the drill has woken: of its Prometheus and of its database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from math import isnan
from typing import Any

import psycopg
from psycopg import sql

from alert_rules.agents import DEPLOYMENTS
from alert_rules.catalogue import active
from alert_rules.model import Alert, MetricCheck, TableCheck
from alert_rules.runbooks import check_query
from contract.signals.model import Rate
from demo.drill.expected import ALWAYS
from demo.drill.lives import ANCHOR, SETTINGS, Life
from provisioning.rules.history import History, QueryError
from provisioning.rules.states import Firing

Check = MetricCheck | TableCheck
Row = Mapping[str, Any]

_ROLE = "observatory_grafana_business"
"""As whom people ask the database."""
_COLUMNS = {"agent_name": "agent"}
"""What columns of the database are called as labels."""


def _may_be_empty(check: Check) -> bool:
    """Nobody deploys anything during a drill, and its yesterday holds only what rules read of it."""
    return check == DEPLOYMENTS or (isinstance(check, MetricCheck) and bool(check.against))


class Desk:
    """Where questions are asked."""

    def __init__(self, history: History, connection: psycopg.Connection[Any]) -> None:
        self._history, self._connection = history, connection

    def rows(self, check: Check, since: float, at: float) -> list[Row]:
        """What is answered at a moment, in SQL about the time from `since` on (seconds since the epoch).

        Counters that counted nothing show nothing. Raises QueryError or psycopg.Error when the question is refused.
        """
        if isinstance(check, TableCheck):
            moment = sql.Literal(datetime.fromtimestamp(since, UTC).isoformat()).as_string(self._connection)
            cursor = self._connection.execute(check.sql.replace(":'since'", moment).encode())
            names = [_COLUMNS.get(column.name, column.name) for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor]
        found = [(one["metric"], float(one["value"][1])) for one in self._history.instant(check_query(check), at)["result"]]
        counts = isinstance(check.signal, Rate)
        return [labels for labels, value in found if not isnan(value) and (value or not counts)]


def complaints(life: Life, history: History, firings: Iterable[Firing]) -> list[str]:
    """What is wrong with first checks: all have to be answered, and those of what fires have to show something about it.

    `history` is the life's.
    """
    alerts = {alert.name: alert for alert in active(SETTINGS)}
    fired = [firing for firing in firings if firing.alert not in ALWAYS]
    with psycopg.connect(life.dsn, autocommit=True) as connection:
        connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(_ROLE)))
        desk = Desk(history, connection)
        refused = [line for alert in alerts.values() for line in _refused(desk, alert, life.until)]
        return refused or [line for firing in fired for line in _silent(desk, alerts[firing.alert], firing)]


def _silent(desk: Desk, alert: Alert, firing: Firing) -> Iterator[str]:
    labels = dict(firing.labels)
    for check in alert.checks:
        rows = desk.rows(check, firing.pending - alert.window_seconds, firing.since)
        if not _may_be_empty(check) and not any(is_about(row, labels) for row in rows):
            yield f"{alert.name} fires for {labels}, of which nothing shows in: {check.question}"


def is_about(row: Row, labels: Mapping[str, str]) -> bool:
    """Whether a row is of the same thing, as far as it says what it is of."""
    return all(row[name] == value for name, value in labels.items() if name in row)


def _refused(desk: Desk, alert: Alert, at: float) -> Iterator[str]:
    for check in alert.checks:
        try:
            desk.rows(check, ANCHOR, at)
        except (QueryError, psycopg.Error) as problem:
            yield f"{alert.name}: {check.question} is refused: {problem}"

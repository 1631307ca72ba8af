"""Removing single rows that are older than their retention, a few thousand at a time, so that nobody waits for it.

The tiers of the roll-ups have a way of their own: `exporters.rollups.retention`. What is to be archived first waits for a
command: `provisioning.retention`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from contract.analytics import ANALYTICS_SCHEMA
from contract.durations import duration_seconds

if TYPE_CHECKING:
    from contract.data_plane import Retention

STEP_ROWS = 5_000


@dataclass(frozen=True)
class Aged:
    """A table whose rows go when `time` is further back than a retention of the configuration."""

    table: str
    time: str
    retention: str

    def seconds(self, retention: Retention) -> float:
        return duration_seconds(getattr(retention, self.retention))


AGED = (
    Aged("llm_calls", "started_at", "model_calls"),
    Aged("llm_scores", "at", "model_calls"),
    Aged("alert_events", "received_at", "alert_events"),
    Aged("audit_log", "at", "audit_log"),
    Aged("forecasts", "made_at", "findings"),
    Aged("anomalies", "at", "findings"),
    Aged("incidents", "closed_at", "findings"),
    Aged("profiling_sessions", "ended_at", "findings"),
    Aged("load_tests", "ended_at", "findings"),
)
"""What is not over yet has no such time, and stays."""
BY_THE_EXPORTER = tuple(aged for aged in AGED if aged.table != "audit_log")
"""What the role that counts may remove from. Who changed what is an administrator's to forget."""


def _is_old(aged: Aged, retention: Retention) -> sql.Composed:
    return sql.SQL("{} < now() - make_interval(secs => {})").format(
        sql.Identifier(aged.time), sql.Literal(aged.seconds(retention))
    )


def step(connection: psycopg.Connection[Any], aged: Aged, retention: Retention) -> int:
    """Removes at most `STEP_ROWS` rows that are too old by the server's clock; how many, 0 when none are left."""
    table = sql.Identifier(ANALYTICS_SCHEMA, aged.table)
    statement = sql.SQL("DELETE FROM {} WHERE ctid = ANY (ARRAY(SELECT ctid FROM {} WHERE {} LIMIT {}))").format(
        table, table, _is_old(aged, retention), sql.Literal(STEP_ROWS)
    )
    return connection.execute(statement).rowcount

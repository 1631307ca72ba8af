"""The history of alerts, from Alertmanager's webhook into PostgreSQL.

Prometheus forgets why an alert fired once its series are gone, and back-filled series never fired at all; this table is the
memory. Each change of state is one row, however often Alertmanager repeats a notification.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import deque
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import psycopg
from pydantic import BaseModel, ConfigDict, Field

_INSERT = """
INSERT INTO analytics.alert_events
    (fingerprint, starts_at, status, received_at, ends_at, alertname, severity, environment, agent, labels, annotations)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT DO NOTHING
"""


class Alert(BaseModel):
    """One alert of a notification, as Alertmanager's webhook (version 4) has it."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    status: Literal["firing", "resolved"]
    fingerprint: str
    labels: dict[str, str]
    annotations: dict[str, str] = Field(default_factory=dict)
    startsAt: datetime
    endsAt: datetime

    def row(self, received_at: datetime) -> tuple[object, ...]:
        named = [self.labels.get(label, "") for label in ("alertname", "severity", "environment", "agent")]
        texts = [json.dumps(part, sort_keys=True) for part in (self.labels, self.annotations)]
        # A firing alert's end is unknown; Alertmanager says year 1 then.
        ends_at = self.endsAt if self.status == "resolved" else None
        return (self.fingerprint, self.startsAt, self.status, received_at, ends_at, *named, *texts)


class Notification(BaseModel):
    """The body of a webhook."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    alerts: tuple[Alert, ...]


class AlertLog:
    """Writes alert events in the background; while the database is away they wait, `capacity` at most."""

    def __init__(self, dsn_file: Path, capacity: int = 10_000, retry_seconds: float = 5.0) -> None:
        self._dsn_file = dsn_file
        self._capacity = capacity
        self._retry_seconds = retry_seconds
        self._waiting: deque[tuple[object, ...]] = deque()
        self._arrived = asyncio.Event()
        self.problem = ""

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def accept(self, notification: Notification, received_at: float) -> bool:
        """False when there is no room; the sender is to come again. `received_at` is in seconds since the epoch."""
        if len(self._waiting) + len(notification.alerts) > self._capacity:
            return False
        at = datetime.fromtimestamp(received_at, UTC)
        self._waiting.extend(alert.row(at) for alert in notification.alerts)
        self._arrived.set()
        return True

    async def run(self) -> None:
        """Writes for ever what arrives. Ends when it is cancelled."""
        while True:
            try:
                await self._write()
            except (OSError, psycopg.Error) as error:
                self.problem = next(iter(str(error).splitlines()), type(error).__name__)
                await asyncio.sleep(self._retry_seconds)

    async def flush(self, seconds: float) -> None:
        """Gives the rows that still wait a last chance of at most `seconds`."""
        with contextlib.suppress(TimeoutError, OSError, psycopg.Error):
            await asyncio.wait_for(self._write(until_empty=True), seconds)

    async def _write(self, until_empty: bool = False) -> None:
        dsn = self._dsn_file.read_text(encoding="utf-8").strip()
        async with await psycopg.AsyncConnection.connect(dsn, connect_timeout=3) as connection:
            self.problem = ""
            while self._waiting or not until_empty:
                self._arrived.clear()
                if not self._waiting:
                    await self._arrived.wait()
                rows = list(self._waiting)
                async with connection.cursor() as cursor:
                    await cursor.executemany(_INSERT, rows)
                await connection.commit()
                for _ in rows:
                    self._waiting.popleft()

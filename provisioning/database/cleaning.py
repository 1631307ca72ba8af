"""`observatory db clean`: everything that has a retention, tiers and single rows alike."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import psycopg

from contract.data_plane import Retention
from exporters.database import ageing
from exporters.database.ageing import Old
from exporters.rollups import retention as tiers


def too_old(connection: psycopg.Connection[Any], retention: Retention) -> Iterator[Old]:
    """What a cleaning would remove now."""
    for aged, before in _horizons(connection, retention).items():
        yield Old(tiers.table(aged), tiers.kept(retention, aged), tiers.count(connection, aged, before))
    yield from ageing.too_old(connection, retention)


def clean(connection: psycopg.Connection[Any], retention: Retention) -> Iterator[Old]:
    """Removes what is too old, in small transactions; gives each table when it is done. `connection` is in autocommit mode."""
    for aged, before in _horizons(connection, retention).items():
        removed = 0
        while step := _step(connection, aged, before):
            removed += step
        yield Old(tiers.table(aged), tiers.kept(retention, aged), removed)
    yield from ageing.clean(connection, retention)


def _step(connection: psycopg.Connection[Any], aged: tiers.Aged, before: datetime) -> int:
    with connection.transaction():
        return tiers.step(connection, aged, before)


def _horizons(connection: psycopg.Connection[Any], retention: Retention) -> dict[tiers.Aged, datetime]:
    """By the server's clock."""
    row = connection.execute("SELECT now()").fetchone()
    assert row is not None
    return tiers.horizons(retention, row[0])

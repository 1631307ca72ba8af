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
    for tier, before in _horizons(connection, retention).items():
        yield Old(f"rollup_{tier}", getattr(retention, tier), tiers.count(connection, tier, before))
    yield from ageing.too_old(connection, retention)


def clean(connection: psycopg.Connection[Any], retention: Retention) -> Iterator[Old]:
    """Removes what is too old, in small transactions; gives each table when it is done. `connection` is in autocommit mode."""
    for tier, before in _horizons(connection, retention).items():
        removed = 0
        while step := _step(connection, tier, before):
            removed += step
        yield Old(f"rollup_{tier}", getattr(retention, tier), removed)
    yield from ageing.clean(connection, retention)


def _step(connection: psycopg.Connection[Any], tier: tiers.Tier, before: datetime) -> int:
    with connection.transaction():
        return tiers.step(connection, tier, before)


def _horizons(connection: psycopg.Connection[Any], retention: Retention) -> dict[tiers.Tier, datetime]:
    """By the server's clock."""
    row = connection.execute("SELECT now()").fetchone()
    assert row is not None
    return tiers.horizons(retention, row[0])

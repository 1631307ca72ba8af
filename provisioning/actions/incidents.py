"""Incidents that an action opens and closes: rows of `analytics.incidents`, one open at a time for what it is about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from psycopg.types.json import Jsonb

from provisioning.actions.audit import Connection

_OPEN = """
INSERT INTO analytics.incidents (kind, ref, opened_at, severity, evidence)
SELECT %(kind)s, %(ref)s, now(), 'warning', %(evidence)s
WHERE NOT EXISTS (SELECT FROM analytics.incidents WHERE kind = %(kind)s AND ref = %(ref)s AND closed_at IS NULL)
"""
_CLOSE = "UPDATE analytics.incidents SET closed_at = now() WHERE kind = %(kind)s AND ref = %(ref)s AND closed_at IS NULL"


def opened(connection: Connection, kind: str, ref: str, evidence: Mapping[str, Any]) -> None:
    """Opens one, unless one is open."""
    connection.execute(_OPEN, {"kind": kind, "ref": ref, "evidence": Jsonb(evidence)})


def closed(connection: Connection, kind: str, ref: str) -> bool:
    """Closes the one that is open; whether one was."""
    return connection.execute(_CLOSE, {"kind": kind, "ref": ref}).rowcount > 0

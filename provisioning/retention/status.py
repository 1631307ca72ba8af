"""What each table of schema `analytics` holds, and how much of it is too old. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql

from contract.analytics import ANALYTICS_SCHEMA
from provisioning.retention.chunks import dated, old
from provisioning.retention.tables import Kept
from provisioning.sizes import size

_OTHERS = """
SELECT c.relname::text, pg_total_relation_size(c.oid) FROM pg_class AS c
WHERE c.relnamespace = to_regnamespace(%s) AND c.relkind IN ('r', 'p') AND c.relname <> ALL (%s) ORDER BY 2 DESC, 1
"""


@dataclass(frozen=True)
class Held:
    """A table as it is. `old_bytes` is its part of `bytes` by the number of rows; `oldest` is None when it is empty."""

    kept: Kept
    rows: int
    bytes: int
    old_rows: int
    oldest: datetime | None

    @property
    def old_bytes(self) -> int:
        return self.bytes * self.old_rows // self.rows if self.rows else 0

    @property
    def removed_by(self) -> str:
        if self.kept.by_exporter:
            return "the exporter"
        return "retention apply --archive" if self.kept.archived else "retention apply"

    def as_json(self) -> dict[str, Any]:
        return {
            "table": self.kept.name,
            "tier": self.kept.tier,
            "kept": self.kept.older_than,
            "rows": self.rows,
            "bytes": self.bytes,
            "oldest": self.oldest.isoformat() if self.oldest else None,
            "older_rows": self.old_rows,
            "older_bytes": self.old_bytes,
            "removed_by": self.removed_by,
        }


@dataclass(frozen=True)
class Status:
    """Tables with a retention, and the sizes of those that are kept for good."""

    held: tuple[Held, ...]
    for_good: tuple[tuple[str, int], ...]

    def as_json(self) -> dict[str, Any]:
        return {"tables": [held.as_json() for held in self.held], "kept_for_good": dict(self.for_good)}

    def as_text(self) -> str:
        lines = [
            f"{'table':<34}{'tier':<10}{'kept':>6}{'rows':>12}{'size':>10}  {'oldest (UTC)':<18}{'older':>10}{'about':>10}"
            "  removed by"
        ]
        for held in self.held:
            oldest = f"{held.oldest:%Y-%m-%d %H:%M}" if held.oldest else "-"
            lines.append(
                f"{held.kept.name:<34}{held.kept.tier:<10}{held.kept.older_than:>6}{held.rows:>12,}{size(held.bytes):>10}"
                f"  {oldest:<18}{held.old_rows:>10,}{size(held.old_bytes):>10}  {held.removed_by}"
            )
        good = ", ".join(f"{name} {size(of)}" for name, of in self.for_good)
        return "\n".join([*lines, f"kept for good, or as long as counting needs it: {good}"])


def status(connection: psycopg.Connection[Any], tables: Sequence[Kept]) -> Status:
    """Counts every table."""
    ours = [kept.table for kept in tables if kept.schema == ANALYTICS_SCHEMA]
    others = tuple((name, bytes_) for name, bytes_ in connection.execute(_OTHERS, (ANALYTICS_SCHEMA, ours)))
    return Status(tuple(_held(connection, kept) for kept in tables), others)


def _held(connection: psycopg.Connection[Any], kept: Kept) -> Held:
    table, time = sql.Identifier(kept.schema, kept.table), sql.Identifier(kept.time)
    query = sql.SQL(
        "SELECT count(*), count(*) FILTER (WHERE {old}), min({time}) FILTER (WHERE {dated}) AT TIME ZONE 'UTC',"
        " (SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree({name}::regclass)), pg_total_relation_size({name})"
        " FROM {table}"
    ).format(time=time, old=old(kept), dated=dated(kept), table=table, name=sql.Literal(table.as_string(connection)))
    row = connection.execute(query).fetchone()
    assert row is not None
    return Held(kept, row[0], int(row[3] or row[4]), row[1], row[2])

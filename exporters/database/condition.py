"""How an installation is: versions, sizes, roles, slow statements. Read only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg

from exporters.database import migrations
from exporters.database.catalogue import server
from exporters.database.roles import missing

_SIZES = """
SELECT c.relname, pg_total_relation_size(c.oid), greatest(c.reltuples, 0)::bigint
FROM pg_class c WHERE c.relnamespace = to_regnamespace('analytics') AND c.relkind IN ('r', 'm')
ORDER BY 2 DESC, 1
"""
_SLOW = """
SELECT left(regexp_replace(query, '\\s+', ' ', 'g'), 100), calls, mean_exec_time, total_exec_time
FROM pg_stat_statements WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND query ~* 'analytics'
ORDER BY mean_exec_time DESC LIMIT 5
"""


@dataclass(frozen=True)
class Slow:
    """A statement over our schema that takes long; times in milliseconds."""

    statement: str
    calls: int
    mean_ms: float
    total_ms: float


@dataclass(frozen=True)
class Condition:
    """`sizes`: bytes and estimated rows by table. `slow` is None where pg_stat_statements is not installed or not readable."""

    version: str
    pending: tuple[str, ...]
    roles_missing: tuple[str, ...]
    users_without_key: int
    sizes: dict[str, tuple[int, int]]
    slow: tuple[Slow, ...] | None


def condition(connection: psycopg.Connection[Any], users: psycopg.sql.Composable) -> Condition:
    """Looks at an installed schema. `users` is the mapped table of users. Raises migrations.MigrationRefused."""
    pending = migrations.pending(connection)
    applied = connection.execute("SELECT max(number) FROM analytics.migrations").fetchone()
    without = connection.execute(
        psycopg.sql.SQL(
            "SELECT count(*) FROM {} AS u WHERE NOT EXISTS (SELECT FROM analytics.user_keys k WHERE k.user_id = u.id::text)"
        ).format(users)
    ).fetchone()
    sizes = {name: (size, rows) for name, size, rows in connection.execute(_SIZES)}
    return Condition(
        f"{applied[0]:04d}" if applied and applied[0] is not None else "",
        tuple(file.file for file in pending),
        tuple(missing(server(connection))),
        int(without[0]) if without else 0,
        sizes,
        _slow(connection),
    )


def _slow(connection: psycopg.Connection[Any]) -> tuple[Slow, ...] | None:
    try:
        return tuple(Slow(*row) for row in connection.execute(_SLOW))
    except (psycopg.errors.UndefinedTable, psycopg.errors.ObjectNotInPrerequisiteState, psycopg.errors.InsufficientPrivilege):
        return None

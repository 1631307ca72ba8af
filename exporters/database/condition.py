"""How an installation is: versions, sizes, roles, slow statements. Read only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from exporters.database import migrations
from exporters.database.catalogue import server
from exporters.database.roles import missing

_SIZES = """
SELECT c.relname, pg_total_relation_size(c.oid), greatest(c.reltuples, 0)::bigint
FROM pg_class c WHERE c.relnamespace = to_regnamespace('analytics') AND c.relkind IN ('r', 'm')
ORDER BY 2 DESC, 1
"""
_STATEMENTS = """
SELECT c.relnamespace::regnamespace::text FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner
WHERE c.relname = 'pg_stat_statements' AND c.relkind = 'v' AND r.rolsuper
"""
"""Where the view is. One that a superuser did not make could run anybody's functions as administrator."""
_SLOW = """
SELECT left(regexp_replace(query, '\\s+', ' ', 'g'), 100), calls, mean_exec_time, total_exec_time
FROM {} WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND query ~* 'analytics'
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


def condition(connection: psycopg.Connection[Any], users: sql.Composable) -> Condition:
    """Looks at an installed schema. `users` is the mapped table of users. Raises migrations.MigrationRefused."""
    pending = migrations.pending(connection)
    applied = connection.execute("SELECT max(number) FROM analytics.migrations").fetchone()
    without = connection.execute(
        sql.SQL(
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
    found = connection.execute(_STATEMENTS).fetchone()
    if found is None:
        return None
    query = sql.SQL(_SLOW).format(sql.Identifier(found[0], "pg_stat_statements"))
    try:
        return tuple(Slow(*row) for row in connection.execute(query))
    except (psycopg.errors.ObjectNotInPrerequisiteState, psycopg.errors.InsufficientPrivilege):
        return None

"""Writing a backup: every table of schema `analytics` as it was at one moment."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from contract.analytics import ANALYTICS_SCHEMA
from provisioning.backup.file import FORMAT, Manifest, writing
from provisioning.database.admin import EXACTLY

OF_THE_INSTALLATION = ("migrations", "person_logins")
"""What `db install` writes by itself, and what the manifest says."""

_TABLES = """
SELECT c.relname::text, array_agg(a.attname::text ORDER BY a.attnum)
FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
WHERE c.relnamespace = to_regnamespace(%s) AND c.relkind = 'r' AND c.relname <> ALL (%s)
      AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
GROUP BY 1 ORDER BY 1
"""


def tables(connection: psycopg.Connection[Any]) -> dict[str, tuple[str, ...]]:
    """Every table that is saved, with its columns."""
    found = connection.execute(_TABLES, (ANALYTICS_SCHEMA, list(OF_THE_INSTALLATION)))
    return {name: tuple(columns) for name, columns in found}


def migrations(connection: psycopg.Connection[Any]) -> tuple[tuple[int, str, str], ...]:
    """What made the schema: number, name and digest of each file."""
    return tuple(connection.execute("SELECT number, name, digest FROM analytics.migrations ORDER BY number"))


def rows_of(table: str, columns: tuple[str, ...]) -> sql.Composed:
    """A table with these columns, as COPY names it."""
    names = sql.SQL(", ").join(sql.Identifier(column) for column in columns)
    return sql.SQL("{} ({})").format(sql.Identifier(ANALYTICS_SCHEMA, table), names)


def save(connection: psycopg.Connection[Any], path: Path, say: Callable[[str], None]) -> Manifest:
    """Writes a backup of what one transaction sees; nobody waits for it. Raises InputError, OSError."""
    with writing(path) as backup, connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        connection.execute(EXACTLY)
        row = connection.execute(
            "SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), current_database(),"
            " current_setting('server_version')"
        ).fetchone()
        assert row is not None
        for name, columns in tables(connection).items():
            query = sql.SQL("COPY {} TO STDOUT").format(rows_of(name, columns))
            with connection.cursor() as cursor, cursor.copy(query) as copy:
                backup.table(name, columns, copy, cursor)
            say(f"{name}: {backup.tables[name].rows} rows")
        manifest = Manifest(FORMAT, row[0], row[1], row[2], migrations(connection), backup.tables)
        backup.manifest(manifest)
    return manifest

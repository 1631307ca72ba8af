"""Taking a backup in, in one transaction: into a database without schema `analytics`, or in the place of what is there.

What was counted is then as it was at the moment of the backup, and counting goes on from there. Totals that are less than what
was published are not published until they have caught up. What was changed or deleted between the backup and the restore cannot
be known, so every source asks to be counted anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from contract.analytics import ANALYTICS_SCHEMA
from exporters.database.migrations import available, exists, migrate
from exporters.database.plan import briefly, patiently
from exporters.rollups.fold import LOCK, fold
from provisioning.actions.audit import add
from provisioning.backup import saving
from provisioning.backup.file import Manifest, Reading
from provisioning.findings import InputError

Connection = psycopg.Connection[Any]
_AUDIT = "audit_log"
_BLOCK = 1 << 20
_IDENTITIES = """
SELECT c.relname::text, a.attname::text FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
WHERE c.relnamespace = to_regnamespace(%s) AND c.relkind = 'r' AND NOT a.attisdropped AND a.attidentity <> ''
ORDER BY 1
"""


def obstacles(connection: Connection, manifest: Manifest, replace: bool) -> None:
    """Raises InputError when the backup does not fit this program or this database."""
    manifest.of({file.number: file for file in available()})
    if not exists(connection):
        return
    here, there = saving.migrations(connection), manifest.migrations
    if set(there) - set(here):
        raise InputError(
            "error: the backup is of a newer version than schema analytics here; run `observatory db upgrade` first"
        )
    if set(here) - set(there):
        raise InputError(
            f"error: the backup is of version {manifest.version}, and schema analytics here is newer: restore it into a"
            " database without that schema (`observatory db uninstall` removes it); it is brought to this version then"
        )
    if not replace:
        raise InputError("error: schema analytics is there, with what was counted: --replace puts the backup in its place")


@dataclass(frozen=True)
class Restored:
    """The names of the sources that want to be counted anew, and of the migrations that brought an older schema here."""

    sources: Sequence[str]
    migrations: Sequence[str]


def restore(connection: Connection, backup: Reading, who: str, minutes: str) -> Restored:
    """Puts the rows of a backup in place, and brings an older schema to this version.

    `connection` is in autocommit mode, the backup verified and `obstacles` looked at. `minutes` is the interval in which
    minutes are kept. Raises Busy, or what the server says; then nothing was changed.
    """
    return patiently(connection, "restoring schema analytics", lambda: _once(connection, backup, who, minutes))


def _once(connection: Connection, backup: Reading, who: str, minutes: str) -> Restored:
    manifest = backup.manifest
    with connection.transaction():
        briefly(connection)
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
        replaced = exists(connection)
        if not replaced:
            migrate(connection, manifest.of({file.number: file for file in available()}))
        _fits(connection, manifest)
        folds = connection.execute("SELECT n FROM analytics.folds").fetchone()
        _emptied(connection, [name for name in manifest.tables if name != _AUDIT or not replaced])
        for name in manifest.tables:
            if name == _AUDIT and replaced:
                _merge_audit(connection, backup)
            else:
                _load(connection, backup, name, saving.rows_of(name, manifest.tables[name].columns))
        _identities(connection)
        newer = migrate(connection)
        connection.execute("UPDATE analytics.folds SET n = greatest(n, %s) + 1", folds or (0,))
        fold(connection, minutes)
        said = f"restored as of {manifest.made_at}; what was changed or deleted since is not known"
        names = [
            name
            for (name,) in connection.execute(
                "UPDATE analytics.sources SET rebuild_needed = true, problem = %s RETURNING source", (said,)
            )
        ]
        after = {"made_at": manifest.made_at, "version": manifest.version, "database": manifest.database}
        add(connection, who, "restore", f"schema {ANALYTICS_SCHEMA}", None, after)
    return Restored(sorted(names), [file.file for file in newer])


def _fits(connection: Connection, manifest: Manifest) -> None:
    """The same files made both schemas, so only somebody else's hand explains a difference."""
    here = saving.tables(connection)
    if unknown := sorted(manifest.tables.keys() - here.keys()):
        raise InputError(
            f"error: the backup has tables that schema analytics has not: {', '.join(unknown)}; it was changed by hand"
        )
    for name, columns in here.items():
        table = manifest.tables.get(name)
        if table is None or set(table.columns) != set(columns):
            raise InputError(f"error: table {name} of schema analytics is not that of the backup: it was changed by hand")


def _emptied(connection: Connection, names: list[str]) -> None:
    tables = sql.SQL(", ").join(sql.Identifier(ANALYTICS_SCHEMA, name) for name in names)
    connection.execute(sql.SQL("TRUNCATE {}").format(tables))


def _load(connection: Connection, backup: Reading, name: str, into: sql.Composable) -> None:
    with connection.cursor() as cursor:
        with backup.table(name) as file, cursor.copy(sql.SQL("COPY {} FROM STDIN").format(into)) as copy:
            for block in _blocks(file):
                copy.write(block)
        if cursor.rowcount != (wanted := backup.manifest.tables[name].rows):
            raise InputError(f"error: {cursor.rowcount} rows of {name} came in where {wanted} were saved; nothing was changed")


def _merge_audit(connection: Connection, backup: Reading) -> None:
    """Who changed what since the backup is not forgotten; what is missing comes back."""
    columns = backup.manifest.tables[_AUDIT].columns
    connection.execute("CREATE TEMP TABLE saved_audit_log (LIKE analytics.audit_log) ON COMMIT DROP")
    names = sql.SQL(", ").join(sql.Identifier(column) for column in columns)
    _load(connection, backup, _AUDIT, sql.SQL("saved_audit_log ({})").format(names))
    others = sql.SQL(", ").join(sql.Identifier(column) for column in columns if column != "id")
    connection.execute(
        sql.SQL(
            "INSERT INTO analytics.audit_log ({others}) SELECT {others} FROM saved_audit_log AS s WHERE NOT EXISTS (SELECT FROM"
            " analytics.audit_log AS a WHERE (a.at, a.actor, a.action, a.target) = (s.at, s.actor, s.action, s.target))"
            " ORDER BY s.at, s.id"
        ).format(others=others)
    )


def _identities(connection: Connection) -> None:
    """The next number of every table comes after those that are there."""
    for table, column in connection.execute(_IDENTITIES, (ANALYTICS_SCHEMA,)).fetchall():
        name = sql.Identifier(ANALYTICS_SCHEMA, table)
        connection.execute(
            sql.SQL("SELECT setval(pg_get_serial_sequence({}, {}), coalesce(max({}), 0) + 1, false) FROM {}").format(
                sql.Literal(name.as_string(connection)), sql.Literal(column), sql.Identifier(column), name
            )
        )


def _blocks(file: Any) -> Iterator[bytes]:
    while block := file.read(_BLOCK):
        yield block

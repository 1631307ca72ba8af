"""Versioned SQL files, applied in the order of their numbers, all that are new in one transaction.

What was applied is recorded with its digest in `analytics.migrations`; a file that has changed since is refused, and a schema
`analytics` that these files did not make is never touched.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

FOLDER = Path(__file__).parent / "migrations"
SCHEMA = "analytics"
_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")
_MADE = re.compile(r"^CREATE (?:TABLE|VIEW) analytics\.(\w+)", re.MULTILINE)
_FUNCTIONS = re.compile(r"^CREATE (?:OR REPLACE )?(?:FUNCTION|AGGREGATE) analytics\.(\w+)", re.MULTILINE)
LOCK = 0x0B5E_0001
"""Key of the advisory lock under which one process migrates."""


class MigrationRefused(Exception):
    """The schema cannot be brought to this version; the text says why and what to do."""


@dataclass(frozen=True)
class Migration:
    """One file."""

    number: int
    name: str
    text: str

    @property
    def file(self) -> str:
        return f"{self.number:04d}_{self.name}.sql"

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def record(self) -> sql.Composed:
        """The statement that notes that it was applied."""
        values = sql.SQL(", ").join(sql.Literal(value) for value in (self.number, self.name, self.digest))
        return sql.SQL("INSERT INTO analytics.migrations (number, name, digest) VALUES ({})").format(values)

    @property
    def makes(self) -> list[str]:
        """Names of the tables and views that it makes in our schema."""
        return _MADE.findall(self.text)

    @property
    def functions(self) -> list[str]:
        """Names of the functions and aggregates that it makes there."""
        return _FUNCTIONS.findall(self.text)


def available(folder: Path = FOLDER) -> tuple[Migration, ...]:
    """All files, by number. Raises MigrationRefused when two share a number."""
    found: dict[int, Migration] = {}
    for path in sorted(folder.glob("*.sql")):
        match = _NAME.fullmatch(path.name)
        if match is None:
            raise MigrationRefused(f"{path.name} is no name of a migration; want 0001_what_it_makes.sql")
        migration = Migration(int(match[1]), match[2], path.read_text(encoding="utf-8"))
        if migration.number in found:
            raise MigrationRefused(f"{migration.file} and {found[migration.number].file} share a number")
        found[migration.number] = migration
    return tuple(found.values())


def exists(connection: psycopg.Connection[Any]) -> bool:
    """Whether our schema is there. Raises MigrationRefused when a schema of this name is somebody else's."""
    row = connection.execute(
        "SELECT to_regnamespace('analytics') IS NOT NULL, to_regclass('analytics.migrations') IS NOT NULL,"
        " coalesce(obj_description(to_regnamespace('analytics'), 'pg_namespace'), '') LIKE 'Agent Observatory:%'"
    ).fetchone()
    there, recorded, marked = row or (False, False, False)
    if there and not (recorded and marked):
        raise MigrationRefused(
            f"database {connection.info.dbname} has a schema {SCHEMA!r} that this program did not make, and leaves alone; "
            "rename that schema, or install into another database"
        )
    return bool(there)


def pending(connection: psycopg.Connection[Any], files: Iterable[Migration] | None = None) -> list[Migration]:
    """The files that are not applied yet, by number. Raises MigrationRefused for a foreign schema or a changed file."""
    known = {file.number: file for file in (available() if files is None else files)}
    applied = {}
    if exists(connection):
        applied = {
            number: (name, digest)
            for number, name, digest in connection.execute("SELECT number, name, digest FROM analytics.migrations")
        }
    unknown = [f"{number:04d}_{name}" for number, (name, _) in sorted(applied.items()) if number not in known]
    if unknown:
        raise MigrationRefused(
            f"the schema has migration {', '.join(unknown)}, which this version does not know: "
            "it was installed by a newer version; use that one"
        )
    changed = [known[number].file for number, (_, digest) in sorted(applied.items()) if known[number].digest != digest]
    if changed:
        are = "is not the file that was" if len(changed) == 1 else "are not the files that were"
        raise MigrationRefused(
            f"{', '.join(changed)} {are} applied to this database; restore what was, and put the change into a new migration"
        )
    return [file for number, file in sorted(known.items()) if number not in applied]


def migrate(
    connection: psycopg.Connection[Any],
    files: Iterable[Migration] | None = None,
    make_way: Callable[[], None] = lambda: None,
) -> list[Migration]:
    """Applies what is pending, in the transaction that is open, and gives it. What runs at once waits for its end.

    `make_way` removes what may stand on what a file changes; it is asked once something does.
    """
    known = tuple(available() if files is None else files)
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
    todo = pending(connection, known)
    for file in todo:
        try:
            with connection.transaction():
                connection.execute(file.text.encode())
        except (psycopg.errors.DependentObjectsStillExist, psycopg.errors.FeatureNotSupported):
            make_way()
            connection.execute(file.text.encode())
        connection.execute(file.record)
    return todo

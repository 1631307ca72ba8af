"""Whether the tables and views are there that queries read: the platform's, and those of schema `analytics`."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg

from contract.analytics import ANALYTICS_SCHEMA, READABLE
from contract.settings import Settings
from exporters.database.mapping import Mapping, MappingError
from exporters.database.mapping_check import problems
from exporters.database.migrations import MigrationRefused, exists, pending
from exporters.database.sessions import Connection, DatabaseDown, connect
from provisioning.doctor.asker import Asker
from provisioning.findings import Finding, error, warning

_CHECK = "doctor/tables"
_NOT_OURS = "permission denied for table"
_VIEWS = "SELECT relname::text FROM pg_class WHERE relnamespace = to_regnamespace(%s) AND relkind IN ('r', 'v')"
_MAP = (
    "correct the mapping (docs/database.md), or say {absent: true}; `observatory db map --check` lists what stays without data"
)


def troubles(settings: Settings, asker: Asker) -> Iterator[Finding]:
    """What is missing, as the exporter's login sees it, or else the panels'. Nothing where nobody is let in."""
    way = asker.exporters or asker.postgres
    if way.name in asker.down:
        return
    try:
        with connect(way.dsn, "observatory-doctor") as connection:
            yield from _of_platform(connection, settings)
            yield from _of_ours(connection)
    except DatabaseDown:
        return  # the connection says so itself
    except psycopg.errors.InsufficientPrivilege as problem:
        said = str(problem.diag.message_primary)
        yield error(way.address, said, "log in as a member of observatory_read: `observatory db install`", _CHECK)


def _of_platform(connection: Connection, settings: Settings) -> Iterator[Finding]:
    try:
        mapping = Mapping.of(settings)
    except MappingError as problem:
        yield from (error("database.relations", line, _MAP, _CHECK) for line in str(problem).splitlines())
        return
    for found in problems(connection, mapping):
        if _NOT_OURS in found.message:  # texts that people wrote: roles that count may not read them, and need not
            continue
        yield error(found.place, found.message, found.remedy or _MAP, _CHECK)


def _of_ours(connection: Connection) -> Iterator[Finding]:
    place = f"schema {ANALYTICS_SCHEMA}"
    try:
        if not exists(connection):
            yield warning(place, "is not there, so panels that read it are empty", "run `observatory db install`", _CHECK)
            return
        waiting = pending(connection)
    except MigrationRefused as problem:
        yield error(place, str(problem), "", _CHECK)
        return
    if waiting:
        names = ", ".join(file.file for file in waiting)
        yield error(place, f"is of an earlier version: {names} is missing", "run `observatory db upgrade`", _CHECK)
        return
    there = {name for (name,) in connection.execute(_VIEWS, (ANALYTICS_SCHEMA,))}
    if missing := sorted(READABLE.keys() - there):
        yield error(place, f"has no {', '.join(missing)}", "run `observatory db install`: it makes what is missing", _CHECK)

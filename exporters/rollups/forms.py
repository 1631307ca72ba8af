"""The sources as they are at one platform: which of them it has, in which tables, with which types."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from psycopg import sql

from exporters.database.mapping import Mapping
from exporters.rollups.model import Source
from exporters.rollups.planned import is_installed
from exporters.rollups.sources import SOURCES
from exporters.rollups.state import Connection
from exporters.rollups.statement import Form
from exporters.rollups.triggers import is_keyed


def forms(connection: Connection, mapping: Mapping) -> dict[str, Form]:
    """The sources that the platform has, by name. Their types are asked of the database; tables that do not exist raise."""
    return {
        source.name: form(connection, mapping, source) for source in SOURCES.values() if not mapping.is_absent(source.relation)
    }


def form(connection: Connection, mapping: Mapping, source: Source) -> Form:
    """One source at this platform."""
    table = mapping.table(source.relation).as_string(None)
    driving = mapping.driving(source.relation)
    joins = (
        sql.SQL("LEFT JOIN {} AS {} ON {}").format(mapping.table(join.relation), sql.Identifier(join.alias), sql.SQL(join.on))
        for join in source.joins
    )
    found = Form(
        source,
        driving=sql.Identifier(*driving).as_string(None) if driving else "",
        table=table,
        stamped=mapping.stamped(source.relation).as_string(None) if driving else table,
        joins=sql.SQL(" ").join(joins).as_string(None),
        own_types=_types(connection, mapping.table(source.relation), source.own_columns),
        keyed=is_keyed(mapping, source),
    )
    return replace(found, planned=is_installed(connection, found))


def _types(connection: Connection, table: sql.Composable, columns: tuple[str, ...]) -> dict[str, str]:
    listed = sql.SQL(", ").join(sql.Identifier("r", column) for column in columns)
    cursor = connection.execute(sql.SQL("SELECT {} FROM {} AS r LIMIT 0").format(listed, table))
    codes: list[Any] = [column.type_code for column in cursor.description or ()]
    names = connection.execute(
        # With -1 a type of any length: `character` alone means one letter.
        "SELECT format_type(code, -1) FROM unnest(%s::oid[]) WITH ORDINALITY AS t (code, n) ORDER BY n", (codes,)
    )
    return dict(zip(columns, (name for (name,) in names), strict=True))

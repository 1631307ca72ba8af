"""Schema `app` of the contract, made from its relations, and the mark that says it is ours."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb
from pydantic import TypeAdapter

from contract.relations import APP_SCHEMA, RELATIONS, SQL_TYPES, Relation
from demo.world.model import WorldSpec

MARK = "observatory_demo"
_TIMES = ("ended_at", "end_time", "updated_at", "resolved_at")
_KEYS_OF_OTHERS = (
    "user_id",
    "conversation_id",
    "agent_id",
    "execution_id",
    "document_id",
    "ticket_id",
    "trace_id",
    "session_id",
)
_SPEC = TypeAdapter(WorldSpec)


class ForeignSchema(Exception):
    """Schema `app` exists and was not made by us; it is never touched."""


@dataclass(frozen=True)
class Mark:
    """What the database holds. `loaded_until` (seconds since the epoch) is None while a load has not finished."""

    spec: WorldSpec
    loaded_until: float | None


def read_mark(connection: psycopg.Connection) -> Mark | None:
    """The mark of our schema, None when there is no schema `app`. Raises ForeignSchema when it is somebody else's."""
    if not _exists("SELECT to_regnamespace(%s) IS NOT NULL", APP_SCHEMA, connection):
        return None
    if not _exists("SELECT to_regclass(%s) IS NOT NULL", f"{APP_SCHEMA}.{MARK}", connection):
        raise ForeignSchema(
            f"database {connection.info.dbname} has a schema {APP_SCHEMA!r} that is not the demonstration's; "
            "name another database, or rename that schema"
        )
    row = connection.execute(f"TABLE {APP_SCHEMA}.{MARK}").fetchone()
    if row is None:
        return None
    return Mark(_SPEC.validate_json(json.dumps(row[0]), strict=False), row[1].timestamp() if row[1] else None)


def write_mark(connection: psycopg.Connection, spec: WorldSpec, loaded_until: float | None) -> None:
    until = None if loaded_until is None else datetime.fromtimestamp(loaded_until, UTC)
    statement = sql.SQL("UPDATE {} SET spec = %s, loaded_until = %s").format(sql.Identifier(APP_SCHEMA, MARK))
    connection.execute(statement, (Jsonb(asdict(spec)), until))


def create(connection: psycopg.Connection, spec: WorldSpec) -> None:
    """Make empty tables without keys and indexes, in place of our earlier ones. Raises ForeignSchema."""
    read_mark(connection)
    connection.execute(f"DROP SCHEMA IF EXISTS {APP_SCHEMA} CASCADE")
    connection.execute(f"CREATE SCHEMA {APP_SCHEMA}")
    connection.execute(f"CREATE TABLE {APP_SCHEMA}.{MARK} (spec jsonb NOT NULL, loaded_until timestamptz)")
    statement = sql.SQL("INSERT INTO {} VALUES (%s, NULL)").format(sql.Identifier(APP_SCHEMA, MARK))
    connection.execute(statement, (Jsonb(asdict(spec)),))
    for relation in RELATIONS.values():
        connection.execute(sql.SQL(_table(relation)))


def _table(relation: Relation) -> str:
    columns = ", ".join(
        f"{column.name} {SQL_TYPES.get(column.type, column.type)}{'' if column.nullable else ' NOT NULL'}"
        for column in relation.columns
    )
    return f"CREATE TABLE {relation.qualified} ({columns})"


def index_statements(relation: Relation) -> list[str]:
    """The primary key and the indexes of a table, as SQL to run once its rows are there; statistics last."""
    names = {column.name for column in relation.columns}
    leading = [relation.time] if relation.time else []
    leading += [name for name in (*_TIMES, *_KEYS_OF_OTHERS) if name in names and relation.key[0] != name]
    return [
        f"ALTER TABLE {relation.qualified} ADD PRIMARY KEY ({', '.join(relation.key)})",
        *(f"CREATE INDEX {relation.name}_{name} ON {relation.qualified} ({name})" for name in leading),
        f"ANALYZE {relation.qualified}",
    ]


def _exists(query: str, name: str, connection: psycopg.Connection) -> bool:
    row = connection.execute(query.encode(), (name,)).fetchone()
    return bool(row and row[0])

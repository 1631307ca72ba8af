"""The platform's data: agent executions, and in proportion to them users, conversations, messages, tickets and feedback.

Made by SQL, set by set, over the 100 days before `until`; with the same seed the same rows. Other tables of the contract are
there and empty. A database is kept as a template and named by its size; benchmarks that write work on a copy.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
from psycopg import sql

from contract.relations import APP_SCHEMA, RELATIONS, SQL_TYPES, Relation

DAYS = 100
AGENTS = 12
_EDITION = 2
_KEPT = timedelta(hours=6)
_ROWS = Path(__file__).with_name("data.sql")

_INDEXES = {
    "conversations": ("ended_at", "user_id"),
    "messages": ("conversation_id",),
    "agent_executions": ("conversation_id", "end_time"),
    "tickets": ("updated_at", "status"),
}
"""What a platform would have besides primary keys and the time columns."""


def counts(executions: int, agents: int = AGENTS) -> dict[str, int]:
    """Rows of each table for a number of executions."""
    return {
        "agents": agents, "executions": executions, "users": executions // 100, "conversations": executions // 10,
        "messages": executions * 4 // 10, "tickets": executions // 50, "feedback": executions // 20,
    }  # fmt: skip


def create_tables(connection: psycopg.Connection) -> None:
    """Empty tables of the contract, without keys and indexes."""
    connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(APP_SCHEMA)))
    for relation in RELATIONS.values():
        columns = ", ".join(
            f"{c.name} {SQL_TYPES.get(c.type, c.type)}{'' if c.nullable else ' NOT NULL'}" for c in relation.columns
        )
        connection.execute(sql.SQL(f"CREATE TABLE {relation.qualified} ({columns})"))


def create_indexes(connection: psycopg.Connection, relation: Relation) -> None:
    """Primary key, time column and `_INDEXES` of one table, then its statistics. Needs autocommit."""
    connection.execute(sql.SQL(f"ALTER TABLE {relation.qualified} ADD PRIMARY KEY ({', '.join(relation.key)})"))
    for column in filter(None, (relation.time, *_INDEXES.get(relation.name, ()))):
        connection.execute(sql.SQL(f"CREATE INDEX {relation.name}_{column} ON {relation.qualified} ({column})"))
    connection.execute(sql.SQL(f"VACUUM (ANALYZE, FREEZE) {relation.qualified}"))


def fill(
    connection: psycopg.Connection, executions: int, until: datetime, say: Callable[[str], None], agents: int = AGENTS
) -> None:
    """Make and fill all tables in the connection's database."""
    create_tables(connection)
    span = timedelta(days=DAYS)
    values = {**counts(executions, agents), "since": until - span, "until": until, "span": span}
    with psycopg.ClientCursor(connection) as cursor:
        say("rows")
        cursor.execute(_ROWS.read_bytes(), values)
    for name, relation in RELATIONS.items():
        say(f"{name}: indexes")
        create_indexes(connection, relation)


def database_of(dsn: str, name: str) -> str:
    """The same server's connection string, as an address, for another database."""
    return f"{dsn.rpartition('/')[0]}/{name}"


def template(dsn: str, executions: int, say: Callable[[str], None]) -> tuple[str, datetime]:
    """Name of the database of that size and the time at which its data end; made anew when it is older than six hours."""
    name = f"bench_{executions}"
    with psycopg.connect(dsn, autocommit=True) as admin:
        now = datetime.now(UTC).replace(second=0, microsecond=0)
        mark = _mark(admin, name)
        if mark and now - mark < _KEPT:
            return name, mark
        _drop(dsn, name)
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        with psycopg.connect(database_of(dsn, name), autocommit=True) as connection:
            fill(connection, executions, now, say)
        comment = json.dumps({"edition": _EDITION, "until": now.isoformat()})
        admin.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(name), sql.Literal(comment)))
        admin.execute("CHECKPOINT")
    return name, now


@contextmanager
def copy_of(dsn: str, name: str, copy: str = "bench_work") -> Iterator[str]:
    """A DSN of a copy of the database that may be written to; dropped afterwards."""
    _drop(dsn, copy)
    with psycopg.connect(dsn, autocommit=True) as admin:
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy")
        admin.execute(statement.format(sql.Identifier(copy), sql.Identifier(name)))
    try:
        yield database_of(dsn, copy)
    finally:
        _drop(dsn, copy)


def warm(connection: psycopg.Connection) -> None:
    """Read every table and its primary key once, so that both are in memory, whatever a planner would rather read."""
    with connection.transaction():
        connection.execute("SET LOCAL enable_indexonlyscan = off")
        for relation in RELATIONS.values():
            connection.execute(sql.SQL("SELECT count(*) FROM {}").format(_table(relation)))
    with connection.transaction():
        connection.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off")
        for relation in RELATIONS.values():
            key = sql.SQL(", ").join(map(sql.Identifier, relation.key))
            in_order = sql.SQL("SELECT {} FROM {} ORDER BY {} OFFSET 0").format(key, _table(relation), key)
            connection.execute(sql.SQL("SELECT count(*) FROM ({}) AS keys").format(in_order))


def settle(connection: psycopg.Connection) -> None:
    """Do what much writing leaves to be done, so that it does not fall into what is measured: statistics, dead rows, marks of
    what is visible, pages that are not on the disk yet. Needs autocommit."""
    connection.execute("VACUUM (ANALYZE)")
    connection.execute("CHECKPOINT")


def _table(relation: Relation) -> sql.Identifier:
    return sql.Identifier(APP_SCHEMA, relation.name)


def _mark(admin: psycopg.Connection, name: str) -> datetime | None:
    found = admin.execute(
        "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s", (name,)
    ).fetchone()
    content = json.loads(found[0]) if found and found[0] else {}
    return datetime.fromisoformat(content["until"]) if content.get("edition") == _EDITION else None


def _drop(dsn: str, name: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as admin:
        admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

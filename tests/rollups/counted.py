"""A small platform whose tables are captured by snapshots, and what the roll-ups say of it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import psycopg

from contract.data_plane import Mapped
from contract.relations import APP_SCHEMA, RELATIONS
from exporters.database.mapping import Mapping
from exporters.database.sessions import limits
from exporters.rollups import advance, backfill, fold
from exporters.rollups.forms import form
from exporters.rollups.sources import SOURCES
from exporters.rollups.statement import Form
from exporters.rollups.triggers import trigger_statements
from tests.rollups import ledger
from tests.rollups.writers import create_tables

SOURCE_NAMES = ("executions", "conversations", "messages", "tickets", "feedback", "users")
_TABLES = ("agents", *(SOURCES[name].relation for name in SOURCE_NAMES))
NOON = datetime(2026, 3, 15, 12, 0, 30, tzinfo=UTC)


class Counted:
    """Tables without our column until `install` is called, in a database with schema `analytics`. Times are UTC."""

    def __init__(self, connection: psycopg.Connection, dsn: str, planned: bool) -> None:
        self.connection, self.dsn = connection, dsn
        self.mapping = Mapping({name: Mapped(absent=name not in _TABLES) for name in RELATIONS})
        create_tables(connection, _TABLES)
        connection.execute("SET timezone = 'UTC'")
        connection.execute(
            "INSERT INTO app.agents (id, name, type, environment, is_active) VALUES (1, 'alpha', 'chat', 'production', true)"
        )
        self.planned = planned
        self.forms: dict[str, Form] = {}

    def install(self) -> None:
        """The column, its index, the triggers; rows that are there already carry no stamp."""
        for name in SOURCE_NAMES:
            source = SOURCES[name]
            table = f"{APP_SCHEMA}.{source.relation}"
            self.connection.execute(f"ALTER TABLE {table} ADD COLUMN observatory_xid xid8")
            self.connection.execute(f"ALTER TABLE {table} ALTER COLUMN observatory_xid SET DEFAULT pg_current_xact_id()")
            self.connection.execute(f"CREATE INDEX ON {table} (observatory_xid) WHERE observatory_xid IS NOT NULL")
            for statement in trigger_statements(self.mapping, source):
                self.connection.execute(statement)
            self.forms[name] = form(self.connection, self.mapping, source)
            advance.register(self.connection, self.forms[name], "snapshot")
        advance.tell_news(self.connection, self.forms)
        for name in SOURCE_NAMES:
            found = form(self.connection, self.mapping, SOURCES[name])
            assert found.planned
            self.forms[name] = replace(found, planned=self.planned)

    @contextmanager
    def transaction(self, connection: psycopg.Connection | None = None) -> Iterator[psycopg.Connection]:
        connection = connection or self.connection
        with connection.transaction():
            connection.execute(limits(30, read_only=False))
            yield connection

    def advance(self) -> dict[str, advance.Step]:
        """Every source that has something new, one step each."""
        with self.transaction() as connection:
            names = advance.news(connection, self.forms)
            done = advance.advance_all(connection, self.forms)
        steps = {name: step for name, step in done.items() if name in names}
        names = [name for name in names if name not in done]
        for name in names:
            with self.transaction() as connection:
                step = advance.advance(connection, self.forms[name])
            assert step is not None
            steps[name] = step
        return steps

    def backfill(self, source: str, rows: int) -> backfill.Chunk | None:
        with self.transaction() as connection:
            return backfill.step(connection, self.forms[source], rows, "100 years")

    def fold(self) -> int | None:
        with self.transaction() as connection:
            return fold.fold(connection, "100 years")

    def connect(self) -> psycopg.Connection:
        return psycopg.connect(self.dsn, autocommit=True, prepare_threshold=None)

    def execution(self, status: str = "success", at: datetime = NOON, milliseconds: float | None = 100.0, **more: Any) -> str:
        """Inserts one execution; its id."""
        key = str(uuid.uuid4())
        values = {
            "execution_id": key, "agent_id": 1, "agent_name": "alpha", "version": "1", "start_time": at, "end_time": at,
            "duration_ms": milliseconds, "status": status, "tool_count": 0, "retry_count": 0, "api_calls_count": 0,
            "tokens_used": 10, "environment": "production",
        } | more  # fmt: skip
        self.insert("agent_executions", values)
        return key

    def insert(self, relation: str, values: dict[str, Any], connection: psycopg.Connection | None = None) -> None:
        names, marks = ", ".join(values), ", ".join(["%s"] * len(values))
        statement = f"INSERT INTO {APP_SCHEMA}.{relation} ({names}) VALUES ({marks})"
        (connection or self.connection).execute(statement.encode(), list(values.values()))

    def run(self, statement: str, *values: Any) -> None:
        self.connection.execute(statement.encode(), values or None)

    def one(self, statement: str) -> Any:
        row = self.connection.execute(statement.encode()).fetchone()
        assert row is not None
        return row[0] if len(row) == 1 else row

    def counters(self, fact: str) -> dict[tuple[str, ...], int]:
        rows = self.connection.execute("SELECT labels, n FROM analytics.counters WHERE fact = %s", (fact,))
        return {tuple(labels): n for labels, n in rows if n}

    def metric(self, name: str) -> dict[tuple[str, ...], dict[str, int]]:
        """A counter or histogram as it is published, without what is 0."""
        return {labels: figures for (metric, labels), figures in ledger.metrics(self.connection).items() if metric == name}

    def tier(self, tier: str, fact: str) -> dict[tuple[str, ...], int]:
        rows = self.connection.execute(
            f"SELECT labels, sum(n)::bigint FROM analytics.{tier} WHERE fact = %s GROUP BY labels".encode(), (fact,)
        )
        return {tuple(labels): n for labels, n in rows if n}

    def stocks(self, stock: str) -> dict[tuple[str, ...], int]:
        rows = self.connection.execute("SELECT labels, n FROM analytics.stocks WHERE stock = %s", (stock,))
        return {tuple(labels): n for labels, n in rows if n}

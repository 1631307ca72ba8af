"""Databases for a ledger, and a server in Langfuse's place."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from contract.relations import APP_SCHEMA, RELATIONS, SQL_TYPES
from exporters.database.sessions import Session
from exporters.database.sharing import SharedSession
from tests.scripted import script, server

__all__ = ["script", "server"]


@pytest.fixture
def ledger_database(schema_database: str) -> str:
    """DSN of a database with schema `analytics` and the contract's tables of executions and users, empty."""
    with psycopg.connect(schema_database, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {APP_SCHEMA}".encode())
        for relation in (RELATIONS["agent_executions"], RELATIONS["users"]):
            columns = [
                f"{column.name} {SQL_TYPES.get(column.type, column.type)}{'' if column.nullable else ' NOT NULL'}"
                for column in relation.columns
            ]
            connection.execute(f"CREATE TABLE {relation.qualified} ({', '.join(columns)})".encode())
    return schema_database


@pytest.fixture
def shared(ledger_database: str) -> Iterator[SharedSession]:
    """A connection that may write the ledger, as the exporter shares it."""
    session = SharedSession(Session(lambda: ledger_database, 10.0, read_only=False), 5.0)
    yield session
    session.close()

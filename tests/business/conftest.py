"""Databases with the contract's tables."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from contract.relations import APP_SCHEMA, RELATIONS, SQL_TYPES
from tests.conftest import PostgresServer


def create_tables(dsn: str) -> None:
    """Every table of the contract, empty."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {APP_SCHEMA}".encode())
        for relation in RELATIONS.values():
            columns = [
                f"{column.name} {SQL_TYPES.get(column.type, column.type)}{'' if column.nullable else ' NOT NULL'}"
                for column in relation.columns
            ]
            key = f"PRIMARY KEY ({', '.join(relation.key)})"
            connection.execute(f"CREATE TABLE {relation.qualified} ({', '.join([*columns, key])})".encode())


@pytest.fixture
def platform_database(database: str) -> str:
    """DSN of a database with every table of the contract, empty."""
    create_tables(database)
    return database


@pytest.fixture(scope="module")
def module_database(postgres: PostgresServer) -> Iterator[str]:
    """The same, shared by the tests of a module."""
    name = sql.Identifier(f"test_{uuid.uuid4().hex[:12]}")
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(name))
    dsn = psycopg.conninfo.make_conninfo(postgres.dsn, dbname=name.as_string(None).strip('"'))
    create_tables(dsn)
    yield dsn
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))

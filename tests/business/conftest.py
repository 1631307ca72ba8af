"""A database with the contract's tables."""

from __future__ import annotations

import psycopg
import pytest

from contract.relations import APP_SCHEMA, RELATIONS, SQL_TYPES


@pytest.fixture
def platform_database(database: str) -> str:
    """DSN of a database with every table of the contract, empty."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {APP_SCHEMA}".encode())
        for relation in RELATIONS.values():
            columns = [
                f"{column.name} {SQL_TYPES.get(column.type, column.type)}{'' if column.nullable else ' NOT NULL'}"
                for column in relation.columns
            ]
            key = f"PRIMARY KEY ({', '.join(relation.key)})"
            connection.execute(f"CREATE TABLE {relation.qualified} ({', '.join([*columns, key])})".encode())
    return database

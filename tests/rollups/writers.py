"""A platform whose transactions a test decides: several connections that one driver moves, so that nothing depends on luck.

The driver remembers what is committed. It never asks for what another open transaction holds, for then it would wait for
itself: such a step is left out, which costs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from contract.relations import APP_SCHEMA, RELATIONS

Row = dict[str, Any]
Place = tuple[str, Any]
"""A relation's name and a key."""


def create_tables(connection: psycopg.Connection, relations: tuple[str, ...]) -> None:
    """The contract's own tables, with their keys, an index on the time and one on every conversation's id."""
    connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(APP_SCHEMA)))
    for name in relations:
        relation, table = RELATIONS[name], sql.Identifier(APP_SCHEMA, name)
        columns = sql.SQL(", ").join(
            sql.SQL("{} {} {}").format(
                sql.Identifier(column.name),
                sql.SQL("double precision" if column.type == "double" else column.type),
                sql.SQL("" if column.nullable else "NOT NULL"),
            )
            for column in relation.columns
        )
        key = sql.SQL(", ").join(map(sql.Identifier, relation.key))
        connection.execute(sql.SQL("CREATE TABLE {} ({}, PRIMARY KEY ({}))").format(table, columns, key))
        if relation.time:
            connection.execute(sql.SQL("CREATE INDEX ON {} ({})").format(table, sql.Identifier(relation.time)))


@dataclass
class Platform:
    """What is committed, and the writers that change it."""

    committed: dict[Place, Row] = field(default_factory=dict)
    writers: list[Writer] = field(default_factory=list)

    def rows(self, relation: str) -> dict[Any, Row]:
        """Committed rows of a relation by key."""
        return {key: row for (name, key), row in self.committed.items() if name == relation}

    def is_free(self, place: Place, writer: Writer) -> bool:
        return not any(place in changes for other in self.writers if other is not writer for changes in other.changes)

    def truncate(self, relation: str) -> bool:
        """Empties a table at once, unless an open transaction has touched it. Says whether it did."""
        idle = next((writer for writer in self.writers if not writer.changes), None)
        if idle is None or any(relation in writer.touched for writer in self.writers):
            return False
        idle.connection.execute(sql.SQL("TRUNCATE {}").format(sql.Identifier(APP_SCHEMA, relation)))
        self.committed = {place: row for place, row in self.committed.items() if place[0] != relation}
        return True

    def settle(self) -> None:
        """Commits whatever is open."""
        for writer in self.writers:
            writer.commit()


class Writer:
    """One connection of the platform. Without `begin` every change is a transaction of its own."""

    def __init__(self, platform: Platform, connection: psycopg.Connection) -> None:
        self.platform, self.connection = platform, connection
        self.changes: list[dict[Place, Row | None]] = []
        self.touched: set[str] = set()
        platform.writers.append(self)

    def begin(self) -> None:
        if not self.changes:
            self.connection.execute("BEGIN")
            self.changes = [{}]

    def savepoint(self) -> None:
        self.begin()
        self.connection.execute(f"SAVEPOINT s{len(self.changes)}")
        self.changes.append({})

    def back_to_savepoint(self) -> None:
        if len(self.changes) > 1:
            self.changes.pop()
            self.connection.execute(f"ROLLBACK TO SAVEPOINT s{len(self.changes)}")

    def commit(self) -> None:
        if self.changes:
            self.connection.execute("COMMIT")
            for changes in self.changes:
                for place, row in changes.items():
                    if row is None:
                        self.platform.committed.pop(place, None)
                    else:
                        self.platform.committed[place] = row
        self._forget()

    def roll_back(self) -> None:
        if self.changes:
            self.connection.execute("ROLLBACK")
        self._forget()

    def _forget(self) -> None:
        self.changes, self.touched = [], set()

    def sees(self, place: Place) -> Row | None:
        for changes in reversed(self.changes):
            if place in changes:
                return changes[place]
        return self.platform.committed.get(place)

    def changeable(self, relation: str) -> list[Any]:
        """Keys that this writer sees and that nobody else holds, in order."""
        known = [key for name, key in self.platform.committed if name == relation]
        known += [key for changes in self.changes for name, key in changes if name == relation]
        unique = dict.fromkeys(known)
        return sorted(
            (key for key in unique if self.sees((relation, key)) is not None and self.platform.is_free((relation, key), self)),
            key=str,
        )

    def insert(self, relation: str, row: Row) -> None:
        names = sql.SQL(", ").join(map(sql.Identifier, row))
        values = sql.SQL(", ").join([sql.Placeholder()] * len(row))
        statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(sql.Identifier(APP_SCHEMA, relation), names, values)
        self.connection.execute(
            statement, [Jsonb(value) if isinstance(value, list | dict) else value for value in row.values()]
        )
        self._note((relation, row[RELATIONS[relation].key[0]]), row)

    def update(self, relation: str, key: Any, **columns: Any) -> None:
        row = self.sees((relation, key))
        assert row is not None
        pairs = sql.SQL(", ").join(sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder()) for name in columns)
        statement = sql.SQL("UPDATE {} SET {} WHERE {} = {}").format(
            sql.Identifier(APP_SCHEMA, relation), pairs, sql.Identifier(RELATIONS[relation].key[0]), sql.Placeholder()
        )
        self.connection.execute(statement, [*columns.values(), key])
        self._note((relation, key), {**row, **columns})

    def delete(self, relation: str, key: Any) -> None:
        statement = sql.SQL("DELETE FROM {} WHERE {} = {}").format(
            sql.Identifier(APP_SCHEMA, relation), sql.Identifier(RELATIONS[relation].key[0]), sql.Placeholder()
        )
        self.connection.execute(statement, [key])
        self._note((relation, key), None)

    def _note(self, place: Place, row: Row | None) -> None:
        if self.changes:
            self.changes[-1][place] = row
            self.touched.add(place[0])
        elif row is None:
            self.platform.committed.pop(place, None)
        else:
            self.platform.committed[place] = row

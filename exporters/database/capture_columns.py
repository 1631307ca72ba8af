"""What capture by snapshots needs on a table of the platform: a column that says which transaction wrote a row, an index over
it, and triggers.

Rows that were there before have no stamp: they are counted by the backfill, and are not rewritten.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
from psycopg import sql

from exporters.database.catalogue import Table
from exporters.database.indexes import building, index_name
from exporters.database.mapping import STAMP
from exporters.database.plan import Statement, Step

MARK = "Agent Observatory: "


def capture_steps(
    connection: psycopg.Connection[Any], table: Table, triggers: Sequence[Statement], repairs: Sequence[Statement] | None = None
) -> Iterator[Step]:
    """Column and triggers in one transaction, so that no row slips between them; then the index, without locking writers out.

    `triggers` are the statements that make functions and triggers of this table; they can be run again, and are with
    `repairs`: what else is to be done because somebody switched triggers off, or removed them.
    """
    text = "\n".join(statement.as_string(connection) for statement in triggers)
    mark = MARK + hashlib.sha256(text.encode()).hexdigest()[:16]
    name = sql.Identifier(*table.name)
    column = sql.Identifier(STAMP)
    if table.stamp_mark != mark or repairs is not None:
        yield Step(
            f"capture on {table.name[0]}.{table.name[1]}",
            (
                sql.SQL("ALTER TABLE {} ADD COLUMN IF NOT EXISTS {} xid8").format(name, column),
                sql.SQL("ALTER TABLE {} ALTER COLUMN {} SET DEFAULT pg_current_xact_id()").format(name, column),
                *triggers,
                *(repairs or ()),
                sql.SQL("COMMENT ON COLUMN {}.{} IS {}").format(name, column, sql.Literal(mark)),
            ),
        )
    index = index_name(table.name, STAMP)
    found = next((known for known in table.indexes if known.name == index), None)
    if found is None or not found.valid:
        over = sql.SQL("({0}) WHERE {0} IS NOT NULL").format(column)
        # Without statistics the planner takes a third of the table for new and reads all of it, until autovacuum comes by.
        statements = (*building(table, index, over), sql.SQL("ANALYZE {} ({})").format(name, column))
        yield Step(f"index of the capture on {table.name[0]}.{table.name[1]}", statements, alone=True)

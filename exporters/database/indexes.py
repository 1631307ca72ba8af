"""Indexes on the platform's tables that questions of dashboards and the capture need."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from psycopg import sql

from contract.relations import RELATIONS
from exporters.database.catalogue import Name, Table
from exporters.database.mapping import Mapping
from exporters.database.plan import Step

PREFIX = "observatory_"
MARK = "Agent Observatory: index"

FILTERED: dict[str, tuple[str, ...]] = {
    "agent_executions": ("agent_id", "session_id", "user_id", "conversation_id", "end_time"),
    "tool_usage_metrics": ("tool_name", "execution_id"),
    "workflow_metrics": ("workflow_type", "session_id"),
    "session_metrics": ("user_id",),
    "conversations": ("user_id", "agent_id", "ended_at"),
    "messages": ("conversation_id", "user_id"),
    "tickets": ("user_id", "updated_at", "resolved_at"),
    "documents": ("updated_at",),
    "chunks": ("document_id",),
    "feedback": ("conversation_id",),
    "handoffs": ("conversation_id",),
    "trace_spans": ("trace_id",),
    "traces": ("agent_id",),
    "feature_usage_events": ("feature",),
}
"""Columns that people filter by, beside each relation's time."""


def index_name(table: Name, column: str) -> str:
    """The name of our index, within PostgreSQL's 63 bytes."""
    name = f"{PREFIX}{table[1]}_{column}"
    if len(name.encode()) <= 63:
        return name
    return f"{PREFIX}{hashlib.sha256(f'{table}.{column}'.encode()).hexdigest()[:24]}"


def marked(schema: str, index: str) -> sql.Composed:
    """The statement that says of an index that it is ours, so that only ours is ever removed."""
    return sql.SQL("COMMENT ON INDEX {} IS {}").format(sql.Identifier(schema, index), sql.Literal(MARK))


def wanted(mapping: Mapping) -> Iterator[tuple[Name, str]]:
    """Table and column of every index that is wished for, once each."""
    seen = set()
    for name, relation in RELATIONS.items():
        for column in (relation.time, *FILTERED.get(name, ())):
            table, plain = mapping.driving(name), mapping.column(name, column) if column else None
            if table is not None and plain is not None and (table, plain) not in seen:
                seen.add((table, plain))
                yield table, plain


def index_steps(mapping: Mapping, tables: dict[Name, Table]) -> Iterator[tuple[Table, Step]]:
    """A step for each wished index that no index of the table serves already, with the table that it is for.

    A build that was interrupted leaves an index behind that is not valid: it is removed first.
    """
    for name, column in wanted(mapping):
        table = tables.get(name)
        if table is None or not table.is_table or column not in table.columns or table.leads(column):
            continue
        index = index_name(name, column)
        concurrently = sql.SQL("CONCURRENTLY " if table.kind == "r" else "")
        statements: list[sql.Composed] = []
        if any(found.name == index for found in table.indexes):
            statements.append(sql.SQL("DROP INDEX {}").format(concurrently) + sql.Identifier(name[0], index))
        statements.append(
            sql.SQL("CREATE INDEX {}IF NOT EXISTS {} ON {} ({})").format(
                concurrently, sql.Identifier(index), sql.Identifier(*name), sql.Identifier(column)
            )
        )
        statements.append(marked(name[0], index))
        yield table, Step(f"index on {name[0]}.{name[1]} ({column})", tuple(statements), alone=True)

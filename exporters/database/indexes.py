"""Indexes on the platform's tables that questions of dashboards and the capture need."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from psycopg import sql

from contract.relations import RELATIONS
from contract.status import sql_may_have_failed
from exporters.database.catalogue import DRAFT, Name, Table
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


@dataclass(frozen=True)
class Part:
    """Rows of a relation that many questions are about, by their time. `where` makes the condition of the text `column`, as
    the questions write it; with the columns `also` an answer comes from the index alone.

    Nobody pays for it who writes another row, or for long: an execution leaves its part when it succeeds.
    """

    relation: str
    name: str
    words: str
    column: str
    where: Callable[[str], str]
    also: tuple[str, ...] = ()


PARTS = (
    Part("agent_executions", "failed", "what may have failed", "status", sql_may_have_failed),
    Part("messages", "own", "users' own messages", "role", "{} = 'user'".format, ("user_id", "conversation_id")),
)
_TEXTS = ("text", "character varying")


def index_name(table: Name, column: str) -> str:
    """The name of our index, within PostgreSQL's 63 bytes."""
    name = f"{PREFIX}{table[1]}_{column}"
    if len(name.encode()) <= 63 and not name.startswith(DRAFT):
        return name
    return PREFIX + _digest(table, column)


def _digest(table: Name, what: str) -> str:
    return hashlib.sha256(f"{table}.{what}".encode()).hexdigest()[:24]


def building(table: Table, index: str, over: sql.Composable) -> Iterator[sql.Composed]:
    """The statements that build an index over columns, without locking writers out where that can be.

    It gets its name and our mark at once, when it is built: only what is marked, or has the name of a draft, is ever removed.
    What an interrupted build left behind goes first. Whoever builds the same index at once may be done before.
    """
    schema, concurrently = table.name[0], sql.SQL("CONCURRENTLY " if table.kind == "r" else "")
    draft_name = DRAFT + _digest(table.name, index)
    name, draft = sql.Identifier(schema, index), sql.Identifier(schema, draft_name)
    if any(found.name == index for found in table.indexes):
        yield sql.SQL("DROP INDEX {}{}").format(concurrently, name)
    yield sql.SQL("DROP INDEX {}IF EXISTS {}").format(concurrently, draft)
    yield sql.SQL("CREATE INDEX {}{} ON {} {}").format(
        concurrently, sql.Identifier(draft_name), sql.Identifier(*table.name), over
    )
    finished = sql.SQL(
        "BEGIN COMMENT ON INDEX {draft} IS {mark}; ALTER INDEX {draft} RENAME TO {index};"
        " EXCEPTION WHEN undefined_table THEN NULL; WHEN duplicate_table THEN DROP INDEX {draft}; END"
    ).format(draft=draft, mark=sql.Literal(MARK), index=sql.Identifier(index))
    yield sql.SQL("DO {}").format(sql.Literal(finished.as_string(None)))


def wanted(mapping: Mapping) -> Iterator[tuple[Name, str]]:
    """Table and column of every index that is wished for, once each."""
    seen = set()
    for name, relation in RELATIONS.items():
        keys = relation.key if len(relation.key) == 1 else ()  # a final row that changed is found by it, and so is a page's
        for column in (*keys, relation.time, *FILTERED.get(name, ())):
            table, plain = mapping.driving(name), mapping.column(name, column) if column else None
            if table is not None and plain is not None and (table, plain) not in seen:
                seen.add((table, plain))
                yield table, plain


def index_steps(mapping: Mapping, tables: dict[Name, Table]) -> Iterator[tuple[Table, Step]]:
    """A step for each wished index that no index of the table serves already, with the table that it is for."""
    for name, column in wanted(mapping):
        table = tables.get(name)
        if table is not None and table.is_table and column in table.columns and not table.leads(column):
            yield table, _step(table, index_name(name, column), f"({column})", sql.SQL("({})").format(sql.Identifier(column)))
    for part in PARTS:
        yield from _of_part(part, mapping, tables)


def _of_part(part: Part, mapping: Mapping, tables: dict[Name, Table]) -> Iterator[tuple[Table, Step]]:
    """The index of a part, where its columns are plain ones, and the one that tells it apart is a text."""
    driving, time = mapping.driving(part.relation), RELATIONS[part.relation].time
    table = tables.get(driving) if driving is not None else None
    found = [mapping.column(part.relation, column) for column in (part.column, time, *part.also)]
    plain = [column for column in found if column is not None and table is not None and column in table.columns]
    if table is None or not table.is_table or len(plain) < len(found) or not table.columns[plain[0]].startswith(_TEXTS):
        return
    index = index_name(table.name, f"{plain[0]}_{part.name}")
    if not table.has(index, plain[1]):
        marking, begun, *also = map(sql.Identifier, plain)
        included = sql.SQL(" INCLUDE ({})").format(sql.SQL(", ").join(also)) if also else sql.SQL("")
        where = sql.SQL(part.where("{0}::text")).format(marking)
        over = sql.SQL("({}){} WHERE {}").format(begun, included, where)
        yield table, _step(table, index, f"({plain[1]}) of {part.words}", over)


def _step(table: Table, index: str, words: str, over: sql.Composable) -> Step:
    schema, name = table.name
    return Step(f"index on {schema}.{name} {words}", tuple(building(table, index, over)), alone=True)

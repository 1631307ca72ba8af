"""What dashboards see of the platform: a view for each relation of the contract, without names, addresses and texts."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from contract.analytics import ANALYTICS_SCHEMA, READABLE, shown_columns, shown_name
from contract.relations import RELATIONS, Relation, Shown
from exporters.database.catalogue import Name, Table
from exporters.database.mapping import Mapping
from exporters.database.plan import Statement

if TYPE_CHECKING:
    from contract.data_plane import Database

CLAIM = "observatory.user_key"
"""The setting in which a service that checked who is asking names the user key, with SET LOCAL."""

_CALLS = "llm_calls"

View = tuple[str, Statement]
"""A view of schema analytics: its name and its query."""

Whose = Callable[[str], Statement]
"""The query for the id of the user whose rows are shown, as a value of an SQL type."""

MARK = "Agent Observatory: view "
"""How the comment of a rendered view begins."""

_VIEWS = """
SELECT relname::text, obj_description(oid, 'pg_class') FROM pg_class
WHERE relnamespace = to_regnamespace('analytics') AND relkind = 'v'
      AND starts_with(coalesce(obj_description(oid, 'pg_class'), ''), %s)
ORDER BY 1
"""
_TAKEN = """
SELECT relname::text FROM pg_class
WHERE relnamespace = to_regnamespace('analytics') AND relname = ANY (%(names)s)
      AND NOT (relkind = 'v' AND starts_with(coalesce(obj_description(oid, 'pg_class'), ''), %(mark)s))
ORDER BY 1
"""
_READERS = """
SELECT DISTINCT r.ev_class::regclass::text, v.relname::text
FROM pg_depend AS d JOIN pg_rewrite AS r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
     JOIN pg_class AS v ON d.refclassid = 'pg_class'::regclass AND v.oid = d.refobjid
WHERE v.relnamespace = to_regnamespace('analytics') AND v.relname = ANY (%(names)s) AND r.ev_class <> v.oid
      AND NOT starts_with(coalesce(obj_description(r.ev_class, 'pg_class'), ''), %(mark)s)
ORDER BY 1, 2
"""


def own_name(relation: str) -> str:
    """The view of a user's own rows."""
    return f"own_{relation}"


def has_own(relation: Relation) -> bool:
    return _user_column(relation) is not None


def own_names() -> list[str]:
    """All views of a user's own rows."""
    return [own_name(name) for name in (*(name for name, relation in RELATIONS.items() if has_own(relation)), _CALLS)]


def _user_column(relation: Relation) -> str | None:
    names = {column.name for column in relation.columns if column.shown is Shown.USER}
    return next((name for name in ("user_id", "id") if name in names), None)


def redacted(mapping: Mapping, relation: Relation, settings: Database) -> Statement:
    """The query of a relation's view. Joins to the keys of users fall away where nobody selects them."""
    columns, joins = [], []
    for column in shown_columns(relation):
        source: sql.Composable = sql.SQL("t.{}").format(sql.Identifier(column.name))
        if column.shown is Shown.USER:
            alias = sql.Identifier(f"key_of_{column.name}")
            joins.append(
                sql.SQL(" LEFT JOIN {} AS {alias} ON {alias}.user_id = {source}::text").format(
                    sql.Identifier(ANALYTICS_SCHEMA, "user_keys"), alias=alias, source=source
                )
            )
            source = sql.SQL("{}.user_key").format(alias)
        elif column.shown is Shown.CONTENT:
            shortened = sql.SQL("left({}::text, {})").format(source, sql.Literal(settings.content_length))
            source = shortened if settings.content else sql.SQL("NULL::text")
        columns.append(sql.SQL("{} AS {}").format(source, sql.Identifier(shown_name(column))))
    return sql.SQL("SELECT {} FROM {} AS t{}").format(
        sql.SQL(", ").join(columns), mapping.table(relation.name, texts=settings.content), sql.SQL("").join(joins)
    )


def claimed(type_: str) -> Statement:
    """The id behind the user key that a service claims."""
    return sql.SQL("SELECT k.user_id::{} FROM {} AS k WHERE k.user_key = current_setting({}, true)").format(
        sql.SQL(type_), sql.Identifier(ANALYTICS_SCHEMA, "user_keys"), sql.Literal(CLAIM)
    )


def own(mapping: Mapping, relation: Relation, tables: dict[Name, Table], whose: Whose = claimed) -> Statement:
    """The query of a user's own rows, found by the user's id, and nobody else's key in them."""
    user = _user_column(relation)
    assert user is not None
    columns = [column for column in shown_columns(relation) if column.shown is Shown.PLAIN]
    plain, driving = mapping.column(relation.name, user), mapping.driving(relation.name)
    type_ = tables[driving].columns.get(plain) if plain and driving in tables else None
    side = sql.SQL("t.{}" if type_ else "t.{}::text").format(sql.Identifier(user))
    return sql.SQL("SELECT {columns} FROM {table} AS t WHERE {side} = ({whose})").format(
        columns=sql.SQL(", ").join(sql.SQL("t.{}").format(sql.Identifier(column.name)) for column in columns),
        table=mapping.table(relation.name),
        side=side,
        whose=whose(type_ or "text"),
    )


def own_calls(key: Statement | None = None) -> Statement:
    """The query of a user's own model calls, in the ledger by the very key: that of an expression, or the claimed one."""
    columns = (name for name in READABLE[_CALLS].columns if name != "user_key")
    return sql.SQL("SELECT {} FROM {} WHERE user_key = {}").format(
        sql.SQL(", ").join(sql.Identifier(name) for name in columns),
        sql.Identifier(ANALYTICS_SCHEMA, _CALLS),
        key or sql.SQL("current_setting({}, true)").format(sql.Literal(CLAIM)),
    )


def platform_views(mapping: Mapping, settings: Database, tables: dict[Name, Table]) -> Iterator[View]:
    """The views of all relations. They are barriers: no condition of a reader sees a row before theirs."""
    for relation in RELATIONS.values():
        yield relation.name, redacted(mapping, relation, settings)
        if has_own(relation):
            yield own_name(relation.name), own(mapping, relation, tables)
    yield own_name(_CALLS), own_calls()


def view_statements(connection: psycopg.Connection[Any], views: Iterable[View], anew: bool = False) -> list[Statement]:
    """Makes the views that are not there as they should be, and removes those that are no longer declared. `anew`: there will
    be none by then."""
    wanted = {name: (_mark(connection, query), query) for name, query in views}
    known = {} if anew else dict(_marked(connection))
    statements: list[Statement] = [_dropped(name) for name, mark in known.items() if wanted.get(name, ("",))[0] != mark]
    for name, (mark, query) in wanted.items():
        if known.get(name) != mark:
            view = sql.Identifier(ANALYTICS_SCHEMA, name)
            statements.append(sql.SQL("CREATE VIEW {} WITH (security_barrier) AS {}").format(view, query))
            statements.append(sql.SQL("COMMENT ON VIEW {} IS {}").format(view, sql.Literal(mark)))
    return statements


def removals(connection: psycopg.Connection[Any]) -> list[Statement]:
    """Removes all rendered views, so that a migration may change what they stand on."""
    return [_dropped(name) for name, _ in _marked(connection)]


def taken(connection: psycopg.Connection[Any], names: Iterable[str]) -> Iterator[str]:
    """A sentence for each of these names that something has in our schema which is no rendered view."""
    for (name,) in connection.execute(_TAKEN, {"names": list(names), "mark": MARK}):
        yield (
            f"{ANALYTICS_SCHEMA}.{name} is there, and was not made by this program, which needs the name: "
            "rename it, or move it to another schema"
        )


def leaning(connection: psycopg.Connection[Any], views: Iterable[View]) -> Iterator[str]:
    """A sentence for each view of somebody else's that reads a view which is to be another one, or is to go."""
    wanted = {name: _mark(connection, query) for name, query in views}
    replaced = [name for name, mark in _marked(connection) if wanted.get(name) != mark]
    for reader, name in connection.execute(_READERS, {"names": replaced, "mark": MARK}):
        yield f"{reader} reads {ANALYTICS_SCHEMA}.{name}, which is to be made anew: drop it, and make it again afterwards"


def _mark(connection: psycopg.Connection[Any], query: Statement) -> str:
    return MARK + hashlib.sha256(query.as_string(connection).encode()).hexdigest()[:16]


def _marked(connection: psycopg.Connection[Any]) -> list[tuple[str, str]]:
    return [(name, mark) for name, mark in connection.execute(_VIEWS, (MARK,))]


def _dropped(name: str) -> Statement:
    return sql.SQL("DROP VIEW {}").format(sql.Identifier(ANALYTICS_SCHEMA, name))

"""Holds the mapping against the live database: tables and columns exist, types fit, keys can be joined."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from contract.relations import RELATIONS, Column, Relation
from exporters.database.catalogue import Name, Table, tables
from exporters.database.mapping import Mapping, refers_to, sql_type

_WHOLE = frozenset({"smallint", "integer", "bigint"})
_NUMBERS = _WHOLE | {"numeric", "real", "double precision"}
_WORDS = frozenset({"text", "character varying", "character", "citext", "name"})
_ACCEPTED: dict[str, frozenset[str]] = {
    "bigint": _NUMBERS,
    "integer": _NUMBERS,
    "smallint": _NUMBERS,
    "double precision": _NUMBERS,
    "timestamptz": frozenset({"timestamp with time zone"}),
    "boolean": frozenset({"boolean"}),
    "jsonb": frozenset({"jsonb", "json"}),
    "inet": frozenset({"inet", "cidr"}),
}
_BY_ITSELF = {"double precision": _NUMBERS, "text": _WORDS, "jsonb": frozenset({"jsonb"}), "inet": frozenset({"inet"})}
"""What an unmapped table may have in place of the contract's type, since nothing is cast there."""

_NAMES = "SELECT format_type(oid, NULL) FROM unnest(%s::oid[]) WITH ORDINALITY AS given(oid, n) ORDER BY n"


@dataclass(frozen=True, order=True)
class Problem:
    """Something of the mapping that the database does not have. `column` is "" when it is about the whole relation."""

    relation: str
    column: str
    message: str
    remedy: str

    @property
    def place(self) -> str:
        return f"database.relations.{self.relation}" + (f".columns.{self.column}" if self.column else "")

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" + (f"\n    {self.remedy}" if self.remedy else "")


def problems(connection: psycopg.Connection[Any], mapping: Mapping) -> list[Problem]:
    """Everything that does not fit, in the contract's order. `connection` is in autocommit mode and sees the tables."""
    names = [name for relation in RELATIONS if (name := mapping.driving(relation))]
    found = tables(connection, names)
    result: list[Problem] = []
    keys: dict[str, list[tuple[str, str, str]]] = {}
    for relation in RELATIONS.values():
        mine = list(_of_relation(connection, mapping, relation, found))
        if not mine and not mapping.is_absent(relation.name):
            for column, type_ in _types(connection, mapping, relation).items():
                if (domain := refers_to(relation.name, column)) and mapping.has(relation.name, column):
                    keys.setdefault(domain, []).append((relation.name, column, type_))
        result += mine
    for domain, holders in keys.items():
        result += _of_keys(domain, holders)
    return result


def _of_relation(
    connection: psycopg.Connection[Any], mapping: Mapping, relation: Relation, found: dict[Name, Table]
) -> Iterator[Problem]:
    driving = mapping.driving(relation.name)
    if driving is not None and driving not in found:
        yield Problem(
            relation.name,
            "",
            f"there is no table {driving[0]}.{driving[1]}, or {connection.info.user} may not see it",
            f"name the right one: {{table: schema.name}}{', or say {absent: true}' if relation.optional else ''}",
        )
        return
    if mapping.is_absent(relation.name):
        return
    own = list(_of_columns(mapping, relation, found[driving])) if driving and not mapping.is_query(relation.name) else []
    yield from own
    if not own and (refusal := _refusal(connection, _selection(mapping, relation))):
        owner = found[driving].owner if driving else "the owner of its tables"
        user = connection.info.user
        remedy = "correct the query or the expressions"
        if isinstance(refusal, psycopg.errors.InsufficientPrivilege):
            remedy = f"connect as {owner}, or let {owner} grant {user} SELECT on it, and USAGE on its schema"
        said = refusal.diag.message_primary or " ".join(str(refusal).split())
        yield Problem(relation.name, "", f"the database refuses it: {said}", remedy)


def _of_columns(mapping: Mapping, relation: Relation, table: Table) -> Iterator[Problem]:
    as_it_is = not mapping.relations[relation.name].table and not mapping.relations[relation.name].columns
    for column in relation.columns:
        plain = mapping.column(relation.name, column.name)
        if plain is None:
            continue
        type_ = table.columns.get(plain)
        if type_ is None:
            null = ", or null where there is none" if column.nullable else ", or a constant in quotes"
            yield Problem(
                relation.name,
                column.name,
                f"{table.name[0]}.{table.name[1]} has no column {plain!r}",
                f"give the column or an SQL expression of type {sql_type(column)}{null}",
            )
        elif message := _unfit(relation, column, type_, as_it_is):
            yield Problem(relation.name, column.name, f"{plain} is {type_}, {message[0]}", message[1])


def _unfit(relation: Relation, column: Column, type_: str, as_it_is: bool) -> tuple[str, str] | None:
    """Why a type cannot stand for the contract's, and what to do; None when it can."""
    if refers_to(relation.name, column.name):
        return None
    wanted, bare = sql_type(column), type_.partition("(")[0]
    if bare == "timestamp without time zone" and wanted == "timestamptz":
        return "which does not say in which time zone", f"if it is UTC: {{{column.name}: \"{column.name} AT TIME ZONE 'UTC'\"}}"
    if wanted in _ACCEPTED and bare not in _ACCEPTED[wanted]:
        return f"which is no {wanted}", f"give an SQL expression that makes {wanted} of it"
    if as_it_is and wanted in _BY_ITSELF and bare not in _BY_ITSELF[wanted]:
        return f"where {wanted} is wanted", f"have it converted: {{{column.name}: {column.name}::{wanted}}}"
    return None


def _selection(mapping: Mapping, relation: Relation) -> sql.Composed:
    columns = sql.SQL(", ").join(sql.Identifier(column.name) for column in relation.columns)
    return sql.SQL("SELECT {} FROM {} AS t LIMIT 1").format(columns, mapping.table(relation.name, texts=True))


def _refusal(connection: psycopg.Connection[Any], query: sql.Composed) -> psycopg.Error | None:
    """What the database says against a query, None when nothing. One row is read, for casts that fail on values."""
    try:
        with connection.transaction(force_rollback=True):
            connection.execute("SET LOCAL statement_timeout = '10s'")
            connection.execute(query)
    except psycopg.Error as error:
        return error
    return None


def _types(connection: psycopg.Connection[Any], mapping: Mapping, relation: Relation) -> dict[str, str]:
    """The types that the columns of a relation have at this platform."""
    query = sql.SQL("SELECT * FROM ({}) AS probed LIMIT 0").format(_selection(mapping, relation))
    description = connection.execute(query).description or []
    oids = [column.type_code for column in description]
    rows = connection.execute(
        "SELECT format_type(oid, NULL) FROM unnest(%s::oid[]) WITH ORDINALITY AS o(oid, n) ORDER BY n", (oids,)
    )
    return {column.name: type_ for column, (type_,) in zip(description, rows, strict=True)}


def _of_keys(domain: str, holders: list[tuple[str, str, str]]) -> Iterator[Problem]:
    """References whose type is not that of the key they hold, so that PostgreSQL would refuse to compare the two."""
    kind = dict.fromkeys(_WHOLE, "whole number") | dict.fromkeys(_WORDS, "text")
    holder, column, type_ = next((one for one in holders if one[0] == domain), holders[0])
    for relation, name, other in holders:
        if kind.get(other, other) != kind.get(type_, type_):
            yield Problem(
                relation,
                name,
                f"is {other}, but {holder}.{column}, which it stands for, is {type_}",
                f"convert one of them, for example {{{name}: {name}::{type_}}}"
                if other in _WORDS
                else f"convert both, for example {{{name}: {name}::text}} and {{{column}: {column}::text}}",
            )

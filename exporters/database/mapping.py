"""The contract's relations as SQL over the platform's own tables: the preset, then what the configuration says.

Expressions are SQL of the site's owner, trusted as the configuration is, but each must be one expression. Keys and references
keep the type that they have at the platform (a reference without a column has the type of what it would refer to), so that
they can be joined; everything else is cast to the contract's type, which costs next to nothing where it has it already.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from psycopg import sql

from contract.relations import APP_SCHEMA, RELATIONS, SQL_TYPES, Column, Relation, Shown
from exporters.database.expressions import expression_problem, is_constant, is_name, query_problem, split_name
from exporters.database.presets import PRESETS, Preset

if TYPE_CHECKING:
    from contract.data_plane import Capture, Mapped
    from contract.settings import Settings

STAMP = "observatory_xid"
"""The column that `db install` adds to a table whose changes are captured by snapshots."""

TEXTS = (Shown.CONTENT, Shown.NEVER)


@dataclass(frozen=True)
class Mistake:
    """Something of the mapping that cannot be right at any platform. `place`: the keys that lead to it in the configuration."""

    place: tuple[str, ...]
    message: str

    def __str__(self) -> str:
        return f"{'.'.join(self.place)}: {self.message}"


class MappingError(Exception):
    """The mapping cannot be used. `mistakes` holds all of them."""

    def __init__(self, mistakes: tuple[Mistake, ...]) -> None:
        self.mistakes = mistakes
        super().__init__("\n".join(map(str, mistakes)))


REFERS_TO = {
    "user_id": "users", "assignee_id": "users", "agent_id": "agents", "department_id": "departments",
    "conversation_id": "conversations", "message_id": "messages", "ticket_id": "tickets", "document_id": "documents",
    "execution_id": "agent_executions", "workflow_id": "workflow_metrics", "session_id": "session_metrics",
    "usage_id": "tool_usage_metrics",
}  # fmt: skip
"""The relation whose key a column holds. `trace_id` and the like are texts of another system, not keys."""


def refers_to(relation: str, column: str) -> str | None:
    """The relation whose key this column holds, its own included, or None when it is no key."""
    return relation if column == "id" else REFERS_TO.get(column)


_MOST = {"smallint": "32767", "integer": "2147483647", "bigint": "9000000000000000000", "double precision": "1e300"}
"""What a column of numbers may hold, below zero as well: PostgreSQL refuses to cast what is more, and what is no number."""


def sql_type(column: Column) -> str:
    """The contract's type of a column as SQL writes it."""
    return SQL_TYPES.get(column.type, column.type)


@dataclass(frozen=True)
class Mapping:
    """What each relation of the contract is at this platform."""

    relations: dict[str, Mapped | Preset]

    @classmethod
    def of(cls, settings: Settings) -> Mapping:
        """The preset with what the configuration changes. Raises MappingError with all mistakes at once."""
        preset = PRESETS[settings.database.preset]
        mapping = cls({name: _merged(preset.get(name), settings.database.relations.get(name)) for name in RELATIONS})
        if mistakes := tuple(mapping.mistakes()):
            raise MappingError(mistakes)
        return mapping

    def is_absent(self, relation: str) -> bool:
        return self.relations[relation].absent

    def is_query(self, relation: str) -> bool:
        return self.relations[relation].query is not None

    def capture(self, relation: str) -> Capture:
        """How changes are to be found, as the configuration wishes; `auto` leaves it to what is possible."""
        return self.relations[relation].capture

    def driving(self, relation: str) -> tuple[str, str] | None:
        """Schema and name of the table whose rows are the relation's rows; None when absent or a query that names none."""
        mapped = self.relations[relation]
        if mapped.absent:
            return None
        if mapped.query is not None:
            return split_name(mapped.driving_table) if mapped.driving_table else None
        return split_name(mapped.table) if mapped.table else (APP_SCHEMA, relation)

    def column(self, relation: str, column: str) -> str | None:
        """The plain column of the driving table that a column of the contract is, or None when it is something else."""
        mapped = self.relations[relation]
        said = mapped.columns.get(column, column)
        if mapped.absent or mapped.query is not None or said is None or not is_name(said):
            return None
        return said

    def is_direct(self, relation: str, column: str) -> bool:
        """Whether `expression` is free of sub-selects: for a plain column, a constant, or a NULL that is no key."""
        said = self.relations[relation].columns.get(column, column)
        if said is None:
            return refers_to(relation, column) is None
        return is_name(said) or is_constant(said)

    def table(self, relation: str, texts: bool = False) -> sql.Composable:
        """What to write behind FROM, always followed by `AS alias`: the contract's columns with the contract's names.

        Columns that hold what people wrote are NULL unless `texts`: roles that only count need no right to read them.
        An unmapped table stands as it is, whatever else it may hold: name the columns that you want.
        """
        if self._is_identity(relation):
            return sql.Identifier(APP_SCHEMA, relation)
        return self._subselect(relation, texts, stamp=False)

    def stamped(self, relation: str) -> sql.Composable:
        """`table` with one more column, `observatory_xid` of the driving table. For relations with one only."""
        if self._is_identity(relation):
            return sql.Identifier(APP_SCHEMA, relation)
        return self._subselect(relation, texts=False, stamp=True)

    def expression(self, relation: str, column: str, row: str) -> sql.Composable:
        """A column of the contract over one row of the driving table called `row` (`OLD`, an alias), with its type.

        Raises ValueError for queries, whose columns are not those of one table.
        """
        mapped, declared = self.relations[relation], _column(relation, column)
        if mapped.query is not None or mapped.absent:
            raise ValueError(f"{relation} is no table of the platform, so it has no rows to look at")
        plain = self.column(relation, column)
        name = sql.SQL(row) if row in ("OLD", "NEW") else sql.Identifier(row)
        if plain is not None:
            return _held(relation, declared, sql.SQL("{}.{}").format(name, sql.Identifier(plain)))
        said = mapped.columns[column]
        if said is None:
            return self._null(relation, declared)
        if is_constant(said):
            return _typed(relation, declared, sql.SQL("({})").format(sql.SQL(said)))
        return _typed(relation, declared, sql.SQL("(SELECT ({}) FROM (SELECT {}.*) AS mapped)").format(sql.SQL(said), name))

    def mistakes(self) -> Iterator[Mistake]:
        """What can be told to be wrong without asking a database."""
        for name, mapped in self.relations.items():
            place = ("database", "relations", name)
            if mapped.table is not None and split_name(mapped.table) is None:
                yield Mistake((*place, "table"), f"{mapped.table!r} is no name of a table; write schema.table")
            if mapped.driving_table is not None and split_name(mapped.driving_table) is None:
                yield Mistake((*place, "driving_table"), f"{mapped.driving_table!r} is no name of a table; write schema.table")
            if mapped.query is not None and (problem := query_problem(mapped.query)):
                yield Mistake((*place, "query"), problem)
            for column in RELATIONS[name].columns:
                said, there = mapped.columns.get(column.name, column.name), (*place, "columns", column.name)
                if said is None and not column.nullable and not mapped.absent:
                    yield Mistake(there, "null, but every row needs one; give a constant such as 'unknown'")
                elif said is not None and (problem := expression_problem(said)):
                    yield Mistake(there, problem)

    def _is_identity(self, relation: str) -> bool:
        mapped = self.relations[relation]
        return not (mapped.absent or mapped.query or mapped.table or mapped.columns)

    def _subselect(self, relation: str, texts: bool, stamp: bool) -> sql.Composable:
        mapped, declared = self.relations[relation], RELATIONS[relation]
        columns = [self._selected(relation, column, texts) for column in declared.columns]
        if mapped.absent:
            columns += [sql.SQL("NULL::xid8 AS {}").format(sql.Identifier(STAMP))] * stamp
            return sql.SQL("(SELECT {} WHERE false)").format(sql.SQL(", ").join(columns))
        driving = self.driving(relation)
        if stamp and driving is None:
            raise ValueError(f"{relation} is a query without a driving table, so nothing stamps its rows")
        source = self._source(relation)
        if stamp:
            columns.append(sql.Identifier(STAMP))
        if stamp and driving is not None and mapped.query is not None:
            key = sql.Identifier(self.driving_key(relation))
            source += sql.SQL(" JOIN (SELECT {key} AS driving_key, {stamp} FROM {table}) AS driving").format(
                key=key, stamp=sql.Identifier(STAMP), table=sql.Identifier(*driving)
            ) + sql.SQL(" ON driving.driving_key = mapped.{key}").format(key=key)
        return sql.SQL("(SELECT {} FROM {})").format(sql.SQL(", ").join(columns), source)

    def driving_key(self, relation: str) -> str:
        """The key column of a query's driving table: it carries the same name in the query."""
        (key, *_) = RELATIONS[relation].key
        return self.relations[relation].columns.get(key) or key

    def _selected(self, relation: str, column: Column, texts: bool) -> sql.Composable:
        mapped = self.relations[relation]
        said = None if mapped.absent else mapped.columns.get(column.name, column.name)
        if said is None or (column.shown in TEXTS and not texts):
            value = self._null(relation, column)
        else:
            plain = self.column(relation, column.name) is not None
            value = (_held if plain else _typed)(relation, column, _written(said))
        return sql.SQL("{} AS {}").format(value, sql.Identifier(column.name))

    def _null(self, relation: str, column: Column) -> sql.Composable:
        """NULL of the contract's type, or for a key of the type that this key has somewhere at the platform."""
        domain = refers_to(relation, column.name)
        found = self.holder(domain) if domain else None
        if found is None:
            return sql.SQL("NULL::{}").format(sql.SQL(sql_type(column)))
        holder, name = found
        mapped = self.relations[holder]
        value = _written(mapped.columns.get(name) or name)
        return sql.SQL("(SELECT {} FROM {} WHERE false)").format(value, self._source(holder))

    def holder(self, domain: str) -> tuple[str, str] | None:
        """Relation and column that hold keys of a relation at this platform: its own key first, and tables before queries."""
        found = [
            (relation, column.name)
            for relation in (domain, *self.relations)
            for column in RELATIONS[relation].columns
            if refers_to(relation, column.name) == domain and self.has(relation, column.name)
        ]
        return next((pair for pair in found if not self.is_query(pair[0])), found[0] if found else None)

    def has(self, relation: str, column: str) -> bool:
        """Whether the platform has anything for a column."""
        mapped = self.relations[relation]
        return not mapped.absent and mapped.columns.get(column, column) is not None

    def _source(self, relation: str) -> sql.Composable:
        mapped, driving = self.relations[relation], self.driving(relation)
        if mapped.query is not None:
            return sql.SQL("({}) AS mapped").format(sql.SQL(mapped.query))
        assert driving is not None
        return sql.Identifier(*driving)


def _merged(preset: Preset | None, configured: Mapped | None) -> Mapped | Preset:
    """The site's word before the preset's. Another table or query is another thing: its columns are the site's alone."""
    if configured is None:
        return preset or Preset()
    if preset is None or configured.absent or configured.table is not None or configured.query is not None:
        return configured
    return replace(
        preset,
        absent=False,
        columns={**preset.columns, **configured.columns},
        capture=preset.capture if configured.capture == "auto" else configured.capture,
        driving_table=configured.driving_table or preset.driving_table,
    )


def _column(relation: str, column: str) -> Column:
    declared: Relation = RELATIONS[relation]
    return next(found for found in declared.columns if found.name == column)


def _typed(relation: str, column: Column, value: sql.Composable) -> sql.Composable:
    return value if refers_to(relation, column.name) else sql.SQL("{}::{}").format(value, sql.SQL(sql_type(column)))


def _held(relation: str, column: Column, value: sql.Composable) -> sql.Composable:
    """A column of a table: a number that the contract's type cannot hold, or that is none, is unknown. The platform may have
    chosen a wider type, and neither its own writing nor the counting of other rows may fail.
    """
    if (most := _MOST.get(sql_type(column))) is None or refers_to(relation, column.name):
        return _typed(relation, column, value)
    within = sql.SQL("CASE WHEN {0} BETWEEN -{1} AND {1} THEN {0} END").format(value, sql.SQL(most))
    return _typed(relation, column, within)


def _written(said: str) -> sql.Composable:
    return sql.Identifier(said) if is_name(said) else sql.SQL("({})").format(sql.SQL(said))

"""What is installed on a table that is captured by snapshots, besides the column and its index: four triggers.

They cost writers as little as they can: an update that touches no column that is counted changes nothing, an update of a row
that is still open gives it a new stamp, and only an update of a final row, or a deletion, writes a line of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from psycopg import sql

from exporters.database.mapping import Mapping
from exporters.rollups.capture.snapshot import STAMP
from exporters.rollups.model import Source
from exporters.rollups.state import Connection

PREFIX = "observatory_"
"""Names of our triggers and trigger functions begin so."""

MOMENTS = ("stamp", "update", "delete", "truncate")
"""What each of the triggers of a source is for, and how its name ends."""

OFF = (
    "its triggers are switched off, gone, or were switched off for a while (DISABLE TRIGGER), so changes were not seen:"
    " `observatory db install` makes them anew"
)
"""What is wrong with a source whose triggers are not as they were made. ENABLE TRIGGER does not make them so again."""

_OFF = """
SELECT tables.source FROM unnest(%(sources)s::text[], %(tables)s::text[]) AS tables (source, name)
     JOIN pg_class AS c ON c.oid = to_regclass(tables.name)
WHERE EXISTS (
    SELECT FROM unnest(%(moments)s::text[]) AS moments (moment)
    LEFT JOIN pg_trigger AS t ON t.tgrelid = c.oid AND t.tgname = %(prefix)s || source || '_' || moment
    WHERE t.tgenabled IS DISTINCT FROM 'A'
) OR EXISTS (
    SELECT FROM pg_partition_tree(c.oid) AS part JOIN pg_trigger AS t ON t.tgrelid = part.relid
    WHERE t.tgenabled = 'D' AND starts_with(t.tgname, %(prefix)s || source || '_')
) ORDER BY 1
"""

_OWN = re.compile(r"\br\.([a-z_]+)")


def trigger_statements(mapping: Mapping, source: Source) -> list[sql.Composed]:
    """Statements that make, or renew, the triggers of a source's driving table. Run them in one transaction.

    The functions live in schema `analytics` and run with their owner's rights, so that writers need none on it. What they say
    of columns stands in SQL functions over a whole row, which PostgreSQL keeps by the columns themselves and not by their
    names: a column that is renamed must not make the platform's own writing fail. With expressions they are kept as text, or
    no column of the table could be dropped; there a failure is caught, and the source asks for a rebuild.

    Raises ValueError for a source that is a query: there are no rows of a single table to look at.
    """
    driving = mapping.driving(source.relation)
    if driving is None:
        raise ValueError(f"{source.relation} has no driving table")
    table = sql.Identifier(*driving)
    direct = all(mapping.is_direct(source.relation, column) for column in source.own_columns)
    rows = ("OLD", "NEW") if direct else ("was", "becomes")
    changed = _changed(mapping, source, ("was", "becomes"))
    old_key, new_key = (mapping.expression(source.relation, source.key, row) for row in rows)
    # A new stamp says that the row was changed, for less than comparing it again. A version of this very transaction keeps its
    # stamp, and was never seen by anybody who counts; only its key may be one that they know.
    old_stamp, new_stamp = (sql.SQL(row + ".{}").format(sql.Identifier(STAMP)) for row in rows)
    retracted = sql.SQL("{} IS DISTINCT FROM {} AND NOT coalesce(({}), false) OR {} IS DISTINCT FROM {}").format(
        old_stamp, new_stamp, _over(mapping, source, source.open, rows[0]), old_key, new_key
    )
    moments = (
        _Moment("stamp", "BEFORE UPDATE", _stamp(), changed, inside=True, returns="NEW", otherwise=_stamp()),
        _Moment("update", "AFTER UPDATE", _retract(source), retracted, inside=not direct, otherwise=_note_truncation(source)),
        _Moment("delete", "AFTER DELETE", _retract(source), otherwise=_note_truncation(source)),
        _Moment("truncate", "AFTER TRUNCATE", _note_truncation(source), scope="STATEMENT"),
    )
    image = sql.SQL("jsonb_build_object({})").format(_image(mapping, source, "was"))
    key = sql.SQL("{}::text").format(mapping.expression(source.relation, source.key, "was"))
    statements = [
        *_row_function(source, "key", sql.SQL("was {}").format(table), "text", key, direct),
        *_row_function(source, "image", sql.SQL("was {}").format(table), "jsonb", image, direct),
    ]
    for moment in moments:
        function = _named(source, moment.name)
        trigger = sql.Identifier(f"{PREFIX}{source.name}_{moment.name}")
        statements.append(sql.SQL("DROP TRIGGER IF EXISTS {} ON {}").format(trigger, table))
        if moment.condition and moment.inside:
            both = sql.SQL("was {}, becomes {}").format(table, table)
            statements += _row_function(source, f"{moment.name}_due", both, "boolean", moment.condition, direct)
        statements.append(
            sql.SQL(
                "CREATE OR REPLACE FUNCTION {}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER"
                " SET search_path = pg_catalog, pg_temp AS {}"
            ).format(function, _text(moment.body(source, direct)))
        )
        statements.append(
            sql.SQL("CREATE TRIGGER {} {} ON {} {} EXECUTE FUNCTION {}()").format(
                trigger, sql.SQL(moment.event), table, moment.rows, function
            )
        )
        statements.append(sql.SQL("ALTER TABLE {} ENABLE ALWAYS TRIGGER {}").format(table, trigger))
    return statements


def switched_off(connection: Connection, mapping: Mapping, sources: Iterable[Source]) -> list[str]:
    """Those of the sources, all captured by snapshots, whose triggers do not always run, on the table or a partition of it."""
    tables = {source.name: mapping.driving(source.relation) for source in sources}
    named = {source: sql.Identifier(*table).as_string(connection) for source, table in tables.items() if table}
    parameters = {"sources": list(named), "tables": list(named.values()), "moments": list(MOMENTS), "prefix": PREFIX}
    return [source for (source,) in connection.execute(_OFF, parameters)]


def asks_for_rebuild(source: str) -> sql.Composed:
    """A statement by which a source says that changes were not seen, so that it has to be counted anew."""
    return sql.SQL(
        "UPDATE analytics.sources SET rebuild_needed = true, problem = {} WHERE source = {} AND NOT rebuild_needed"
    ).format(sql.Literal(OFF), sql.Literal(source))


@dataclass(frozen=True)
class _Moment:
    """One trigger: what it does, under which condition, and what instead where an expression of the mapping fails.

    The condition stands in the trigger where a row that does not meet it is to cost next to nothing, and `inside` the function
    where it is long, for a trigger's is read from its text by every statement, or has sub-selects, which a trigger's may not.
    """

    name: str
    event: str
    action: sql.Composable
    condition: sql.Composable | None = None
    inside: bool = False
    scope: str = "ROW"
    returns: str = "NULL"
    otherwise: sql.Composable | None = None

    @property
    def rows(self) -> sql.Composable:
        scope = sql.SQL(f"FOR EACH {self.scope}")
        return scope if self.condition is None or self.inside else sql.SQL("{} WHEN ({})").format(scope, self.condition)

    def body(self, source: Source, direct: bool) -> sql.Composable:
        action = self.action
        if self.condition and self.inside:
            action = sql.SQL("IF {}(OLD, NEW) THEN {} END IF;").format(_named(source, f"{self.name}_due"), action)
        if self.otherwise and not direct:
            action = sql.SQL(
                "BEGIN {} EXCEPTION WHEN syntax_error_or_access_rule_violation OR data_exception THEN {} END;"
            ).format(action, self.otherwise)
        return sql.SQL("BEGIN {} RETURN {}; END").format(action, sql.SQL(self.returns))


def _named(source: Source, what: str) -> sql.Identifier:
    return sql.Identifier("analytics", f"{source.name}_{what}")


def _row_function(
    source: Source, name: str, parameters: sql.Composable, returns: str, value: sql.Composable, direct: bool
) -> list[sql.Composed]:
    function = _named(source, name)
    body = sql.SQL("RETURN {}").format(value) if direct else sql.SQL("AS {}").format(_text(sql.SQL("SELECT ") + value))
    return [
        sql.SQL("DROP FUNCTION IF EXISTS {}").format(function),
        sql.SQL("CREATE FUNCTION {}({}) RETURNS {} LANGUAGE sql {}").format(function, parameters, sql.SQL(returns), body),
    ]


def _text(statement: sql.Composable) -> sql.Literal:
    return sql.Literal(statement.as_string(None))


def _over(mapping: Mapping, source: Source, condition: str, row: str) -> sql.Composable:
    """A condition on `r` as one on a row of the driving table."""
    pieces: Iterable[str] = _OWN.split(condition)
    parts = [
        mapping.expression(source.relation, piece, row) if position % 2 else sql.SQL(piece)
        for position, piece in enumerate(pieces)
    ]
    return sql.SQL("").join(parts)


def _changed(mapping: Mapping, source: Source, rows: tuple[str, str]) -> sql.Composable:
    compared = [
        sql.SQL("ROW({})").format(
            sql.SQL(", ").join(mapping.expression(source.relation, name, row) for name in source.own_columns)
        )
        for row in rows
    ]
    return sql.SQL(" IS DISTINCT FROM ").join(compared)


def _stamp() -> sql.Composable:
    return sql.SQL("NEW.{} := pg_current_xact_id();").format(sql.Identifier(STAMP))


def _image(mapping: Mapping, source: Source, row: str) -> sql.Composable:
    return sql.SQL(", ").join(
        sql.SQL("{}, {}").format(sql.Literal(name), mapping.expression(source.relation, name, row))
        for name in source.own_columns
    )


def _retract(source: Source) -> sql.Composable:
    return sql.SQL(
        "INSERT INTO analytics.retractions (source, key, old_stamp, image) VALUES ({}, {}(OLD), OLD.{}, {}(OLD));"
    ).format(sql.Literal(source.name), _named(source, "key"), sql.Identifier(STAMP), _named(source, "image"))


def _note_truncation(source: Source) -> sql.Composable:
    return sql.SQL("INSERT INTO analytics.retractions (source, key) VALUES ({}, '');").format(sql.Literal(source.name))

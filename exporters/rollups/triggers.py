"""What is installed on a table that is captured by snapshots, besides the column and its index: three triggers.

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

PREFIX = "observatory_"
"""Names of our triggers and trigger functions begin so."""

_OWN = re.compile(r"\br\.([a-z_]+)")


def trigger_statements(mapping: Mapping, source: Source) -> list[sql.Composed]:
    """Statements that make, or renew, the triggers of a source's driving table. Run them in one transaction.

    The functions live in schema `analytics` and run with their owner's rights, so that writers need none on it. Raises
    ValueError for a source that is a query: there are no rows of a single table to look at.
    """
    driving = mapping.driving(source.relation)
    if driving is None:
        raise ValueError(f"{source.relation} has no driving table")
    table = sql.Identifier(*driving)
    relevant = _changed(mapping, source)
    old_key = mapping.expression(source.relation, source.key, "OLD")
    new_key = mapping.expression(source.relation, source.key, "NEW")
    final = _over(mapping, source, source.open, "OLD")
    retracted = sql.SQL("({}) AND (NOT coalesce(({}), false) OR {} IS DISTINCT FROM {})").format(
        relevant, final, old_key, new_key
    )
    moments = (
        _Moment("stamp", "BEFORE UPDATE", _stamp(), relevant, returns="NEW"),
        _Moment("update", "AFTER UPDATE", _retract(mapping, source), retracted),
        _Moment("delete", "AFTER DELETE", _retract(mapping, source)),
        _Moment("truncate", "AFTER TRUNCATE", _note_truncation(source), scope="STATEMENT"),
    )
    direct = all(mapping.is_direct(source.relation, column) for column in source.own_columns)
    statements = []
    for moment in moments:
        function = sql.Identifier("analytics", f"{source.name}_{moment.name}")
        trigger = sql.Identifier(f"{PREFIX}{source.name}_{moment.name}")
        statements.append(
            sql.SQL(
                "CREATE OR REPLACE FUNCTION {}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER"
                " SET search_path = pg_catalog, pg_temp AS {}"
            ).format(function, sql.Literal(moment.body(direct).as_string(None)))
        )
        statements.append(sql.SQL("DROP TRIGGER IF EXISTS {} ON {}").format(trigger, table))
        statements.append(
            sql.SQL("CREATE TRIGGER {} {} ON {} {} EXECUTE FUNCTION {}()").format(
                trigger, sql.SQL(moment.event), table, moment.rows(direct), function
            )
        )
        statements.append(sql.SQL("ALTER TABLE {} ENABLE ALWAYS TRIGGER {}").format(table, trigger))
    return statements


@dataclass(frozen=True)
class _Moment:
    """One trigger: what it does, and under which condition.

    The condition stands in the trigger, where a row that does not meet it costs next to nothing; only a mapping with
    expressions (not `direct`) has it in the function, because PostgreSQL takes no sub-select in a trigger.
    """

    name: str
    event: str
    action: sql.Composable
    condition: sql.Composable | None = None
    scope: str = "ROW"
    returns: str = "NULL"

    def rows(self, direct: bool) -> sql.Composable:
        scope = sql.SQL(f"FOR EACH {self.scope}")
        return sql.SQL("{} WHEN ({})").format(scope, self.condition) if self.condition and direct else scope

    def body(self, direct: bool) -> sql.Composable:
        action = self.action
        if self.condition and not direct:
            action = sql.SQL("IF {} THEN {} END IF;").format(self.condition, action)
        return sql.SQL("BEGIN {} RETURN {}; END").format(action, sql.SQL(self.returns))


def removal_statements(mapping: Mapping, source: Source) -> list[sql.Composed]:
    """Statements that take the triggers and their functions away again."""
    driving = mapping.driving(source.relation)
    if driving is None:
        return []
    statements = []
    for moment in ("stamp", "update", "delete", "truncate"):
        trigger = sql.Identifier(f"{PREFIX}{source.name}_{moment}")
        statements.append(sql.SQL("DROP TRIGGER IF EXISTS {} ON {}").format(trigger, sql.Identifier(*driving)))
        statements.append(
            sql.SQL("DROP FUNCTION IF EXISTS {}()").format(sql.Identifier("analytics", f"{source.name}_{moment}"))
        )
    return statements


def _over(mapping: Mapping, source: Source, condition: str, row: str) -> sql.Composable:
    """A condition on `r` as one on a row of the driving table."""
    pieces: Iterable[str] = _OWN.split(condition)
    parts = [
        mapping.expression(source.relation, piece, row) if position % 2 else sql.SQL(piece)
        for position, piece in enumerate(pieces)
    ]
    return sql.SQL("").join(parts)


def _changed(mapping: Mapping, source: Source) -> sql.Composable:
    rows = [
        sql.SQL("ROW({})").format(
            sql.SQL(", ").join(mapping.expression(source.relation, name, row) for name in source.own_columns)
        )
        for row in ("OLD", "NEW")
    ]
    return sql.SQL(" IS DISTINCT FROM ").join(rows)


def _stamp() -> sql.Composable:
    return sql.SQL("NEW.{} := pg_current_xact_id();").format(sql.Identifier(STAMP))


def _retract(mapping: Mapping, source: Source) -> sql.Composable:
    columns = (
        sql.SQL("{}, {}").format(sql.Literal(name), mapping.expression(source.relation, name, "OLD"))
        for name in source.own_columns
    )
    return sql.SQL(
        "INSERT INTO analytics.retractions (source, key, old_stamp, image)"
        " VALUES ({}, {}::text, OLD.{}, jsonb_build_object({}));"
    ).format(
        sql.Literal(source.name),
        mapping.expression(source.relation, source.key, "OLD"),
        sql.Identifier(STAMP),
        sql.SQL(", ").join(columns),
    )


def _note_truncation(source: Source) -> sql.Composable:
    return sql.SQL("INSERT INTO analytics.retractions (source, key) VALUES ({}, '');").format(sql.Literal(source.name))

"""What is installed on a table that is captured by snapshots, besides the column and its index: three triggers.

They cost writers as little as they can: an update that touches no column that is counted changes nothing, an update of a row
that is still open gives it a new stamp, and only an update of a final row, or a deletion, writes a line of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

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
    moments: list[tuple[str, str, sql.Composable, sql.Composable]] = [
        ("stamp", "BEFORE UPDATE", sql.SQL("FOR EACH ROW WHEN ({})").format(relevant), _stamp_body()),
        (
            "update",
            "AFTER UPDATE",
            sql.SQL("FOR EACH ROW WHEN (({}) AND (NOT coalesce(({}), false) OR {} IS DISTINCT FROM {}))").format(
                relevant, final, old_key, new_key
            ),
            _retract_body(mapping, source),
        ),
        ("delete", "AFTER DELETE", sql.SQL("FOR EACH ROW"), _retract_body(mapping, source)),
        ("truncate", "AFTER TRUNCATE", sql.SQL("FOR EACH STATEMENT"), _truncate_body(source)),
    ]
    statements = []
    for moment, when, scope, body in moments:
        function = sql.Identifier("analytics", f"{source.name}_{moment}")
        trigger = sql.Identifier(f"{PREFIX}{source.name}_{moment}")
        statements.append(
            sql.SQL(
                "CREATE OR REPLACE FUNCTION {}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER"
                " SET search_path = pg_catalog, pg_temp AS {}"
            ).format(function, sql.Literal(body.as_string(None)))
        )
        statements.append(sql.SQL("DROP TRIGGER IF EXISTS {} ON {}").format(trigger, table))
        statements.append(
            sql.SQL("CREATE TRIGGER {} {} ON {} {} EXECUTE FUNCTION {}()").format(
                trigger, sql.SQL(when), table, scope, function
            )
        )
        statements.append(sql.SQL("ALTER TABLE {} ENABLE ALWAYS TRIGGER {}").format(table, trigger))
    return statements


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


def _stamp_body() -> sql.Composable:
    return sql.SQL("BEGIN NEW.{} := pg_current_xact_id(); RETURN NEW; END").format(sql.Identifier(STAMP))


def _retract_body(mapping: Mapping, source: Source) -> sql.Composable:
    columns = (
        sql.SQL("{}, {}").format(sql.Literal(name), mapping.expression(source.relation, name, "OLD"))
        for name in source.own_columns
    )
    return sql.SQL(
        "BEGIN INSERT INTO analytics.retractions (source, key, old_stamp, image)"
        " VALUES ({}, {}::text, OLD.{}, jsonb_build_object({})); RETURN NULL; END"
    ).format(
        sql.Literal(source.name),
        mapping.expression(source.relation, source.key, "OLD"),
        sql.Identifier(STAMP),
        sql.SQL(", ").join(columns),
    )


def _truncate_body(source: Source) -> sql.Composable:
    return sql.SQL("BEGIN INSERT INTO analytics.retractions (source, key) VALUES ({}, ''); RETURN NULL; END").format(
        sql.Literal(source.name)
    )

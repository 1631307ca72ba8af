"""Which way of capture suits a table: a pure choice from facts of the catalogue, and the one query for these facts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import psycopg

Mode = Literal["snapshot", "ids", "window", "scan"]

SCAN_ROWS = 200_000
"""Up to here a whole table is compared rather than remembered in part, when its rows change."""
STAMP = "observatory_xid"
_INTEGERS = ("smallint", "integer", "bigint")


class CaptureImpossible(Exception):
    """A way of capture that the configuration asks for and that the table does not allow, in words."""


@dataclass(frozen=True)
class TableFacts:
    """What the catalogue says of a driving table.

    `rows` is PostgreSQL's estimate, or one from the size while nothing was analysed. `may_alter`: we own the table, or are a
    superuser. `stamped`: it has our column.
    `sequential`: one integer key that a sequence fills. `time_indexed`: an index begins with the time column.
    `sees_transactions`: we may see since when other roles' transactions run. `inherited`: tables that are no partitions inherit
    from it, so that its rows are theirs too. `certain_key`: a key is never NULL, and never that of two rows. `virtual`: what is
    counted is generated when it is read, so that triggers do not know what it was.
    """

    table: str
    is_table: bool
    rows: int
    key_types: tuple[str, ...]
    may_alter: bool
    stamped: bool
    sequential: bool
    time_indexed: bool
    sees_transactions: bool
    inherited: bool = False
    certain_key: bool = True
    virtual: bool = False


@dataclass(frozen=True)
class Choice:
    mode: Mode
    reason: str


def choose(facts: TableFacts, wanted: Literal["auto"] | Mode, *, alter_tables: bool, mutable: bool) -> Choice:
    """The way of capture, with its reason in words.

    `alter_tables` is the owner's leave to add a column; `mutable` says that rows change after they are final, which `ids`
    and `window` do not see. Raises CaptureImpossible when `wanted` cannot be.
    """
    obstacles = {
        "snapshot": _against_snapshot(facts, alter_tables),
        "ids": _against_ids(facts),
        "window": _against_window(facts),
        "scan": None,
    }
    if wanted != "auto":
        if obstacle := obstacles[wanted]:
            raise CaptureImpossible(f"{facts.table} cannot be captured by {wanted}: {obstacle}")
        return Choice(wanted, "as configured")
    if obstacles["snapshot"] is None:
        return Choice("snapshot", "the table carries our column" if facts.stamped else "a column may be added")
    if mutable and facts.rows <= SCAN_ROWS:
        return Choice("scan", f"its rows change, and at most {SCAN_ROWS} of them can be compared as a whole")
    if obstacles["ids"] is None:
        return Choice("ids", "its keys come from a sequence" + _unseen(mutable))
    if obstacles["window"] is None:
        return Choice("window", "its time column has an index" + _unseen(mutable))
    return Choice("scan", f"no other way: {obstacles['window']}")


def _unseen(mutable: bool) -> str:
    return "; changes of rows that are final are not seen" if mutable else ""


def _against_snapshot(facts: TableFacts, alter_tables: bool) -> str | None:
    if not facts.is_table:
        return "it is not a table, so it can have no column of ours"
    if facts.inherited:
        return "other tables inherit from it, and triggers do not see their rows"
    if not facts.certain_key:
        return "its key may be missing or be that of two rows: no unique index over it, and NOT NULL, rule that out"
    if facts.virtual:
        return "a column that is counted is a virtual generated one, and triggers do not see what it was"
    if facts.stamped:
        return None
    if not alter_tables:
        return "alter_tables is off"
    return None if facts.may_alter else "only the owner of the table may add a column"


def _against_ids(facts: TableFacts) -> str | None:
    if len(facts.key_types) != 1 or facts.key_types[0] not in _INTEGERS:
        return f"its key is {', '.join(facts.key_types) or 'unknown'}, not one integer"
    return None if facts.sequential else "no sequence fills its key, so that keys say nothing about what is new"


def _against_window(facts: TableFacts) -> str | None:
    if not facts.time_indexed:
        return "no index begins with its time column"
    return None if facts.sees_transactions else "the role is not a member of pg_read_all_stats, so long transactions are hidden"


_FACTS = r"""
SELECT c.relkind IN ('r', 'p'),
       (SELECT sum(CASE WHEN p.reltuples < 0 THEN pg_relation_size(p.oid) / 100 ELSE p.reltuples END)::bigint
        FROM pg_class p
        WHERE p.oid = c.oid AND c.relkind <> 'p' OR p.oid IN (SELECT relid FROM pg_partition_tree(c.oid) WHERE isleaf)),
       coalesce((SELECT array_agg(format_type(a.atttypid, NULL) ORDER BY k.n)
                 FROM unnest(%(key)s::text[]) WITH ORDINALITY k(name, n)
                 JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = k.name AND NOT a.attisdropped), '{}'),
       pg_has_role(c.relowner, 'USAGE'),
       EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = %(stamp)s AND NOT a.attisdropped),
       EXISTS (SELECT FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
               WHERE a.attrelid = c.oid AND a.attname = (%(key)s::text[])[1]
                 AND (a.attidentity <> '' OR pg_get_expr(d.adbin, d.adrelid) LIKE 'nextval(%%')),
       EXISTS (SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
               WHERE i.indrelid = c.oid AND i.indisvalid AND i.indpred IS NULL AND a.attname = %(time)s),
       pg_has_role('pg_read_all_stats', 'USAGE'),
       c.relkind = 'r' AND EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = c.oid),
       NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = ANY (%(key)s) AND NOT a.attisdropped
                     AND NOT (a.attnotnull AND EXISTS (
                       SELECT FROM pg_index i
                       WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL
                         AND a.attnum = ANY ((i.indkey::int2[])[:i.indnkeyatts - 1])
                         AND (i.indnkeyatts = cardinality(%(key)s) OR c.relkind = 'p')))),
       EXISTS (SELECT FROM pg_attribute a JOIN unnest(%(counted)s::text[]) AS said
                 ON said ~ ('(^|\W)' || regexp_replace(a.attname, '(\W)', '\\\1', 'g') || '(\W|$)')
               WHERE a.attrelid = c.oid AND a.attgenerated = 'v' AND NOT a.attisdropped)
FROM pg_class c WHERE c.oid = to_regclass(%(table)s)
"""


def table_facts(
    connection: psycopg.Connection, table: str, key: tuple[str, ...], time: str | None, counted: Iterable[str] = ()
) -> TableFacts:
    """Facts of a table, which is given as SQL writes it (`"app"."tickets"`); `key` and `time` name its own columns, `counted`
    are names and expressions of what is counted. An expression as a key is taken for certain. In a partitioned table a key is
    unique together with what rows are parted by, for it cannot be by itself.

    Raises CaptureImpossible when there is no such table.
    """
    parameters = {"table": table, "key": list(key), "time": time, "stamp": STAMP, "counted": list(counted)}
    row = connection.execute(_FACTS, parameters).fetchone()
    if row is None:
        raise CaptureImpossible(f"there is no table {table}, or the role may not see it")
    is_table, rows, types, *known = row
    return TableFacts(table, is_table, rows, tuple(types), *known)

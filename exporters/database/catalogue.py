"""What the server knows about the platform's tables, read in one go: what is to be done is worked out from that alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from contract.relations import RELATIONS, Shown
from exporters.database.mapping import STAMP, Mapping

Name = tuple[str, str]


@dataclass(frozen=True)
class Index:
    """One index. `leading` is its first column, "" when that is an expression; `partial` when it leaves rows out."""

    name: str
    leading: str
    partial: bool
    valid: bool


DRAFT = "observatory_draft_"
"""Names of our indexes begin so while they are built: such a one is no index yet."""


@dataclass(frozen=True)
class Table:
    """One table, or something like it (`kind` as in pg_class: r table, p partitioned, v view, m materialized, f foreign).

    `mine`: the login owns it, or may do as if. `stamp_mark` is the comment on our column, "" without one. `grantable`: the
    login may let others read it.
    """

    name: Name
    kind: str
    owner: str
    mine: bool
    row_security: bool
    columns: dict[str, str]
    indexes: tuple[Index, ...]
    policies: frozenset[str]
    stamp_mark: str
    grantable: bool

    @property
    def stamped(self) -> bool:
        return STAMP in self.columns

    @property
    def is_table(self) -> bool:
        return self.kind in "rp"

    def leads(self, column: str) -> bool:
        """Whether an index over all rows begins with this column."""
        return any(index.leading == column and index.valid and not index.partial for index in self.indexes)

    def has(self, index: str, column: str) -> bool:
        """Whether there is a whole index of this name that begins with this column."""
        return any(found.name == index and found.leading == column and found.valid for found in self.indexes)


@dataclass(frozen=True)
class Server:
    """What the login may do, and the roles that exist. `may_read_statistics`: and let others do so."""

    user: str
    may_create_roles: bool
    roles: frozenset[str]
    version: int
    may_read_statistics: bool


_TABLES = """
SELECT n.nspname, c.relname, c.relkind::text, pg_get_userbyid(c.relowner)::text, pg_has_role(c.relowner, 'USAGE'),
       c.relrowsecurity,
       (SELECT coalesce(jsonb_object_agg(a.attname, format_type(a.atttypid, a.atttypmod)), '{}') FROM pg_attribute a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
       (SELECT coalesce(jsonb_agg(jsonb_build_array(ic.relname, coalesce(ia.attname, ''), i.indpred IS NOT NULL,
                                                    i.indisvalid) ORDER BY ic.relname), '[]')
        FROM pg_index i JOIN pg_class ic ON ic.oid = i.indexrelid
             LEFT JOIN pg_attribute ia ON ia.attrelid = c.oid AND ia.attnum = i.indkey[0] AND i.indkey[0] > 0
        WHERE i.indrelid = c.oid),
       (SELECT coalesce(jsonb_agg(p.polname), '[]') FROM pg_policy p WHERE p.polrelid = c.oid),
       coalesce((SELECT col_description(c.oid, a.attnum) FROM pg_attribute a
                 WHERE a.attrelid = c.oid AND a.attname = %(stamp)s AND NOT a.attisdropped), ''),
       has_table_privilege(c.oid, 'SELECT WITH GRANT OPTION') AND has_schema_privilege(n.oid, 'USAGE WITH GRANT OPTION')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND (n.nspname, c.relname) IN (SELECT * FROM unnest(%(schemas)s::text[], %(names)s::text[]))
"""


def tables(connection: psycopg.Connection[Any], names: Iterable[Name]) -> dict[Name, Table]:
    """The tables of these names that exist."""
    wanted = sorted(set(names))
    parameters = {"stamp": STAMP, "schemas": [schema for schema, _ in wanted], "names": [name for _, name in wanted]}
    found = {}
    for schema, name, kind, owner, mine, secured, columns, indexes, policies, mark, grantable in connection.execute(
        _TABLES, parameters
    ):
        table = Table(
            (schema, name),
            kind,
            owner,
            mine,
            secured,
            columns,
            tuple(Index(*index) for index in indexes if not index[0].startswith(DRAFT)),
            frozenset(policies),
            mark,
            grantable,
        )
        found[table.name] = table
    return found


def server(connection: psycopg.Connection[Any]) -> Server:
    """What this login may do here."""
    row = connection.execute(
        "SELECT current_user, rolcreaterole OR rolsuper,"
        " (SELECT array_agg(rolname::text) FROM pg_roles), current_setting('server_version_num')::int,"
        " rolsuper OR EXISTS (SELECT FROM pg_auth_members m WHERE m.roleid = 'pg_read_all_stats'::regrole"
        " AND m.member = pg_roles.oid AND m.admin_option)"
        " FROM pg_roles WHERE rolname = current_user"
    ).fetchone()
    assert row is not None
    return Server(row[0], row[1], frozenset(row[2]), row[3], row[4])


_DEPENDS = """
SELECT n.nspname, c.relname, a.attname
FROM pg_rewrite r JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
     JOIN pg_class c ON d.refclassid = 'pg_class'::regclass AND c.oid = d.refobjid AND c.oid <> r.ev_class
     JOIN pg_namespace n ON n.oid = c.relnamespace
     JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid AND d.refobjsubid > 0
WHERE r.ev_class = to_regclass('pg_temp.observatory_probe')
"""


def read_columns(connection: psycopg.Connection[Any], mapping: Mapping, relation: str) -> dict[Name, set[str]]:
    """The columns of the platform's tables that counting a relation reads: the server says so, of a view that is not kept.

    Raises psycopg.Error when the mapping does not fit the database.
    """
    wanted = (column.name for column in RELATIONS[relation].columns if column.shown in (Shown.PLAIN, Shown.USER))
    probe = sql.SQL("CREATE TEMP VIEW observatory_probe AS SELECT {} FROM {} AS probed").format(
        sql.SQL(", ").join(sql.Identifier(column) for column in wanted), mapping.table(relation)
    )
    found: dict[Name, set[str]] = {}
    with connection.transaction(force_rollback=True):
        connection.execute(probe)
        for schema, table, column in connection.execute(_DEPENDS):
            found.setdefault((schema, table), set()).add(column)
    return found

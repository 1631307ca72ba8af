"""Taking away what was installed, and nothing else: from the platform's tables first, then our schema, then the roles."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg import sql

from exporters.database import migrations
from exporters.database.capture_columns import MARK as COLUMN_MARK
from exporters.database.catalogue import DRAFT
from exporters.database.indexes import MARK as INDEX_MARK
from exporters.database.indexes import PREFIX
from exporters.database.mapping import STAMP
from exporters.database.persons import logins_of_ours
from exporters.database.plan import Statement, Step
from exporters.database.roles import POLICY, Role

_TRIGGERS = """
SELECT n.nspname, c.relname, t.tgname
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     JOIN pg_proc p ON p.oid = t.tgfoid
WHERE p.pronamespace = to_regnamespace('analytics') AND n.nspname <> 'analytics' AND t.tgparentid = 0
ORDER BY 1, 2, 3
"""
_COLUMNS = """
SELECT n.nspname, c.relname
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE a.attname = %s AND NOT a.attisdropped AND NOT c.relispartition AND c.relkind IN ('r', 'p')
      AND starts_with(coalesce(col_description(c.oid, a.attnum), ''), %s)
ORDER BY 1, 2
"""
_INDEXES = """
SELECT n.nspname, c.relname, t.relname, c.relkind = 'I'
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     JOIN pg_class t ON t.oid = i.indrelid
WHERE (obj_description(c.oid, 'pg_class') = %s OR starts_with(c.relname, %s) OR NOT i.indisvalid AND starts_with(c.relname, %s))
      AND n.nspname <> 'analytics'
ORDER BY 1, 2
"""
# An index is marked once it is built: what was begun is told by its name, and what earlier versions began serves nobody.
_POLICIES = """
SELECT n.nspname, c.relname FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE p.polname = %s ORDER BY 1, 2
"""
_GRANTED = """
SELECT DISTINCT n.nspname, c.relname
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     JOIN (SELECT oid AS relid, relacl AS acl FROM pg_class UNION ALL SELECT attrelid, attacl FROM pg_attribute) g
          ON g.relid = c.oid,
     aclexplode(g.acl) AS x JOIN pg_roles r ON r.oid = x.grantee
WHERE r.rolname = ANY (%s) AND n.nspname <> 'analytics' ORDER BY 1, 2
"""
_SCHEMAS = """
SELECT DISTINCT n.nspname FROM pg_namespace n, aclexplode(n.nspacl) AS x JOIN pg_roles r ON r.oid = x.grantee
WHERE r.rolname = ANY (%s) AND n.nspname <> 'analytics' ORDER BY 1
"""
_LEANING = """
SELECT DISTINCT vn.nspname || '.' || v.relname
FROM pg_depend d JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
     JOIN pg_class v ON v.oid = r.ev_class JOIN pg_namespace vn ON vn.oid = v.relnamespace
     JOIN pg_class t ON d.refclassid = 'pg_class'::regclass AND t.oid = d.refobjid
     JOIN pg_namespace tn ON tn.oid = t.relnamespace
WHERE tn.nspname = 'analytics' AND vn.nspname <> 'analytics' ORDER BY 1
"""


class RemovalRefused(Exception):
    """Something of somebody else's would go with it."""


def removal_steps(connection: psycopg.Connection[Any]) -> Iterator[Step]:
    """What takes away everything of ours in this database. Raises MigrationRefused for a foreign schema, or RemovalRefused."""
    ours = migrations.exists(connection)
    if leaning := [name for (name,) in connection.execute(_LEANING)]:
        raise RemovalRefused(f"{', '.join(leaning)} read schema analytics and are not ours; drop them first")
    yield from _on_tables(connection)
    if ours:
        yield Step("schema analytics, with everything that was counted", (sql.SQL("DROP SCHEMA analytics CASCADE"),))
    yield from _rights(connection)


def role_removals(connection: psycopg.Connection[Any]) -> list[Step]:
    """One step a role of ours that exists. A role that another database still needs cannot be dropped, and stays."""
    found = {name for (name,) in connection.execute("SELECT rolname FROM pg_roles")}
    names = [*(role for role in Role if role in found), *logins_of_ours(connection)]
    return [Step(f"role {name}", (sql.SQL("DROP ROLE {}").format(sql.Identifier(name)),)) for name in names]


def _on_tables(connection: psycopg.Connection[Any]) -> Iterator[Step]:
    tables: dict[tuple[str, str], list[Statement]] = {}
    for schema, table, trigger in connection.execute(_TRIGGERS):
        statement = sql.SQL("DROP TRIGGER {} ON {}").format(sql.Identifier(trigger), sql.Identifier(schema, table))
        tables.setdefault((schema, table), []).append(statement)
    for schema, table in connection.execute(_POLICIES, (POLICY,)):
        statement = sql.SQL("DROP POLICY {} ON {}").format(sql.Identifier(POLICY), sql.Identifier(schema, table))
        tables.setdefault((schema, table), []).append(statement)
    for schema, index, table, partitioned in connection.execute(_INDEXES, (INDEX_MARK, DRAFT, PREFIX)):
        concurrently = sql.SQL("" if partitioned else "CONCURRENTLY ")
        drop = sql.SQL("DROP INDEX {}{}").format(concurrently, sql.Identifier(schema, index))
        yield Step(f"index {schema}.{index} of {table}", (drop,), alone=True)
    for schema, table in connection.execute(_COLUMNS, (STAMP, COLUMN_MARK)):
        statement = sql.SQL("ALTER TABLE {} DROP COLUMN {}").format(sql.Identifier(schema, table), sql.Identifier(STAMP))
        tables.setdefault((schema, table), []).append(statement)
    for (schema, table), statements in sorted(tables.items()):
        yield Step(f"column and triggers of {schema}.{table}", tuple(statements))


def _rights(connection: psycopg.Connection[Any]) -> Iterator[Step]:
    there = [name for (name,) in connection.execute("SELECT rolname FROM pg_roles WHERE rolname = ANY (%s)", (list(Role),))]
    roles = sql.SQL(", ").join(sql.Identifier(name) for name in there)
    statements: list[Statement] = [
        sql.SQL("REVOKE ALL ON {} FROM {}").format(sql.Identifier(schema, table), roles)
        for schema, table in connection.execute(_GRANTED, (there,))
    ]
    statements += [
        sql.SQL("REVOKE ALL ON SCHEMA {} FROM {}").format(sql.Identifier(schema), roles)
        for (schema,) in connection.execute(_SCHEMAS, (there,))
    ]
    if statements:
        yield Step("rights of our roles on the platform's tables", tuple(statements))

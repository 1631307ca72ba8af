"""Taking away what was installed, and nothing else: from the platform's tables first, then our schema, then the roles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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
from exporters.database.views import MARK as VIEW_MARK

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
WITH ours AS (SELECT 'pg_class'::regclass AS kind, oid FROM pg_class WHERE relnamespace = to_regnamespace('analytics')
              UNION ALL SELECT 'pg_proc'::regclass, oid FROM pg_proc WHERE pronamespace = to_regnamespace('analytics')
              UNION ALL SELECT 'pg_type'::regclass, oid FROM pg_type WHERE typnamespace = to_regnamespace('analytics'))
SELECT DISTINCT n.nspname || '.' || coalesce(c.relname, f.proname)
FROM ours JOIN pg_depend d ON d.refclassid = ours.kind AND d.refobjid = ours.oid
     LEFT JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
     LEFT JOIN pg_constraint k ON d.classid = 'pg_constraint'::regclass AND k.oid = d.objid
     LEFT JOIN pg_attrdef a ON d.classid = 'pg_attrdef'::regclass AND a.oid = d.objid
     LEFT JOIN pg_policy p ON d.classid = 'pg_policy'::regclass AND p.oid = d.objid AND p.polname <> %(policy)s
     LEFT JOIN pg_class c ON c.oid = coalesce(r.ev_class, k.conrelid, a.adrelid, p.polrelid,
                                              CASE d.classid WHEN 'pg_class'::regclass THEN d.objid END)
     LEFT JOIN pg_proc f ON d.classid = 'pg_proc'::regclass AND f.oid = d.objid
     JOIN pg_namespace n ON n.oid = coalesce(c.relnamespace, f.pronamespace)
WHERE n.nspname NOT IN ('analytics', 'pg_toast') ORDER BY 1
"""
# Views, foreign keys, checks and defaults, policies, columns of our types, indexes, and functions.
_STRANGERS = """
SELECT c.relname::text FROM pg_class c
WHERE c.relnamespace = to_regnamespace('analytics') AND c.relkind IN ('r', 'p', 'f', 'v', 'm', 'S')
      AND c.relname <> ALL (%(made)s)
      AND NOT (c.relkind = 'v' AND starts_with(coalesce(obj_description(c.oid, 'pg_class'), ''), %(mark)s))
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                      AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i'))
ORDER BY 1
"""
# A sequence that numbers a table's rows goes with that table.
_FURTHER_STRANGERS = """
SELECT pg_describe_object(d.classid, d.objid, 0)
FROM pg_depend d LEFT JOIN pg_proc f ON d.classid = 'pg_proc'::regclass AND f.oid = d.objid
WHERE d.refclassid = 'pg_namespace'::regclass AND d.refobjid = to_regnamespace('analytics')
      AND d.classid NOT IN ('pg_class'::regclass, 'pg_default_acl'::regclass) AND (f.proname = ANY (%s)) IS NOT TRUE
      AND NOT EXISTS (SELECT FROM pg_depend m WHERE m.classid = d.classid AND m.objid = d.objid AND m.deptype IN ('e', 'i'))
ORDER BY 1
"""
# Functions, types, operators, extensions …; what is part of an extension, or of a type, goes with that.


class RemovalRefused(Exception):
    """Something of somebody else's would go with it."""


def removal_steps(connection: psycopg.Connection[Any], functions: Iterable[str]) -> Iterator[Step]:
    """What takes away everything of ours in this database. `functions` are the names of those that no migration makes.

    Raises MigrationRefused for a foreign schema, or RemovalRefused.
    """
    ours = migrations.exists(connection)
    files = migrations.available()
    made = [name for file in files for name in file.makes]
    strangers = [f"analytics.{name}" for (name,) in connection.execute(_STRANGERS, {"made": made, "mark": VIEW_MARK})]
    our_functions = [*(name for file in files for name in file.functions), *functions]
    strangers += [described for (described,) in connection.execute(_FURTHER_STRANGERS, (our_functions,))]
    if strangers:
        raise RemovalRefused(f"in schema analytics, but not ours: {', '.join(strangers)}; move or drop them first")
    if leaning := [name for (name,) in connection.execute(_LEANING, {"policy": POLICY})]:
        raise RemovalRefused(f"{', '.join(leaning)} lean on schema analytics, and are not ours; drop or change them first")
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

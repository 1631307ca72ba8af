"""Which right a login lacks for schema `analytics`, who holds it, and what gives it: for whoever was refused."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql

_LOOK = """
SELECT current_user::text, current_database()::text, pg_get_userbyid(d.datdba)::text,
       has_database_privilege(d.oid, 'CREATE'), to_regnamespace('analytics') IS NOT NULL,
       ARRAY(SELECT DISTINCT pg_get_userbyid(owned.owner)::text
             FROM (SELECT nspowner AS owner FROM pg_namespace WHERE nspname = 'analytics'
                   UNION SELECT relowner FROM pg_class WHERE relnamespace = to_regnamespace('analytics')
                   UNION SELECT proowner FROM pg_proc WHERE pronamespace = to_regnamespace('analytics')) AS owned
             WHERE NOT pg_has_role(owned.owner, 'USAGE') ORDER BY 1)
FROM pg_database AS d WHERE d.datname = current_database()
"""


def lacking(connection: psycopg.Connection[Any]) -> str:
    """What keeps this login from making, or changing, the schema, in a sentence with what would be right; "" when nothing."""
    row = connection.execute(_LOOK).fetchone()
    assert row is not None
    user, database, its_owner, may_create, there, owners = row
    if owners:
        named = " and ".join(owners)
        grant = sql.SQL("GRANT {} TO {}").format(sql.SQL(", ").join(map(sql.Identifier, owners)), sql.Identifier(user))
        connect = f"connect as {named}, or let" if len(owners) == 1 else "let"
        return (
            f"schema analytics, with what is in it, belongs to {named}, and {user} may not act as {named}: {connect} an"
            f" administrator run {grant.as_string(connection)}"
        )
    if not there and not may_create:
        grant = sql.SQL("GRANT CREATE ON DATABASE {} TO {}").format(sql.Identifier(database), sql.Identifier(user))
        return (
            f"{user} may not create a schema in database {database}, which belongs to {its_owner}: connect as {its_owner}, or"
            f" let {its_owner} run {grant.as_string(connection)}"
        )
    return ""

"""Group roles and their rights. A role gets what its work needs, and nothing of the platform's that it does not read.

`observatory_advance`           writes schema analytics, reads what is counted
`observatory_read`              reads schema analytics and what is counted
`observatory_grafana_admin`     reads the views for dashboards, the record of changes too
`observatory_grafana_business`  reads the views for dashboards
`observatory_self_service`      reads a user's own rows, for a service that checked who is asking
`observatory_actions`           writes what commands of people change, and adds to the record of changes
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Any

import psycopg
from psycopg import sql

from contract.analytics import ANALYTICS_SCHEMA, READABLE, Audience
from exporters.database.catalogue import Name, Server
from exporters.database.plan import Statement, Step
from exporters.database.views import own_names


class Role(StrEnum):
    ADVANCE = "observatory_advance"
    READ = "observatory_read"
    GRAFANA_ADMIN = "observatory_grafana_admin"
    GRAFANA_BUSINESS = "observatory_grafana_business"
    SELF_SERVICE = "observatory_self_service"
    ACTIONS = "observatory_actions"


COUNTING = (Role.ADVANCE, Role.READ)
DASHBOARDS = (Role.GRAFANA_ADMIN, Role.GRAFANA_BUSINESS)
POLICY = "observatory_counts"
ACTED_ON = ("incidents", "load_tests", "profiling_sessions", "regressions")
"""Tables that commands of people change."""
ADDED_TO = ("audit_log", "configuration_desired")
"""Tables that commands of people add to, and never change."""

DASHBOARD_LIMITS = {
    "timezone": "UTC",
    "default_transaction_read_only": "on",
    "statement_timeout": "15s",
    "lock_timeout": "2s",
    "idle_in_transaction_session_timeout": "30s",
}
"""Defaults of sessions that dashboards open."""

_SETTINGS: dict[Role, dict[str, str]] = {
    Role.ADVANCE: {"timezone": "UTC"},
    Role.READ: {"timezone": "UTC", "default_transaction_read_only": "on", "statement_timeout": "30s"},
    **dict.fromkeys((*DASHBOARDS, Role.SELF_SERVICE), DASHBOARD_LIMITS),
    Role.ACTIONS: {"timezone": "UTC", "statement_timeout": "15s", "lock_timeout": "5s"},
}
"""Defaults of sessions. They hold for whoever logs in as the role itself; a member of the role keeps its own."""


def missing(server: Server) -> list[Role]:
    """The roles that do not exist."""
    return [role for role in Role if role not in server.roles]


def stored_password(connection: psycopg.Connection[Any], role: str, password: str) -> str:
    """A password as the server stores it, so that the password itself is never sent, nor written to the server's log."""
    return connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()


def role_steps(server: Server, logins: Mapping[str, str]) -> Iterator[Step]:
    """Makes the roles that are missing and sets their defaults. `logins` are passwords by role, as the server stores them."""
    statements: list[Statement] = []
    for role in missing(server):
        statements.append(sql.SQL("CREATE ROLE {} NOSUPERUSER NOCREATEDB NOCREATEROLE").format(sql.Identifier(role)))
        for name, value in _SETTINGS[role].items():
            statements.append(
                sql.SQL("ALTER ROLE {} SET {} = {}").format(sql.Identifier(role), sql.Identifier(name), sql.Literal(value))
            )
    for name, password in sorted(logins.items()):
        statements.append(sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(name), sql.Literal(password)))
    if statements:
        yield Step("roles", tuple(statements))


def grant_step(views: Iterable[str]) -> Step:
    """What the roles may do in our schema, after taking back what they had there.

    Nobody writes `views`: what is written to a view of one table goes to that table, with the rights of the view's owner.
    """
    schema = sql.Identifier(ANALYTICS_SCHEMA)
    every = sql.SQL(", ").join(sql.Identifier(role) for role in Role)
    statements: list[Statement] = [
        sql.SQL("REVOKE ALL ON SCHEMA {} FROM PUBLIC").format(schema),
        sql.SQL("REVOKE ALL ON ALL TABLES IN SCHEMA {} FROM PUBLIC, {}").format(schema, every),
        sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(schema, every),
        *_ours(schema),
        sql.SQL("REVOKE INSERT, UPDATE, DELETE ON {} FROM {}").format(
            sql.SQL(", ").join(sql.Identifier(ANALYTICS_SCHEMA, name) for name in views), sql.Identifier(Role.ADVANCE)
        ),
        *(statement for role in DASHBOARDS for statement in _dashboards(role)),
        *(_select(name, Role.SELF_SERVICE) for name in own_names()),
        *_actions(),
    ]
    return Step("rights of the roles in our schema", tuple(statements), repeated=True)


def _ours(schema: sql.Identifier) -> Iterator[Statement]:
    advance, read = sql.Identifier(Role.ADVANCE), sql.Identifier(Role.READ)
    yield sql.SQL("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {} TO {}").format(schema, advance)
    yield sql.SQL("GRANT USAGE ON ALL SEQUENCES IN SCHEMA {} TO {}").format(schema, advance)
    yield sql.SQL("REVOKE UPDATE, DELETE ON {} FROM {}").format(sql.Identifier(ANALYTICS_SCHEMA, "audit_log"), advance)
    yield sql.SQL("REVOKE INSERT, UPDATE, DELETE ON {} FROM {}").format(sql.Identifier(ANALYTICS_SCHEMA, "migrations"), advance)
    yield sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA {} TO {}").format(schema, read)
    yield sql.SQL("REVOKE ALL ON {} FROM {}").format(sql.Identifier(ANALYTICS_SCHEMA, "user_keys"), read)
    yield sql.SQL("REVOKE ALL ON {} FROM {}, {}").format(sql.Identifier(ANALYTICS_SCHEMA, "person_logins"), advance, read)


def _actions() -> Iterator[Statement]:
    role = sql.Identifier(Role.ACTIONS)
    for readable in READABLE.values():
        yield _select(readable.name, Role.ACTIONS)
    for name in ACTED_ON:
        table = sql.Identifier(ANALYTICS_SCHEMA, name)
        yield sql.SQL("GRANT SELECT, INSERT, UPDATE ON {} TO {}").format(table, role)
    for name in ADDED_TO:
        yield sql.SQL("GRANT SELECT, INSERT ON {} TO {}").format(sql.Identifier(ANALYTICS_SCHEMA, name), role)


def _dashboards(role: Role) -> Iterator[Statement]:
    for readable in READABLE.values():
        if readable.audience is Audience.EVERYBODY or role is Role.GRAFANA_ADMIN:
            yield _select(readable.name, role)


def _select(name: str, role: Role) -> Statement:
    return sql.SQL("GRANT SELECT ON {} TO {}").format(sql.Identifier(ANALYTICS_SCHEMA, name), sql.Identifier(role))


_HAVE = """
SELECT bool_and(has_schema_privilege(role, n.oid, 'USAGE') AND has_column_privilege(role, c.oid, name, 'SELECT'))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, unnest(%(roles)s::text[]) AS role,
     unnest(%(columns)s::text[]) AS name
WHERE n.nspname = %(schema)s AND c.relname = %(table)s
"""


def may_read(connection: psycopg.Connection[Any], table: Name, columns: Iterable[str]) -> bool:
    """Whether the roles that count may read these columns, which exist, already. The roles exist."""
    parameters = {"roles": list(COUNTING), "columns": sorted(columns), "schema": table[0], "table": table[1]}
    row = connection.execute(_HAVE, parameters).fetchone()
    return bool(row and row[0])


def platform_step(table: Name, columns: Iterable[str]) -> Step:
    """Lets the roles that count read some columns of a table of the platform."""
    counting = sql.SQL(", ").join(sql.Identifier(role) for role in COUNTING)
    usage = sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(sql.Identifier(table[0]), counting)
    names = sql.SQL(", ").join(sql.Identifier(name) for name in sorted(columns))
    select = sql.SQL("GRANT SELECT ({}) ON {} TO {}").format(names, sql.Identifier(*table), counting)
    return Step(f"reading {table[0]}.{table[1]}", (usage, select))


def policy_step(table: Name) -> Step:
    """Lets the roles that count see every row of a table with row security."""
    counting = sql.SQL(", ").join(sql.Identifier(role) for role in COUNTING)
    statement = sql.SQL("CREATE POLICY {} ON {} FOR SELECT TO {} USING (true)").format(
        sql.Identifier(POLICY), sql.Identifier(*table), counting
    )
    return Step(f"all rows of {table[0]}.{table[1]}", (statement,))


def sees_transactions(connection: psycopg.Connection[Any]) -> bool:
    """Whether the advancing role sees since when others' transactions run; False while there is no such role."""
    row = connection.execute(
        "SELECT coalesce(bool_or(pg_has_role(oid, 'pg_read_all_stats', 'USAGE')), false) FROM pg_roles WHERE rolname = %s",
        (Role.ADVANCE,),
    ).fetchone()
    return bool(row and row[0])


def statistics_step() -> Step:
    """Lets the advancing role see since when others' transactions run."""
    statement = sql.SQL("GRANT pg_read_all_stats TO {}").format(sql.Identifier(Role.ADVANCE))
    return Step("seeing long transactions", (statement,))

"""Logins of persons who see their own figures, and nothing else: what they read is decided by who is logged in.

`analytics.person_logins` says which user of the platform a login is, and only the installer writes it. The views `my_…` compare
with `current_user`, which nobody can claim: a person's login is member of no role, so that there is none to change to.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from contract.analytics import ANALYTICS_SCHEMA, PERSONAL, PERSONAL_RELATIONS, personal_name
from contract.relations import RELATIONS
from exporters.database.catalogue import Name, Table
from exporters.database.mapping import Mapping as Mapped
from exporters.database.plan import Statement, Step
from exporters.database.roles import DASHBOARD_LIMITS
from exporters.database.views import View, own, own_calls

if TYPE_CHECKING:
    from contract.personal import Person

MARK = "Agent Observatory: one person's own figures"
"""The comment on a role that we made for a person; another role is never touched."""
_LOGINS = sql.Identifier(ANALYTICS_SCHEMA, "person_logins")
_CONNECTIONS = 10


@dataclass(frozen=True)
class Known:
    """A role that exists. `ours`: made for a person; `powers`: may do more than read; `groups`: it is member of these."""

    ours: bool
    powers: bool
    groups: tuple[str, ...]


def _whose(type_: str) -> Statement:
    return sql.SQL("SELECT p.user_id::{} FROM {} AS p WHERE p.login = current_user").format(sql.SQL(type_), _LOGINS)


def personal_views(mapping: Mapped, tables: dict[Name, Table]) -> Iterator[View]:
    """The views of whoever is logged in."""
    for name in PERSONAL_RELATIONS:
        yield personal_name(name), own(mapping, RELATIONS[name], tables, _whose)
    key = sql.SQL("(SELECT k.user_key FROM {} AS k WHERE k.user_id = ({}))").format(
        sql.Identifier(ANALYTICS_SCHEMA, "user_keys"), _whose("text")
    )
    yield personal_name("llm_calls"), own_calls(key)


_KNOWN = """
SELECT r.rolname::text, coalesce(shobj_description(r.oid, 'pg_authid'), '') = %(mark)s,
       r.rolsuper OR r.rolcreaterole OR r.rolcreatedb OR r.rolbypassrls OR r.rolreplication,
       ARRAY(SELECT pg_get_userbyid(m.roleid)::text FROM pg_auth_members m WHERE m.member = r.oid ORDER BY 1)
FROM pg_roles r WHERE r.rolname = ANY (%(names)s)
"""


def known_logins(connection: psycopg.Connection[Any], persons: Sequence[Person]) -> dict[str, Known]:
    """The logins that exist, by name: those of these persons, and those that persons had who are no longer configured."""
    names = [person.login for person in persons]
    if _one(connection, "SELECT to_regclass('analytics.person_logins') IS NOT NULL"):
        names += [name for (name,) in connection.execute("SELECT login FROM analytics.person_logins")]
    rows = connection.execute(_KNOWN, {"mark": MARK, "names": names})
    return {name: Known(ours, powers, tuple(groups)) for name, ours, powers, groups in rows}


def obstacles(
    connection: psycopg.Connection[Any], mapping: Mapped, persons: Sequence[Person], known: Mapping[str, Known]
) -> Iterator[str]:
    """A sentence for each login that is somebody else's or may do more, so that it would show more than the person's own
    figures, and for each user that does not exist."""
    for person in persons:
        place, login = f"my_usage, {person.name}", known.get(person.login)
        if login and not login.ours:
            yield f"{place}: role {person.login} exists and was not made for this; name another login"
        if login and login.ours and login.powers:
            yield f"{place}: role {person.login} has powers beyond reading; take them back with ALTER ROLE"
        if login and login.ours and login.groups:
            groups = ", ".join(login.groups)
            yield f"{place}: role {person.login} is a member of {groups} and may act as such; REVOKE that first"
        users = sql.SQL("SELECT EXISTS (SELECT FROM {} AS u WHERE u.id::text = {})")
        if not _one(connection, users.format(mapping.table("users"), sql.Literal(person.user_id))):
            yield f"{place}: the platform has no user with the id {person.user_id}; correct or remove the entry"


def login_steps(persons: Sequence[Person], known: Mapping[str, Known], passwords: Mapping[str, str]) -> Iterator[Step]:
    """Makes the logins that are missing, lets them log in with `passwords` (by login, as the server stores them), and closes
    those of persons who are no longer configured."""
    statements: list[Statement] = []
    for person in persons:
        role = sql.Identifier(person.login)
        if person.login not in known:
            statements.append(
                sql.SQL("CREATE ROLE {} NOSUPERUSER NOCREATEDB NOCREATEROLE CONNECTION LIMIT {}").format(
                    role, sql.Literal(_CONNECTIONS)
                )
            )
            statements += [
                sql.SQL("ALTER ROLE {} SET {} = {}").format(role, sql.Identifier(name), sql.Literal(value))
                for name, value in DASHBOARD_LIMITS.items()
            ]
            statements.append(sql.SQL("COMMENT ON ROLE {} IS {}").format(role, sql.Literal(MARK)))
        if person.login in passwords:
            statements.append(sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(role, sql.Literal(passwords[person.login])))
    statements += [sql.SQL("ALTER ROLE {} NOLOGIN").format(sql.Identifier(login)) for login in _left(persons, known)]
    if statements:
        yield Step("logins of persons", tuple(statements))


def rights_steps(persons: Sequence[Person], known: Mapping[str, Known]) -> Iterator[Step]:
    """Which user each login is, and what it may read. `known` has the logins that exist when the step is taken."""
    here = [person for person in persons if person.login in known]
    left = _left(persons, known)
    if not here and not left:
        return
    roles = sql.SQL(", ").join(sql.Identifier(name) for name in (*(person.login for person in here), *left))
    schema = sql.Identifier(ANALYTICS_SCHEMA)
    statements: list[Statement] = [
        sql.SQL("REVOKE ALL ON ALL TABLES IN SCHEMA {} FROM {}").format(schema, roles),
        sql.SQL("REVOKE ALL ON SCHEMA {} FROM {}").format(schema, roles),
        sql.SQL("DELETE FROM {}").format(_LOGINS),
    ]
    for person in here:
        role = sql.Identifier(person.login)
        row = sql.SQL(", ").join((sql.Literal(person.login), sql.Literal(person.user_id)))
        statements.append(sql.SQL("INSERT INTO {} (login, user_id) VALUES ({})").format(_LOGINS, row))
        statements.append(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(schema, role))
        views = sql.SQL(", ").join(sql.Identifier(ANALYTICS_SCHEMA, name) for name in PERSONAL)
        statements.append(sql.SQL("GRANT SELECT ON {} TO {}").format(views, role))
    yield Step("what persons may read: their own rows", tuple(statements), repeated=True)


def logins_of_ours(connection: psycopg.Connection[Any]) -> list[str]:
    """All roles that were made for persons."""
    rows = connection.execute(
        "SELECT rolname::text FROM pg_roles WHERE shobj_description(oid, 'pg_authid') = %s ORDER BY 1", (MARK,)
    )
    return [name for (name,) in rows]


def _left(persons: Iterable[Person], known: Mapping[str, Known]) -> list[str]:
    configured = {person.login for person in persons}
    return sorted(name for name, login in known.items() if login.ours and name not in configured)


def _one(connection: psycopg.Connection[Any], question: sql.Composed | str) -> bool:
    row = connection.execute(sql.SQL(question) if isinstance(question, str) else question).fetchone()
    return bool(row and row[0])

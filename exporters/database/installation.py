"""Everything that `observatory db install` does, worked out as a plan first.

What this login may not do is not a failure: it becomes a request to somebody who may, with the statement to run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from collections.abc import Mapping as Passwords
from dataclasses import dataclass, field
from typing import Any

import psycopg

from contract.relations import RELATIONS
from contract.settings import Settings
from exporters.database import migrations, persons
from exporters.database.capture_columns import capture_steps
from exporters.database.catalogue import Name, Server, Table, read_columns, server, tables
from exporters.database.indexes import index_steps
from exporters.database.mapping import STAMP, Mapping
from exporters.database.mapping_check import Problem, problems
from exporters.database.plan import Statement, Step, take
from exporters.database.roles import (
    POLICY,
    Role,
    grant_step,
    may_read,
    missing,
    platform_step,
    policy_step,
    role_steps,
    sees_transactions,
    statistics_step,
    stored_password,
)
from exporters.database.views import View, platform_views, removal_step, view_step

Say = Callable[[str], None]


@dataclass(frozen=True)
class Captures:
    """What finding changes needs: `triggers` are the statements for each relation that is captured by snapshots, `repairs` what
    else is to be done for those whose triggers do not run, `statistics` tells that the advancing role has to see since
    when others' transactions run.
    """

    triggers: dict[str, Sequence[Statement]]
    repairs: dict[str, Sequence[Statement]] = field(default_factory=dict)
    statistics: bool = False


Captured = Callable[[psycopg.Connection[Any], Mapping], Captures]
"""Works out what finding changes needs, once the mapping is known to fit."""


class MappingRefused(Exception):
    """The mapping does not fit the database, so nothing is installed."""

    def __init__(self, found: list[Problem]) -> None:
        self.problems = tuple(found)
        super().__init__("\n".join(str(problem) for problem in found))


class RolesMissing(Exception):
    """Roles do not exist, and this login may not create them. `steps` make them."""

    def __init__(self, user: str, steps: list[Step]) -> None:
        self.steps = tuple(steps)
        super().__init__(f"{user} may not create roles, and some are missing")


@dataclass(frozen=True)
class Request:
    """Something that somebody else has to do. Without it: what `reason` says."""

    reason: str
    step: Step


@dataclass(frozen=True)
class Plan:
    """What is to be done, in order: `before` needs no schema, `files` make it, `after` stands on it."""

    before: tuple[Step, ...]
    files: tuple[migrations.Migration, ...]
    after: tuple[Step, ...]
    requests: tuple[Request, ...]

    def as_sql(self, connection: psycopg.Connection[Any]) -> str:
        parts = [step.as_sql(connection) for step in self.before]
        parts += [f"-- migration {file.file}\nBEGIN;\n{file.text.strip()}\nCOMMIT;" for file in self.files]
        parts += [step.as_sql(connection) for step in self.after]
        if self.requests:
            parts.append("-- To be run by somebody who may:")
            parts += [f"-- {request.reason}\n{request.step.as_sql(connection)}" for request in self.requests]
        return "\n\n".join(parts)


def plan(
    connection: psycopg.Connection[Any],
    settings: Settings,
    logins: Passwords[str, str],
    captured: Captured,
    rollup_views: Iterable[View] = (),
) -> Plan:
    """Works out what is missing. `logins`: passwords of roles and persons that may log in, by login. `rollup_views` are made
    beside those of the platform's relations.

    Raises MappingError, MappingRefused, migrations.MigrationRefused or persons.PersonRefused.
    """
    mapping = Mapping.of(settings)
    if found := problems(connection, mapping):
        raise MappingRefused(found)
    files = migrations.pending(connection)
    here = server(connection)
    columns = columns_read(connection, mapping)
    known = tables(connection, [*columns, *(name for relation in RELATIONS if (name := mapping.driving(relation)))])
    work = _Work(connection, settings, here, mapping, known, [], [])
    people = persons.known_logins(connection, settings.my_usage)
    persons.check(connection, mapping, settings.my_usage, people)
    before = work.roles({role: password for role, password in logins.items() if role in set(Role)})
    needs = captured(connection, mapping)
    for relation, triggers in needs.triggers.items():
        name = mapping.driving(relation)
        assert name is not None
        steps = capture_steps(connection, known[name], triggers, needs.repairs.get(relation))
        work.add(known[name], steps, "its changes are found in a dearer way")
        columns.setdefault(name, set()).add(STAMP)
    for table, step in index_steps(mapping, known):
        work.add(table, [step], "questions to it are slower")
    views = [*platform_views(mapping, settings.database, known), *rollup_views]
    if settings.my_usage:
        views += persons.personal_views(mapping, known)
    if files and (taken_away := removal_step(connection)):
        before.append(taken_away)
    if view := view_step(connection, views, anew=bool(files)):
        work.steps.append(view)
    work.steps.append(grant_step(name for name, _ in views))
    work.persons(people, logins)
    work.rights(columns)
    if needs.statistics and not sees_transactions(connection):
        work.statistics()
    return Plan(tuple(before), tuple(files), tuple(work.steps), tuple(work.requests))


def columns_read(connection: psycopg.Connection[Any], mapping: Mapping) -> dict[Name, set[str]]:
    """All columns of the platform's tables that are read for counting, by table."""
    found: dict[Name, set[str]] = {}
    for relation in RELATIONS:
        for table, columns in read_columns(connection, mapping, relation).items():
            found.setdefault(table, set()).update(columns)
    return found


def install(connection: psycopg.Connection[Any], todo: Plan, say: Say) -> None:
    """Does what the plan says, in its order. Run it again after a failure: it goes on where it stopped."""
    take(connection, todo.before, say)
    for file in migrations.migrate(connection):
        say(f"migration {file.file}")
    take(connection, todo.after, say)


@dataclass
class _Work:
    """A plan that is being made."""

    connection: psycopg.Connection[Any]
    settings: Settings
    server: Server
    mapping: Mapping
    tables: dict[Name, Table]
    steps: list[Step]
    requests: list[Request]

    def roles(self, logins: Passwords[str, str]) -> list[Step]:
        """Roles and their logins, or who has to make them. Nothing else can be done without the roles."""
        stored = {role: stored_password(self.connection, role, password) for role, password in logins.items()}
        steps = list(role_steps(self.server, stored))
        if self.server.may_create_roles:
            return steps
        if missing(self.server):
            raise RolesMissing(self.server.user, list(role_steps(self.server, {})))
        self.requests += [
            Request(f"{self.server.user} may not change roles; without this they cannot log in", step) for step in steps
        ]
        return []

    def persons(self, known: dict[str, persons.Known], passwords: Passwords[str, str]) -> None:
        """Logins of persons, which somebody else makes where this login may not, and what they may read."""
        people = self.settings.my_usage
        stored = {
            person.login: stored_password(self.connection, person.login, passwords[person.login])
            for person in people
            if person.login in passwords
        }
        for step in persons.login_steps(people, known, stored):
            if self.server.may_create_roles:
                self.steps.append(step)
                made = {person.login: persons.Known(ours=True, powers=False, groups=()) for person in people}
                known = {**made, **known}
            else:
                reason = f"{self.server.user} may not make or change roles; without this persons do not see their own figures"
                self.requests.append(Request(reason, step))
        self.steps += persons.rights_steps(people, known)

    def add(self, table: Table, steps: Iterable[Step], otherwise: str) -> None:
        """Steps on a table of the platform, which are ours to take only where the site lets us and PostgreSQL too."""
        for step in steps:
            name = f"{table.name[0]}.{table.name[1]}"
            if not table.mine:
                reason = f"{name} is {table.owner}'s, not {self.server.user}'s; without this {otherwise}"
                self.requests.append(Request(reason, step))
            elif not self.settings.database.alter_tables:
                self.requests.append(Request(f"alter_tables is off; without this {otherwise}", step))
            else:
                self.steps.append(step)

    def statistics(self) -> None:
        """Lets the advancing role see since when others' transactions run."""
        if self.server.may_read_statistics:
            self.steps.append(statistics_step())
        else:
            reason = f"{self.server.user} may not give pg_read_all_stats; without it late rows are missed"
            self.requests.append(Request(reason, statistics_step()))

    def rights(self, columns: dict[Name, set[str]]) -> None:
        """What the counting roles read of the platform's tables, all rows of it."""
        new_roles = bool(missing(self.server))
        for name, wanted in sorted(columns.items()):
            table = self.tables[name]
            if (
                new_roles
                or not may_read(self.connection, name, wanted & table.columns.keys())
                or not wanted <= table.columns.keys()
            ):
                step = platform_step(name, wanted)
                if table.grantable:
                    self.steps.append(step)
                else:
                    reason = f"{self.server.user} may not give rights on {name[0]}.{name[1]}; without this it is not counted"
                    self.requests.append(Request(reason, step))
            if table.row_security and POLICY not in table.policies:
                self.add(table, [policy_step(name)], "no row of it is seen, because of its row security")

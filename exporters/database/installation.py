"""Everything that `observatory db install` does, worked out as a plan first.

What this login may not do is not a failure: it becomes a request to somebody who may, with the statement to run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from collections.abc import Mapping as Passwords
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psycopg

from contract.relations import RELATIONS
from exporters.database import migrations, persons
from exporters.database.capture_columns import capture_steps
from exporters.database.catalogue import Name, Server, Table, read_columns, server, tables
from exporters.database.change import Change, carry_out
from exporters.database.indexes import index_steps
from exporters.database.mapping import STAMP, Mapping
from exporters.database.mapping_check import problems
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
from exporters.database.views import View, leaning, platform_views, taken

if TYPE_CHECKING:
    from contract.settings import Settings

Say = Callable[[str], None]


@dataclass(frozen=True)
class Captures:
    """What finding changes needs: `triggers` are the statements for each relation that is captured by snapshots, `repairs` what
    else is to be done for those whose triggers do not run, `statistics` tells that the advancing role has to see since
    when others' transactions run. `impossible` are ways that are configured and cannot be, a sentence each.
    """

    triggers: dict[str, Sequence[Statement]]
    repairs: dict[str, Sequence[Statement]] = field(default_factory=dict)
    statistics: bool = False
    impossible: tuple[str, ...] = ()


Captured = Callable[[psycopg.Connection[Any], Mapping], Captures]
"""Works out what finding changes needs, once the mapping is known to fit."""


class InstallationRefused(Exception):
    """Something does not fit, so nothing is done. `findings` are all that were found, a sentence each."""

    def __init__(self, findings: Iterable[str]) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(self.findings))


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
    """What is to be done, in order: `before` needs no schema, `change` makes it, `after` stands on it. Wherever it ends, what
    dashboards read is whole."""

    before: tuple[Step, ...]
    change: Change
    after: tuple[Step, ...]
    requests: tuple[Request, ...]

    def missing(self, connection: psycopg.Connection[Any]) -> list[str]:
        """What is not as it should be, and could be done by this login, in words."""
        steps = [[step.title for step in steps if not step.repeated] for steps in (self.before, self.after)]
        return [*steps[0], *self.change.missing(connection), *steps[1]]

    def as_sql(self, connection: psycopg.Connection[Any]) -> str:
        parts = [step.as_sql(connection) for step in self.before]
        parts.append(self.change.as_sql(connection))
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

    Raises MappingError, InstallationRefused, RolesMissing or migrations.MigrationRefused.
    """
    mapping = Mapping.of(settings)
    files = migrations.pending(connection)
    made = [name for file in files for name in file.makes]
    if unfit := [str(problem) for problem in problems(connection, mapping)]:
        raise InstallationRefused([*unfit, *taken(connection, made)])  # the rest follows from tables and columns
    here = server(connection)
    columns = columns_read(connection, mapping)
    known = tables(connection, [*columns, *(name for relation in RELATIONS if (name := mapping.driving(relation)))])
    views = [*platform_views(mapping, settings.database, known), *rollup_views]
    if settings.my_usage:
        views += persons.personal_views(mapping, known)
    people = persons.known_logins(connection, settings.my_usage)
    needs = captured(connection, mapping)
    refused = [*taken(connection, [*made, *(name for name, _ in views)]), *leaning(connection, views)]
    if refused := [*refused, *persons.obstacles(connection, mapping, settings.my_usage, people), *needs.impossible]:
        raise InstallationRefused(refused)
    work = _Work(connection, settings, here, mapping, known)
    work.roles({role: password for role, password in logins.items() if role in set(Role)})
    work.persons(people, logins)
    for relation, triggers in needs.triggers.items():
        name = mapping.driving(relation)
        assert name is not None
        steps = capture_steps(connection, known[name], triggers, needs.repairs.get(relation))
        work.add(known[name], steps, "its changes are found in a dearer way")
        columns.setdefault(name, set()).add(STAMP)
    for table, step in index_steps(mapping, known):
        work.add(table, [step], "questions to it are slower")
    work.rights(columns)
    if needs.statistics and not sees_transactions(connection):
        work.statistics()
    rights = (grant_step(name for name, _ in views), *work.personal)
    return Plan(tuple(work.before), Change(tuple(files), tuple(views), rights), tuple(work.steps), tuple(work.requests))


def columns_read(connection: psycopg.Connection[Any], mapping: Mapping) -> dict[Name, set[str]]:
    """All columns of the platform's tables that are read for counting, by table."""
    found: dict[Name, set[str]] = {}
    for relation in RELATIONS:
        for table, columns in read_columns(connection, mapping, relation).items():
            found.setdefault(table, set()).update(columns)
    return found


def install(connection: psycopg.Connection[Any], todo: Plan, say: Say) -> None:
    """Does what the plan says, in its order. Run it again after a failure: it goes on where it stopped. Raises Busy."""
    take(connection, todo.before, say)
    for title in carry_out(connection, todo.change):
        say(title)
    take(connection, todo.after, say)


@dataclass
class _Work:
    """A plan that is being made."""

    connection: psycopg.Connection[Any]
    settings: Settings
    server: Server
    mapping: Mapping
    tables: dict[Name, Table]
    before: list[Step] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    personal: tuple[Step, ...] = ()

    def roles(self, logins: Passwords[str, str]) -> None:
        """Roles and their logins, or who has to make them. Nothing else can be done without the roles."""
        stored = {role: stored_password(self.connection, role, password) for role, password in logins.items()}
        steps = list(role_steps(self.server, stored))
        if self.server.may_create_roles:
            self.before += steps
        elif missing(self.server):
            raise RolesMissing(self.server.user, list(role_steps(self.server, {})))
        else:
            reason = f"{self.server.user} may not change roles; without this they cannot log in"
            self.requests += [Request(reason, step) for step in steps]

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
                self.before.append(step)
                made = {person.login: persons.Known(ours=True, powers=False, groups=()) for person in people}
                known = {**made, **known}
            else:
                reason = f"{self.server.user} may not make or change roles; without this persons do not see their own figures"
                self.requests.append(Request(reason, step))
        self.personal = tuple(persons.rights_steps(people, known))

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

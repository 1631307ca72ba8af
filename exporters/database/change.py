"""The one transaction in which schema `analytics` becomes this version's: files, views and rights, or nothing of it.

Until it ends, dashboards go on reading what was there before: a view is locked only where it is to be another one, or where a
file changes what it stands on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import psycopg

from exporters.database import migrations
from exporters.database.plan import BEGIN, COMMIT, Statement, Step, briefly, patiently
from exporters.database.views import View, removals, view_statements

TITLE, VIEWS = "schema analytics", "views for dashboards"


@dataclass(frozen=True)
class Change:
    """`files` are pending; `views` are all that there shall be, whether they are there or not; `rights` come last."""

    files: tuple[migrations.Migration, ...]
    views: tuple[View, ...]
    rights: tuple[Step, ...]

    def missing(self, connection: psycopg.Connection[Any]) -> list[str]:
        """What is not as it should be, in words."""
        views = [VIEWS] if self.files or view_statements(connection, self.views) else []
        return [f"migration {file.file}" for file in self.files] + views

    def as_sql(self, connection: psycopg.Connection[Any]) -> str:
        """What would be run, for people. With files, it makes all views anew, which the command does only where it must."""
        parts = [f"-- {TITLE}\n{BEGIN}"]
        if self.files:
            parts += _lines(connection, removals(connection))
        for file in self.files:
            parts += [f"-- migration {file.file}\n{file.text.strip()}", *_lines(connection, [file.record])]
        parts += _lines(connection, view_statements(connection, self.views, anew=bool(self.files)))
        for step in self.rights:
            parts += [f"-- {step.title}", *_lines(connection, step.statements)]
        return "\n".join([*parts, COMMIT])


def _lines(connection: psycopg.Connection[Any], statements: Iterable[Statement]) -> list[str]:
    return [f"{statement.as_string(connection).strip()};" for statement in statements]


def carry_out(connection: psycopg.Connection[Any], change: Change) -> list[str]:
    """Makes the change and gives the titles of what was done. `connection` is in autocommit mode. Raises Busy."""
    return patiently(connection, TITLE, partial(_carry_out, connection, change))


def _carry_out(connection: psycopg.Connection[Any], change: Change) -> list[str]:
    def make_way() -> None:
        for statement in removals(connection):
            connection.execute(statement)

    with connection.transaction():
        briefly(connection)
        done = [f"migration {file.file}" for file in migrations.migrate(connection, make_way=make_way)]
        statements = view_statements(connection, change.views)
        for statement in statements:
            connection.execute(statement)
        done += [VIEWS] if statements else []
        for step in change.rights:
            for statement in step.statements:
                connection.execute(statement)
            done.append(step.title)
    return done

"""A login that lacks a right is told which, who has it, and what gives it; before anything is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from click.testing import Result
from database_steps import Connection
from psycopg import sql
from psycopg.conninfo import make_conninfo

from provisioning.database.admin import VARIABLE

Observatory = Callable[..., Result]


@pytest.fixture
def second(
    installed: Connection, database: str, observatory: Observatory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Observatory]:
    """The command as somebody who may log in, and nothing else."""
    installed.execute("DROP ROLE IF EXISTS second_person; CREATE ROLE second_person LOGIN")
    monkeypatch.setenv(VARIABLE, make_conninfo(database, user="second_person"))
    yield observatory
    installed.execute("DROP OWNED BY second_person CASCADE; DROP ROLE second_person")


@pytest.mark.parametrize("command", [["install"], ["upgrade"], ["status"], ["rebuild", "tickets"]])
def test_whose_the_schema_is(installed: Connection, second: Observatory, command: list[str]) -> None:
    said = second(*command)
    assert said.exit_code == 2
    assert "schema analytics, with what is in it, belongs to postgres, and second_person may not act as postgres" in said.output
    assert 'connect as postgres, or let an administrator run GRANT "postgres" TO "second_person"' in said.output
    assert "--dry-run" not in said.output and "Traceback" not in said.output


def test_what_is_said_helps(installed: Connection, second: Observatory) -> None:
    installed.execute('GRANT "postgres" TO "second_person"')
    assert second("upgrade").exit_code in (0, 1)


def test_who_may_let_somebody_make_the_schema(installed: Connection, second: Observatory) -> None:
    installed.execute("DROP SCHEMA analytics CASCADE")  # the roles stay, so nothing but the schema is missing
    installed.execute("GRANT USAGE ON SCHEMA app TO second_person; GRANT SELECT ON ALL TABLES IN SCHEMA app TO second_person")
    name = installed.info.dbname
    said = second("install")
    assert said.exit_code == 2
    assert f"second_person may not create a schema in database {name}, which belongs to postgres" in said.output
    grant = f'GRANT CREATE ON DATABASE "{name}" TO "second_person"'
    assert f"let postgres run {grant}" in said.output
    installed.execute(sql.SQL("GRANT CREATE ON DATABASE {} TO second_person").format(sql.Identifier(name)))
    said = second("install")
    assert said.exit_code == 1, said.output
    assert "app.messages is postgres's, not second_person's" in said.output


def test_whose_the_table_is_that_may_not_be_read(installed: Connection, second: Observatory) -> None:
    installed.execute("GRANT USAGE ON SCHEMA app TO second_person; GRANT SELECT ON ALL TABLES IN SCHEMA app TO second_person")
    installed.execute("REVOKE SELECT ON app.tickets FROM second_person")
    said = second("map", "--check")
    assert said.exit_code == 1
    assert "database.relations.tickets: the database refuses it: permission denied for table tickets" in said.output
    assert "connect as postgres, or let postgres grant second_person SELECT on it, and USAGE on its schema" in said.output
    assert "correct the query" not in said.output

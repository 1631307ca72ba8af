"""A command that a table gives to copy does what it says, whatever the names in it are."""

from __future__ import annotations

import shlex

import psycopg
import pytest

from dashboards.lib.commands import command
from dashboards.observatory import changes


@pytest.mark.parametrize("name", ["billing", "it's", "a b; rm -rf /", '$(date) `date` "x"', "–\\'–"])
def test_names_are_quoted_for_a_shell(database: str, name: str) -> None:
    text = command("observatory profile stop {agent} --environment {environment} --yes", agent="%s::text", environment="'e'")
    with psycopg.connect(database) as connection:
        [row] = connection.execute(f"SELECT {text}".encode(), (name,)).fetchall()
    assert shlex.split(row[0]) == ["observatory", "profile", "stop", name, "--environment", "e", "--yes"]


def test_the_command_stands_where_something_runs() -> None:
    [query] = changes.profiling().targets
    assert "observatory profile stop" in query.text

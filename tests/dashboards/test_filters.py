"""What readers choose cannot leave its quotes, and chooses exactly what it says."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from contract.signals.agents import AGENT_ERROR_RATIO, AGENT_QUERIES
from contract.signals.sources import TARGET_UP
from dashboards.lib.describe import acting as acting_in
from dashboards.lib.filters import acting, chosen, chosen_all, filtered
from provisioning.choices import Choice, written
from provisioning.interpolation import substitute
from tests.conftest import PostgresServer

HOSTILE = (
    "O'Brien", "100%", r"back\slash", "'; drop table names; --", "$$; drop table names; --", r"\$\$", "a|b", "(a", "[a-z]+",
    ".*", "ünï çødé 漢字", "new\nline", '"quoted"', "${agent}", "$__timeFilter(x)", "a{2}", "^a$", "/slash/", "",
)  # fmt: skip


@pytest.fixture(scope="module")
def names(postgres: PostgresServer) -> Iterator[psycopg.Connection[tuple[str]]]:
    with psycopg.connect(postgres.dsn) as connection:
        connection.execute("CREATE TEMP TABLE names (name text)")
        connection.cursor().executemany("INSERT INTO names VALUES (%s)", [(name,) for name in (*HOSTILE, "a", "b", "other")])
        connection.execute("INSERT INTO names VALUES (NULL)")
        yield connection


def asked(connection: psycopg.Connection[tuple[str]], condition: str, choice: Choice) -> list[str]:
    sql = substitute(f"SELECT name FROM names WHERE {condition}", lambda _, form: written(choice, form, "sql"))
    return sorted(name for (name,) in connection.execute(sql.encode()) if name is not None)


@pytest.mark.parametrize("value", HOSTILE)
def test_one_value_chooses_its_rows_only(names: psycopg.Connection[tuple[str]], value: str) -> None:
    assert asked(names, chosen("name", "agent"), Choice((value,), True)) == [value]
    assert asked(names, "name = ${agent:sqlstring}", Choice((value,))) == [value]


def test_several_values_and_all_of_them(names: psycopg.Connection[tuple[str]]) -> None:
    assert asked(names, chosen("name", "agent"), Choice(HOSTILE, True)) == sorted(HOSTILE)
    everything = "SELECT count(*) FROM names WHERE " + substitute(chosen("name", "agent"), lambda *_: ".*")
    assert names.execute(everything.encode()).fetchone() == (len(HOSTILE) + 4,)


@pytest.mark.parametrize(("pattern", "held"), [(".*", None), ("a", "name"), ("(a|b)", "~"), (r"a\.b", "~")])
def test_all_and_one_word_are_known_before_rows_are_read(
    names: psycopg.Connection[tuple[str]], pattern: str, held: str | None
) -> None:
    asked = "EXPLAIN (COSTS OFF) SELECT name FROM names WHERE " + substitute(chosen("name", "agent"), lambda *_: pattern)
    filters = [line for (line,) in names.execute(asked.encode()).fetchall() if "Filter:" in line]
    assert bool(filters) == (held is not None)
    assert all(held and held in line and ("~" in line) == (held == "~") for line in filters)


def test_a_question_takes_the_filters_that_it_can() -> None:
    assert [match.label for match in filtered(AGENT_QUERIES)] == ["environment", "agent"]
    assert not filtered(TARGET_UP)
    with acting(("environment", "agent", "version", "model", "status")):
        assert [match.label for match in filtered(AGENT_ERROR_RATIO)] == ["environment", "agent", "version"]
        assert chosen_all(agent="a", model="m") == f"{chosen('a', 'agent')} AND {chosen('m', 'model')}"
    with acting(()):
        assert not filtered(AGENT_QUERIES) and chosen_all(agent="a") == "true"


def test_a_department_acts_through_its_agents() -> None:
    assert acting_in(['x{agent=~"$agent"}'], ("environment", "department", "agent")) == ["department", "agent"]
    assert acting_in([chosen("x", "environment")], ("environment", "department")) == ["environment"]

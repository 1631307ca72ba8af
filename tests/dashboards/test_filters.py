"""What readers choose cannot leave its quotes, and chooses exactly what it says."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from contract.settings import Settings
from contract.signals.agents import AGENT_ERROR_RATIO, AGENT_QUERIES
from contract.signals.sources import TARGET_UP
from dashboards.catalogue import TABS
from dashboards.lib.describe import acting as acting_in
from dashboards.lib.describe import read_series
from dashboards.lib.filters import acting, chosen, chosen_all, filtered
from dashboards.lib.queries import PromQuery
from dashboards.lib.variables import LabelsVariable
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


def test_labels_of_ones_own_choice_are_offered_where_nothing_is_recorded() -> None:
    """Grafana adds them to every query of Prometheus; series that rules have summed would not know them."""
    offering = [tab for tab in TABS if any(isinstance(one, LabelsVariable) for one in tab.choices(Settings()))]
    for tab in offering:
        texts = [query.text for panel in tab.panels(Settings()) for query in panel.targets if isinstance(query, PromQuery)]
        assert texts and not [name for name in read_series(texts) if ":" in name], tab.key
    assert [tab.key for tab in offering] == ["observatory"]

"""A person's login sees that person's rows, whatever it says or tries; tried with the logins themselves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from database_steps import Connection, install, plan_of
from psycopg import sql
from psycopg.conninfo import make_conninfo
from test_db_privacy import KEY, everything

from contract.analytics import PERSONAL
from contract.personal import Person
from contract.settings import Settings
from dashboards.my_usage import tab
from exporters.database import persons, user_keys
from exporters.database.installation import InstallationRefused
from exporters.database.mapping import Mapping
from exporters.database.roles import COUNTING, DASHBOARDS, Role
from exporters.database.views import CLAIM
from provisioning.database.installing import carry_out, prepared
from provisioning.interpolation import Span, sql_macros


@pytest.fixture
def people(admin: Connection) -> Iterator[tuple[Person, Person]]:
    """Anna (user 1) and Ben (user 2), with logins that no other test has."""
    tag = uuid4().hex[:8]
    pair = tuple(
        Person(name=name, login=f"my_{name}_{tag}", user_id=user, organisation=2 + number, password_file=f"my_{name}")
        for number, (name, user) in enumerate((("anna", "1"), ("ben", "2")))
    )
    yield pair[0], pair[1]
    for person in pair:
        if admin.execute("SELECT FROM pg_roles WHERE rolname = %s", (person.login,)).fetchone():
            role = sql.Identifier(person.login)
            admin.execute(sql.SQL("DROP OWNED BY {}; DROP ROLE {}").format(role, role))


def call(connection: Connection, name: str, key: str | None) -> None:
    connection.execute(
        "INSERT INTO analytics.llm_calls (observation_id, user_key, agent, environment, model, type, level, status,"
        " started_at, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens, total_tokens,"
        " changed_at)"
        " VALUES (%s, %s, 'helper', 'production', 'm', 'GENERATION', 'DEFAULT', 'success', now(), 1, 1, 0, 0, 0, 2, now())",
        (name, key),
    )


@pytest.fixture
def installed(platform: Connection, people: tuple[Person, Person]) -> Connection:
    """The platform with both persons' logins, pseudonyms, and a model call of each user and of nobody."""
    settings = Settings(my_usage=people)
    install(platform, settings)
    user_keys.fill(platform, Mapping.of(settings), KEY)
    for name, key in (("a", user_keys.pseudonym(KEY, "1")), ("b", user_keys.pseudonym(KEY, "2")), ("c", None)):
        call(platform, name, key)
    return platform


@contextmanager
def logged_in(connection: Connection, database: str, person: Person) -> Iterator[Connection]:
    """A session of the person's own, not one that took the role on."""
    connection.execute(sql.SQL("ALTER ROLE {} LOGIN").format(sql.Identifier(person.login)))
    with psycopg.connect(make_conninfo(database, user=person.login), autocommit=True) as session:
        yield session


def rows_seen(session: Connection) -> dict[str, list[Any]]:
    """The keys of the rows of each view."""
    keys = {
        "my_agent_executions": "right(execution_id::text, 1)",
        "my_conversations": "id",
        "my_feedback": "id",
        "my_llm_calls": "observation_id",
        "my_tickets": "id",
    }
    return {
        view: [key for (key,) in session.execute(f"SELECT {column} FROM analytics.{view} ORDER BY 1".encode())]
        for view, column in keys.items()
    }


ANNAS = {"my_agent_executions": ["1"], "my_conversations": [10], "my_feedback": [1], "my_llm_calls": ["a"], "my_tickets": [1]}
BENS = {"my_agent_executions": ["2"], "my_conversations": [11], "my_feedback": [], "my_llm_calls": ["b"], "my_tickets": [2]}


def test_each_person_sees_the_own_rows_and_no_other(
    installed: Connection, database: str, people: tuple[Person, Person]
) -> None:
    assert ANNAS.keys() == PERSONAL.keys()
    for person, expected in zip(people, (ANNAS, BENS), strict=True):
        with logged_in(installed, database, person) as session:
            assert rows_seen(session) == expected


def test_a_forged_claim_changes_nothing(installed: Connection, database: str, people: tuple[Person, Person]) -> None:
    anna, ben = people
    with logged_in(installed, database, anna) as session:
        for name, value in (
            (CLAIM, user_keys.pseudonym(KEY, "2")),
            ("observatory.login", ben.login),
            ("application_name", ben.login),
            ("search_path", "analytics, app"),
        ):
            session.execute("SELECT set_config(%s, %s, false)", (name, value))
        assert rows_seen(session) == ANNAS
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute("SELECT FROM analytics.own_tickets")


def test_a_person_becomes_nobody_else(installed: Connection, database: str, people: tuple[Person, Person]) -> None:
    anna, ben = people
    with logged_in(installed, database, anna) as session:
        for other in (ben.login, *Role, "postgres"):
            for command in ("SET ROLE {}", "SET SESSION AUTHORIZATION {}"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    session.execute(sql.SQL(command).format(sql.Identifier(other)))
        assert rows_seen(session) == ANNAS


def test_a_person_reads_the_own_views_and_nothing_else(
    installed: Connection, database: str, people: tuple[Person, Person]
) -> None:
    with logged_in(installed, database, people[0]) as session:
        readable = session.execute(
            "SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE c.relkind IN ('r', 'v', 'm', 'p', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema')"
            " AND has_schema_privilege(n.oid, 'USAGE') AND has_any_column_privilege(c.oid, 'SELECT')"
        ).fetchall()
        assert {name for (name,) in readable} == {readable.qualified for readable in PERSONAL.values()}
        for table in ("app.tickets", "analytics.tickets", "analytics.user_keys", "analytics.person_logins"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute(f"SELECT FROM {table}".encode())


def test_a_person_writes_nothing_even_when_the_session_may(
    installed: Connection, database: str, people: tuple[Person, Person]
) -> None:
    with logged_in(installed, database, people[0]) as session:
        assert session.execute("SHOW default_transaction_read_only").fetchone() == ("on",)
        session.execute("SET default_transaction_read_only = off")
        for statement in (
            "UPDATE analytics.my_tickets SET priority = 'low'",
            "DELETE FROM analytics.my_feedback",
            "UPDATE analytics.person_logins SET user_id = '2'",
            "CREATE VIEW analytics.mine AS SELECT 1",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute(statement.encode())


def test_a_cheap_function_sees_no_row_of_another(installed: Connection, database: str, people: tuple[Person, Person]) -> None:
    installed.execute(
        "CREATE FUNCTION public.peek(text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS "
        "$$ BEGIN RAISE NOTICE 'saw %', $1; RETURN true; END $$"
    )
    seen: list[str] = []
    with logged_in(installed, database, people[0]) as session:
        session.add_notice_handler(lambda notice: seen.append(notice.message_primary or ""))
        session.execute("SELECT FROM analytics.my_tickets WHERE public.peek(priority)")
    assert seen == ["saw high"]


@pytest.mark.parametrize("role", [*DASHBOARDS, *COUNTING, Role.SELF_SERVICE])
def test_no_role_of_ours_learns_whose_login_is_whose(installed: Connection, people: tuple[Person, Person], role: Role) -> None:
    read = everything(installed, role)
    assert people[0].login not in read
    assert "my_tickets: " not in read


def test_without_persons_there_is_no_view_and_nothing_to_do(platform: Connection) -> None:
    assert Settings().my_usage == ()
    install(platform, Settings())
    rows = platform.execute("SELECT relname FROM pg_class WHERE starts_with(relname, 'my_') AND relkind = 'v'").fetchall()
    assert rows == []
    todo = plan_of(platform, Settings())
    assert todo.missing(platform) == []
    assert [step.title for step in todo.change.rights] == ["rights of the roles in our schema"]


def test_installing_again_changes_nothing(installed: Connection, database: str, people: tuple[Person, Person]) -> None:
    settings = Settings(my_usage=people)
    assert plan_of(installed, settings).missing(installed) == []
    install(installed, settings)
    with logged_in(installed, database, people[1]) as session:
        assert rows_seen(session) == BENS


def test_whoever_is_removed_sees_nothing_more(installed: Connection, database: str, people: tuple[Person, Person]) -> None:
    anna, ben = people
    install(installed, Settings(my_usage=(ben,)))
    row = installed.execute("SELECT rolcanlogin FROM pg_roles WHERE rolname = %s", (anna.login,)).fetchone()
    assert row == (False,)
    with logged_in(installed, database, anna) as session, pytest.raises(psycopg.errors.InsufficientPrivilege):
        session.execute("SELECT FROM analytics.my_tickets")
    install(installed, Settings())
    assert installed.execute("SELECT FROM analytics.person_logins").fetchall() == []


def test_passwords_open_the_logins_and_are_not_shown(platform: Connection, people: tuple[Person, Person]) -> None:
    todo = prepared(platform, Settings(my_usage=people), {person.login: "geheimnis" for person in people})
    shown = todo.plan.as_sql(platform)
    assert people[0].login in shown and "geheimnis" not in shown and "SCRAM" not in shown
    carry_out(platform, todo, lambda _: None)
    logins = platform.execute(
        "SELECT rolname FROM pg_roles WHERE rolcanlogin AND rolname = ANY (%s)", ([person.login for person in people],)
    ).fetchall()
    assert {name for (name,) in logins} == {person.login for person in people}


def test_a_role_of_somebody_else_is_left_alone(platform: Connection, people: tuple[Person, Person]) -> None:
    platform.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(people[0].login)))
    with pytest.raises(InstallationRefused, match="was not made for this; name another login"):
        plan_of(platform, Settings(my_usage=people))


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("GRANT observatory_grafana_business TO {}", "a member of observatory_grafana_business and may act as such"),
        ("ALTER ROLE {} BYPASSRLS", "has powers beyond reading"),
    ],
)
def test_a_login_that_may_do_more_is_refused(
    installed: Connection, people: tuple[Person, Person], statement: str, message: str
) -> None:
    installed.execute(sql.SQL(statement).format(sql.Identifier(people[0].login)))
    with pytest.raises(InstallationRefused, match=message):
        plan_of(installed, Settings(my_usage=people))


def test_a_user_who_is_not_there_is_named(platform: Connection, people: tuple[Person, Person]) -> None:
    nobody = people[0].model_copy(update={"user_id": "99"})
    with pytest.raises(InstallationRefused, match="my_usage, anna: the platform has no user with the id 99"):
        plan_of(platform, Settings(my_usage=(nobody,)))


def test_uninstalling_knows_the_logins(installed: Connection, people: tuple[Person, Person]) -> None:
    assert {person.login for person in people} <= set(persons.logins_of_ours(installed))


def test_an_administrator_who_may_not_make_roles_is_told_what_to_ask_for(
    platform: Connection, database: str, people: tuple[Person, Person]
) -> None:
    install(platform, Settings())
    plain = f"plain_{uuid4().hex[:8]}"
    role = sql.Identifier(plain)
    platform.execute(sql.SQL("CREATE ROLE {} LOGIN; GRANT postgres TO {}").format(role, role))
    try:
        with psycopg.connect(make_conninfo(database, user=plain), autocommit=True) as other:
            todo = plan_of(other, Settings(my_usage=people))
            asked = "\n".join(f"{request.reason}: {request.step.as_sql(other)}" for request in todo.requests)
        assert f"{plain} may not make or change roles" in asked and f'CREATE ROLE "{people[0].login}"' in asked
        assert "what persons may read: their own rows" not in [step.title for step in todo.change.rights]
    finally:
        platform.execute(sql.SQL("DROP OWNED BY {}; DROP ROLE {}").format(role, role))


def test_the_dashboard_shows_the_figures_of_whoever_is_logged_in(
    installed: Connection, database: str, people: tuple[Person, Person]
) -> None:
    installed.execute(
        "UPDATE analytics.llm_calls SET total_cost_usd = 0.25, cost_source = 'priced', started_at = '2026-11-20 08:00+00'"
    )
    span = Span(datetime(2026, 11, 1, tzinfo=UTC).timestamp(), datetime(2026, 12, 1, tzinfo=UTC).timestamp(), 60)
    day = datetime(2026, 11, 20, tzinfo=UTC)
    found = {}
    for person in people:
        panels = tab(person).panels(Settings(my_usage=people))
        with logged_in(installed, database, person) as session:
            found[person.name] = {
                panel.name: [session.execute(sql_macros(query.text, span).encode()).fetchall() for query in panel.targets]
                for panel in panels
                if panel.targets
            }
    assert found["anna"] == {
        "conversations": [[(1,)]],
        "tickets": [[(1,)]],
        "executions": [[(1,)]],
        "tokens": [[(2,)]],
        "cost": [[(0.25,)]],
        "feedback": [[(1,)]],
        "activity": [[(day, 1)], [(day, 1)]],
        "tokens_by_day": [[(day, 2)]],
        "cost_by_day": [[(day, 0.25)]],
        "agents": [[("helper", 1, 0, 2, datetime(2026, 11, 20, 8, tzinfo=UTC))]],
    }
    assert found["ben"]["feedback"] == [[(0,)]]
    assert found["ben"]["agents"] == [[("helper", 1, 1, 4, datetime(2026, 11, 20, 9, tzinfo=UTC))]]

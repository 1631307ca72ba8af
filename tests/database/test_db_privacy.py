"""What the roles can read, tried with the roles themselves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from database_platforms import SECRETS
from database_steps import Connection, InstalledWith, install, settings_of
from psycopg import sql

from contract.analytics import READABLE, Audience
from contract.relations import RELATIONS, Shown
from contract.settings import Settings
from exporters.database import user_keys
from exporters.database.mapping import Mapping
from exporters.database.roles import ACTED_ON, ADDED_TO, COUNTING, DASHBOARDS, Role

KEY = b"a key of sixteen bytes or more"


@contextmanager
def acting(connection: Connection, role: Role) -> Iterator[Connection]:
    """The connection with the rights of a role."""
    connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
    try:
        yield connection
    finally:
        connection.execute("RESET ROLE")


def keyed(platform: Connection, settings: Settings) -> Connection:
    """The same, in which all users have their keys."""
    while user_keys.fill(platform, Mapping.of(settings), KEY):
        pass
    return platform


@pytest.fixture
def platform(installed: Connection) -> Connection:
    """The platform with the defaults installed."""
    return keyed(installed, settings_of())


def everything(connection: Connection, role: Role) -> str:
    """All that a role can read in schema analytics, as text."""
    found = []
    with acting(connection, role):
        names = connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'analytics'::regnamespace AND relkind IN ('r', 'v')"
            " AND has_table_privilege(oid, 'SELECT')"
        ).fetchall()
        for (name,) in names:
            rows = connection.execute(sql.SQL("SELECT t::text FROM {} AS t").format(sql.Identifier("analytics", name)))
            found += [f"{name}: {row}" for (row,) in rows]
    return "\n".join(found)


@pytest.mark.parametrize("role", DASHBOARDS)
def test_a_dashboard_reads_no_names_addresses_and_texts(platform: Connection, role: Role) -> None:
    read = everything(platform, role)
    assert "agent_executions: " in read and "helper" in read
    for secret in SECRETS:
        assert secret not in read, secret


@pytest.mark.parametrize("role", DASHBOARDS)
def test_a_dashboard_reads_what_is_listed_and_nothing_else(platform: Connection, role: Role) -> None:
    with acting(platform, role):
        rows = platform.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'analytics'::regnamespace AND relkind IN ('r', 'v')"
            " AND has_table_privilege(oid, 'SELECT')"
        )
        may = {name for (name,) in rows}
    listed = {
        readable.name for readable in READABLE.values() if readable.audience is Audience.EVERYBODY or role is Role.GRAFANA_ADMIN
    }
    assert may == listed


def test_a_dashboard_reads_neither_the_platform_nor_who_is_who(platform: Connection) -> None:
    hidden = ("app.users", "app.agent_executions", "app.feedback", "analytics.user_keys", "analytics.shadows")
    for role in (*DASHBOARDS, Role.SELF_SERVICE):
        for table in hidden:
            with acting(platform, role), pytest.raises(psycopg.errors.InsufficientPrivilege):
                platform.execute(f"SELECT FROM {table}".encode())


@pytest.mark.parametrize("role", COUNTING)
def test_counting_reads_no_texts(platform: Connection, role: Role) -> None:
    with acting(platform, role):
        for relation in RELATIONS.values():
            for column in relation.columns:
                query = sql.SQL("SELECT {} FROM {}").format(sql.Identifier(column.name), sql.Identifier("app", relation.name))
                if column.shown in (Shown.CONTENT, Shown.NEVER):
                    with pytest.raises(psycopg.errors.InsufficientPrivilege):
                        platform.execute(query)
                else:
                    platform.execute(query)


def test_reading_writes_nothing_and_never_long(platform: Connection) -> None:
    rows = platform.execute(
        "SELECT rolname, unnest(setconfig) FROM pg_db_role_setting JOIN pg_roles r ON r.oid = setrole WHERE rolname = ANY (%s)",
        ([*DASHBOARDS, Role.SELF_SERVICE],),
    ).fetchall()
    for role in (*DASHBOARDS, Role.SELF_SERVICE):
        assert {"statement_timeout=15s", "default_transaction_read_only=on"} <= {value for name, value in rows if name == role}
        with acting(platform, role), pytest.raises(psycopg.errors.InsufficientPrivilege):
            platform.execute("INSERT INTO analytics.budgets DEFAULT VALUES")


def test_nobody_writes_to_the_platform_through_a_view(platform: Connection) -> None:
    """A view of one table takes what is written to it to that table, with the rights of whoever installed it."""
    for role in Role:
        with acting(platform, role):
            for statement in (
                "UPDATE analytics.agents SET name = 'x'",
                "INSERT INTO analytics.departments VALUES (7, 'x', 'y')",
                "DELETE FROM analytics.own_tickets",
            ):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    platform.execute(statement.encode())
    writable = platform.execute(
        "SELECT relname, rolname FROM pg_class, pg_roles WHERE relnamespace = 'analytics'::regnamespace AND relkind = 'v'"
        " AND rolname = ANY (%s) AND has_table_privilege(rolname, pg_class.oid, 'INSERT, UPDATE, DELETE')"
        " AND pg_relation_is_updatable(pg_class.oid, true) <> 0",
        (list(Role),),
    ).fetchall()
    assert writable == []


def test_the_record_of_changes_can_only_grow(platform: Connection) -> None:
    for role in (Role.ADVANCE, Role.ACTIONS):
        with acting(platform, role):
            platform.execute("INSERT INTO analytics.audit_log (actor, action, target) VALUES ('anna', 'set', 'budget')")
            for statement in ("UPDATE analytics.audit_log SET actor = 'ben'", "DELETE FROM analytics.audit_log"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    platform.execute(statement.encode())


def test_an_action_writes_what_actions_are_about_and_nothing_else(platform: Connection) -> None:
    rows = platform.execute(
        "SELECT relname, has_table_privilege(%(role)s, oid, 'UPDATE'), has_table_privilege(%(role)s, oid, 'DELETE, TRUNCATE') "
        "FROM pg_class WHERE relnamespace = 'analytics'::regnamespace AND relkind IN ('r', 'v', 'p') "
        "AND has_table_privilege(%(role)s, oid, 'INSERT, UPDATE, DELETE, TRUNCATE')",
        {"role": Role.ACTIONS},
    ).fetchall()
    allowed = {**dict.fromkeys(ADDED_TO, False), **dict.fromkeys(ACTED_ON, True)}
    assert {name: changed for name, changed, _ in rows} == allowed
    assert not any(removed for *_, removed in rows)
    with acting(platform, Role.GRAFANA_BUSINESS), pytest.raises(psycopg.errors.InsufficientPrivilege):
        platform.execute("SELECT FROM analytics.audit_log")


def test_texts_are_shown_cut_short_once_the_switch_is_on(installed_with: InstalledWith) -> None:
    settings = settings_of(content=True, content_length=9)
    platform = keyed(installed_with(settings), settings)
    with acting(platform, Role.GRAFANA_BUSINESS):
        assert platform.execute("SELECT comment FROM analytics.feedback").fetchall() == [("Thank you",)]
        assert platform.execute("SELECT max(length(query)) FROM analytics.agent_executions").fetchone() == (9,)
        with pytest.raises(psycopg.errors.UndefinedColumn):
            platform.execute("SELECT ip_address FROM analytics.session_metrics")


def test_switching_texts_off_again_hides_them(installed_with: InstalledWith) -> None:
    settings = settings_of(content=True)
    platform = keyed(installed_with(settings), settings)
    install(platform, settings_of(content=False))
    with acting(platform, Role.GRAFANA_BUSINESS):
        assert platform.execute("SELECT comment FROM analytics.feedback").fetchall() == [(None,)]


def test_a_cheap_function_sees_no_hidden_row_or_column(platform: Connection) -> None:
    """A reader's own function runs after the view's conditions: it cannot look at what the view leaves out."""
    platform.execute(
        "CREATE FUNCTION public.peek(text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS "
        "$$ BEGIN RAISE NOTICE 'saw %', $1; RETURN true; END $$"
    )
    seen: list[str] = []
    platform.add_notice_handler(lambda notice: seen.append(notice.message_primary or ""))
    mine = user_keys.pseudonym(KEY, "1")
    with acting(platform, Role.SELF_SERVICE), platform.transaction():
        platform.execute("SELECT set_config('observatory.user_key', %s, true)", (mine,))
        platform.execute("SELECT FROM analytics.own_tickets WHERE public.peek(priority)")
    assert seen == ["saw high"]


def test_users_see_their_own_rows_by_the_claimed_key(platform: Connection) -> None:
    for user, tickets in (("1", [1]), ("2", [2]), ("3", [])):
        with acting(platform, Role.SELF_SERVICE), platform.transaction():
            key = user_keys.pseudonym(KEY, user)
            platform.execute("SELECT set_config('observatory.user_key', %s, true)", (key,))
            rows = platform.execute("SELECT id FROM analytics.own_tickets").fetchall()
        assert [id_ for (id_,) in rows] == tickets
    with acting(platform, Role.SELF_SERVICE):
        assert platform.execute("SELECT id FROM analytics.own_tickets").fetchall() == []
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            platform.execute("SELECT FROM analytics.tickets")


def test_users_see_their_own_model_calls(platform: Connection) -> None:
    mine, other = user_keys.pseudonym(KEY, "1"), user_keys.pseudonym(KEY, "2")
    for call, key in (("a", mine), ("b", other), ("c", None)):
        platform.execute(
            "INSERT INTO analytics.llm_calls (observation_id, user_key, agent, environment, model, type, level, status,"
            " started_at, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens, total_tokens,"
            " changed_at)"
            " VALUES (%s, %s, 'helper', 'production', 'm', 'GENERATION', 'DEFAULT', 'success', now(), 1, 1, 0, 0, 0, 2, now())",
            (call, key),
        )
    with acting(platform, Role.SELF_SERVICE):
        with platform.transaction():
            platform.execute("SELECT set_config('observatory.user_key', %s, true)", (mine,))
            assert platform.execute("SELECT observation_id FROM analytics.own_llm_calls").fetchall() == [("a",)]
        assert platform.execute("SELECT observation_id FROM analytics.own_llm_calls").fetchall() == []
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            platform.execute("SELECT FROM analytics.llm_calls")


def test_a_ticket_names_its_people_by_their_keys(platform: Connection) -> None:
    with acting(platform, Role.GRAFANA_BUSINESS):
        rows = platform.execute("SELECT user_key, assignee_key FROM analytics.tickets ORDER BY id").fetchall()
    anna, ben = user_keys.pseudonym(KEY, "1"), user_keys.pseudonym(KEY, "2")
    assert rows == [(anna, ben), (ben, None)]

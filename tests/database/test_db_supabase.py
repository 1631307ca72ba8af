"""A platform on Supabase, from its tables to what dashboards see."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from click.testing import Result
from database_platforms import ANNA, BEN, TALK
from database_steps import Connection, install, settings_of
from psycopg.conninfo import make_conninfo

from contract.analytics import READABLE
from contract.relations import RELATIONS
from exporters.database import user_keys
from exporters.database.mapping import Mapping
from exporters.database.mapping_check import problems
from exporters.database.sessions import Session, connect
from exporters.rollups import advance, backfill
from exporters.rollups.forms import forms

KEY = b"a key of sixteen bytes or more"
SETTINGS = settings_of(preset="supabase")


def test_the_preset_fits(supabase: Connection) -> None:
    assert problems(supabase, Mapping.of(SETTINGS)) == []


def test_the_command_installs_and_has_nothing_left_to_ask(
    supabase: Connection, observatory: Callable[..., Result], tmp_path: Path
) -> None:
    (tmp_path / "site.yaml").write_text("database: {preset: supabase}\n")
    result = observatory("install", "--config", "site.yaml")
    assert result.exit_code == 0, result.output
    assert "begin to count executions by snapshot" in result.output
    assert "begin to count users by scan" in result.output


def test_the_views_give_the_right_rows(supabase: Connection) -> None:
    install(supabase, SETTINGS)
    while user_keys.fill(supabase, Mapping.of(SETTINGS), KEY):
        pass
    anna, ben = user_keys.pseudonym(KEY, ANNA), user_keys.pseudonym(KEY, BEN)
    rows = supabase.execute("SELECT user_key, role, department FROM analytics.users ORDER BY created_at").fetchall()
    assert rows == [(anna, "admin", "Support"), (ben, "user", None)]
    rows = supabase.execute(
        "SELECT agent_name, status, duration_ms, user_key, conversation_id::text, query, environment"
        " FROM analytics.agent_executions ORDER BY start_time"
    ).fetchall()
    assert rows == [
        ("helper", "completed", 2000.0, anna, TALK, None, "production"),
        ("writer", "failed", 500.0, ben, None, None, "production"),
        ("helper", "running", None, ben, None, None, "production"),
    ]
    assert supabase.execute("SELECT name FROM analytics.agents ORDER BY 1").fetchall() == [("helper",), ("writer",)]
    rows = supabase.execute("SELECT user_key, agent_id, ended_at IS NULL FROM analytics.conversations").fetchall()
    assert rows == [(anna, "helper", False)]
    assert supabase.execute("SELECT rating, comment FROM analytics.feedback").fetchall() == [(4, None)]


def test_what_the_platform_has_not_is_an_empty_view_with_the_right_columns(supabase: Connection) -> None:
    install(supabase, SETTINGS)
    for relation in RELATIONS.values():
        cursor = supabase.execute(f"SELECT * FROM analytics.{relation.name}".encode())
        assert tuple(column.name for column in cursor.description or ()) == READABLE[relation.name].columns
        if Mapping.of(SETTINGS).is_absent(relation.name):
            assert cursor.fetchall() == []


def test_schema_auth_is_read_by_columns_and_not_changed(supabase: Connection) -> None:
    install(supabase, SETTINGS)
    rows = supabase.execute("SELECT attname FROM pg_attribute WHERE attrelid = 'auth.users'::regclass AND attacl IS NOT NULL")
    assert {name for (name,) in rows} == {"id", "created_at", "last_sign_in_at"}
    changed = supabase.execute(
        "SELECT count(*) FROM pg_class c WHERE relnamespace = 'auth'::regnamespace AND (relname LIKE 'observatory%'"
        " OR EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND tgname LIKE '%observatory%')"
        " OR EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND attname = 'observatory_xid'))"
    )
    assert changed.fetchone() == (0,)


def test_counting_sees_rows_behind_row_security_and_counts_them(supabase: Connection, database: str) -> None:
    install(supabase, SETTINGS)
    supabase.execute("ALTER ROLE observatory_advance LOGIN")
    session = Session(lambda: make_conninfo(database, user="observatory_advance"), 10, read_only=False)
    session.open()
    mapping = Mapping.of(SETTINGS)
    with session.transaction() as connection:
        assert connection.execute("SELECT count(id) FROM public.agent_executions").fetchone() == (3,)
        known = forms(connection, mapping)
    for form in known.values():
        for _ in range(3):
            with session.transaction() as connection:
                backfill.step(connection, form, 100)
                advance.advance(connection, form)
    rows = session.rows("SELECT labels[1], labels[4], n FROM analytics.counters WHERE fact = 'executions_ended' ORDER BY 1")
    assert rows == [("helper", "success", 1), ("writer", "error", 1)]
    assert session.rows("SELECT n FROM analytics.stocks WHERE stock = 'users' ORDER BY labels") == [(1,), (1,)]
    session.close()
    with connect(database) as again:
        again.execute("ALTER ROLE observatory_advance NOLOGIN")

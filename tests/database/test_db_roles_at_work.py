"""The exporter's logins can do their work with the rights that they have; and administrators who may not do everything."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from click.testing import Result
from database_steps import Connection, InstalledWith, install, plan_of, settings_of
from psycopg import sql
from psycopg.conninfo import make_conninfo

from contract.data_plane import Mapped
from contract.relations import RELATIONS
from contract.settings import Settings
from exporters.database import user_keys
from exporters.database.installation import InstallationRefused
from exporters.database.mapping import Mapping
from exporters.database.mapping_check import problems
from exporters.database.roles import Role
from exporters.database.sessions import DatabaseDown, Session, StatementRefused, connect
from exporters.rollups import advance, backfill, fold, read, retention
from exporters.rollups.forms import forms

KEY = b"a key of sixteen bytes or more"
MAPPING = Mapping.of(Settings())


@contextmanager
def logged_in(connection: Connection, database: str, role: Role) -> Iterator[Session]:
    """A session of the role itself, with the defaults that it has."""
    connection.execute(sql.SQL("ALTER ROLE {} LOGIN").format(sql.Identifier(role)))
    session = Session(lambda: make_conninfo(database, user=role), 10, read_only=role is not Role.ADVANCE)
    session.open()
    try:
        yield session
    finally:
        session.close()
        connection.execute(sql.SQL("ALTER ROLE {} NOLOGIN").format(sql.Identifier(role)))


@pytest.mark.parametrize("alter_tables", [True, False])
def test_the_advancing_role_counts_folds_and_forgets(
    installed_with: InstalledWith, database: str, alter_tables: bool
) -> None:
    platform = installed_with(settings_of(alter_tables=alter_tables))
    with logged_in(platform, database, Role.ADVANCE) as session:
        with session.transaction() as connection:
            known = forms(connection, MAPPING)
        backfill.run(session.transaction, known)
        for form in known.values():
            with session.transaction() as connection:
                advance.advance(connection, form)
        with session.transaction() as connection:
            fold.fold(connection)
            for tier, before in retention.horizons(
                Settings().database.retention, datetime.now(UTC) - timedelta(days=3000)
            ).items():
                assert retention.step(connection, tier, before) == 0
            assert user_keys.fill(connection, MAPPING, KEY) == 2
    assert platform.execute("SELECT sum(n) FROM analytics.counters WHERE fact = 'messages'").fetchone() == (3,)
    assert platform.execute("SELECT sum(n) FROM analytics.stocks WHERE stock = 'tickets'").fetchone() == (2,)


def test_the_reading_role_reads_what_was_counted_and_writes_nothing(installed: Connection, database: str) -> None:
    with logged_in(installed, database, Role.READ) as session:
        with session.transaction() as connection:
            read.totals(connection)
            read.window(connection, "minutes", ["messages"], datetime.now(UTC) - timedelta(hours=1))
        assert session.rows("SELECT count(id) FROM app.users") == [(2,)]
        for statement in ("DELETE FROM analytics.totals", "CREATE TABLE public.x ()", "SELECT FROM analytics.user_keys"):
            with pytest.raises(StatementRefused):
                session.rows(statement)
        assert session.connected


def test_writers_need_no_right_in_our_schema(installed: Connection, database: str) -> None:
    """The platform's own login inserts, corrects and deletes; the triggers write for it."""
    installed.execute("DROP ROLE IF EXISTS plain_writer; CREATE ROLE plain_writer LOGIN")
    try:
        installed.execute("GRANT USAGE ON SCHEMA app TO plain_writer; GRANT ALL ON app.tickets TO plain_writer")
        with connect(make_conninfo(database, user="plain_writer")) as writer:
            writer.execute("UPDATE app.tickets SET priority = 'urgent'; DELETE FROM app.tickets WHERE id = 1")
        row = installed.execute("SELECT count(*) FROM analytics.retractions WHERE source = 'tickets'").fetchone()
        assert row == (2,)
    finally:
        installed.execute("DROP OWNED BY plain_writer; DROP ROLE plain_writer")


_TRAP = "RETURNS {} LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''theirs was used''; END'"
_THEIRS = [
    *(
        f"CREATE FUNCTION theirs.{name}({type_}, {type_}) {_TRAP.format('boolean')};"
        f"CREATE OPERATOR theirs.{operator} (LEFTARG = {type_}, RIGHTARG = {type_}, FUNCTION = theirs.{name})"
        for name, operator in (("same", "="), ("other", "<>"))
        for type_ in ("xid8", "text", "bigint", "integer", "smallint", "boolean", "float8", "timestamptz", "jsonb", "text[]")
    ),
    f"CREATE FUNCTION theirs.pg_current_xact_id() {_TRAP.format('xid8')}",
    f"CREATE FUNCTION theirs.jsonb_build_object(VARIADIC text[]) {_TRAP.format('jsonb')}",
    "CREATE TABLE theirs.retractions (source text)",
    "CREATE TEMPORARY TABLE retractions (source text)",
    "CREATE TEMPORARY TABLE messages (id bigint)",
]
"""What a writer may put before all that the triggers use: operators, functions, tables of the same names and types."""


def test_a_trigger_uses_nothing_of_the_writers_own(installed: Connection, database: str) -> None:
    """It runs with its owner's rights, so whatever it looked up where the writer says would run with them."""
    installed.execute("DROP ROLE IF EXISTS plain_writer; CREATE ROLE plain_writer LOGIN")
    try:
        installed.execute(
            "CREATE SCHEMA theirs AUTHORIZATION plain_writer; GRANT USAGE ON SCHEMA app TO plain_writer;"
            "GRANT ALL ON app.tickets, app.messages TO plain_writer"
        )
        with connect(make_conninfo(database, user="plain_writer")) as writer:
            for statement in _THEIRS:
                writer.execute(statement.encode())
            writer.execute("SET search_path = pg_temp, theirs, pg_catalog")
            for trap in ("SELECT pg_current_xact_id()", "SELECT 'a'::text IS DISTINCT FROM 'b'::text"):
                with pytest.raises(psycopg.errors.RaiseException, match="theirs was used"):
                    writer.execute(trap.encode())
            for statement in (
                "UPDATE app.messages SET tokens = 8",  # final rows: a line each
                "UPDATE app.tickets SET priority = 'urgent'",  # open ones: a new stamp
                "UPDATE app.messages SET observatory_xid = '5'",
                "DELETE FROM app.messages",
            ):
                assert writer.execute(statement.encode()).rowcount > 0
        lines = installed.execute("SELECT source, count(*) FROM analytics.retractions GROUP BY 1 ORDER BY 1").fetchall()
        assert lines == [("messages", 9), ("tickets", 1)]
        fixed = installed.execute(
            "SELECT proname FROM pg_proc WHERE pronamespace = 'analytics'::regnamespace AND prosecdef AND proconfig IS NULL"
        )
        assert {"messages_update", "tickets_update"} <= {name for (name,) in fixed}
    finally:
        installed.execute("DROP OWNED BY plain_writer CASCADE; DROP ROLE plain_writer")


def test_a_trigger_keeps_its_search_path_where_a_type_is_not_the_servers(platform: Connection) -> None:
    """Its operators and casts may be functions that look names up when they run."""
    platform.execute("CREATE DOMAIN app.number AS bigint; ALTER TABLE app.feedback ALTER COLUMN id TYPE app.number")
    install(platform, settings_of())
    kept = platform.execute(
        "SELECT array_agg(proname::text ORDER BY 1) FROM pg_proc WHERE proconfig IS NOT NULL"
        " AND proname IN ('feedback_update', 'messages_update', 'tickets_update')"
    ).fetchone()
    assert kept == (["feedback_update"],)


def test_tables_of_another_owner_are_left_to_that_owner(installed: Connection, database: str) -> None:
    """An administrator who owns the database and may grant, but does not own the tables."""
    installed.execute("DROP SCHEMA analytics CASCADE; DROP ROLE IF EXISTS plain_admin; CREATE ROLE plain_admin LOGIN")
    name = sql.Identifier(installed.info.dbname)
    installed.execute(sql.SQL("GRANT CREATE ON DATABASE {} TO plain_admin").format(name))
    installed.execute("GRANT USAGE ON SCHEMA app TO plain_admin; GRANT SELECT ON ALL TABLES IN SCHEMA app TO plain_admin")
    installed.execute("DROP INDEX app.observatory_messages_created_at")
    installed.execute("REVOKE SELECT (id) ON app.handoffs FROM observatory_read")
    try:
        with connect(make_conninfo(database, user="plain_admin")) as other:
            todo = plan_of(other, settings_of())
            asked = "\n".join(f"{request.reason}: {request.step.as_sql(other)}" for request in todo.requests)
        assert 'ON "app"."messages" ("created_at")' in asked and "app.messages is postgres's, not plain_admin's" in asked
        assert 'ON "app"."handoffs" TO' in asked and "plain_admin may not give rights on app.handoffs" in asked
        assert "app." not in " ".join(step.title for step in todo.after)
    finally:
        installed.execute("DROP OWNED BY plain_admin CASCADE; DROP ROLE plain_admin")


def test_a_partitioned_table_is_captured_too(platform: Connection) -> None:
    platform.execute(
        "ALTER TABLE app.messages RENAME TO old_messages;"
        "CREATE TABLE app.messages (LIKE app.old_messages INCLUDING DEFAULTS, PRIMARY KEY (id, created_at))"
        " PARTITION BY RANGE (created_at);"
        "CREATE TABLE app.messages_2026 PARTITION OF app.messages FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')"
    )
    install(platform, settings_of())
    platform.execute("INSERT INTO app.messages SELECT * FROM app.old_messages")
    stamped = platform.execute("SELECT count(observatory_xid) FROM app.messages").fetchone()
    assert stamped == (3,)
    assert plan_of(platform, settings_of()).requests == ()
    assert plan_of(platform, settings_of()).missing(platform) == []


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"query": "SELECT * FROM app.chunks", "capture": "snapshot"}, "a query cannot be captured by snapshot"),
        ({"query": "SELECT * FROM app.chunks", "capture": "ids"}, "name its driving_table"),
        ({"capture": "ids"}, "no sequence fills its key"),
    ],
)
def test_a_capture_that_cannot_be_is_refused_in_words(
    platform: Connection, observatory: Callable[..., Result], tmp_path: Path, said: dict[str, str], message: str
) -> None:
    with pytest.raises(InstallationRefused, match=message):
        plan_of(platform, settings_of(relations={"chunks": Mapped.model_validate(said)}))


def test_only_a_window_needs_to_see_long_transactions(platform: Connection) -> None:
    by_window = settings_of(alter_tables=False, relations={"handoffs": Mapped(capture="window")})
    platform.execute("CREATE INDEX ON app.handoffs (at)")
    install(platform, settings_of(alter_tables=False, relations={name: Mapped(capture="scan") for name in RELATIONS}))
    platform.execute("REVOKE pg_read_all_stats FROM observatory_advance")
    platform.execute("DELETE FROM analytics.sources WHERE source = 'handoffs'")
    todo = plan_of(platform, by_window)
    assert "GRANT pg_read_all_stats" in todo.as_sql(platform)
    install(platform, by_window)
    assert "GRANT pg_read_all_stats" not in plan_of(platform, by_window).as_sql(platform)


def test_a_query_is_counted_as_a_whole(platform: Connection) -> None:
    """A number in it may be a text, as those that are taken out of JSON are."""
    chunks = "SELECT id, document_id, created_at, to_jsonb(c) ->> 'token_count' AS token_count FROM app.chunks AS c"
    users = "SELECT * FROM app.users WHERE status = 'active'"
    settings = settings_of(relations={"users": Mapped(query=users), "chunks": Mapped(query=chunks)})
    assert problems(platform, Mapping.of(settings)) == []
    install(platform, settings)
    assert platform.execute("SELECT mode FROM analytics.sources WHERE source = 'users'").fetchone() == ("scan",)


def test_sessions_say_in_one_line_what_is_wrong_and_hide_the_password(database: str) -> None:
    with pytest.raises(DatabaseDown) as said:
        Session(lambda: "postgresql://me:geheimnis@127.0.0.1:1/nowhere", 1).open()
    assert "geheimnis" not in str(said.value) and "\n" not in str(said.value)
    session = Session(lambda: database, 0.5)
    session.open()
    with pytest.raises(StatementRefused, match="statement timeout") as slow:
        session.rows("SELECT pg_sleep(5)")
    assert slow.value.sqlstate == "57014"
    assert session.rows("SHOW timezone") == [("UTC",)]
    with pytest.raises(StatementRefused, match="read-only"):
        session.rows("CREATE TABLE public.x ()")
    session.close()


def test_a_session_keeps_nothing_that_a_pooler_would_lose(database: str) -> None:
    """Limits live inside the transaction only, and no statement is prepared."""
    session = Session(lambda: database, 7)
    session.open()
    with session.transaction() as connection:
        for _ in range(10):
            connection.execute("SELECT %s::int", (1,))
        assert connection.execute("SHOW statement_timeout").fetchone() == ("7s",)
        assert connection.execute("SELECT count(*) FROM pg_prepared_statements").fetchone() == (0,)
    assert connection.execute("SHOW statement_timeout").fetchone() == ("0",)
    assert connection.execute("SHOW default_transaction_read_only").fetchone() == ("off",)
    session.close()

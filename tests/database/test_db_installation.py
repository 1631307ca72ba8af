"""Installing, installing again, and taking everything away."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest
from click.testing import Result
from database_steps import Connection, install, plan_of, settings_of
from psycopg import sql
from psycopg.conninfo import make_conninfo

from exporters.database import installation, migrations
from exporters.database import plan as planning
from exporters.database.catalogue import Server, server
from exporters.database.installation import InstallationRefused, RolesMissing
from exporters.database.roles import Role, role_steps
from exporters.database.sessions import connect
from provisioning.database.admin import statements
from provisioning.database.installing import prepared

Observatory = Callable[..., Result]

FOOTPRINT = """
SELECT 'column', attrelid::regclass::text, attname::text FROM pg_attribute
WHERE attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'app'::regnamespace) AND attnum > 0 AND NOT attisdropped
UNION ALL SELECT 'index', indexrelid::regclass::text, '' FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
WHERE c.relnamespace = 'app'::regnamespace
UNION ALL SELECT 'trigger', tgrelid::regclass::text, tgname::text FROM pg_trigger
UNION ALL SELECT 'policy', polrelid::regclass::text, polname::text FROM pg_policy
UNION ALL SELECT 'rights', oid::regclass::text, relacl::text FROM pg_class WHERE relnamespace = 'app'::regnamespace
    AND relacl::text LIKE '%observatory%'
UNION ALL SELECT 'rights', attrelid::regclass::text, attname::text FROM pg_attribute WHERE attacl::text LIKE '%observatory%'
UNION ALL SELECT 'rights', nspname::text, nspacl::text FROM pg_namespace WHERE nspacl::text LIKE '%observatory%'
UNION ALL SELECT 'schema', nspname::text, '' FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%'
ORDER BY 1, 2, 3
"""


def footprint(connection: Connection) -> list[tuple[str, str, str]]:
    return connection.execute(FOOTPRINT).fetchall()


def test_an_installation_leaves_nothing_to_do(platform: Connection, observatory: Observatory) -> None:
    first = observatory("install")
    assert first.exit_code == 0, first.output
    assert "migration 0001_schema.sql" in first.output
    again = plan_of(platform, settings_of())
    assert again.before == () and again.after == () and again.requests == ()
    assert again.missing(platform) == []
    second = observatory("install")
    assert second.exit_code == 0, second.output
    assert second.output == "done: rights of the roles in our schema\n"


def test_a_dry_run_prints_what_would_run_and_changes_nothing(platform: Connection, observatory: Observatory) -> None:
    before = footprint(platform)
    result = observatory("install", "--dry-run")
    assert result.exit_code == 0, result.output
    assert footprint(platform) == before
    for piece in ("CREATE SCHEMA analytics", 'ADD COLUMN IF NOT EXISTS "observatory_xid" xid8', "ENABLE ALWAYS TRIGGER"):
        assert piece in result.output


def test_the_printed_sql_does_what_the_command_does(platform: Connection, observatory: Observatory) -> None:
    printed = observatory("install", "--dry-run").output
    for statement in split(printed):
        platform.execute(statement.encode())
    platform.execute("CREATE TABLE public.made AS " + FOOTPRINT.replace("'public'", "''"))
    by_hand = [row for row in footprint(platform) if row[0] != "schema" or row[1] != "public"]
    observatory("uninstall", "--yes")
    observatory("install")
    assert [row for row in footprint(platform) if row[0] != "schema" or row[1] != "public"] == by_hand


def split(script: str) -> list[str]:
    """The transactions and single statements of a script, as psql would send them: CONCURRENTLY cannot share a message."""
    parts, current = [], []
    for line in script.splitlines():
        current.append(line)
        if line in ("COMMIT;",) or (
            ("CONCURRENTLY" in line or line.startswith(("DO ", "ANALYZE"))) and "BEGIN;" not in current
        ):
            parts.append("\n".join(current))
            current = []
    return parts


def test_uninstalling_leaves_the_platform_as_it_was(platform: Connection, observatory: Observatory) -> None:
    before = footprint(platform)
    observatory("install")
    assert footprint(platform) != before
    shown = observatory("uninstall", "--dry-run")
    assert "DROP SCHEMA analytics CASCADE" in shown.output
    refused = observatory("uninstall", input="n\n")
    assert refused.exit_code == 1
    result = observatory("uninstall", "--yes")
    assert result.exit_code == 0, result.output
    assert footprint(platform) == before
    assert observatory("uninstall", "--yes").exit_code == 0


def test_what_leans_on_our_schema_is_not_pulled_down_with_it(installed: Connection, observatory: Observatory) -> None:
    installed.execute(
        "CREATE VIEW public.mine AS SELECT count(*) FROM analytics.tickets;"
        "CREATE TABLE public.spent (budget bigint REFERENCES analytics.budgets);"
        "CREATE VIEW public.middle AS SELECT analytics.quantile(0.5, '{1,2}', '{1}');"
        "CREATE FUNCTION public.left_over() RETURNS bigint RETURN (SELECT count(*) FROM analytics.budgets);"
        "CREATE TABLE public.kept (what analytics.budgets);"
        "CREATE TABLE public.seen (n int); CREATE POLICY theirs ON public.seen USING (n IN (SELECT 1 FROM analytics.budgets))"
    )
    result = observatory("uninstall", "--yes")
    assert result.exit_code == 2
    assert "public.kept, public.left_over, public.middle, public.mine, public.seen, public.spent lean" in result.output
    assert migrations.exists(installed)


def test_what_somebody_put_into_our_schema_is_not_removed_with_it(installed: Connection, observatory: Observatory) -> None:
    installed.execute(
        "CREATE TABLE analytics.their_notes (id serial, note text); INSERT INTO analytics.their_notes VALUES (1, 'mine');"
        "CREATE SEQUENCE analytics.their_numbers; CREATE MATERIALIZED VIEW analytics.their_view AS SELECT 1 AS one;"
        "CREATE FUNCTION analytics.theirs(int) RETURNS int RETURN $1; CREATE TYPE analytics.mood AS ENUM ('well');"
        "CREATE TYPE analytics.pair AS (one int, two int); CREATE TYPE analytics.span AS RANGE (subtype = int);"
        "CREATE EXTENSION vector SCHEMA analytics"
    )
    result = observatory("uninstall", "--yes")
    assert result.exit_code == 2
    assert "analytics.their_notes, analytics.their_numbers, analytics.their_view, extension vector," in result.output
    assert " function analytics.theirs(integer), type analytics.mood, type analytics.pair," in result.output
    assert installed.execute("SELECT note FROM analytics.their_notes").fetchall() == [("mine",)]
    for what in ("TABLE analytics.their_notes", "SEQUENCE analytics.their_numbers", "MATERIALIZED VIEW analytics.their_view"):
        installed.execute(f"ALTER {what} SET SCHEMA public".encode())
    for what in ("FUNCTION analytics.theirs", "TYPE analytics.mood", "TYPE analytics.pair", "TYPE analytics.span"):
        installed.execute(f"DROP {what}".encode())
    installed.execute("ALTER EXTENSION vector SET SCHEMA public")
    result = observatory("uninstall", "--yes")
    assert result.exit_code == 0, result.output


def test_a_schema_of_somebody_else_is_left_alone(platform: Connection, observatory: Observatory) -> None:
    platform.execute("CREATE SCHEMA analytics; CREATE TABLE analytics.theirs (id int)")
    for command in (["install"], ["uninstall", "--yes"], ["status"]):
        result = observatory(*command)
        assert result.exit_code == 2, result.output
        assert "did not make" in result.output
    assert platform.execute("SELECT count(*) FROM analytics.theirs").fetchone() == (0,)


def test_tables_that_may_not_be_altered_are_read_only_and_listed(platform: Connection) -> None:
    before = [row for row in footprint(platform) if row[0] in ("column", "index", "trigger")]
    todo = install(platform, settings_of(alter_tables=False))
    assert [row for row in footprint(platform) if row[0] in ("column", "index", "trigger")] == before
    asked = "\n".join(request.step.as_sql(platform) for request in todo.requests)
    assert 'ON "app"."agent_executions" ("start_time")' in asked
    assert "alter_tables is off" in todo.requests[0].reason


def test_an_owner_who_is_no_superuser_can_install(installed: Connection, database: str, observatory: Observatory) -> None:
    """Once the roles are there: what they may do in this database is its owner's to say."""
    observatory("uninstall", "--yes")
    for step in role_steps(server(installed), {}):
        for statement in step.statements:
            installed.execute(statement)
    installed.execute("DROP ROLE IF EXISTS plain_owner")
    installed.execute("CREATE ROLE plain_owner LOGIN")
    try:
        owned = installed.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'app'")
        for (table,) in owned.fetchall():
            installed.execute(f"ALTER TABLE app.{table} OWNER TO plain_owner".encode())
        name = sql.Identifier(installed.info.dbname)
        installed.execute(sql.SQL("ALTER DATABASE {} OWNER TO plain_owner; ALTER SCHEMA app OWNER TO plain_owner").format(name))
        with connect(make_conninfo(database, user="plain_owner")) as owner:
            todo = install(owner, settings_of())
            assert todo.before == () and todo.requests == ()
            (request,) = prepared(owner, settings_of(), {"observatory_read": "correct horse"}).plan.requests
            assert "they cannot log in" in request.reason
            assert "LOGIN PASSWORD '***'" in request.step.as_sql(owner)
            assert owner.execute("SELECT count(*) > 10 FROM analytics.sources").fetchone() == (True,)
    finally:
        installed.execute("DROP OWNED BY plain_owner CASCADE")
        owner_back = sql.SQL("ALTER DATABASE {} OWNER TO CURRENT_USER").format(sql.Identifier(installed.info.dbname))
        installed.execute(owner_back)
        installed.execute("DROP ROLE plain_owner")


def test_a_busy_table_is_asked_for_briefly_and_again(
    platform: Connection, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader holds the table while the column is to be added: nothing waits behind us, and it succeeds once it is free."""
    monkeypatch.setattr(planning, "LOCK_TIMEOUT", "50ms")
    waited: list[float] = []
    with psycopg.connect(database) as reader:
        reader.execute("SELECT count(*) FROM app.tickets")
        step = next(step for step in plan_of(platform, settings_of()).after if step.title == "capture on app.tickets")

        def sleep(seconds: float) -> None:
            waited.append(seconds)
            reader.rollback()

        patience = planning._patience()
        patience.sleep = sleep
        monkeypatch.setattr(planning, "_patience", lambda: patience)
        platform.execute("CREATE SCHEMA analytics")
        planning.take(platform, [planning.Step("column", step.statements[:2])], lambda _: None)
    assert len(waited) == 1
    assert platform.execute("SELECT observatory_xid FROM app.tickets").fetchall() == [(None,), (None,)]


def test_who_holds_a_table_for_long_is_named(
    platform: Connection, database: str, observatory: Observatory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever installs is not left waiting; what was done stays, and the same command goes on from there."""
    monkeypatch.setattr(planning, "LOCK_TIMEOUT", "10ms")
    monkeypatch.setattr(planning, "_ATTEMPTS", 2)
    with psycopg.connect(database) as reader:
        reader.execute("LOCK app.tickets IN ACCESS SHARE MODE")
        result = observatory("install")
        assert result.exit_code == 2, result.output
        assert "error: capture on app.tickets: what this changes was in use 2 times for 10ms" in result.output
        assert f"{reader.info.user}'s, process {reader.info.backend_pid}, since " in result.output
        reader.rollback()
    again = observatory("install")
    assert again.exit_code == 0, again.output
    assert "migration" not in again.output and "done: capture on app.tickets" in again.output


def test_a_mapping_that_does_not_fit_is_refused_before_anything_is_made(platform: Connection, observatory: Observatory) -> None:
    platform.execute("ALTER TABLE app.tickets RENAME COLUMN priority TO urgency")
    with pytest.raises(InstallationRefused, match="no column 'priority'"):
        plan_of(platform, settings_of())
    result = observatory("install")
    assert result.exit_code == 2
    assert "database.relations.tickets.columns.priority: app.tickets has no column 'priority'" in result.output
    assert not migrations.exists(platform)


def test_roles_that_are_missing_are_named_with_the_statements(platform: Connection) -> None:

    here = Server("somebody", False, frozenset(), 150000, False)
    problem = RolesMissing("somebody", list(role_steps(here, {})))
    text = "\n".join(step.as_sql(platform) for step in problem.steps)
    for role in Role:
        assert f'CREATE ROLE "{role}"' in text


def test_passwords_are_neither_printed_nor_sent(
    platform: Connection, observatory: Observatory, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("site")
    (folder / "password").write_text("correct horse battery\n")
    config = folder / "site.yaml"
    config.write_text(f"database: {{logins: {{observatory_read: {folder / 'password'}}}}}\n")
    shown = observatory("install", "--dry-run", "--config", str(config))
    assert shown.exit_code == 0, shown.output
    assert "ALTER ROLE \"observatory_read\" LOGIN PASSWORD '***'" in shown.output
    assert "correct horse" not in shown.output and "SCRAM" not in shown.output
    done = observatory("install", "--config", str(config))
    assert done.exit_code == 0, done.output
    row = platform.execute("SELECT rolcanlogin, rolpassword FROM pg_authid WHERE rolname = 'observatory_read'").fetchone()
    assert row is not None and row[0] and row[1].startswith("SCRAM-SHA-256$")
    platform.execute("ALTER ROLE observatory_read NOLOGIN PASSWORD NULL")


def test_without_roles_and_the_right_to_make_them_nothing_is_begun(
    platform: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is printed then holds no password, stored or not: it is for somebody else."""
    nobody = Server("somebody", False, frozenset(), 150000, False)
    monkeypatch.setattr(installation, "server", lambda _connection: nobody)
    with pytest.raises(RolesMissing) as said:
        prepared(platform, settings_of(), {"observatory_read": "correct horse"})
    text = statements(said.value)
    assert 'CREATE ROLE "observatory_advance"' in text
    assert "PASSWORD" not in text
    assert not migrations.exists(platform)

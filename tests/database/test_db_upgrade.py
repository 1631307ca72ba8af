"""An upgrade that ends at any point, or is refused, leaves dashboards with everything they read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from click.testing import Result
from database_steps import Connection, InstalledWith, plan_of, settings_of
from psycopg import sql

from contract.analytics import READABLE
from exporters.database import migrations
from exporters.database.installation import InstallationRefused
from exporters.database.mapping import Mapping
from exporters.database.migrations import Migration
from exporters.database.roles import Role
from exporters.database.sessions import connect
from exporters.rollups.sources import SOURCES
from exporters.rollups.triggers import switched_off
from provisioning.database.installing import carry_out, prepared

Observatory = Callable[..., Result]

NEW = [
    Migration(9001, "table", "CREATE TABLE analytics.made (a int)"),
    Migration(9002, "type", "ALTER TABLE analytics.llm_calls ALTER COLUMN model TYPE varchar(900)"),
    Migration(9003, "column", "ALTER TABLE analytics.llm_calls ADD COLUMN made boolean"),
]
"""The second changes what views stand on: PostgreSQL lets nobody do that while they are there."""

BEFORE = settings_of(relations={"handoffs": {"absent": True}})
CHANGED = settings_of(content=True, content_length=7)
"""Under it, all views with texts are others than before."""


@pytest.fixture
def older(installed_with: InstalledWith, monkeypatch: pytest.MonkeyPatch) -> Connection:
    """An installation of the version before the new files, without texts and with a table less."""
    platform = installed_with(BEFORE)
    files = [*migrations.available(), *NEW]
    monkeypatch.setattr(migrations, "available", lambda: files)
    return platform


def read_everything(connection: Connection) -> None:
    """Every view and table that a panel may ask, as the role that dashboards have."""
    connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(Role.GRAFANA_ADMIN)))
    try:
        for readable in READABLE.values():
            columns = sql.SQL(", ").join(sql.Identifier(name) for name in readable.columns)
            name = sql.Identifier("analytics", readable.name)
            connection.execute(sql.SQL("SELECT {} FROM {} LIMIT 1").format(columns, name))
    finally:
        connection.execute("RESET ROLE")


def test_an_exporter_of_an_earlier_version_finds_nothing_to_count_or_read_after_an_upgrade(
    installed: Connection, observatory: Observatory
) -> None:
    """It would not know what the lines of triggers say, or what is kept so that counters do not fall."""
    states = "SELECT source, watermark, counted, corrections FROM analytics.sources"
    installed.execute(
        "ALTER TABLE analytics.sources RENAME COLUMN corrected TO corrections;"
        'ALTER TRIGGER "~observatory_tickets_update" ON app.tickets RENAME TO observatory_tickets_update;'
        "DROP TRIGGER observatory_tickets_insert ON app.tickets;"
        "COMMENT ON COLUMN app.tickets.observatory_xid IS 'Agent Observatory: of an earlier version';"
        "ALTER TABLE analytics.retractions"
        " DROP COLUMN noted_at, DROP COLUMN names, DROP COLUMN texts, DROP COLUMN times;"
        "DELETE FROM analytics.migrations WHERE number IN (62, 80);"
        "INSERT INTO analytics.retractions (source, key, image) VALUES ('tickets', 'first', '{}'), ('tickets', 'then', '{}')"
    )
    before = installed.execute(states).fetchall()
    assert before
    assert switched_off(installed, Mapping.of(settings_of()), SOURCES.values()) == [], "its new name is not waited for"
    upgraded = observatory("upgrade")
    assert upgraded.exit_code == 0, upgraded.output
    assert "done: migration 0062_lines.sql" in upgraded.output and "begin to count" not in upgraded.output
    with pytest.raises(psycopg.errors.UndefinedColumn):
        installed.execute(states)
    triggers = "SELECT tgname FROM pg_trigger WHERE tgrelid = 'app.tickets'::regclass AND NOT tgisinternal ORDER BY 1"
    moments = ["delete", "insert", "truncate"]
    named = [*(f"observatory_tickets_{moment}" for moment in moments), "~observatory_tickets_update"]
    assert [name for (name,) in installed.execute(triggers)] == named
    assert installed.execute("SELECT count(*) FROM analytics.sources WHERE rebuild_needed").fetchone() == (0,)
    lines = "SELECT key FROM analytics.retractions WHERE noted_at < pg_current_wal_insert_lsn() ORDER BY noted_at"
    assert installed.execute(lines).fetchall() == [("first",), ("then",)]


class Stopped(Exception):
    """Whoever installs is gone."""


class Watched:
    """A connection on which `before` hears of each statement, by its number."""

    def __init__(self, connection: Connection, before: Callable[[int], None]) -> None:
        self._connection, self._before, self.said = connection, before, 0

    def execute(self, *words: Any) -> Any:
        self.said += 1
        self._before(self.said)
        return self._connection.execute(*words)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def statements_of_an_upgrade(dsn: str) -> Iterator[int]:
    """Numbers of statements, until one is so high that the upgrade ends before."""
    for number in range(1, 5000, 29):
        with connect(dsn, "installer") as connection:
            todo = prepared(connection, CHANGED, {})

            def end(now: int, number: int = number, installer: Connection = connection) -> None:
                if now == number:
                    with connect(dsn, "executioner") as other:
                        other.execute("SELECT pg_terminate_backend(%s, 10000)", (installer.info.backend_pid,))

            watched = Watched(connection, end)
            try:
                carry_out(watched, todo, lambda _: None)  # type: ignore[arg-type]
            except psycopg.OperationalError:
                yield number
            else:
                assert watched.said < number
                return


def test_wherever_the_connection_is_lost_dashboards_read_on(older: Connection, database: str) -> None:
    tried = []
    for number in statements_of_an_upgrade(database):
        read_everything(older)
        tried.append(number)
    assert len(tried) > 5
    read_everything(older)
    assert plan_of(older, CHANGED).missing(older) == []
    assert older.execute("SELECT comment FROM analytics.feedback").fetchall() == [("Thank y",)]


def test_wherever_a_step_fails_dashboards_read_on(older: Connection, database: str) -> None:
    """What was done is told after it was done, so failing there is failing between two steps."""
    for number in range(1, 1000):
        told: list[str] = []

        def tell(title: str, number: int = number, told: list[str] = told) -> None:
            told.append(title)
            if len(told) == number:
                raise Stopped(title)

        with connect(database, "installer") as connection:
            try:
                carry_out(connection, prepared(connection, CHANGED, {}), tell)
            except Stopped:
                read_everything(older)
                continue
        assert number > 3, "what was done stays done, so each run begins a little later"
        break
    assert plan_of(older, CHANGED).missing(older) == []


def test_dashboards_read_while_files_are_applied(older: Connection, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that change nothing under a view lock none: while they run, whoever asks is answered at once."""
    files = [file for file in migrations.available() if file not in NEW[1:]]
    monkeypatch.setattr(migrations, "available", lambda: files)
    read = []
    with connect(database, "reader") as reader, connect(database, "installer") as connection:
        reader.execute("SET lock_timeout = '1s'")

        def look(number: int) -> None:
            if number % 10 == 0 and connection.execute("SELECT to_regclass('analytics.made') IS NOT NULL").fetchone() == (
                True,
            ):
                read.append(read_everything(reader))

        carry_out(Watched(connection, look), prepared(connection, BEFORE, {}), lambda _: None)  # type: ignore[arg-type]
    assert len(read) > 5


def test_names_that_somebody_else_took_are_all_named_before_anything_is_done(
    older: Connection, observatory: Observatory
) -> None:
    older.execute(
        "DROP VIEW analytics.ticket_daily; CREATE VIEW analytics.ticket_daily AS SELECT 1 AS mine;"
        "CREATE TABLE analytics.made (mine int); CREATE VIEW public.report AS SELECT count(*) FROM analytics.latency_hourly"
    )
    result = observatory("upgrade")
    assert result.exit_code == 2, result.output
    for name in ("made", "ticket_daily"):
        assert f"error: analytics.{name} is there, and was not made by this program" in result.output
    assert migrations.pending(older) == NEW
    assert older.execute("SELECT mine FROM analytics.ticket_daily").fetchall() == [(1,)]
    assert older.execute("SELECT FROM analytics.made").fetchall() == []


def test_a_view_of_somebody_else_on_one_that_changes_is_named(older: Connection) -> None:
    older.execute("CREATE VIEW public.report AS SELECT count(*) FROM analytics.feedback")
    older.execute("CREATE VIEW analytics.other AS SELECT count(*) FROM analytics.traces")
    with pytest.raises(InstallationRefused) as said:
        plan_of(older, CHANGED)
    assert said.value.findings == (
        "report reads analytics.feedback, which is to be made anew: drop it, and make it again afterwards",
    )


def test_a_view_of_somebody_else_in_the_way_of_a_file_is_named_and_nothing_is_changed(
    older: Connection, observatory: Observatory
) -> None:
    """Only PostgreSQL knows that the file cannot be applied while somebody's view reads one of ours."""
    older.execute("CREATE VIEW public.report AS SELECT count(*) FROM analytics.traces")
    result = observatory("upgrade")
    assert result.exit_code == 2, result.output
    assert "report depends on view analytics.traces" in result.output and "nothing was changed" in result.output
    assert migrations.pending(older) == NEW
    read_everything(older)

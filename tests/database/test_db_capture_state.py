"""What `observatory db status` says of triggers that were switched off, and of sources that would be captured otherwise now."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from database_steps import Connection, install, settings_of

from contract.data_plane import Mapped
from exporters.database.mapping import Mapping
from exporters.rollups.forms import forms
from exporters.rollups.sources import SOURCES
from exporters.rollups.state import states
from exporters.rollups.triggers import LAST, MOMENTS, switched_off, trigger_statements

Observatory = Callable[..., Result]

KEYED = "INSERT INTO analytics.user_keys VALUES ('1', 'a'), ('2', 'b')"
RESTORE = "ALTER TABLE app.tickets DISABLE TRIGGER ALL; {} ALTER TABLE app.tickets ENABLE TRIGGER ALL"


def off(connection: Connection, **database: Any) -> list[str]:
    return switched_off(connection, Mapping.of(settings_of(**database)), SOURCES.values())


def test_the_moments_are_those_that_have_a_trigger() -> None:
    source = SOURCES["tickets"]
    text = "\n".join(made.as_string(None) for made in trigger_statements(Mapping.of(settings_of()), source))
    assert text.count("ENABLE ALWAYS TRIGGER") == len(MOMENTS) + 1
    assert 'ENABLE ALWAYS TRIGGER "observatory_tickets_insert"' in text, "without which no change goes unseen"
    for moment in MOMENTS:
        last = LAST if moment == "update" else ""
        assert f'ENABLE ALWAYS TRIGGER "{last}observatory_tickets_{moment}"' in text


@pytest.mark.parametrize(
    "done",
    [
        "ALTER TABLE app.tickets DISABLE TRIGGER ALL",
        "ALTER TABLE app.tickets DISABLE TRIGGER observatory_tickets_delete",
        'ALTER TABLE app.tickets DISABLE TRIGGER "~observatory_tickets_update"',
        RESTORE.format("DELETE FROM app.tickets WHERE id = 1;"),
        "DROP TRIGGER observatory_tickets_truncate ON app.tickets",
    ],
)
def test_triggers_that_do_not_run_are_said_and_mended(installed: Connection, observatory: Observatory, done: str) -> None:
    installed.execute(KEYED)
    assert observatory("status").exit_code == 0
    installed.execute(done.encode())
    assert off(installed) == ["tickets"]
    told = observatory("status")
    assert told.exit_code == 1
    assert "missing: capture on app.tickets: run `observatory db install`" in told.output
    assert "missing: tickets: its triggers are switched off, gone, or were" in told.output
    assert "after that run `observatory db rebuild tickets`" in told.output

    mended = observatory("install")
    assert mended.exit_code == 0, mended.output
    assert "done: capture on app.tickets\n" in mended.output and "capture on app.users" not in mended.output
    assert off(installed) == []
    told = observatory("status")
    assert told.exit_code == 1 and "run `observatory db rebuild tickets`" in told.output
    assert observatory("rebuild", "tickets").exit_code == 0
    assert observatory("status").exit_code == 0
    stock = installed.execute("SELECT sum(n) FROM analytics.stocks WHERE stock = 'tickets'").fetchone()
    assert stock == installed.execute("SELECT count(*) FROM app.tickets").fetchone()


def test_functions_of_another_version_are_made_anew(installed: Connection, observatory: Observatory) -> None:
    mapping = Mapping.of(settings_of())
    installed.execute(
        "CREATE OR REPLACE FUNCTION analytics.count_tickets(known_news boolean) RETURNS bigint[] LANGUAGE plpgsql"
        " AS 'BEGIN RETURN NULL; END'"
    )
    installed.execute("DROP FUNCTION analytics.count_users(boolean)")
    before = {state.source: state.watermark for state in states(installed)}
    assert {name for name, one in forms(installed, mapping).items() if not one.planned} == {"tickets", "users"}

    done = observatory("upgrade")
    assert done.exit_code == 0, done.output
    assert [line for line in done.output.splitlines() if "renew" in line] == [
        "done: renew what counts tickets",
        "done: renew what counts users",
    ]
    assert all(one.planned for one in forms(installed, mapping).values())
    assert {state.source: state.watermark for state in states(installed)} == before
    installed.execute("DROP FUNCTION analytics.news()")
    assert not any(one.planned for one in forms(installed, mapping).values())
    assert observatory("upgrade").exit_code == 0
    assert all(one.planned for one in forms(installed, mapping).values())
    assert "renew" not in observatory("install").output


def test_a_table_that_is_gone_is_not_asked_for_news(installed: Connection, observatory: Observatory) -> None:
    installed.execute("DROP TABLE app.handoffs CASCADE")
    Path("observatory.yaml").write_text("database: {relations: {handoffs: {absent: true}}}")
    assert observatory("install").exit_code == 0
    told = dict(installed.execute("SELECT source, any_news FROM analytics.news()").fetchall())
    assert told["handoffs"] is None
    assert told["tickets"] is not None


def test_triggers_of_a_partition_are_looked_at_too(database: str, platform: Connection, observatory: Observatory) -> None:
    platform.execute(
        "CREATE TABLE app.parted (LIKE app.messages, PRIMARY KEY (id)) PARTITION BY RANGE (id);"
        "CREATE TABLE app.parted_1 PARTITION OF app.parted FOR VALUES FROM (0) TO (1000);"
        "INSERT INTO app.parted SELECT * FROM app.messages"
    )
    Path("site.yaml").write_text("database: {relations: {messages: {table: app.parted}}}\n")
    assert observatory("install", "--config", "site.yaml").exit_code == 0
    parted = {"messages": Mapped(table="app.parted")}
    assert off(platform, relations=parted) == []
    platform.execute("ALTER TABLE app.parted_1 DISABLE TRIGGER ALL")
    assert off(platform, relations=parted) == ["messages"]


def test_triggers_that_went_with_the_schema_are_made_again(installed: Connection, observatory: Observatory) -> None:
    installed.execute("DROP SCHEMA analytics CASCADE")
    assert "tickets" in off(installed)
    assert observatory("install").exit_code == 0
    assert off(installed) == []
    installed.execute(KEYED)
    assert observatory("status").exit_code == 0


def test_another_way_of_capture_is_noted_with_what_to_do(platform: Connection, observatory: Observatory) -> None:
    install(platform, settings_of(alter_tables=False))
    platform.execute(KEYED)
    told = observatory("status", "--config", str(_written("alter_tables: false")))
    assert "note:" not in told.output
    told = observatory("status")
    assert "note: tickets: captured by scan; today it would be snapshot: a column may be added." in told.output
    assert "database.relations.tickets.capture: scan" in told.output
    told = observatory("status", "--config", str(_written("relations: {tickets: {capture: scan}}")))
    assert "note: tickets" not in told.output and "note: messages" in told.output


def test_a_table_whose_ended_rows_change_often_is_noted_with_what_it_costs(
    installed: Connection, observatory: Observatory
) -> None:
    installed.execute("UPDATE analytics.sources SET counted = 12000, corrected = 1100")
    assert "rows that had ended" not in observatory("status").output
    installed.execute("UPDATE analytics.sources SET corrected = 3000 WHERE source = 'messages'")
    told = observatory("status").output
    assert "note: messages: 3,000 of 12,000 rows counted were changes of rows that had ended." in told
    assert "database.relations.messages.capture: scan" in told and "note: tickets" not in told


def test_lines_that_nobody_takes_away_are_noted_with_since_when(installed: Connection, observatory: Observatory) -> None:
    lines = "INSERT INTO analytics.retractions (source, key) SELECT 'messages', i::text FROM generate_series(1, %s) AS i"
    installed.execute(lines, (10_000,))
    assert "wait for an exporter" not in observatory("status").output
    installed.execute(lines, (1,))
    advanced = "SELECT date_trunc('second', advanced_at)::text FROM analytics.sources WHERE source = 'messages'"
    (since,) = installed.execute(advanced).fetchone() or ("",)
    told = observatory("status").output
    assert "note: messages: 10,001 lines of triggers (" in told and f"since {since}" in told


def test_a_way_that_is_wished_and_cannot_be_is_noted(platform: Connection, observatory: Observatory) -> None:
    install(platform, settings_of(alter_tables=False))
    told = observatory("status", "--config", str(_written("{alter_tables: false, relations: {tickets: {capture: snapshot}}}")))
    assert "note: tickets: captured by scan, not as configured: " in told.output
    assert "cannot be captured by snapshot: alter_tables is off" in told.output


def _written(database: str) -> Path:
    path = Path("site.yaml")
    path.write_text(f"database: {database if database.startswith('{') else '{' + database + '}'}\n")
    return path

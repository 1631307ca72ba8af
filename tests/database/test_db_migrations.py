"""Versioned files: applied once, in order, each as a whole."""

from __future__ import annotations

import threading

import psycopg
import pytest
from database_steps import Connection

from exporters.database import migrations
from exporters.database.migrations import Migration, MigrationRefused
from exporters.database.sessions import connect

FIRST = next(file for file in migrations.available() if file.number == 1)


def migrated(connection: Connection, files: list[Migration] | None = None) -> list[Migration]:
    with connection.transaction():
        return migrations.migrate(connection, files)


def more(number: int, text: str) -> Migration:
    return Migration(number, "more", text)


def test_files_are_applied_in_order_and_once(admin: Connection) -> None:
    files = [more(3, "ALTER TABLE analytics.made ADD b int"), FIRST, more(2, "CREATE TABLE analytics.made (a int)")]
    assert [file.number for file in migrated(admin, files=files)] == [1, 2, 3]
    assert migrated(admin, files=files) == []
    assert admin.execute("SELECT number, name FROM analytics.migrations ORDER BY 1").fetchall() == [
        (1, "schema"),
        (2, "more"),
        (3, "more"),
    ]


def test_a_file_that_fails_leaves_nothing_of_any(admin: Connection) -> None:
    migrated(admin, files=[FIRST])
    files = [FIRST, more(2, "CREATE TABLE analytics.made (a int)"), more(3, "SELECT 1 / 0")]
    with pytest.raises(psycopg.errors.DivisionByZero):
        migrated(admin, files=files)
    assert admin.execute("SELECT to_regclass('analytics.made')").fetchone() == (None,)
    assert [file.number for file in migrations.pending(admin, files)] == [2, 3]


def test_what_stands_in_the_way_of_a_file_is_asked_to_go_and_of_that_one_only(admin: Connection) -> None:
    files = [FIRST, more(2, "CREATE TABLE analytics.made (a int)"), more(3, "ALTER TABLE analytics.made ALTER a TYPE bigint")]
    migrated(admin, files=files[:2])
    admin.execute("CREATE VIEW analytics.shown AS SELECT a FROM analytics.made")
    asked = []

    def make_way() -> None:
        asked.append(admin.execute("SELECT max(number) FROM analytics.migrations").fetchone())
        admin.execute("DROP VIEW analytics.shown")

    files.append(more(4, "ALTER TABLE analytics.made ADD b int"))
    with admin.transaction():
        migrations.migrate(admin, files, make_way)
    assert asked == [(2,)]
    assert migrations.pending(admin, files) == []


def test_a_file_that_was_changed_afterwards_is_refused(admin: Connection) -> None:
    migrated(admin, files=[FIRST])
    migrated(admin, files=[FIRST, more(2, "SELECT 1")])
    changed = [Migration(file.number, file.name, file.text + "-- changed") for file in (FIRST, more(2, "SELECT 1"))]
    with pytest.raises(MigrationRefused, match=r"0001_schema\.sql, 0002_more\.sql are not the files that were applied"):
        migrations.pending(admin, changed)


def test_what_waited_for_a_fold_is_the_same_once_cells_hold_their_histograms(admin: Connection) -> None:
    files = migrations.available()
    migrated(admin, [file for file in files if file.number < 57])
    admin.execute(
        "INSERT INTO analytics.fresh (fact, at, labels, bucket, n, s1) SELECT fact, at, labels, bucket, n, 10 * n FROM (VALUES"
        " ('ended', timestamptz '2026-11-16 09:30:00Z', E'a\\x1fb', 0, 3),"
        " ('ended', '2026-11-16 09:30:00Z', E'a\\x1fb', 27, 2), ('ended', NULL, E'a\\x1fb', 4, 1),"
        " ('ended', '2026-11-16 10:30:00Z', E'a\\x1fc', NULL, 5))"
        " AS counted (fact, at, labels, bucket, n)"
    )
    admin.execute("CREATE VIEW analytics.ours AS SELECT * FROM analytics.counters")
    asked = (
        "SELECT * FROM analytics.ours ORDER BY labels",
        *(
            f"SELECT fact, labels, bucket, sum(n), sum(s1), sum(h0), sum(h27) FROM analytics.{tier}"
            " GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
            for tier in ("minutes", "hours", "days")
        ),
    )
    before = [admin.execute(question).fetchall() for question in asked]
    assert [row[2] for row in before[0]] == [6, 5]
    migrated(admin)
    assert [admin.execute(question).fetchall() for question in asked] == before


def test_who_was_seen_just_now_is_noted_after_an_upgrade_too(admin: Connection) -> None:
    migrated(admin, [file for file in migrations.available() if file.number < 60])
    admin.execute("INSERT INTO analytics.user_seen (user_id, last_at) VALUES ('a', now()), ('b', now() - interval '40 days')")
    migrated(admin)
    assert admin.execute("SELECT users FROM analytics.seen_lately").fetchall() == [(["a"],)]
    seen = "SELECT bool_and(last_at = date_trunc('minute', last_at)), count(*) FROM analytics.user_seen"
    assert admin.execute(seen).fetchone() == (True, 2)


def test_a_schema_of_a_newer_version_is_refused(admin: Connection) -> None:
    migrated(admin, files=[FIRST, more(99, "SELECT 1")])
    with pytest.raises(MigrationRefused, match="installed by a newer version"):
        migrations.pending(admin, [FIRST])


def test_two_at_once_apply_each_file_once(admin: Connection, database: str) -> None:
    """The first holds its transaction open until the second waits for it."""
    done: list[list[Migration]] = []

    def second() -> None:
        with connect(database, "second") as connection:
            done.append(migrated(connection))

    thread = threading.Thread(target=second)
    with admin.transaction():
        admin.execute("SELECT pg_advisory_xact_lock(%s)", (migrations.LOCK,))
        thread.start()
        with connect(database, "watcher") as watcher:
            waiting = (
                "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database"
                " WHERE datname = current_database() AND locktype = 'advisory' AND NOT granted"
            )
            for _ in range(2000):
                if watcher.execute(waiting).fetchone() == (1,):
                    break
                threading.Event().wait(0.005)
            else:
                pytest.fail("the second never waited")
        for file in migrations.available():
            admin.execute(file.text.encode())
            admin.execute(file.record)
    thread.join(timeout=30)
    assert done == [[]]


def test_numbers_are_unique_and_names_say_what_is_made() -> None:
    files = migrations.available()
    numbers = [file.number for file in files]
    assert numbers == sorted(set(numbers)) and numbers[0] == 1

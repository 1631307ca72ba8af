"""What the exporter does when the database, or a part of it, does not answer."""

from __future__ import annotations

import logging
import re
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from contract.settings import Settings
from exporters.credentials import Credentials
from exporters.journal import SourceDown
from exporters.postgres import APPLICATION_NAME, PostgresCollector
from exporters.postgres_queries import QUERIES, Query
from exporters.snapshot import sample

NOW = datetime(2026, 3, 15, 12, 0, tzinfo=UTC).timestamp()
SECRET = "pa55-w0rd!"

SLOW = Query("slow", "SELECT %(now)s, pg_sleep(20)", lambda rows, expected: [sample("platform_users", "x", value=1)])
QUICK = Query("quick", "SELECT 3 WHERE %(now)s IS NOT NULL", lambda rows, _: [sample("platform_users", "x", value=rows[0][0])])


def collector(dsn: str, timeout: str = "10s", queries: tuple[Query, ...] = QUERIES) -> PostgresCollector:
    return PostgresCollector(Settings.model_validate({"exporter": {"query_timeout": timeout}}), lambda: dsn, queries)


def value(of: PostgresCollector, name: str, *labels: str) -> float | None:
    assert of.snapshot is not None
    found = {(item.metric.name, item.labels): item.value for item in of.snapshot.samples(NOW, 900)}
    return found.get((name, labels))


def success(of: PostgresCollector) -> dict[str, float]:
    assert of.snapshot is not None
    return {item.labels[1]: item.value for item in of.snapshot.about if item.metric.name == "exporter_query_success"}


def reason(of: PostgresCollector) -> str:
    """Why it is down: one line, and the snapshot says so too."""
    with pytest.raises(SourceDown) as caught:
        of.collect(NOW)
    assert value(of, "exporter_source_up", "postgres") == 0
    assert 0.0 in success(of).values()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_missing_table_and_a_missing_column_stop_only_their_queries(
    platform_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    with psycopg.connect(platform_database) as connection:
        connection.execute("DROP TABLE app.feedback")
        connection.execute("ALTER TABLE app.tickets DROP COLUMN assignee_id")
    exporter = collector(platform_database)
    with caplog.at_level(logging.WARNING, "observatory.exporter"):
        exporter.collect(NOW)
        exporter.collect(NOW)
    exporter.close()
    assert {name for name, well in success(exporter).items() if not well} == {"nps", "ratings", "tickets_open"}
    assert value(exporter, "exporter_source_up", "postgres") == 1
    assert value(exporter, "platform_tickets", "open", "high") == 0
    said = {record.__dict__["pairs"]["query"]: record.__dict__["pairs"]["problem"] for record in caplog.records}
    assert said == {
        "nps": 'relation "app.feedback" does not exist',
        "ratings": 'relation "app.feedback" does not exist',
        "tickets_open": 'column "assignee_id" does not exist',
    }
    assert len(caplog.records) == 3, "each is said once, not on every run"


def test_a_role_that_may_not_read_a_table_is_told_which(platform_database: str) -> None:
    user = "reader_" + conninfo_to_dict(platform_database)["dbname"].removeprefix("test_")  # type: ignore[union-attr]
    with psycopg.connect(platform_database, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {user} LOGIN".encode())
        connection.execute(f"GRANT USAGE ON SCHEMA app TO {user}; GRANT SELECT ON app.users TO {user}".encode())
    exporter = collector(make_conninfo(platform_database, user=user))
    exporter.collect(NOW)
    exporter.close()
    assert {name for name, well in success(exporter).items() if well} == {"users"}
    with psycopg.connect(platform_database, autocommit=True) as connection:
        connection.execute(f"DROP OWNED BY {user}; DROP ROLE {user}".encode())


@pytest.fixture
def guarded(platform_database: str) -> Iterator[str]:
    """DSN for a role that the server asks for its password."""
    user = "guarded_" + str(conninfo_to_dict(platform_database)["dbname"])
    with psycopg.connect(platform_database, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {user} LOGIN PASSWORD '{SECRET}'".encode())
        (path,) = connection.execute("SHOW hba_file").fetchone() or ("",)
        hba, before = Path(path), Path(path).read_text()
        hba.write_text(f"local all {user} scram-sha-256\nhost all {user} 127.0.0.1/32 scram-sha-256\n{before}")
        connection.execute("SELECT pg_reload_conf()")
        yield make_conninfo(platform_database, user=user, password=SECRET)
        hba.write_text(before)
        connection.execute("SELECT pg_reload_conf()")
        connection.execute(f"DROP ROLE {user}".encode())


def test_a_wrong_password_is_one_clear_line_without_it(guarded: str) -> None:
    wrong = make_conninfo(guarded, password="not-" + SECRET)
    end = time.monotonic() + 5
    while "password authentication failed" not in (said := reason(collector(wrong))):
        assert time.monotonic() < end, f"the server has not reloaded its rules: {said}"
    assert said.startswith("cannot connect to PostgreSQL: ")
    assert SECRET not in said
    right = collector(guarded)
    assert reason(right) == "PostgreSQL did not answer one query: permission denied for schema app", "it was let in"
    right.close()


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_an_unreachable_server() -> None:
    said = reason(collector(f"postgresql://me:{SECRET}@127.0.0.1:{closed_port()}/platform"))
    assert "Connection refused" in said
    assert SECRET not in said


def test_a_server_that_accepts_and_says_nothing_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        begun = time.monotonic()
        said = reason(collector(f"host=127.0.0.1 port={server.getsockname()[1]} user=me connect_timeout=2"))
        assert time.monotonic() - begun < 5
        assert "timeout" in said


def test_an_unescaped_at_sign_in_a_password_shows_no_part_of_it() -> None:
    said = reason(collector("postgresql://me:p@wSECRET@127.0.0.1/platform"))
    assert "wSECRET" not in said
    assert "'***@127.0.0.1'" in said
    assert said.endswith("; write @ in a password as %40")


def test_a_database_without_the_schema_is_down_and_says_so(database: str) -> None:
    exporter = collector(database)
    name = conninfo_to_dict(database)["dbname"]
    assert reason(exporter) == f"the database {name} has no schema app, where the platform's tables should be"
    with psycopg.connect(database) as connection:
        connection.execute("CREATE SCHEMA app")
    assert reason(exporter) == 'PostgreSQL did not answer one query: relation "app.feedback" does not exist'
    exporter.close()


def test_what_the_database_repeats_of_the_password_is_not_shown(
    platform_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    echo = Query("echo", f"SELECT '{SECRET}'::int WHERE %(now)s IS NOT NULL", lambda rows, expected: [])
    exporter = collector(make_conninfo(platform_database, password=SECRET), queries=(echo,))
    with caplog.at_level(logging.WARNING, "observatory.exporter"):
        exporter.collect(NOW)
    exporter.close()
    assert [record.__dict__["pairs"]["problem"] for record in caplog.records] == [
        'invalid input syntax for type integer: "***"'
    ]


def test_a_time_limit_beyond_what_the_server_can_count(platform_database: str) -> None:
    usual = Settings()
    endless = usual.model_copy(update={"exporter": usual.exporter.model_copy(update={"query_timeout": "99999999999y"})})
    exporter = PostgresCollector(endless, lambda: platform_database, (QUICK,))
    exporter.collect(NOW)
    exporter.close()
    assert success(exporter) == {"agents": 1, "quick": 1}


@pytest.mark.parametrize("dsn", [f"postgresql//me:{SECRET}@host/db", f"host=x passwort={SECRET}", "postgresql://me@[::1/db"])
def test_a_malformed_connection_string_is_not_repeated(dsn: str) -> None:
    said = reason(collector(dsn))
    assert said == "the connection string of PostgreSQL is not valid: want postgresql://user@host/database"


def test_no_connection_string_at_all(tmp_path: Path) -> None:
    settings = Settings.model_validate({"sources": {"postgres": {"dsn_file": "secrets/dsn"}}})
    exporter = PostgresCollector(settings, Credentials(settings, tmp_path, {}).postgres_dsn)
    said = reason(exporter)
    assert str(tmp_path / "secrets/dsn") in said
    assert "OBSERVATORY_POSTGRES_DSN" in said


def ours(dsn: str) -> list[str]:
    with psycopg.connect(dsn) as connection:
        sql = "SELECT state || ' ' || query FROM pg_stat_activity WHERE application_name = %s AND datname = current_database()"
        return [text for (text,) in connection.execute(sql, (APPLICATION_NAME,)).fetchall()]


def test_the_server_ends_a_query_at_its_time_limit_and_the_rest_goes_on(platform_database: str) -> None:
    exporter = collector(platform_database, "300ms", (SLOW, QUICK))
    begun = time.monotonic()
    exporter.collect(NOW)
    assert time.monotonic() - begun < 3
    assert not any("pg_sleep" in text and text.startswith("active") for text in ours(platform_database))
    assert len(ours(platform_database)) == 1, "one connection"
    exporter.close()
    assert success(exporter) == {"agents": 1, "slow": 0, "quick": 1}
    assert value(exporter, "platform_users", "x") == 3


def test_a_locked_table_stops_only_its_queries(platform_database: str) -> None:
    exporter = collector(platform_database, "500ms")
    with psycopg.connect(platform_database) as other:
        other.execute("LOCK TABLE app.tickets IN ACCESS EXCLUSIVE MODE")
        exporter.collect(NOW)
    exporter.close()
    assert {name for name, well in success(exporter).items() if not well} == {"tickets", "tickets_open"}


def test_a_database_too_slow_for_every_query_is_down(platform_database: str) -> None:
    with psycopg.connect(platform_database) as connection:
        connection.execute("DROP TABLE app.agents")
    exporter = collector(platform_database, "200ms", tuple(Query(f"slow{n}", SLOW.sql, SLOW.samples) for n in range(9)))
    begun = time.monotonic()
    assert "did not answer one query: " in reason(exporter)
    assert time.monotonic() - begun < 2, "a run has an end, however many queries there are"
    exporter.close()


def test_a_cut_connection_ends_the_run_and_the_next_one_connects_anew(platform_database: str) -> None:
    exporter = collector(platform_database, "20s", (SLOW, QUICK))
    watchdog = threading.Timer(0.5, exporter.abort)
    watchdog.start()
    begun = time.monotonic()
    said = reason(exporter)
    assert time.monotonic() - begun < 5
    assert re.search("connection to PostgreSQL lost", said)
    exporter.close()
    healthy = collector(platform_database, "20s", (QUICK,))
    healthy.collect(NOW)
    with psycopg.connect(platform_database, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = %s AND datname = current_database()",
            (APPLICATION_NAME,),
        )
    healthy.collect(NOW)
    healthy.close()
    assert value(healthy, "exporter_source_up", "postgres") == 1, "a restarted server is not even noticed"


def test_the_connection_cannot_write(platform_database: str) -> None:
    write = Query("write", "CREATE TABLE app.mine AS SELECT %(now)s AS at", lambda rows, expected: [])
    exporter = collector(platform_database, queries=(write,))
    exporter.collect(NOW)
    exporter.close()
    assert success(exporter)["write"] == 0
    with psycopg.connect(platform_database) as connection:
        assert connection.execute("SELECT to_regclass('app.mine')").fetchone() == (None,)

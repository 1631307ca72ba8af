"""What a collector says of a connection that it does not get, loses, or has to wait for."""

from __future__ import annotations

import logging
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from contract.settings import Settings
from contract.values import duration_seconds
from exporters.business.frame import DatabaseCollector
from exporters.business.read_only import ReadOnlyCollector
from exporters.credentials import Credentials
from exporters.database.mapping import Mapping
from exporters.database.sessions import APPLICATION_NAME, Session
from exporters.database.sharing import Seat, SharedSession
from exporters.journal import Answer, SourceDown
from exporters.snapshot import sample

NOW = datetime(2026, 3, 15, 12, 0, tzinfo=UTC).timestamp()
SECRET = "pa55-w0rd!"

SLOW, QUICK = "SELECT count(pg_sleep(20))", "SELECT 3"


class Scripted(DatabaseCollector):
    """Asks what a test wants asked: queries by name, each with one number, the users of role x."""

    def __init__(self, settings: Settings, dsn: Callable[[], str], queries: dict[str, str]) -> None:
        seat = seat_of(settings, dsn)
        super().__init__("postgres", "1m", settings, seat, queries, Mapping.of(settings))
        self._asked_for = queries

    def ask_all(self, now: float) -> None:
        for name, query in self._asked_for.items():
            self.ask(name, now, partial(self._answer, query))

    def _answer(self, query: str) -> Answer:
        rows = self.seat.rows(query)
        return Answer(tuple(sample("platform_users", "x", value=number) for (number,) in rows), len(rows))


def seat_of(settings: Settings, dsn: Callable[[], str]) -> Seat:
    timeout = duration_seconds(settings.exporter.query_timeout)
    return SharedSession(Session(dsn, timeout), 1.0).seat()


def collector(dsn: str, timeout: str = "10s", queries: dict[str, str] | None = None) -> DatabaseCollector:
    settings = Settings.model_validate({"exporter": {"query_timeout": timeout}})
    if queries is not None:
        return Scripted(settings, lambda: dsn, queries)
    return ReadOnlyCollector(settings, Mapping.of(settings), seat_of(settings, lambda: dsn))


def value(of: DatabaseCollector, name: str, *labels: str) -> float | None:
    assert of.snapshot is not None
    found = {(item.metric.name, item.labels): item.value for item in of.snapshot.samples(NOW, 900)}
    return found.get((name, labels))


def success(of: DatabaseCollector) -> dict[str, float]:
    assert of.snapshot is not None
    return {item.labels[1]: item.value for item in of.snapshot.about if item.metric.name == "exporter_query_success"}


def reason(of: DatabaseCollector) -> str:
    """Why it is down: one line, and the snapshot says so too."""
    with pytest.raises(SourceDown) as caught:
        of.collect(NOW)
    assert value(of, "exporter_source_up", "postgres") == 0
    assert 0.0 in success(of).values()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_role_that_may_not_read_a_table_is_told_which(platform_database: str) -> None:
    user = "reader_" + conninfo_to_dict(platform_database)["dbname"].removeprefix("test_")  # type: ignore[union-attr]
    with psycopg.connect(platform_database, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {user} LOGIN".encode())
        connection.execute(f"GRANT USAGE ON SCHEMA app TO {user}; GRANT SELECT ON app.users TO {user}".encode())
    exporter = collector(make_conninfo(platform_database, user=user))
    exporter.collect(NOW)
    exporter.close()
    assert {name for name, well in success(exporter).items() if well} == {"users", "users_new"}
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
    end = time.monotonic() + 60
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
        assert time.monotonic() - begun < 30
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
    assert re.fullmatch(r'PostgreSQL did not answer one query: relation "app\.\w+" does not exist', reason(exporter))
    exporter.close()


def test_what_the_database_repeats_of_the_password_is_not_shown(
    platform_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    queries = {"echo": f"SELECT '{SECRET}'::int", "quick": QUICK}
    exporter = collector(make_conninfo(platform_database, password=SECRET), queries=queries)
    with caplog.at_level(logging.WARNING, "observatory.exporter"):
        exporter.collect(NOW)
    exporter.close()
    assert [record.__dict__["pairs"]["problem"] for record in caplog.records] == [
        'invalid input syntax for type integer: "***"'
    ]


@pytest.mark.parametrize("dsn", [f"postgresql//me:{SECRET}@host/db", f"host=x passwort={SECRET}", "postgresql://me@[::1/db"])
def test_a_malformed_connection_string_is_not_repeated(dsn: str) -> None:
    said = reason(collector(dsn))
    assert said == "the connection string of PostgreSQL is not valid: want postgresql://user@host/database"


def test_no_connection_string_at_all(tmp_path: Path) -> None:
    settings = Settings.model_validate({"sources": {"postgres": {"dsn_file": "secrets/dsn"}}})
    dsn = Credentials(settings, tmp_path, {}).postgres_dsn
    exporter = ReadOnlyCollector(settings, Mapping.of(settings), seat_of(settings, dsn))
    said = reason(exporter)
    assert str(tmp_path / "secrets/dsn") in said
    assert "OBSERVATORY_POSTGRES_DSN" in said


def ours(dsn: str) -> list[str]:
    with psycopg.connect(dsn) as connection:
        sql = "SELECT state || ' ' || query FROM pg_stat_activity WHERE application_name = %s AND datname = current_database()"
        return [text for (text,) in connection.execute(sql, (APPLICATION_NAME,)).fetchall()]


def test_the_server_ends_a_query_at_its_time_limit_and_the_rest_goes_on(platform_database: str) -> None:
    exporter = collector(platform_database, "300ms", {"slow": SLOW, "quick": QUICK})
    begun = time.monotonic()
    exporter.collect(NOW)
    assert time.monotonic() - begun < 15, "it would have slept for 20 s"
    assert not any("pg_sleep" in text and text.startswith("active") for text in ours(platform_database))
    assert len(ours(platform_database)) == 1, "one connection"
    exporter.close()
    assert success(exporter) == {"slow": 0, "quick": 1}
    assert value(exporter, "platform_users", "x") == 3


def test_a_database_too_slow_for_every_query_is_down(platform_database: str) -> None:
    exporter = collector(platform_database, "200ms", {f"slow{number}": SLOW for number in range(90)})
    begun = time.monotonic()
    assert "did not answer one query: " in reason(exporter)
    assert time.monotonic() - begun < 12, "a run has an end, however many queries there are: these would take 18 s"
    exporter.close()


def test_a_cut_connection_ends_the_run_and_the_next_one_connects_anew(platform_database: str) -> None:
    exporter = collector(platform_database, "20s", {"slow": SLOW, "quick": QUICK})
    watchdog = threading.Timer(0.5, exporter.abort)
    watchdog.start()
    begun = time.monotonic()
    said = reason(exporter)
    assert time.monotonic() - begun < 15, "it would have slept for 20 s"
    assert re.search("connection to PostgreSQL lost", said)
    exporter.close()
    healthy = collector(platform_database, "20s", {"quick": QUICK})
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
    exporter = collector(platform_database, queries={"write": "CREATE TABLE app.mine AS SELECT 1", "quick": QUICK})
    exporter.collect(NOW)
    exporter.close()
    assert success(exporter)["write"] == 0
    with psycopg.connect(platform_database) as connection:
        assert connection.execute("SELECT to_regclass('app.mine')").fetchone() == (None,)

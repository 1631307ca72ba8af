"""The database holds the world: loaded at once or written as it happens, it ends up with the same rows."""

from __future__ import annotations

import os
import signal
import socket
import stat
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from contract.relations import RELATIONS
from demo.database import schema
from demo.database.live import LiveDatabase, OtherWorld
from demo.database.load import load
from demo.database.server import EmbeddedPostgres, ServerError
from demo.world.model import Incident, WorldSpec
from demo.world.observations import Observation, Score
from demo.world.world import World
from tests.conftest import PostgresServer, thrown_away

ANCHOR = datetime(2026, 11, 20, 15, 0, tzinfo=UTC).timestamp()
HOUR, DAY = 3600.0, 86400.0
SMALL = WorldSpec(11, ANCHOR, days=18, scale=0.03, incidents=(Incident("errors", ANCHOR - 7 * HOUR, ANCHOR - 6.8 * HOUR),))


class Sink:
    """Keeps what the observability service would be told."""

    def __init__(self) -> None:
        self.rows: list[Observation] = []
        self.scores: list[Score] = []

    def __call__(self, rows: list[Observation], given: list[Score]) -> None:
        self.rows += rows
        self.scores += given


def silent(what: str, share: float) -> None:
    assert what
    assert 0.0 <= share <= 1.0


def fingerprints(dsn: str) -> dict[str, tuple[int, str]]:
    """Number of rows and a hash of all of them, by table."""
    found = {}
    with psycopg.connect(dsn) as connection:
        for relation in RELATIONS.values():
            query = sql.SQL("SELECT count(*), coalesce(md5(string_agg(t::text, '|' ORDER BY {})), '') FROM {} t").format(
                sql.SQL(", ").join(map(sql.Identifier, relation.key)), sql.Identifier("app", relation.name)
            )
            row = connection.execute(query).fetchone()
            assert row
            found[relation.name] = row
    return found


def figure(dsn: str, query: str) -> object:
    with psycopg.connect(dsn) as connection:
        row = connection.execute(query.encode()).fetchone()
        assert row
        return row[0]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder outside of pytest's, whose permissions every run of pytest resets: the server runs as another user than root."""
    with thrown_away("database") as folder:
        yield folder


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    """The server under test, in place of the one that other tests share."""
    with thrown_away("database") as folder, EmbeddedPostgres(folder / "postgres", free_port(), folder / "password") as dsn:
        yield PostgresServer(dsn)


@pytest.fixture
def another(postgres: PostgresServer) -> Callable[[], str]:
    """Makes further empty databases; they go with the server."""
    return postgres.create


def test_one_or_two_workers_load_the_same_and_catching_up_ends_there_too(database: str, another: Callable[[], str]) -> None:
    whole, alone, late = Sink(), Sink(), Sink()
    load(database, SMALL, whole, silent)
    expected = fingerprints(database)
    assert all(count > 0 for count, _ in expected.values())

    other = another()
    load(other, SMALL, alone, silent, workers=1)
    assert fingerprints(other) == expected
    assert alone.rows == whole.rows

    # Days of downtime, with the incident, releases, tickets from before and traces that grow too old.
    since = ANCHOR - 2.6 * DAY
    load(other, SMALL, late, silent, until=since)
    assert fingerprints(other) != expected
    live = LiveDatabase(other, World(SMALL))
    assert live.loaded_until == pytest.approx(since)
    live.catch_up(since, ANCHOR, late, silent)
    live.close()
    assert fingerprints(other) == expected
    assert sorted(row.id for row in late.rows) == sorted(row.id for row in whole.rows)
    assert sorted(score.id for score in late.scores) == sorted(score.id for score in whole.scores)
    with psycopg.connect(other) as connection:
        mark = schema.read_mark(connection)
    assert mark == schema.Mark(SMALL, ANCHOR)


def test_second_by_second_through_an_incident_that_is_declared_meanwhile(database: str, another: Callable[[], str]) -> None:
    calm = replace(SMALL, days=2, scale=0.3, incidents=())
    load(database, calm, Sink(), silent, workers=1)
    live = LiveDatabase(database, World(calm))
    at = ANCHOR
    for _ in range(40):
        live.advance(at, at + 1.0)
        at += 1.0
    live.close()
    struck = replace(calm, incidents=(Incident("errors", at, at + 90),))
    told = Sink()
    live = LiveDatabase(database, World(struck))
    for step in [1.0] * 60 + [2.5] * 40 + [400.0]:
        live.advance(at, at + step, told)
        at += step
    live.close()

    other = another()
    load(other, struck, Sink(), silent, workers=1, until=at)
    assert fingerprints(database) == fingerprints(other)
    assert any(row.level == "ERROR" for row in told.rows)
    failed = f"SELECT count(*) FROM app.agent_executions WHERE status = 'failure' AND start_time >= to_timestamp({ANCHOR})"
    assert int(str(figure(database, failed))) > 5


def test_rows_stand_as_of_the_anchor(database: str) -> None:
    spec = replace(SMALL, days=3, scale=0.4, incidents=())
    load(database, spec, Sink(), silent, workers=1)
    now = f"to_timestamp({ANCHOR})"
    for query in (
        "SELECT count(*) FROM app.conversations WHERE status = 'active' AND ended_at IS NULL AND outcome IS NULL",
        "SELECT count(*) FROM app.tickets WHERE status = 'open'",
        "SELECT count(*) FROM app.tickets WHERE status = 'resolved' AND resolved_at IS NOT NULL AND closed_at IS NULL",
        "SELECT count(*) FROM app.users WHERE last_seen_at > created_at",
        "SELECT count(*) FROM app.session_metrics WHERE is_active AND end_time IS NULL",
    ):
        assert int(str(figure(database, query))) > 0, query
    for query in (
        f"SELECT count(*) FROM app.conversations WHERE created_at > {now} OR ended_at > {now}",
        f"SELECT count(*) FROM app.agent_executions WHERE start_time > {now} OR end_time > {now}",
        f"SELECT count(*) FROM app.messages WHERE created_at > {now}",
        f"SELECT count(*) FROM app.ticket_events WHERE at > {now}",
        f"SELECT count(*) FROM app.users WHERE created_at > {now} OR last_seen_at > {now}",
        "SELECT count(*) FROM app.agent_executions WHERE (status = 'in_progress') <> (end_time IS NULL)",
        "SELECT count(*) FROM app.messages m LEFT JOIN app.conversations c ON c.id = m.conversation_id WHERE c.id IS NULL",
        "SELECT count(*) FROM app.handoffs h LEFT JOIN app.tickets t ON t.id = h.ticket_id WHERE h.ticket_id <> t.id",
        "SELECT count(*) FROM app.conversations c LEFT JOIN app.users u ON u.id = c.user_id WHERE u.created_at > c.created_at",
        "SELECT count(*) FROM app.session_metrics s WHERE total_queries <> "
        "(SELECT count(*) FROM app.agent_executions e WHERE e.session_id = s.session_id)",
    ):
        assert figure(database, query) == 0, query


def test_rows_are_those_of_the_world(database: str) -> None:
    spec = replace(SMALL, days=2, incidents=())
    sink = Sink()
    load(database, spec, sink, silent, workers=1)
    world = World(spec)
    hours = [world.hour(spec.beginning + n * HOUR) for n in range(2 * 24 + 1)]
    talks = [talk for hour in hours for talk in hour.conversations if talk.at <= ANCHOR]
    begun = [e for talk in talks for e in talk.executions if e.at <= ANCHOR]
    ended = [e for e in begun if e.end <= ANCHOR]
    assert figure(database, "SELECT count(*) FROM app.conversations") == len(talks)
    assert figure(database, "SELECT count(*) FROM app.agent_executions") == len(begun)
    assert figure(database, "SELECT count(*) FROM app.messages WHERE role = 'user'") == len(begun)
    assert figure(database, "SELECT count(*) FROM app.tool_usage_metrics") == sum(len(e.tools) for e in ended)
    assert len(sink.rows) == len(ended) + sum(len(e.calls) for e in ended)
    achieved = sum(talk.goal_achieved is True for talk in talks if talk.end <= ANCHOR)
    assert figure(database, "SELECT count(*) FROM app.conversations WHERE goal_achieved") == achieved


def test_a_schema_of_somebody_else_is_left_alone(database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("CREATE SCHEMA app")
        connection.execute("CREATE TABLE app.users (name text)")
        connection.execute("INSERT INTO app.users VALUES ('precious')")
    with pytest.raises(schema.ForeignSchema, match="not the demonstration's"):
        load(database, SMALL, Sink(), silent)
    with pytest.raises(schema.ForeignSchema):
        LiveDatabase(database, World(SMALL))
    assert figure(database, "SELECT name FROM app.users") == "precious"


def test_life_is_not_written_over_another_world_or_half_a_load(database: str) -> None:
    with pytest.raises(OtherWorld, match="load the history first"):
        LiveDatabase(database, World(SMALL))
    with psycopg.connect(database) as connection:
        schema.create(connection, SMALL)
    with pytest.raises(OtherWorld, match="load the history first"):
        LiveDatabase(database, World(SMALL))
    tiny = replace(SMALL, days=1)
    load(database, tiny, Sink(), silent, workers=1)
    with pytest.raises(OtherWorld, match="seed 11"):
        LiveDatabase(database, World(replace(tiny, seed=12)))


def test_the_server_survives_kills_and_a_lost_password(place: Path) -> None:
    folder, secret = place / "postgres", place / "secrets" / "password"
    first = EmbeddedPostgres(folder, free_port(), secret)
    dsn = first.start()
    try:
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(dsn.replace(secret.read_text(), "guess"))
        with psycopg.connect(dsn) as connection:
            connection.execute("CREATE TABLE kept (n integer)")
            connection.execute("INSERT INTO kept VALUES (7)")

        # The owner is gone, the server runs on: the next owner takes the folder over, on another port.
        second = EmbeddedPostgres(folder, free_port(), secret)
        dsn = second.start()
        assert figure(dsn, "SELECT n FROM kept") == 7

        # The server itself is killed and leaves its pid file behind.
        os.kill(int((folder / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
        secret.unlink()
        dsn = second.start()
        assert figure(dsn, "SELECT n FROM kept") == 7
    finally:
        EmbeddedPostgres(folder, 0, secret).stop()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(dsn)
    assert not (folder / "postmaster.pid").exists()


def test_a_pid_file_that_names_another_process_does_no_harm(place: Path) -> None:
    folder, secret = place / "postgres", place / "password"
    with EmbeddedPostgres(folder, free_port(), secret) as dsn:
        pid_file = (folder / "postmaster.pid").read_text()
        assert figure(dsn, "SELECT 1") == 1
    (folder / "postmaster.pid").write_text(pid_file.replace(pid_file.split()[0], str(os.getpid()), 1))
    with EmbeddedPostgres(folder, free_port(), secret) as dsn:
        assert figure(dsn, "SELECT 1") == 1


def test_a_taken_port_and_a_foreign_version_are_explained(place: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        server = EmbeddedPostgres(place / "postgres", other.getsockname()[1], place / "password")
        with pytest.raises(ServerError, match="could not bind"):
            server.start()
    (place / "postgres" / "PG_VERSION").write_text("12\n")
    with pytest.raises(ServerError, match="made by PostgreSQL 12"):
        server.start()

"""Everything goes through a pooler that gives each transaction any of two connections: nothing is lost, nothing left behind."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from click.testing import Result
from database_steps import Connection
from pooler import Pooler, logins, pooler
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from contract.settings import Settings
from exporters.business.from_rollups import FiguresCollector
from exporters.business.rollups import RollupsCollector
from exporters.database.mapping import Mapping
from exporters.database.roles import Role
from exporters.database.sessions import DatabaseDown, Session, StatementRefused
from exporters.database.sharing import SharedSession
from exporters.rollups import advance, backfill, fold
from exporters.rollups.forms import forms
from exporters.rollups.read import Totals, window
from provisioning.database.admin import VARIABLE
from tests.business.figures import Figures, figures, of
from tests.langfuse.ledger_world import call, world

ADMIN, ADVANCE, READ = "postgres", str(Role.ADVANCE), str(Role.READ)
KEY = "a key of sixteen bytes or more"
CLIENTS, WRITERS, ROWS = 5, 3, 60


@pytest.fixture
def pooled(installed: Connection, database: str) -> Iterator[Pooler]:
    """The platform, counted, behind a pooler."""
    with logins(database, (ADVANCE, READ)) as passwords, pooler(database, passwords | {ADMIN: "word"}) as found:
        yield found


@pytest.fixture
def name(database: str) -> str:
    return str(conninfo_to_dict(database)["dbname"])


def _session(pooled: Pooler, name: str, role: str) -> Session:
    session = Session(lambda: pooled.dsn(name, role), 20.0, read_only=role == READ)
    session.open()
    return session


def _write(database: str, seed: int) -> None:
    """Executions that begin and end, a part of them in transactions that are taken back. Straight to the server."""
    dice = random.Random(seed)
    with psycopg.connect(database, autocommit=True) as connection:
        for number in range(ROWS):
            key = f"{seed:08d}-0000-0000-0000-{number:012d}"
            with connection.transaction(force_rollback=dice.random() < 0.1):
                connection.execute(
                    "INSERT INTO app.agent_executions (execution_id, agent_id, agent_name, version, start_time, status,"
                    " tool_count, retry_count, api_calls_count, environment)"
                    " VALUES (%s, 1, 'helper', 'v3', now(), 'in_progress', 0, 0, 0, 'production')",
                    (key,),
                )
            connection.execute(
                "UPDATE app.agent_executions SET status = %s, end_time = now(), duration_ms = %s WHERE execution_id = %s",
                (dice.choice(["success", "failure"]), 10.0 * number, key),
            )


class _Client(threading.Thread):
    """Counts, folds, counts old rows and reads over two connections of its own, as a replica of the exporter does."""

    def __init__(self, pooled: Pooler, name: str, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self._writing, self._reading = _session(pooled, name, ADVANCE), _session(pooled, name, READ)
        self._halt, self._kept = stop, Totals()
        self.problem: Exception | None = None
        self.fell = False

    def run(self) -> None:
        seen: dict[tuple[str, tuple[str, ...]], int] = {}
        try:
            with self._writing.transaction() as connection:
                known = forms(connection, Mapping.of(Settings()))
            while not self._halt.is_set():
                self._cycle(known, seen)
        except (DatabaseDown, StatementRefused) as problem:
            self.problem = problem
        finally:
            self._writing.close()
            self._reading.close()

    def _cycle(self, known: Any, seen: dict[tuple[str, tuple[str, ...]], int]) -> None:
        with self._writing.transaction() as connection:
            new = advance.news(connection, known)
        for source in new:
            with self._writing.transaction() as connection:
                advance.advance(connection, known[source])
        with self._writing.transaction() as connection:
            backfill.step(connection, known["executions"], 1, "1 day")
        with self._writing.transaction() as connection:
            fold.fold(connection, "1 day")
        with self._reading.transaction() as connection:
            cells = self._kept.read(connection)
        with self._reading.transaction() as connection:
            window(connection, "minutes", ["executions_ended"], datetime.now(UTC) - timedelta(hours=1))
        for cell in cells:
            if not cell.fact.startswith("stock:"):
                self.fell = self.fell or cell.n < seen.get((cell.fact, cell.labels), 0)
                seen[cell.fact, cell.labels] = cell.n


def test_many_clients_count_everything_once_over_two_connections(
    pooled: Pooler, installed: Connection, database: str, name: str
) -> None:
    stop = threading.Event()
    clients = [_Client(pooled, name, stop) for _ in range(CLIENTS)]
    writers = [threading.Thread(target=_write, args=(database, seed), daemon=True) for seed in range(1, WRITERS + 1)]
    for thread in (*clients, *writers):
        thread.start()
    for writer in writers:
        writer.join(60)
        assert not writer.is_alive()
    stop.set()
    for client in clients:
        client.join(60)
        assert not client.is_alive()
        assert client.problem is None
        assert not client.fell
    last = _session(pooled, name, ADVANCE)
    with last.transaction() as connection:
        known = forms(connection, Mapping.of(Settings()))
        while backfill.step(connection, known["executions"], 100, "1 day"):
            pass
        advance.advance(connection, known["executions"])
    last.close()
    truth = installed.execute("SELECT status, count(*) FROM app.agent_executions GROUP BY 1 ORDER BY 1").fetchall()
    counted = installed.execute(
        "SELECT CASE labels[4] WHEN 'error' THEN 'failure' ELSE labels[4] END, sum(n)::bigint FROM analytics.counters"
        " WHERE fact = 'executions_ended' GROUP BY 1 ORDER BY 1"
    ).fetchall()
    assert counted == truth
    assert sum(count for _, count in truth) > WRITERS * ROWS // 2
    for role in (ADVANCE, READ):
        assert pooled.left_behind(name, role) == []


class _Exporter:
    """The collectors on PostgreSQL of one process."""

    def __init__(self, counting: str, reading: str) -> None:
        settings = Settings()
        mapping = Mapping.of(settings)
        self._advance = SharedSession(Session(lambda: counting, 20.0, read_only=False), 5.0)
        self._read = SharedSession(Session(lambda: reading, 20.0), 5.0)
        self._rollups = RollupsCollector(settings, mapping, self._advance.seat(), lambda: KEY)
        self._figures = FiguresCollector(settings, mapping, self._read.seat(), self._rollups.latest)

    def collect(self, now: float) -> Figures:
        self._rollups.collect(now)
        self._figures.collect(now)
        return figures(self._rollups.snapshot, now) | figures(self._figures.snapshot, now)

    def close(self) -> None:
        self._advance.close()
        self._read.close()


def test_the_exporter_gives_the_same_as_without_a_pooler(
    pooled: Pooler, installed: Connection, database: str, name: str
) -> None:
    exporters = [_Exporter(pooled.dsn(name, ADVANCE), pooled.dsn(name, READ)) for _ in range(3)]
    now = datetime.now(UTC).timestamp()
    shown: list[Figures] = []
    for number in range(6):
        _write_one(installed, number)
        shown = [exporter.collect(now + 60 * number) for exporter in exporters]
    for one in shown:
        assert {labels for labels, value in of(one, "exporter_query_success").items() if not value} == set()
    straight = _Exporter(database, database)
    without = straight.collect(now + 300)
    platform_figures = [{key: value for key, value in one.items() if _is_ours(key)} for one in (*shown, without)]
    assert platform_figures[0] == platform_figures[1] == platform_figures[2] == platform_figures[3]
    assert sum(of(shown[0], "platform_executions_total").values()) == 8
    users = installed.execute("SELECT count(*) FROM analytics.user_keys").fetchone()
    assert users == installed.execute("SELECT count(*) FROM app.users").fetchone()
    for exporter in (*exporters, straight):
        exporter.close()
    for role in (ADVANCE, READ):
        assert pooled.left_behind(name, role) == []


def _is_ours(key: tuple[str, ...]) -> bool:
    return key[0].startswith("platform_") and key[0] != "platform_rollup_advanced_timestamp_seconds"


def _write_one(platform: Connection, number: int) -> None:
    platform.execute(
        "INSERT INTO app.agent_executions (execution_id, agent_id, agent_name, version, start_time, end_time, duration_ms,"
        " status, tool_count, retry_count, api_calls_count, environment)"
        " VALUES (gen_random_uuid(), 1, 'helper', 'v3', now(), now(), %s, 'success', 0, 0, 0, 'production')",
        (100.0 * number,),
    )
    platform.execute("INSERT INTO app.users VALUES (%s, now(), 'member', 'active')", (100 + number,))


def test_the_ledger_takes_every_call_once(pooled: Pooler, name: str) -> None:
    connections = [SharedSession(Session(lambda: pooled.dsn(name, ADVANCE), 20.0, read_only=False), 5.0) for _ in range(3)]
    with world(connections[0]) as here:
        exporters = [here.exporter(shared=shared) for shared in connections]
        for number in range(9):
            here.insert(call(f"call-{number}", here.now[0], 1.0))
            found = here.run(exporters[number % 3])
            assert {key: value for key, value in found.items() if key[0] == "exporter_query_success" and not value} == {}
        for exporter in exporters:
            found = here.run(exporter, timedelta(minutes=5))
        assert here.rows("SELECT count(*) FROM analytics.llm_calls") == [(9,)]
        counted = [value for key, value in found.items() if key[0] == "langfuse_generations_total"]
        assert sum(counted) == len([number for number in range(9) if number > 0])
    for shared in connections:
        shared.close()
    assert pooled.left_behind(name, ADVANCE) == []


def test_installing_and_removing_go_through_it_too(
    platform: Connection, database: str, name: str, observatory: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pooler(database, {ADMIN: "word"}) as found:
        monkeypatch.setenv(VARIABLE, found.dsn(name, ADMIN))
        for words in (("install",), ("install",), ("uninstall", "--yes")):
            done = observatory(*words)
            assert done.exit_code == 0, done.output
        assert found.left_behind(name, ADMIN) == []
    assert platform.execute("SELECT to_regnamespace('analytics')").fetchone() == (None,)


def test_a_pooler_whose_server_is_gone_is_said_in_one_line(database: str) -> None:
    """It lets clients in, or not, as it knows the server already, or not; both end in words and in bounded time."""
    with pooler(make_conninfo(database, port=1), {READ: "word"}, patience=2) as found:
        session = Session(lambda: found.dsn("nothing", READ), 1.0)
        with pytest.raises(DatabaseDown) as said:
            session.open()
        assert "cannot connect to PostgreSQL" in str(said.value)
        assert "\n" not in str(said.value)

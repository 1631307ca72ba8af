"""What can be wrong with PostgreSQL, as a table: what metrics, log and health show meanwhile, and that nothing is lost.

A real exporter but for its sockets (scheduler, collectors, page) counts a platform that goes on writing where it can. All go by
one clock that only the test moves.
"""

from __future__ import annotations

import gc
import json
import logging
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from contract.data_plane import Exporter as Configured
from demo.database.server import EmbeddedPostgres
from exporters.access import Access
from exporters.logs import LOG, KeyValueFormatter
from exporters.pages import Pages
from exporters.publication import Publication
from exporters.scheduler import Collector, Scheduler
from exporters.server import Request
from tests.business import plain
from tests.business.figures import Figures, of
from tests.business.installed import Exporter, install
from tests.business.life import Life, insert
from tests.conftest import create_tables, thrown_away

NOW = datetime.now(UTC).replace(microsecond=0)
TIMEOUT = "1s"
RUNS = 4
"""Failed runs of each kind, over which memory is held to what it was."""


@dataclass(frozen=True)
class Row:
    """A fault: how it comes and goes, and what is seen of it.

    `breaks` and `heals` are SQL by the administrator; `held` is SQL in a transaction that stays open meanwhile. `failing` are
    the queries without success; `said` is what the log says, once for each of them.
    """

    breaks: str
    heals: str
    failing: frozenset[str]
    said: str
    held: str = ""


def _failing(words: str) -> frozenset[str]:
    return frozenset(words.split())


_FULL = """
CREATE OR REPLACE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$;
CREATE TRIGGER full_disk BEFORE INSERT ON analytics.fresh FOR EACH ROW {condition} EXECUTE FUNCTION full_disk();
"""

_COLUMN = """
ALTER TABLE app.documents DROP COLUMN size_bytes CASCADE;
ALTER TABLE app.documents ADD COLUMN size_bytes {type} NOT NULL DEFAULT 1;
GRANT SELECT (size_bytes) ON app.documents TO observatory_advance;
"""

TABLE = {
    "table gone": Row(
        "ALTER TABLE app.kb_searches RENAME TO moved",
        "ALTER TABLE app.moved RENAME TO kb_searches",
        _failing("advance_kb_searches"),
        'relation "app.kb_searches" does not exist',
    ),
    "column of another type": Row(
        _COLUMN.format(type="text"),
        _COLUMN.format(type="bigint"),
        _failing("advance_documents"),
        "integer",
    ),
    "permission withdrawn": Row(
        "REVOKE SELECT ON app.kb_searches FROM observatory_advance",
        "GRANT SELECT ON app.kb_searches TO observatory_advance",
        _failing("advance_kb_searches"),
        "permission denied for table kb_searches",
    ),
    "table locked": Row(
        "",
        "",
        _failing("advance_kb_searches table_sizes"),
        "canceling statement due to",
        held="LOCK TABLE app.kb_searches IN ACCESS EXCLUSIVE MODE",
    ),
    "table slow": Row(
        "ALTER TABLE app.kb_searches ENABLE ROW LEVEL SECURITY;"
        "CREATE POLICY slow ON app.kb_searches USING (pg_sleep(30) IS NOT NULL)",
        "DROP POLICY slow ON app.kb_searches; ALTER TABLE app.kb_searches DISABLE ROW LEVEL SECURITY",
        _failing("advance_kb_searches"),
        "canceling statement due to statement timeout",
    ),
    "disk full for one source": Row(
        _FULL.format(condition="WHEN (NEW.fact = 'kb_searches')"),
        "DROP TRIGGER full_disk ON analytics.fresh",
        _failing("advance_kb_searches"),
        "No space left on device",
    ),
    "disk full": Row(
        _FULL.format(condition=""),
        "DROP TRIGGER full_disk ON analytics.fresh",
        _failing("advance_kb_searches advance_logins advance_documents"),
        "No space left on device",
    ),
    "connections cut": Row(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'observatory-exporter'",
        "",
        frozenset(),
        "",
    ),
}


class Lines(logging.Handler):
    """What the exporter's log says, as it is printed."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.setFormatter(KeyValueFormatter())
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record).replace('\\"', '"'))

    def taken(self) -> list[str]:
        found, self.lines = self.lines, []
        return found


@dataclass
class Bench:
    """An exporter on one database, with its scheduler and pages; `now` is everybody's clock."""

    dsn: str
    log: Lines
    now: float = NOW.timestamp()
    written: int = 1_000_000
    exporter: Exporter = field(init=False)

    def __post_init__(self) -> None:
        often = dict.fromkeys(("rollups", "business", "tables", "audit"), "1m")
        self.exporter = Exporter.of(self.dsn, exporter={"query_timeout": TIMEOUT, "max_age": "5m", "intervals": often})
        self.collectors = self.exporter.collectors
        self.scheduler = Scheduler(self.collectors, lambda: self.publication.refresh(), self.clock, self.clock, lambda: 0.5)
        self.publication = Publication(self.collectors, self.clock, about=self.scheduler.figures)
        self.pages = Pages(Access(Configured()), self.scheduler, self.publication)

    def clock(self) -> float:
        return self.now

    def run(self) -> Figures:
        """Lets time pass until all collectors are due, and runs them; what is served then."""
        self.now = 75.0 + max(standing.due for standing in self.scheduler.standings.values())
        for collector in self.collectors:
            self._run(collector)
        return self.exporter.served(self.now)

    def _run(self, collector: Collector) -> None:
        ran = self.scheduler.standings[collector.name].runs

        def has_run() -> bool:  # the collector's own thread may not have let go of it since the last run
            self.scheduler.step(collector)
            return self.scheduler.standings[collector.name].runs > ran

        wait_for(has_run)

    def write(self, *relations: str) -> None:
        """One row into each of these."""
        self.written += 1
        at = datetime.fromtimestamp(self.now, UTC)
        rows = {
            "kb_searches": ("id at duration_ms result_count", (self.written, at, 5.0, 1)),
            "documents": (
                "id file_name file_type status size_bytes created_at updated_at",
                (self.written, "n", "pdf", "done", 1, at, at),
            ),
            "login_events": ("id user_id at result", (self.written, 1, at, "success")),
        }  # fmt: skip
        with psycopg.connect(self.dsn) as connection:
            for relation in relations:
                columns, row = rows[relation]
                insert(connection, relation, columns, [row])

    def counted(self, name: str) -> Figures:
        """What plain SQL says of a counter."""
        return plain.answer(self.dsn, plain.COUNTERS[name], NOW)

    def readiness(self) -> tuple[int, dict[str, str]]:
        """The status of /readyz, and the state of each collector."""
        answer = self.pages.answer(Request("GET", "/readyz", {}))
        states = {name: collector["state"] for name, collector in json.loads(answer.body)["collectors"].items()}
        return int(answer.status), states


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedPostgres]:
    """A server of this module's own, which may be stopped."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    with thrown_away("faults") as folder:
        postgres = EmbeddedPostgres(folder / "postgres", port, folder / "password")
        yield postgres
        postgres.stop()


@pytest.fixture(scope="module")
def template(server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> str:
    """DSN of the administrator; the database `lived` has schema analytics and a past, and nobody is connected to it."""
    dsn = server.start()
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE DATABASE lived")
    lived = make_conninfo(dsn, dbname="lived")
    create_tables(lived)
    # A table with our triggers keeps its columns' types: PostgreSQL sees to that.
    install(lived, tmp_path_factory.mktemp("config"), database={"relations": {"documents": {"capture": "scan"}}})
    Life(lived, NOW).write()
    return dsn


@pytest.fixture
def bench(template: str, request: pytest.FixtureRequest) -> Iterator[Bench]:
    name = sql.Identifier(f"row_{abs(hash(request.node.name))}")
    with psycopg.connect(template, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE lived STRATEGY file_copy").format(name))
    log = Lines()
    LOG.addHandler(log)
    LOG.setLevel(logging.INFO)
    here = Bench(make_conninfo(template, dbname=name.as_string(None).strip('"')), log)
    here.scheduler.start()
    here.publication.start()
    wait_for(lambda: here.scheduler.ready)
    yield here
    here.publication.stop()
    here.scheduler.stop()
    here.exporter.close()
    LOG.removeHandler(log)


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def failing(found: Figures) -> frozenset[str]:
    """Queries without success. Of the audit, whose turn depends on the time, nothing."""
    asked = of(found, "exporter_query_success")
    return frozenset(query for (source, query), well in asked.items() if not well and source != "audit")


def fell(before: Figures, after: Figures) -> set[tuple[str, ...]]:
    """Counters that are lower than before, or gone."""
    counters = {
        key: value for key, value in before.items() if key[0].startswith("platform_") and key[0].endswith(("_total", "_count"))
    }
    return {key for key, value in counters.items() if after.get(key, 0.0) < value}


SEARCHES, LOGINS, UPLOADS = "platform_kb_searches_total", "platform_logins_total", "platform_documents_uploaded_total"


@pytest.mark.parametrize("name", TABLE)
def test_a_fault_is_seen_hides_nothing_else_and_loses_nothing(bench: Bench, name: str) -> None:
    row = TABLE[name]
    before = bench.run()
    assert failing(before) == frozenset()
    bench.write("kb_searches", "documents", "login_events")
    bench.log.taken()
    with psycopg.connect(bench.dsn, autocommit=True) as admin, psycopg.connect(bench.dsn) as holder:
        if row.breaks:
            admin.execute(row.breaks.encode())
        if row.held:
            holder.execute(row.held.encode())
        bench.write("login_events")
        bench.run()
        during = bench.run()
        said = [line for line in bench.log.taken() if "query has a problem" in line and "audit" not in line]
        assert failing(during) == row.failing
        assert fell(before, during) == set()
        for counter, step in ((SEARCHES, "advance_kb_searches"), (LOGINS, "advance_logins"), (UPLOADS, "advance_documents")):
            expected = of(before, counter) if step in row.failing else bench.counted(counter)
            assert {key: value for key, value in of(during, counter).items() if value} == expected
        assert len(said) == len(row.failing) and all(row.said in line for line in said), said
        assert bench.readiness() == (200, dict.fromkeys(bench.scheduler.standings, "up"))
        assert bench.pages.answer(Request("GET", "/healthz", {})).body == b"ok\n"
        holder.rollback()
        if row.heals:
            admin.execute(row.heals.encode())
    bench.write("kb_searches", "documents", "login_events")
    after = bench.run()
    assert failing(after) == frozenset()
    assert fell(during, after) == set()
    for counter in plain.COUNTERS:
        expected = {key: value for key, value in bench.counted(counter).items() if value}
        assert {key: value for key, value in of(after, counter).items() if value} == expected
    assert len([line for line in bench.log.taken() if "query is well again" in line]) >= len(row.failing)


PASSING = ("table gone", "column of another type", "permission withdrawn", "disk full", "connections cut")
"""Faults that nobody waits for."""


def test_faults_leave_nothing_behind_in_memory(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    def suffer(runs: int) -> None:
        with psycopg.connect(bench.dsn, autocommit=True) as admin:
            for row in map(TABLE.get, PASSING):
                assert row is not None
                admin.execute(row.breaks.encode())
                for _ in range(runs):
                    bench.run()
                if row.heals:
                    admin.execute(row.heals.encode())
                assert failing(bench.run()) == frozenset()
        bench.log.taken()
        caplog.clear()
        gc.collect()

    def held() -> tuple[int, int]:
        return len(list(Path("/proc/self/fd").iterdir())), threading.active_count()

    suffer(1)
    files, threads = held()
    suffer(1)  # what is kept once, of each kind, is there by now
    before = sys.getallocatedblocks()
    suffer(RUNS)
    stayed = (sys.getallocatedblocks() - before) / (RUNS * len(PASSING))
    assert stayed < 16, f"{stayed:.0f} objects stay of each failed run"
    wait_for(lambda: held()[0] <= files and held()[1] <= threads)


def test_a_server_that_stops_and_comes_back(bench: Bench, server: EmbeddedPostgres) -> None:
    before = bench.run()
    bench.write("kb_searches", "login_events")
    bench.log.taken()
    names = set(bench.scheduler.standings)
    server.stop()
    began = bench.now
    during = bench.run()
    assert {labels: value for labels, value in of(during, "exporter_source_up").items() if value} == {}
    assert of(during, LOGINS) == of(before, LOGINS), "the last good values are served"
    assert during["exporter_source_data_timestamp_seconds", "rollups"] == began, "with the time that they stand for"
    assert bench.readiness() == (200, dict.fromkeys(names, "down"))
    assert bench.pages.answer(Request("GET", "/healthz", {})).body == b"ok\n", "no reason to restart the exporter"
    said = [line for line in bench.log.taken() if "source is down" in line]
    assert len(said) == len(names)
    assert all("PostgreSQL" in line and "TRACE" not in line.upper() for line in said)
    while bench.now <= began + 300.0:
        late = bench.run()
    assert of(late, LOGINS) == {}, "nothing is served beyond its age"
    assert late["exporter_source_data_timestamp_seconds", "rollups"] == began
    server.start()
    bench.write("kb_searches", "login_events")
    after = bench.run()
    assert fell(before, after) == set()
    for counter in (SEARCHES, LOGINS):
        assert {key: value for key, value in of(after, counter).items() if value} == bench.counted(counter)
    assert set(of(after, "exporter_source_up").values()) == {1.0}
    assert bench.readiness() == (200, dict.fromkeys(names, "up"))
    assert len([line for line in bench.log.taken() if "source is back" in line]) == len(names)


def test_a_schema_that_is_gone_or_older_says_what_to_run(bench: Bench) -> None:
    bench.run()
    with psycopg.connect(bench.dsn, autocommit=True) as admin:
        admin.execute("ALTER SCHEMA analytics RENAME TO lost")
        found = bench.run()
        assert {name for name, state in bench.readiness()[1].items() if state == "down"} == {"rollups", "audit"}
        reason = bench.scheduler.standings["rollups"].reason
        assert reason.endswith("has no schema analytics; run `observatory db install`")
        assert of(found, "exporter_query_success")["tables", "table_sizes"] == 1
        admin.execute("ALTER SCHEMA lost RENAME TO analytics")
        admin.execute("DELETE FROM analytics.migrations WHERE number = 3")
        bench.run()
        reason = bench.scheduler.standings["rollups"].reason
        assert reason.endswith("lacks 0003_users.sql; run `observatory db upgrade`")
        admin.execute("UPDATE analytics.migrations SET number = 9999 WHERE number = 4")
        bench.run()
        assert "installed by a newer version" in bench.scheduler.standings["rollups"].reason


def test_a_table_that_took_the_place_of_another_is_not_counted(bench: Bench) -> None:
    before = bench.run()
    with psycopg.connect(bench.dsn, autocommit=True) as admin:
        admin.execute(
            "ALTER TABLE app.kb_searches RENAME TO old; CREATE TABLE app.kb_searches (LIKE app.old INCLUDING ALL);"
            "GRANT SELECT ON app.kb_searches TO observatory_advance"
        )
        bench.write("kb_searches")
        during = bench.run()
        assert failing(during) == {"advance_kb_searches"}
        assert during["platform_rollup_rebuild_needed", "kb_searches"] == 1
        assert of(during, SEARCHES) == of(before, SEARCHES)
        (said,) = [line for line in bench.log.taken() if "another table has taken the place" in line]
        assert "observatory db rebuild" in said


def test_connections_are_two_at_most_and_given_back(bench: Bench) -> None:
    bench.run()
    found = bench.run()
    ours = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'observatory-exporter'"
    )
    with psycopg.connect(bench.dsn, autocommit=True) as admin:
        assert admin.execute(ours.encode()).fetchone() == (2,)
        assert of(found, "exporter_database_connections") == {(): 2.0}
        bench.exporter.close()
        wait_for(lambda: admin.execute(ours.encode()).fetchone() == (0,))

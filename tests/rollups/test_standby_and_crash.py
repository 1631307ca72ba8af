"""A server that follows another is read and never counted into; a crash loses nothing and doubles nothing."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
import yaml
from click.testing import CliRunner
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from contract.settings import Settings
from exporters.business.from_rollups import FiguresCollector
from exporters.business.rollups import RollupsCollector
from exporters.database.migrations import migrate
from exporters.database.sessions import Session, StatementRefused
from exporters.database.sharing import SharedSession
from exporters.journal import SourceDown
from exporters.rollups import advance
from exporters.rollups.fresh import Latest
from exporters.rollups.read import Totals, totals
from provisioning.cli import main
from provisioning.database.admin import VARIABLE
from tests.business.figures import Figures, figures, of
from tests.database.database_platforms import create_contract
from tests.langfuse.ledger_world import world
from tests.rollups.clusters import Cluster, caught_up, cluster, free_port, standby
from tests.rollups.counted import SOURCE_NAMES, Counted

ENDED = "executions_ended"
SUCCESS = ("alpha", "1", "production", "success", "success", "")


@pytest.fixture(scope="module")
def primary() -> Iterator[Cluster]:
    with cluster() as running:
        yield running


def _new_database(primary: Cluster) -> str:
    name = f"test_{os.urandom(6).hex()}"
    with primary.connect() as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return make_conninfo(primary.dsn, dbname=name)


@pytest.fixture(params=["literal", "planned"])
def counted(request: pytest.FixtureRequest, primary: Cluster) -> Iterator[Counted]:
    """A platform of its own in the cluster, counted by both forms of the step."""
    dsn = _new_database(primary)
    connection = _connect(dsn)
    migrate(connection)
    found = Counted(connection, dsn, planned=request.param == "planned")
    found.install()
    yield found
    found.connection.close()


def _connect(dsn: str) -> psycopg.Connection[Any]:
    return psycopg.connect(dsn, autocommit=True, prepare_threshold=None)


def _crash(primary: Cluster, counted: Counted, stopped: int) -> None:
    primary.crash(stopped)
    counted.connection.close()
    primary.restart()
    counted.connection = _connect(counted.dsn)


class Exporter:
    """The collector that counts and publishes; it lives on while its server crashes."""

    def __init__(self, dsn: str, counted: Counted) -> None:
        self._shared = SharedSession(Session(lambda: dsn, 20.0, read_only=False), 5.0)
        self.collector = RollupsCollector(Settings(), counted.mapping, self._shared.seat(), lambda: None)
        self.forms = counted.forms
        # From the begin of a minute: what is noted once a minute waits for the disk, with the step that is to be lost.
        self.now = datetime.now(UTC).replace(second=0, microsecond=0).timestamp()

    def collect(self) -> Figures:
        self.now += 15
        self.collector.collect(self.now)
        return figures(self.collector.snapshot, self.now)

    def close(self) -> None:
        self._shared.close()


@pytest.fixture
def exporter(counted: Counted) -> Iterator[Exporter]:
    found = Exporter(counted.dsn, counted)
    yield found
    found.close()


def _ended(found: Figures) -> float:
    return sum(of(found, "platform_executions_total").values())


def test_a_step_that_a_crash_undid_is_taken_again(primary: Cluster, counted: Counted) -> None:
    for _ in range(5):
        counted.execution()
    counted.advance()
    counted.fold()
    stopped = primary.hold_back_the_log()
    for _ in range(3):
        counted.execution()
    counted.advance()
    assert counted.counters(ENDED) == {SUCCESS: 8}
    _crash(primary, counted, stopped)
    assert counted.counters(ENDED) == {SUCCESS: 5 if counted.planned else 8}, "the function's steps do not wait for the disk"
    assert counted.one("SELECT count(*) FROM app.agent_executions") == 8
    counted.advance()
    counted.fold()
    assert counted.advance() == {}
    assert counted.counters(ENDED) == counted.tier("minutes", ENDED) == counted.tier("days", ENDED) == {SUCCESS: 8}


def test_a_step_that_reached_the_disk_with_another_commit_is_not_taken_again(primary: Cluster, counted: Counted) -> None:
    stopped = primary.hold_back_the_log()
    key = counted.execution("in_progress", end_time=None, milliseconds=None)
    counted.advance()
    counted.run("UPDATE app.agent_executions SET status = 'success', end_time = start_time WHERE execution_id = %s", key)
    _crash(primary, counted, stopped)
    assert counted.stocks("executions_in_progress") == {("alpha", "production"): 1}
    counted.advance()
    assert counted.stocks("executions_in_progress") == {}
    assert counted.counters(ENDED) == {SUCCESS: 1}
    assert counted.counters("executions_started") == {("alpha", "1", "production"): 1}


def test_crash_after_crash_equals_sql_and_never_falls(primary: Cluster, counted: Counted, exporter: Exporter) -> None:
    dice, shown = random.Random(3), 0.0
    for _ in range(3):
        stopped = primary.hold_back_the_log()
        for _ in range(6):
            for _ in range(dice.randrange(4)):
                counted.execution(dice.choice(["success", "failure", "timeout"]))
            found = exporter.collect()
            assert _ended(found) >= shown
            shown = _ended(found)
        _crash(primary, counted, stopped)
        found = exporter.collect()
        assert _ended(found) >= shown
        assert of(found, "exporter_query_success")[("rollups", "totals")] == 1
        shown = _ended(found)
    assert shown == counted.one("SELECT count(*) FROM app.agent_executions")
    counted.fold()
    assert sum(counted.tier("hours", ENDED).values()) == shown


def test_what_was_published_of_a_lost_step_stays_when_the_row_is_another_since(
    primary: Cluster, counted: Counted, exporter: Exporter
) -> None:
    for source in SOURCE_NAMES:
        counted.backfill(source, 10)
    exporter.collect()  # all that waits for the disk now and then is done
    key = counted.execution()
    stopped = primary.hold_back_the_log()
    assert _ended(exporter.collect()) == 1
    _crash(primary, counted, stopped)
    counted.run("DELETE FROM app.agent_executions WHERE execution_id = %s", key)
    found = exporter.collect()
    assert _ended(found) == 1
    assert of(found, "exporter_query_success")[("rollups", "totals")] == 0
    counted.execution()
    found = exporter.collect()
    assert _ended(found) == 1
    assert of(found, "exporter_query_success")[("rollups", "totals")] == 1


def test_what_a_reader_kept_is_not_trusted_after_a_crash(primary: Cluster, counted: Counted) -> None:
    """Numbers of transactions that were lost are given again: a reader behind a pooler would not notice, and count twice."""
    kept = Totals()
    stopped = primary.hold_back_the_log()
    for _ in range(3):
        counted.execution()
    counted.advance()
    with counted.transaction() as connection:
        assert {cell.n for cell in kept.read(connection) if cell.fact == ENDED} == {3}
    _crash(primary, counted, stopped)
    for _ in range(20):
        counted.run("SELECT pg_current_xact_id()")
    counted.advance()
    with counted.transaction() as connection:
        assert kept.read(connection) == totals(connection)


@pytest.fixture
def platform(primary: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """All tables of the contract, counted, as `observatory db install` leaves them."""
    dsn = _new_database(primary)
    with _connect(dsn) as connection:
        create_contract(connection)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(VARIABLE, dsn)
    done = CliRunner().invoke(main, ["db", "install"])
    assert done.exit_code == 0, done.output
    with _connect(dsn) as connection:  # something to do for a second installation
        connection.execute("DROP VIEW analytics.users")
    return dsn


@pytest.fixture(scope="module")
def following(primary: Cluster) -> Iterator[Cluster]:
    with standby(primary) as found:
        yield found


def _same(dsn: str, following: Cluster) -> str:
    """The same database on the standby."""
    return make_conninfo(following.dsn, dbname=conninfo_to_dict(dsn)["dbname"])


def test_a_standby_is_read_as_the_primary_is(primary: Cluster, following: Cluster, counted: Counted) -> None:
    for status in ("success", "failure", "in_progress"):
        counted.execution(status)
    counted.advance()
    counted.fold()
    counted.execution()
    counted.advance()
    caught_up(primary, following)
    now = datetime.now(UTC).timestamp()
    shown = []
    for dsn in (counted.dsn, _same(counted.dsn, following)):
        with _connect(dsn) as connection, connection.transaction():
            cells = totals(connection)
        shared = SharedSession(Session(lambda dsn=dsn: dsn, 20.0), 5.0)
        collector = FiguresCollector(Settings(), counted.mapping, shared.seat(), Latest(0.0))
        collector.collect(now)
        found = figures(collector.snapshot, now)
        assert {labels for labels, value in of(found, "exporter_query_success").items() if not value} == set()
        shown.append((cells, {key: value for key, value in found.items() if key[0].startswith("platform_")}))
        shared.close()
    assert shown[0] == shown[1]
    assert {cell.labels[3] for cell in shown[1][0] if cell.fact == ENDED} == {"success", "error"}


def test_nothing_is_counted_on_a_standby_and_one_line_says_why(
    primary: Cluster, following: Cluster, counted: Counted, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    counted.execution()
    caught_up(primary, following)
    there = _same(counted.dsn, following)
    exporter = Exporter(there, counted)
    for _ in range(2):
        with pytest.raises(SourceDown, match=r"is a standby, where nothing can be counted; let .* lead to the primary"):
            exporter.collect()
    exporter.close()
    writing = Session(lambda: there, 20.0, read_only=False)
    writing.open()
    refused = pytest.raises(StatementRefused, match=r"the server is a standby.*lead to the primary")
    with refused, writing.transaction() as connection:
        advance.advance(connection, counted.forms["executions"])
    writing.close()


@pytest.mark.parametrize("words", [("install",), ("rebuild", "executions"), ("uninstall", "--yes")])
def test_commands_that_write_refuse_a_standby(
    words: tuple[str, ...], primary: Cluster, following: Cluster, platform: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    caught_up(primary, following)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(VARIABLE, _same(platform, following))
    done = CliRunner().invoke(main, ["db", *words])
    assert done.exit_code == 2, done.output
    assert "the server is a standby" in done.output
    assert "Traceback" not in done.output


def test_a_ledger_on_a_standby_says_so(primary: Cluster, following: Cluster, counted: Counted) -> None:
    caught_up(primary, following)
    shared = SharedSession(Session(lambda: _same(counted.dsn, following), 20.0, read_only=False), 5.0)
    with world(shared) as here:
        ledger = here.exporter()
        with pytest.raises(SourceDown, match="standby") as said:
            ledger.collect(here.now[0].timestamp())
        assert "\n" not in str(said.value)
    shared.close()


def test_the_program_against_a_standby(primary: Cluster, following: Cluster, counted: Counted, tmp_path: Path) -> None:
    """It reads what there is, and says in its log, once a change, what is wrong with the connection that writes."""
    counted.execution()
    counted.advance()
    caught_up(primary, following)
    there, address = _same(counted.dsn, following), f"127.0.0.1:{free_port()}"
    config = tmp_path / "observatory.yaml"
    absent = {name: {"absent": True} for name, mapped in _absent(counted) if mapped}
    config.write_text(yaml.safe_dump({"exporter": {"listen": address}, "database": {"relations": absent}}))
    environment = {**os.environ, "OBSERVATORY_POSTGRES_DSN": there, "OBSERVATORY_POSTGRES_ADVANCE_DSN": there}
    log = tmp_path / "log"
    with log.open("wb") as said:
        process = subprocess.Popen(
            [Path(sys.executable).with_name("observatory"), "exporter", "--config", config],
            env=environment, cwd=tmp_path, stderr=said,
        )  # fmt: skip
    try:
        _until(lambda: "standby" in log.read_text() and "platform_window" in _page(address), process)
    finally:
        process.terminate()
        assert process.wait(20) == 0
    lines = [line for line in log.read_text().splitlines() if "standby" in line]
    assert len([line for line in lines if "rollups" in line]) == 1
    assert "lead to the primary" in lines[0]
    assert "Traceback" not in log.read_text()


def _absent(counted: Counted) -> list[tuple[str, bool]]:
    from contract.relations import RELATIONS

    return [(name, counted.mapping.is_absent(name)) for name in RELATIONS if RELATIONS[name].optional]


def _page(address: str) -> str:
    try:
        return requests.get(f"http://{address}/metrics", timeout=60).text
    except requests.ConnectionError:
        return ""


def _until(condition: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, "the exporter has ended"
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.05)

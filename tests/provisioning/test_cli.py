"""The command as a person meets it: help, exit codes, and texts in place of tracebacks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from contract.settings import Settings
from provisioning import cli, preview
from provisioning.findings import InputError
from tests.provisioning.conftest import Scraped, free_port

ROOT = Path(__file__).resolve().parents[2]


def observatory(*words: str, **environment: str) -> Result:
    return CliRunner().invoke(cli.main, words, env=environment or None)


def process(*words: str) -> tuple[int, str, str]:
    """The command as a program of its own: its exit code, and what it says."""
    command = [sys.executable, "-m", "provisioning.cli", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert "Traceback" not in done.stdout + done.stderr
    return done.returncode, done.stdout, done.stderr


def ended(*words: str) -> tuple[int, str, str]:
    """The same of the command in this process, which needs no second to start."""
    done = observatory(*words)
    return done.exit_code, done.stdout, done.stderr


@pytest.fixture
def site(tmp_path: Path) -> Path:
    file = tmp_path / "site.yaml"
    file.write_text("thresholds: {success_ratio: 0.8}\n")
    return file


@pytest.mark.parametrize("command", ["build", "check", "doctor", "exporter", "preview"])
def test_help_teaches_by_example(command: str) -> None:
    done = observatory(command, "--help")
    assert done.exit_code == 0 and f"observatory {command}" in done.output.split("Usage:")[1].split("\n", 1)[1]


def test_every_command_is_listed() -> None:
    text = observatory("--help").output
    for command in ("build", "check", "doctor", "up", "down", "demo", "exporter", "preview"):
        assert f"\n  {command} " in text
    assert "Exit codes" in text


def test_build(site: Path, tmp_path: Path) -> None:
    done = observatory("build", "--config", str(site), "--out", str(tmp_path / "out"), "--format", "json")
    assert done.exit_code == 0
    told = json.loads(done.output)
    assert all((tmp_path / "out" / name).is_file() for name in told["files"]) and len(told["files"]) > 20
    assert "< 0.8" in (tmp_path / "out" / "prometheus" / "rules" / "conversation_alerts.yml").read_text()


@pytest.mark.parametrize("command", ["build", "check", "doctor", "exporter", "preview"])
def test_a_wrong_configuration_ends_every_command_with_2(command: str, tmp_path: Path) -> None:
    file = tmp_path / "site.yaml"
    file.write_text("thresholds:\n  succes_ratio: 0.8\n  error_ratio: many\n")
    run = process if command == "exporter" else ended  # it becomes another program before it reads anything
    code, out, said = run(command, "--config", str(file))
    assert (code, out) == (2, "")
    assert f"{file}:2:3: thresholds.succes_ratio: unknown key" in said
    assert f"{file}:3:3: thresholds.error_ratio" in said and "did you mean success_ratio?" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("build", "--config", "/no/such/file.yaml"), "there is no such file"),
        (("build", "--config", "/tmp"), "this is a folder"),
        (("build", "--out", "/proc/observatory"), "error: cannot write to /proc/observatory"),
        (("build", "--out", "/no/such/folder/build"), "there is no folder /no/such/folder;"),
        (("build", "--out", ""), "name a folder, for example --out build"),
        (("build", "--out", "/dev/null"), "/dev/null is a file"),
        (("build", "--format", "xml"), "'xml' is not one of"),
        (("doctor", "--tab", "overvew"), "did you mean overview?"),
        (("biuld",), "No such command 'biuld'"),
        (("build", "surplus"), "unexpected extra argument"),
    ],
)
def test_wrong_input(words: tuple[str, ...], said: str) -> None:
    code, _, told = ended(*words)
    assert code == 2 and said in told


def test_wrong_input_in_a_word_that_is_no_text() -> None:
    code, out, said = process("build", "--out", "/tmp/\udcff/build")
    assert (code, out) == (2, "") and "there is no folder /tmp/?" in said


def test_the_environment_names_the_configuration(site: Path, tmp_path: Path) -> None:
    site.write_text("nothing: 1\n")
    done = observatory("build", "--out", str(tmp_path / "out"), OBSERVATORY_CONFIG=str(site))
    assert done.exit_code == 2 and "unknown key nothing" in done.output


def test_check_ends_with_1_when_something_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    from provisioning.check import command
    from provisioning.check.report import Report
    from provisioning.findings import error

    report = Report((error("panel", "wrong", "right"),), {"files": 1})
    monkeypatch.setattr(command, "run", lambda settings, choices, since: report)
    done = observatory("check")
    assert done.exit_code == 1 and "error: panel: wrong\n    right" in done.output
    done = observatory("check", "--format", "json")
    assert done.exit_code == 1 and json.loads(done.output)["findings"][0]["remedy"] == "right"


# ---- doctor


def sources(tmp_path: Path, prometheus: str) -> str:
    file = tmp_path / "site.yaml"
    file.write_text(f"sources: {{prometheus: {{url: '{prometheus}'}}, alertmanager: {{url: '{prometheus}'}}}}\n")
    return str(file)


def doctor(config: str, *words: str, **environment: str) -> Result:
    """Sources are looked at before what is asked of them, so that one tab is enough."""
    return observatory("doctor", "--config", config, "--tab", "overview", *words, **environment)


def test_doctor_says_what_cannot_be_reached_and_ends_with_3(tmp_path: Path) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    done = doctor(sources(tmp_path, nowhere), OBSERVATORY_POSTGRES_DSN="postgresql://x@127.0.0.1:1/x")
    assert done.exit_code == 3
    assert "Prometheus cannot be reached" in done.stdout and "Connection refused" in done.stdout


def test_doctor_with_a_wrong_password_and_another_server(scraped: Scraped, guarded: str, tmp_path: Path) -> None:
    dsn = f"{guarded} password=topsecret"
    done = doctor(sources(tmp_path, scraped.url), "--format", "json", OBSERVATORY_POSTGRES_DSN=dsn)
    assert done.exit_code == 3 and "topsecret" not in done.output
    told = {source["name"]: source for source in json.loads(done.stdout)["sources"]}
    assert told["Prometheus"]["reachable"] is True
    assert told["PostgreSQL"]["message"] == 'PostgreSQL: password authentication failed for user "guarded"'
    assert told["Alertmanager"]["message"] == "Alertmanager answers 404, but not as expected"


@pytest.mark.parametrize(("dsn", "said"), [("=", "cannot be read"), ("postgresql://h:port/x", "PostgreSQL")])
def test_doctor_with_a_connection_string_that_is_none(tmp_path: Path, dsn: str, said: str) -> None:
    nowhere = sources(tmp_path, f"http://127.0.0.1:{free_port()}")
    done = doctor(nowhere, OBSERVATORY_POSTGRES_DSN=dsn)
    assert done.exit_code in (2, 3) and said in done.output


def test_doctor_takes_the_configuration_of_the_running_stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    running = tmp_path / "var" / "observatory.yaml"
    running.parent.mkdir()
    running.write_text(f"sources: {{prometheus: {{url: 'http://127.0.0.1:{free_port()}'}}}}\n")
    monkeypatch.setattr(cli, "ROOT", tmp_path)
    monkeypatch.setattr(cli, "RUNNING_CONFIG", running)
    monkeypatch.delenv("OBSERVATORY_CONFIG", raising=False)
    done = observatory("doctor", "--tab", "overview", OBSERVATORY_POSTGRES_DSN="postgresql://x@127.0.0.1:1/x")
    assert done.output.startswith("configuration: var/observatory.yaml (of the running local stack)")
    assert done.exit_code == 3


@pytest.mark.parametrize("key", ["dsn_file", "password_file"])
def test_a_secret_file_that_is_missing(tmp_path: Path, key: str) -> None:
    file = tmp_path / "site.yaml"
    file.write_text(f"sources: {{postgres: {{{key}: secrets/lost}}}}\n")
    done = observatory("doctor", "--config", str(file))
    assert done.exit_code == 2
    assert str(tmp_path / "secrets" / "lost") in done.stderr and f"sources.postgres.{key}" in done.stderr


# ---- commands that become other programs


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("up", "--no-preview", "--help"), ["up", "--no-preview", "--help"]),
        (("down",), ["down"]),
        (("demo", "incident", "errors", "--for", "5m"), ["incident", "errors", "--for", "5m"]),
    ],
)
def test_the_demonstration_is_a_program_of_its_own(
    monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], expected: list[str]
) -> None:
    called: list[Any] = []
    monkeypatch.setattr(os, "execve", lambda *arguments: called.extend(arguments))
    assert observatory(*words).exit_code == 0
    program, command, environment = called
    assert program == sys.executable and command == [sys.executable, "-P", "-m", "demo", *expected]
    assert environment["PYTHONPATH"].split(os.pathsep)[0] == str(ROOT)


def test_the_preview_gets_its_password_where_nobody_sees_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "OBSERVATORY_POSTGRES_DSN", "host=db port=5433 user=reader password='to/p' dbname=platform sslmode=require"
    )
    command, environment = preview.invocation(Settings(), Path("boards"), None, ["--theme", "light"])
    assert environment["PGPASSWORD"] == "to/p" and not any("to/p" in word for word in command)
    assert command[1:] == [
        "serve", "--port", "3300", "--dashboards", "boards", "--prometheus", "prometheus=http://127.0.0.1:9090",
        "--postgres", "postgres=postgresql://reader@db:5433/platform?sslmode=require",
        "--alertmanager", "http://127.0.0.1:9093", "--scrape-interval", "15s", "--theme", "light",
    ]  # fmt: skip
    command, _ = preview.invocation(Settings(), Path("boards"), Path("pictures"), [])
    assert command[1:4] == ["pictures", "--out", "pictures"]


def test_addresses_of_sockets_keep_their_folder() -> None:
    address, password = preview.without_password("host=/run/pg user=u dbname=d password=p sslpassword=q")
    assert (address, password) == ("postgresql://u@localhost:5432/d?host=%2Frun%2Fpg", "p")


def test_there_is_no_preview(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(preview, "SCRIPT", tmp_path / "preview")
    with pytest.raises(InputError, match="there is no preview"):
        preview.start(Settings(), None, [])


# ---- interruptions


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_is_130_and_says_nothing(monkeypatch: pytest.MonkeyPatch, number: signal.Signals) -> None:
    """What a command has started, and keeps for a while, goes with it: a browser, a Prometheus, a folder with figures."""
    from provisioning import build

    tidied = []

    def interrupted(settings: Settings) -> dict[str, bytes]:
        try:
            signal.raise_signal(number)
        finally:
            tidied.append(number)
        return {}

    monkeypatch.setattr(build, "artefacts", interrupted)
    before = signal.getsignal(signal.SIGTERM)
    done = observatory("build")
    assert done.exit_code == 130 and done.output == "" and tidied
    assert signal.getsignal(signal.SIGTERM) is before


def test_an_interrupt_of_what_stands_in_a_module_of_its_own_is_130(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from provisioning.report import document

    monkeypatch.setattr(document, "make", lambda *_, **__: signal.raise_signal(signal.SIGTERM))
    done = observatory("report", "--tab", "overview", "--out", str(tmp_path / "out.html"))
    assert done.exit_code == 130 and done.output.strip() == ""


def _nobody(_prompt: str) -> str:
    raise EOFError


@pytest.mark.parametrize(
    ("answered", "code", "said"),
    [(lambda _: signal.raise_signal(signal.SIGINT), 130, ""), (_nobody, 2, "nobody is there to be asked: say --yes")],
    ids=["interrupted", "no terminal"],
)
def test_a_question_that_nobody_answers(monkeypatch: pytest.MonkeyPatch, answered: Any, code: int, said: str) -> None:
    from provisioning import build

    def asked(settings: Settings) -> dict[str, bytes]:
        with monkeypatch.context() as patch:
            patch.setattr(click.termui, "visible_prompt_func", answered)
            click.confirm("Do it?")
        return {}

    monkeypatch.setattr(build, "artefacts", asked)
    done = observatory("build")
    assert done.exit_code == code and said in done.output and "Aborted" not in done.output


@pytest.mark.parametrize("command", ["build", "doctor", "rules", "report", "db", "exporter backfill"])
def test_the_short_word_for_help(command: str) -> None:
    done = observatory(*command.split(), "-h")
    assert done.exit_code == 0 and done.output.startswith("Usage:")


def test_a_word_that_is_no_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a shell in Latin-1 passes it on, up to where a database or a file wants it in UTF-8."""
    monkeypatch.setattr(cli, "_settings", lambda path: path.name.encode())
    done = observatory("build", "--config", "\udcff")
    assert done.exit_code == 2 and done.output == "error: a word of the command is no valid text; write it in UTF-8\n"


def test_a_reader_that_has_seen_enough(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "provisioning.cli", "build", "--out", str(tmp_path / "out"), "--format", "json"]
    done = subprocess.run(command, cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")

"""What is named as the file of a secret, and is none: refused at once and in words, whatever it is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from contract.settings import Settings
from exporters.credentials import CredentialError, Credentials, NoSecretFile, secret_in
from exporters.process import WRONG_INPUT, run
from provisioning import config


@pytest.fixture(params=["pipe", "folder"])
def no_file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Something that is no file. Nobody writes into the pipe, so whoever opens it to read would wait for ever."""
    path = tmp_path / str(request.param)
    os.mkfifo(path) if request.param == "pipe" else path.mkdir()
    return path


def test_what_is_no_file_is_said_instead_of_waited_for(no_file: Path) -> None:
    why = "is no regular file" if no_file.name == "pipe" else "Is a directory"
    with pytest.raises(NoSecretFile, match=why):
        secret_in(no_file)


def test_a_file_of_somebody_elses_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(path: str, _flags: int) -> int:  # whoever runs the tests may be allowed to read everything
        raise PermissionError(13, "Permission denied", path)

    (tmp_path / "dsn").write_text("postgresql://somewhere")
    monkeypatch.setattr("exporters.credentials.os.open", closed)
    with pytest.raises(NoSecretFile, match="dsn: Permission denied"):
        secret_in(tmp_path / "dsn")


@pytest.mark.parametrize(
    "place",
    [
        "sources.postgres.dsn_file",
        "sources.postgres.advance_dsn_file",
        "database.user_key_file",
        "sources.langfuse.public_key_file",
        "exporter.bearer_token_file",
    ],
)
def test_the_exporter_does_not_begin_with_it(
    place: str, no_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    *sections, key = place.split(".")
    (tmp_path / "site.yaml").write_text(": {".join(sections) + f": {{{key}: {no_file.name}" + "}" * len(sections) + "\n")
    assert run(lambda: config.load(tmp_path / "site.yaml"), environ={}) == WRONG_INPUT
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert place in line and str(no_file) in line


def test_a_secret_in_the_environment_needs_no_file(no_file: Path, tmp_path: Path) -> None:
    settings = Settings.model_validate({"sources": {"postgres": {"dsn_file": no_file.name}}})
    with pytest.raises(NoSecretFile):
        Credentials(settings, tmp_path, {}).check_files()
    Credentials(settings, tmp_path, {"OBSERVATORY_POSTGRES_DSN": "postgresql://somewhere"}).check_files()


def test_a_file_that_is_not_there_yet_may_still_come(tmp_path: Path) -> None:
    credentials = Credentials(Settings.model_validate({"sources": {"postgres": {"dsn_file": "dsn"}}}), tmp_path, {})
    credentials.check_files()
    with pytest.raises(CredentialError, match="No such file"):
        credentials.postgres_dsn()
    (tmp_path / "dsn").write_text("postgresql://somewhere")
    assert credentials.postgres_dsn() == "postgresql://somewhere"

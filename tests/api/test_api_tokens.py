"""Tokens are shown once, kept as digests, and taken back; what is wrong with their file is said without them."""

from __future__ import annotations

import errno
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

import api.tokens
from api.catalogue.endpoints import Role
from api.tokens import Caller, Token, Tokens, TokensRefused, changed, made, read, write
from exporters.database.user_keys import pseudonym
from provisioning.cli import main

KEY = "k" * 32


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "observatory.yaml").write_text(yaml.safe_dump({"api": {"tokens_file": "tokens"}}))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OBSERVATORY_USER_KEY", KEY)
    return tmp_path


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["api", "token", *words])


def test_a_token_is_made_shown_once_and_taken_back(site: Path) -> None:
    shown = run("create", "reporting", "--role", "business").stdout.strip()
    file = site / "tokens"
    assert shown.startswith("obs_") and shown not in file.read_text() and file.stat().st_mode & 0o077 == 0
    tokens = Tokens(file)
    assert tokens.caller(shown) == Caller("reporting", Role.BUSINESS) and tokens.caller(shown[:-1]) is None
    assert run("list").stdout == "reporting  business\n"
    assert run("create", "reporting", "--role", "admin").exit_code == 2
    assert run("remove", "reporting").exit_code == 0
    tokens.refresh()
    assert tokens.caller(shown) is None
    assert run("remove", "reporting").exit_code == 2


def test_a_person_is_known_by_the_key_that_dashboards_show(site: Path) -> None:
    shown = run("create", "anna", "--role", "self", "--user-id", "4711").stdout.strip()
    assert Tokens(site / "tokens").caller(shown) == Caller("anna", Role.SELF, pseudonym(KEY.encode(), "4711"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("create", "Anna", "--role", "admin"), "small letters"),
        (("create", "anna", "--role", "self"), "a user key belongs to the role self"),
        (("create", "anna", "--role", "admin", "--user-key", "0" * 16), "a user key belongs to the role self"),
        (("create", "anna", "--role", "self", "--user-key", "anna"), "16 digits"),
        (("create", "anna", "--role", "self", "--user-key", "0" * 16, "--user-id", "1"), "give one of them"),
    ],
)
def test_a_token_that_makes_no_sense_is_refused(site: Path, words: tuple[str, ...], said: str) -> None:
    done = run(*words)
    assert done.exit_code == 2 and said in done.output and not (site / "tokens").exists()


def test_a_file_that_breaks_keeps_those_in_who_were_known(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    shown, token = made(Caller("a", Role.ADMIN))
    write(file, [token])
    tokens = Tokens(file)
    file.write_text(f"{shown} admin\n")  # a token where its line should be
    tokens.refresh()
    assert tokens.caller(shown) and tokens.problem and shown not in tokens.problem
    write(file, [])
    tokens.refresh()
    assert tokens.caller(shown) is None and not tokens.problem


def test_a_broken_file_is_said_once_without_the_token_in_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "tokens"
    tokens = Tokens(file)
    shown, token = made(Caller("a", Role.ADMIN))
    file.write_text(token.line.replace("a ", f"{shown} ", 1))
    tokens.refresh()
    tokens.refresh()
    (said,) = caplog.messages
    assert "where its name should be" in said and shown not in said


def test_a_file_that_is_replaced_while_it_is_read_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "tokens"
    shown, token = made(Caller("a", Role.ADMIN))
    write(file, [token])

    def overtaken(path: Path) -> tuple[Token, ...]:
        found = read(path)
        write(path, [])
        return found

    with monkeypatch.context() as now:
        now.setattr(api.tokens, "read", overtaken)
        tokens = Tokens(file)
    assert tokens.caller(shown)
    tokens.refresh()
    assert tokens.caller(shown) is None


def test_changes_come_one_after_the_other(tmp_path: Path) -> None:
    names = [f"t{number}" for number in range(40)]

    def create(name: str) -> None:
        with changed(tmp_path / "tokens") as known:
            known.append(made(Caller(name, Role.BUSINESS))[1])

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(create, names))
    assert sorted(one.caller.name for one in read(tmp_path / "tokens")) == sorted(names)
    assert [path.name for path in tmp_path.iterdir()] == ["tokens"]


def test_who_may_read_the_file_may_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or a service with a login of its own would not read that somebody is in it no more."""
    file, given = tmp_path / "tokens", []
    write(file, [])
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.chmod(0o640)
    monkeypatch.setattr(api.tokens.os, "geteuid", lambda: file.stat().st_uid + 1)  # another one than whose it is
    monkeypatch.setattr(api.tokens.os, "chown", lambda path, owner, group: given.append((path.name, owner, group)))
    write(file, [made(Caller("a", Role.ADMIN))[1]])
    assert stat.S_IMODE(file.stat().st_mode) == 0o640 and len(read(file)) == 1
    assert given == [(".tokens.new", file.stat().st_uid, file.stat().st_gid)]


def test_a_link_stays_one_and_what_is_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "tokens")
    write(tmp_path / "link", [made(Caller("a", Role.ADMIN))[1]])
    assert (tmp_path / "link").is_symlink() and len(read(tmp_path / "tokens")) == 1
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(TokensRefused, match="pipe cannot be written: it is no file"):
        write(tmp_path / "pipe", [])


def test_on_a_full_disk_the_file_stays_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "tokens", [made(Caller("a", Role.ADMIN))[1]])

    def full(path: Path, *_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(TokensRefused, match="tokens cannot be written: No space left"):
        write(tmp_path / "tokens", [])
    assert len(read(tmp_path / "tokens")) == 1 and [path.name for path in tmp_path.iterdir()] == ["tokens"]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path, site: Path) -> None:
    (site / "observatory.yaml").write_text(yaml.safe_dump({"api": {"tokens_file": "nowhere/tokens"}}))
    done = run("create", "a", "--role", "admin")
    assert done.exit_code == 2 and "nowhere/tokens cannot be opened: No such file" in done.output


def test_names_and_digests_are_one_token_s(tmp_path: Path) -> None:
    _, token = made(Caller("a", Role.ADMIN))
    write(tmp_path / "tokens", [token, token])
    with pytest.raises(TokensRefused, match="two tokens have the name a"):
        read(tmp_path / "tokens")

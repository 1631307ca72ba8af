"""Who may read the pages, and what is said when a file for that cannot be used."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from serving import CERTIFICATES

from contract.data_plane import Exporter, Tls
from contract.settings import Settings
from exporters.access import Access, tls_context
from exporters.credentials import CredentialError, Credentials, LangfuseAccess


def access(folder: Path, password: str = "correct horse", token: str = "t0ken") -> Access:
    (folder / "password").write_text(f"{password}\n")
    (folder / "token").write_text(f"{token}\n")
    basic = {"username": "prometheus", "password_file": "password"}
    return Access(Exporter.model_validate({"basic_auth": basic, "bearer_token_file": "token"}), folder)


def basic(login: str) -> str:
    return "Basic " + base64.b64encode(login.encode()).decode()


@pytest.mark.parametrize(
    ("shown", "allowed"),
    [
        (basic("prometheus:correct horse"), True),
        (basic("prometheus:correct horse").replace("Basic", "basic"), True),
        ("Bearer t0ken", True),
        ("bearer  t0ken ", True),
        ("", False),
        ("Basic", False),
        ("Bearer", False),
        ("Basic !!!", False),
        ("Bearer ümlaut", False),
        (basic("prometheus:correct hors"), False),
        (basic("prometheus:"), False),
        (basic("Prometheus:correct horse"), False),
        (basic("t0ken"), False),
        ("Bearer correct horse", False),
        ("Digest t0ken", False),
        ("t0ken", False),
    ],
)
def test_only_the_password_or_the_token_opens(tmp_path: Path, shown: str, allowed: bool) -> None:
    assert access(tmp_path).allows(shown) is allowed


def test_a_password_may_hold_any_sign(tmp_path: Path) -> None:
    assert access(tmp_path, "pä:ss:").allows(basic("prometheus:pä:ss:"))


def test_without_any_everybody_may_read_and_nobody_is_challenged(tmp_path: Path) -> None:
    everybody = Access(Exporter(), tmp_path)
    assert everybody.open
    assert everybody.allows("")
    assert everybody.challenges == ()
    assert [value for _, value in access(tmp_path).challenges] == ['Basic realm="observatory"', 'Bearer realm="observatory"']


def test_a_secret_that_cannot_be_read_is_named_with_its_place(tmp_path: Path) -> None:
    wanted = Exporter.model_validate({"bearer_token_file": "token"})
    with pytest.raises(CredentialError, match=r"^exporter\.bearer_token_file: .*/token: No such file or directory$"):
        Access(wanted, tmp_path)
    (tmp_path / "token").write_text(" \n")
    with pytest.raises(CredentialError, match=r"^exporter\.bearer_token_file: .*/token is empty$"):
        Access(wanted, tmp_path)
    (tmp_path / "token").write_bytes(b"\xff\xfe")
    with pytest.raises(CredentialError, match=r"^exporter\.bearer_token_file: .*/token: not UTF-8 text$"):
        Access(wanted, tmp_path)
    (tmp_path / "token").write_bytes(b"x" * 1_000_001)
    with pytest.raises(CredentialError, match=r"^exporter\.bearer_token_file: .*/token holds more than 1000000 bytes"):
        Access(wanted, tmp_path)
    with pytest.raises(CredentialError, match=r"^exporter\.bearer_token_file: /dev/zero is no regular file"):
        Access(Exporter.model_validate({"bearer_token_file": "/dev/zero"}), tmp_path)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"certificate_file": "lost.pem"}, r"^exporter\.tls\.certificate_file: .*/lost\.pem: No such file or directory$"),
        (
            {"certificate_file": "first.key"},
            r"^exporter\.tls: .*/first\.key and .*/first\.key are no certificate and its key: ",
        ),
        ({"key_file": "second.key"}, r"^exporter\.tls: .*/first\.pem and .*/second\.key .*: key values mismatch$"),
        ({"key_file": "locked.key"}, r"^exporter\.tls\.key_file: the key is encrypted; "),
        ({"client_ca_file": "first.key"}, r"^exporter\.tls\.client_ca_file: .*/first\.key holds no certificate: "),
    ],
)
def test_files_that_make_no_certificate_are_said_in_one_line(files: dict[str, str], said: str) -> None:
    names = {"certificate_file": "first.pem", "key_file": "first.key", **files}
    with pytest.raises(CredentialError, match=said) as caught:
        tls_context(Tls.model_validate(names), CERTIFICATES)
    assert "\n" not in str(caught.value)


def test_secrets_of_the_sources_come_from_the_environment_first_and_are_read_each_time(tmp_path: Path) -> None:
    postgres = {"dsn_file": "dsn", "advance_dsn_file": "advance"}
    settings = Settings.model_validate({"sources": {"postgres": postgres}, "database": {"user_key_file": "key"}})
    credentials = Credentials(settings, tmp_path, {})
    for name in ("dsn", "advance", "key"):
        (tmp_path / name).write_text(f"{name} one\n")
    assert (credentials.postgres_dsn(), credentials.advance_dsn(), credentials.user_key()) == (
        "dsn one",
        "advance one",
        "key one",
    )
    (tmp_path / "advance").write_text("advance two\n")
    assert credentials.advance_dsn() == "advance two"
    (tmp_path / "advance").unlink()
    with pytest.raises(
        CredentialError,
        match=r"^no connection string for schema analytics: .*/advance: No such file or directory; "
        r"set OBSERVATORY_POSTGRES_ADVANCE_DSN, or correct sources\.postgres\.advance_dsn_file$",
    ):
        credentials.advance_dsn()
    environ = {"OBSERVATORY_POSTGRES_DSN": " d ", "OBSERVATORY_POSTGRES_ADVANCE_DSN": "a", "OBSERVATORY_USER_KEY": "k"}
    told = Credentials(settings, tmp_path, environ)
    assert (told.postgres_dsn(), told.advance_dsn(), told.user_key()) == ("d", "a", "k")


def test_what_need_not_be_there_is_none_and_what_must_be_says_how(tmp_path: Path) -> None:
    nothing = Credentials(Settings(), tmp_path, {})
    assert nothing.advance_dsn() is None
    assert nothing.user_key() is None
    with pytest.raises(
        CredentialError,
        match=r"^no connection string of PostgreSQL: set OBSERVATORY_POSTGRES_DSN, or sources\.postgres\.dsn_file in the ",
    ):
        nothing.postgres_dsn()
    keys = {"LANGFUSE_PUBLIC_KEY": "pk", "LANGFUSE_SECRET_KEY": "sk-never-shown", "LANGFUSE_BASE_URL": "http://there/"}
    assert Credentials(Settings(), tmp_path, keys).langfuse() == LangfuseAccess("http://there", "pk", "sk-never-shown")
    assert "sk-never-shown" not in repr(Credentials(Settings(), tmp_path, keys))

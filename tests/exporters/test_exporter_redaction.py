"""Passwords and keys are not shown, whole or in parts, whatever a library or a server repeats."""

from __future__ import annotations

import pytest

from exporters.redaction import hidden, password_hint, without_secrets


@pytest.mark.parametrize(
    ("dsn", "text", "shown"),
    [
        (
            "postgresql://u:p@wSECRET@127.0.0.1/x",
            "no host 'wSECRET@127.0.0.1', port 'p'",
            "no host '***@127.0.0.1', port '***'",
        ),
        ("postgresql://u:p@wSECRET@127.0.0.1/x", "postgresql://u:p@wSECRET@127.0.0.1/x", "postgresql://u:***@127.0.0.1/x"),
        ("postgresql://u:a@SECRET/b@host/x", 'host "SECRET", database "b"', 'host "***", database "***"'),
        ("postgresql://u:SEC%40RET@host/x", "SEC%40RET is SEC@RET", "*** is ***"),
        ("postgresql://u@host/x?password=SECRET", "?password=SECRET", "?password=***"),
        ("host=h password='SEC RET' user=u", "with SEC RET at h", "with *** at h"),
        ("host=h passwort=x password=SECRET", "SECRET", "***"),
        (
            "http://me:SECRET@host:3100",
            "no connection to http://me:SECRET@host:3100",
            "no connection to http://me:***@host:3100",
        ),
        ("postgresql://u@host:5432/x", "host, port 5432, user u", "host, port 5432, user u"),
        ("postgresql://u:up@host/x", "upstream: up", "upstream: ***"),
    ],
)
def test_no_part_of_a_password_is_left(dsn: str, text: str, shown: str) -> None:
    assert without_secrets(text, dsn) == shown


def test_the_hint_comes_only_where_an_at_sign_is_the_cause() -> None:
    assert "%40" in password_hint("postgresql://u:p@w@host/x")
    assert [password_hint(dsn) for dsn in ("postgresql://u:p%40w@host/x", "postgresql://u@host/x", "password=a@b")] == [""] * 3


def test_keys_are_found_in_every_form() -> None:
    assert hidden("a/b+c= or a%2Fb%2Bc%3D, twice a/b+c=", ["a/b+c=", ""]) == "*** or ***, twice ***"

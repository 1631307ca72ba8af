"""Takes secrets out of texts that people will read: logs, reasons, pages.

A server may repeat what it was sent, and a library what it was given, whole or in parts. So every text that was made elsewhere
goes through here before it is shown, and before it is cut: half a secret would not be recognised any more.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote, unquote

import psycopg
from psycopg.conninfo import conninfo_to_dict

MASK = "***"

_CERTAIN_LENGTH = 4
"""Shorter secrets are masked only where they stand alone, or they would take letters out of every word."""

_DELIMITERS = re.compile(r"[@:/?#&=,\[\]\s]+")
"""Where a connection string is taken apart, and so a password with one of these signs in it."""

_PASSWORD = re.compile(r"(?i)(?:ssl)?password\s*=\s*(?:'((?:\\.|[^'\\])*)'|([^\s&]+))")


def hidden(text: str, secrets: Iterable[str]) -> str:
    """`text` with every secret masked, as it is, quoted for an address, or escaped for JSON."""
    known = {form for secret in secrets if secret for form in (secret, quote(secret, safe=""), secret.replace('"', '\\"'))}
    for form in sorted(known, key=lambda form: (-len(form), form)):
        exact = re.escape(form)
        text = re.sub(exact if len(form) >= _CERTAIN_LENGTH else rf"(?<!\w){exact}(?!\w)", MASK, text)
    return text


def without_secrets(text: str, dsn: str) -> str:
    """`text` without any part of the password in `dsn`: a connection string of PostgreSQL, in either form, or an address.

    In `scheme://user:password@host` the password goes from the first `:` of the login to the last `@`, so one with an
    unescaped `@` is masked whole although others read its end as the host.
    """
    return hidden(text, _secrets(dsn))


def password_hint(dsn: str) -> str:
    """How to write the password of `dsn`, to be put behind an error, or "" when an unescaped `@` is not the cause."""
    return "; write @ in a password as %40" if "@" in _login_password(dsn) else ""


def _login_password(dsn: str) -> str:
    """What stands in an address for the password, as a person reads it; "" without one."""
    login = dsn.partition("://")[2].rpartition("@")[0]
    return login.partition(":")[2]


def _secrets(dsn: str) -> set[str]:
    password = _login_password(dsn)
    found = {password, *_DELIMITERS.split(password)}
    found.update(first or second for first, second in _PASSWORD.findall(dsn))
    if not dsn.startswith("http"):
        try:
            parameters = conninfo_to_dict(dsn)
        except psycopg.ProgrammingError:
            parameters = {}
        found.update(str(parameters.get(key) or "") for key in ("password", "sslpassword"))
    return found | {unquote(secret) for secret in found}

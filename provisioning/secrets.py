"""Secrets as the commands need them: read from the environment or from files at that moment, never kept in the settings."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from contract.settings import Postgres, Settings
from contract.values import checked_url
from exporters import credentials
from provisioning.findings import Finding, InputError, warning

PANEL_PASSWORD_VARIABLE = "OBSERVATORY_GRAFANA_POSTGRES_PASSWORD"  # noqa: S105  the variable's name
ADMINISTRATION_PASSWORD_VARIABLE = "OBSERVATORY_GRAFANA_ADMINISTRATION_PASSWORD"  # noqa: S105  the variable's name
"""Where Grafana has the password from that the folder Administration's panels log in with, in a cluster."""


def postgres_dsn(settings: Settings) -> str:
    """Connection string from OBSERVATORY_POSTGRES_DSN or the configured file, else Grafana's own. Raises InputError."""
    return exporter_dsn(settings) or panel_dsn(settings)


def exporter_dsn(settings: Settings) -> str:
    """Connection string as the exporter connects; empty when neither variable nor file names one. Raises InputError."""
    if not os.environ.get("OBSERVATORY_POSTGRES_DSN", "").strip() and not settings.sources.postgres.dsn_file:
        return ""
    try:
        return credentials.Credentials(settings).postgres_dsn()
    except credentials.CredentialError as problem:
        raise InputError(f"error: {problem}") from None


def panel_dsn(settings: Settings) -> str:
    """Connection string as Grafana's data source connects: its host, database, user and password. Raises InputError."""
    postgres = settings.sources.postgres
    password = os.environ.get(PANEL_PASSWORD_VARIABLE, "")
    if postgres.password_file:
        password = _password(postgres.password_file, "sources.postgres.password_file")
    return _dsn(postgres, postgres.user, password)


def administration_dsn(settings: Settings) -> str:
    """The same for the dashboards of the folder Administration; empty where they have no login of their own."""
    postgres = settings.sources.postgres
    if (own := postgres.administration) is None:
        return ""
    return _dsn(postgres, own.user, _password(own.password_file, "sources.postgres.administration.password_file"))


def _password(file: str, key: str) -> str:
    try:
        return credentials.secret_in(Path(file))
    except credentials.CredentialError as problem:
        raise InputError(f"error: {key}: {problem}") from None


def _dsn(postgres: Postgres, user: str, password: str) -> str:
    login = quote(user, safe="") + (f":{quote(password, safe='')}" if password else "")
    return f"postgresql://{login}@{postgres.host}/{quote(postgres.database, safe='')}?sslmode={postgres.sslmode}"


def named_dsn(file: Path | None, variable: str, missing: str) -> str:
    """Connection string that a person names for one command: `--dsn-file`, else the variable.

    Raises InputError, which says what is `missing` when neither is there.
    """
    if file is not None:
        try:
            return credentials.secret_in(file)
        except credentials.CredentialError as problem:
            raise InputError(f"error: --dsn-file: {problem}") from None
    if value := os.environ.get(variable, "").strip():
        return value
    raise InputError(f"error: {missing}: set {variable}, or name a file with --dsn-file")


def langfuse_credentials(settings: Settings) -> credentials.LangfuseAccess | None:
    """Address and keys of Langfuse, from the environment or from files; None when no key is given at all.

    Raises InputError when a file cannot be read, or only one of the two keys is given.
    """
    langfuse = settings.sources.langfuse
    given = (
        langfuse.public_key_file,
        langfuse.secret_key_file,
        *map(os.environ.get, ("LANGFUSE_PUBLIC_KEY", "LANGFUSE_SECRET_KEY")),
    )
    if not any(given):
        return None
    try:
        access = credentials.Credentials(settings).langfuse()
        checked_url(access.base_url)
    except credentials.CredentialError as problem:
        raise InputError(f"error: {problem}") from None
    except ValueError as problem:
        raise InputError(f"error: LANGFUSE_BASE_URL: {problem}") from None
    return access


def too_open(settings: Settings) -> list[Finding]:
    """A warning for every secret file of the configuration that everybody on the machine may read."""
    found = []
    for key, path in _files(settings.model_dump(), ""):
        file = Path(path).absolute()
        try:
            readable = file.stat().st_mode & stat.S_IROTH and file.parent.stat().st_mode & stat.S_IXOTH
        except OSError:
            continue  # its reader says so, where it is read
        if readable:
            found.append(warning(key, f"{path} may be read by everybody", f"chmod o-r {path}"))
    return found


def _files(node: Any, key: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, dict):
        for name, value in node.items():
            yield from _files(value, f"{key}.{name}".lstrip("."))
    elif isinstance(node, str) and key.endswith("_file") and not key.endswith(".pid_file"):
        yield key, node

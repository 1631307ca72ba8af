"""Where secrets come from: the environment first, then the files that the configuration names.

They are read anew each time they are needed, so that a changed file is enough to change them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from contract.settings import Settings


class CredentialError(Exception):
    """A secret is not there. The text says where it was looked for, never what was found."""


@dataclass(frozen=True)
class LangfuseAccess:
    """Where Langfuse answers, and the key pair of one project."""

    base_url: str
    public_key: str
    secret_key: str = field(repr=False)


def _secret(what: str, variable: str, file: str | None, key: str, directory: Path, environ: Mapping[str, str]) -> str:
    if value := environ.get(variable, "").strip():
        return value
    if file is None:
        raise CredentialError(f"no {what}: set {variable}, or {key} in the configuration")
    path = directory / file
    try:
        value = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise CredentialError(f"no {what}: {path}: {why}; set {variable}, or correct {key}") from None
    if not value:
        raise CredentialError(f"no {what}: {path} is empty")
    return value


def postgres_dsn(settings: Settings, directory: Path, environ: Mapping[str, str]) -> Callable[[], str]:
    """Gives the connection string; `directory` is what relative paths of the configuration start from."""
    file = settings.sources.postgres.dsn_file

    def dsn() -> str:
        return _secret(
            "connection string of PostgreSQL",
            "OBSERVATORY_POSTGRES_DSN",
            file,
            "sources.postgres.dsn_file",
            directory,
            environ,
        )

    return dsn


def langfuse_access(settings: Settings, directory: Path, environ: Mapping[str, str]) -> Callable[[], LangfuseAccess]:
    """Gives address and keys of Langfuse; LANGFUSE_BASE_URL, _PUBLIC_KEY and _SECRET_KEY come before the configuration."""
    langfuse = settings.sources.langfuse

    def key(kind: str, file: str | None) -> str:
        return _secret(
            f"{kind} key of Langfuse",
            f"LANGFUSE_{kind.upper()}_KEY",
            file,
            f"sources.langfuse.{kind}_key_file",
            directory,
            environ,
        )

    def access() -> LangfuseAccess:
        base_url = environ.get("LANGFUSE_BASE_URL", "").strip().rstrip("/") or langfuse.base_url
        return LangfuseAccess(base_url, key("public", langfuse.public_key_file), key("secret", langfuse.secret_key_file))

    return access

"""Where secrets come from: the environment first, then the files that the configuration names.

They are read anew each time they are needed, so that a changed file is enough to change them.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contract.settings import Settings


_MOST_BYTES = 1_000_000  # a bundle of authorities is some hundred thousand


class CredentialError(Exception):
    """A secret is not there. The text says where it was looked for, never what was found."""


class NoSecretFile(CredentialError):
    """What is named as a secret's file can never hold one: a folder, a pipe, somebody else's, or too much."""


@dataclass(frozen=True)
class LangfuseAccess:
    """Where Langfuse answers, and the key pair of one project."""

    base_url: str
    public_key: str
    secret_key: str = field(repr=False)


def secret_in(path: Path) -> str:
    """What a secret's file holds, without the white space around it. Raises CredentialError with the file and the reason."""
    try:
        held = _held(path)
        value = held.decode("utf-8").strip()
    except (PermissionError, IsADirectoryError) as error:
        raise NoSecretFile(f"{path}: {error.strerror}") from None
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise CredentialError(f"{path}: {why}") from None
    except ValueError:  # a path with a zero byte in it
        raise NoSecretFile(f"{str(path)!r} is no path") from None
    if not value:
        raise CredentialError(f"{path} is empty")
    return value


def _held(path: Path) -> bytes:
    # reading a pipe may never end, and opening one may wait for a writer unless told not to
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise NoSecretFile(f"{path} is no regular file; save the secret in one")
        held = file.read(_MOST_BYTES + 1)
    if len(held) > _MOST_BYTES:
        raise NoSecretFile(f"{path} holds more than {_MOST_BYTES} bytes, so it is no secret")
    return held


@dataclass(frozen=True)
class Credentials:
    """The secrets of one configuration. `directory` is what its relative paths start from.

    Every method raises CredentialError when its secret cannot be had.
    """

    settings: Settings
    directory: Path = Path()
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)

    def postgres_dsn(self) -> str:
        """The connection string that the exporter reads with."""
        file = self.settings.sources.postgres.dsn_file
        return self._needed("connection string of PostgreSQL", "OBSERVATORY_POSTGRES_DSN", file, "sources.postgres.dsn_file")

    def advance_dsn(self) -> str | None:
        """The connection string that may write schema `analytics`; None when the exporter shall only read."""
        file = self.settings.sources.postgres.advance_dsn_file
        what = "connection string for schema analytics"
        return self._given(what, "OBSERVATORY_POSTGRES_ADVANCE_DSN", file, "sources.postgres.advance_dsn_file")

    def user_key(self) -> str | None:
        """The key that turns users into pseudonyms; None when there is none."""
        return self._given("user key", "OBSERVATORY_USER_KEY", self.settings.database.user_key_file, "database.user_key_file")

    def langfuse(self) -> LangfuseAccess:
        """Address and keys; LANGFUSE_BASE_URL, _PUBLIC_KEY and _SECRET_KEY come before the configuration."""
        langfuse = self.settings.sources.langfuse

        def key(kind: str, file: str | None) -> str:
            place = f"sources.langfuse.{kind}_key_file"
            return self._needed(f"{kind} key of Langfuse", f"LANGFUSE_{kind.upper()}_KEY", file, place)

        base_url = self.environ.get("LANGFUSE_BASE_URL", "").strip().rstrip("/") or langfuse.base_url
        return LangfuseAccess(base_url, key("public", langfuse.public_key_file), key("secret", langfuse.secret_key_file))

    def check_files(self) -> None:
        """Raises NoSecretFile for a file that no secret will ever be read from. One that is not there yet may still come."""
        for secret in (self.postgres_dsn, self.advance_dsn, self.user_key, self.langfuse):
            try:
                secret()
            except NoSecretFile:
                raise
            except CredentialError:
                continue  # perhaps it is not needed; whoever needs it says so

    def _needed(self, what: str, variable: str, file: str | None, key: str) -> str:
        value = self._given(what, variable, file, key)
        if value is None:
            raise CredentialError(f"no {what}: set {variable}, or {key} in the configuration")
        return value

    def _given(self, what: str, variable: str, file: str | None, key: str) -> str | None:
        if value := self.environ.get(variable, "").strip():
            return value
        if file is None:
            return None
        try:
            return secret_in(self.directory / file)
        except CredentialError as problem:
            raise type(problem)(f"no {what}: {problem}; set {variable}, or correct {key}") from None

"""Bearer tokens: a file holds the digest of each, who it is for and in which role; the token itself is shown once.

A token is 256 random bits, so that a plain digest is enough: there is no dictionary of them to try.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import re
import secrets
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from api.catalogue.endpoints import Role

LOG = logging.getLogger("observatory.api")
PREFIX = "obs_"
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
USER_KEY = re.compile(r"[0-9a-f]{16}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_HEAD = "# Tokens of the query API, one a line: name, role, SHA-256 of the token, user key (with role self only)\n"


class TokensRefused(Exception):
    """The file cannot be used, or the change makes no sense. The text says why, and holds no token."""


@dataclass(frozen=True)
class Caller:
    """Who asks: the token's name and role, and, with the role self, the key of the user whose rows are shown."""

    name: str
    role: Role
    user_key: str = ""


@dataclass(frozen=True)
class Token:
    caller: Caller
    digest: str

    @property
    def line(self) -> str:
        parts = (self.caller.name, self.caller.role, self.digest, self.caller.user_key)
        return " ".join(part for part in parts if part)


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def made(caller: Caller) -> tuple[str, Token]:
    """A new token: what the caller shows, and what the file keeps. Raises TokensRefused when the caller makes no sense."""
    token = PREFIX + secrets.token_urlsafe(32)
    return token, _checked(Token(caller, digest(token)), "the token")


def _checked(token: Token, place: str) -> Token:
    caller = token.caller
    if not NAME.fullmatch(caller.name):
        if caller.name.startswith(PREFIX):  # what is said may be kept, in a log
            raise TokensRefused(f"{place}: a token stands where its name should be; only its digest is kept")
        raise TokensRefused(
            f"{place}: {caller.name[:70]!r} is no name; write small letters, digits, dots and dashes, at most 63"
        )
    if (caller.role is Role.SELF) != bool(caller.user_key):
        raise TokensRefused(f"{place}: a user key belongs to the role self, and only to it")
    if caller.user_key and not USER_KEY.fullmatch(caller.user_key):
        raise TokensRefused(f"{place}: a user key has 16 digits of 0-9 and a-f, as dashboards show it")
    if not _DIGEST.fullmatch(token.digest):
        raise TokensRefused(f"{place}: the digest has 64 digits of 0-9 and a-f")
    return token


def _parsed(line: str, place: str) -> Token:
    name, role, found, *key = line.split()[:4] if len(line.split()) in (3, 4) else ("", "", "")
    if role not in set(Role):
        raise TokensRefused(
            f"{place}: want a name, one of the roles {', '.join(Role)}, a digest, and a user key for the role self"
        )
    return _checked(Token(Caller(name, Role(role), "".join(key)), found), place)


def read(path: Path) -> tuple[Token, ...]:
    """The tokens of a file; none when it is not there. Raises TokensRefused with the file and the line."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise TokensRefused(f"{path} cannot be read: {why}") from None
    lines = ((number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip() and not line.startswith("#"))
    tokens = tuple(_parsed(line, f"{path}:{number}") for number, line in lines)
    for what, values in (("name", [t.caller.name for t in tokens]), ("digest", [t.digest for t in tokens])):
        if twice := sorted({value for value in values if values.count(value) > 1}):
            raise TokensRefused(f"{path}: two tokens have the {what} {twice[0]}")
    return tokens


def write(path: Path, tokens: Iterable[Token]) -> None:
    """Replaces the file as a whole. Who may read it stays as it was, or the service would go on with the tokens of before; a
    new one is its owner's. Raises TokensRefused, with the file as it was."""
    path = path.resolve()  # a link stays one
    if path.exists() and not path.is_file():
        raise TokensRefused(f"{path} cannot be written: it is no file")
    new = path.with_name(f".{path.name}.new")
    try:
        new.unlink(missing_ok=True)
        new.touch(mode=0o600, exist_ok=False)
        new.write_text(_HEAD + "".join(f"{token.line}\n" for token in tokens), encoding="utf-8")
        with suppress(FileNotFoundError):
            before = path.stat()
            if (before.st_uid, before.st_gid) != (os.geteuid(), os.getegid()):
                os.chown(new, before.st_uid, before.st_gid)
            new.chmod(stat.S_IMODE(before.st_mode))
        new.replace(path)
    except OSError as error:
        with suppress(OSError):
            new.unlink(missing_ok=True)  # half a file would take the room that there is
        raise TokensRefused(f"{path} cannot be written: {error.strerror}") from None


@contextmanager
def changed(path: Path) -> Iterator[list[Token]]:
    """The tokens of a file, and afterwards the file holds what the list holds then, unless an error ends it. Changes come one
    after the other. Raises TokensRefused."""
    try:
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise TokensRefused(f"the folder of {path} cannot be opened: {error.strerror}") from None
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)  # let go by closing, however this ends
        tokens = list(read(path))
        yield tokens
        write(path, tokens)
    finally:
        os.close(folder)


class Tokens:
    """Who shows which token, by a file that is read again when it has changed. One that is broken lets nobody new in: what it
    held before stays in force, and `problem` says why."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.problem = ""
        self._stamp = self._now()  # before the file is read: what replaces it meanwhile is another one
        self._known = self._read()

    def _read(self) -> dict[str, Caller]:
        return {token.digest: token.caller for token in read(self._path)}

    def _now(self) -> tuple[int, int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino

    def refresh(self) -> None:
        """Reads the file again when it is another one than before."""
        now = self._now()
        if now == self._stamp:
            return
        self._stamp = now
        try:
            self._known, self.problem = self._read(), ""
        except TokensRefused as problem:
            self.problem = str(problem)
            LOG.error("tokens are those of before, for their file is broken: %s", problem)

    def caller(self, token: str) -> Caller | None:
        """Whose token it is. The digest is looked up, so that nothing of the token can be guessed from the time it takes."""
        return self._known.get(digest(token))

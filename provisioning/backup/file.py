"""A backup: a zip with the rows of every table, as COPY writes them, and a manifest that says what they are.

It holds pseudonyms beside the ids of users, so only its owner may read it.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import psycopg

from exporters.database.migrations import Migration
from provisioning.files import naming
from provisioning.findings import InputError

Buffer = bytes | bytearray | memoryview
FORMAT = 1
_MANIFEST = "manifest.json"
_WANTED = "a file that `observatory backup` wrote"
_UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError)
"""What reading a zip raises; the last one where somebody else packed it, with a password or in a way that is not known here."""
_BLOCK = 1 << 20
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The first moment that a zip knows: when the file was made stands in the manifest."""


@dataclass(frozen=True)
class Table:
    """The columns, in the order of the rows, how many rows there are, and the SHA-256 of what COPY wrote."""

    columns: tuple[str, ...]
    rows: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """`made_at` is the database's time, ISO 8601; `migrations` are the files that made the schema, as number, name, digest."""

    format: int
    made_at: str
    database: str
    server: str
    migrations: tuple[tuple[int, str, str], ...]
    tables: Mapping[str, Table]

    @property
    def version(self) -> str:
        return f"{self.migrations[-1][0]:04d}" if self.migrations else "none"

    def of(self, files: Mapping[int, Migration]) -> list[Migration]:
        """The files of this program that make the schema as it was. Raises InputError when it has not all of them."""
        unknown = [f"{number:04d}_{name}" for number, name, _ in self.migrations if number not in files]
        if unknown:
            raise InputError(
                f"error: the backup was made by a newer version of this program: it has migration {', '.join(unknown)}, which"
                " this one does not know; restore it with that version, or a later one"
            )
        changed = [files[number].file for number, _, digest in self.migrations if files[number].digest != digest]
        if changed:
            raise InputError(
                f"error: the backup was made with another {changed[0]} than this program has; use the program it was"
            )
        return [files[number] for number, _, _ in self.migrations]


class Writing:
    """A backup that is being written. Tables first, the manifest last."""

    def __init__(self, packed: zipfile.ZipFile) -> None:
        self._packed = packed
        self.tables: dict[str, Table] = {}

    def table(self, name: str, columns: tuple[str, ...], blocks: Iterable[Buffer], cursor: psycopg.Cursor[Any]) -> None:
        """Adds a table; `cursor` knows how many rows there were once all blocks are read."""
        digest = hashlib.sha256()
        with self._packed.open(_entry(name), "w", force_zip64=True) as file:
            for block in blocks:
                digest.update(block)
                file.write(block)
        self.tables[name] = Table(columns, cursor.rowcount, digest.hexdigest())

    def manifest(self, manifest: Manifest) -> None:
        entry = zipfile.ZipInfo(_MANIFEST, _EPOCH)
        entry.compress_type = zipfile.ZIP_DEFLATED
        self._packed.writestr(entry, json.dumps(asdict(manifest), indent=1, ensure_ascii=False) + "\n")


@contextmanager
def writing(path: Path) -> Iterator[Writing]:
    """A new file, which has its name only once it is whole. Raises InputError when there is one already."""
    _refuse_what_is_there(path)
    if not path.parent.is_dir():
        raise InputError(f"error: {path}: there is no folder {path.parent}; create it, or name another")
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".unfinished", dir=path.parent)  # its owner's alone
    unfinished = Path(name)
    try:
        with naming(path), os.fdopen(descriptor, "w+b") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
                yield Writing(packed)
            file.flush()
            os.fsync(file.fileno())
        _refuse_what_is_there(path)  # somebody else may have written one meanwhile
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def _refuse_what_is_there(path: Path) -> None:
    if path.exists():
        raise InputError(f"error: {path} is there already, and is not written over; name another file")


class Reading:
    """A backup that is read."""

    def __init__(self, packed: zipfile.ZipFile, manifest: Manifest) -> None:
        self._packed, self.manifest = packed, manifest

    @contextmanager
    def table(self, name: str) -> Iterator[IO[bytes]]:
        """The rows of a table, for COPY."""
        with self._packed.open(_entry(name).filename) as file:
            yield file

    def verify(self) -> None:
        """Reads everything once. Raises InputError when it is not what was written."""
        for name, table in self.manifest.tables.items():
            digest = hashlib.sha256()
            try:
                with self.table(name) as file:
                    while block := file.read(_BLOCK):
                        digest.update(block)
            except (*_UNREADABLE, KeyError):
                digest = hashlib.sha256(b"unreadable")
            if digest.hexdigest() != table.sha256:
                raise InputError(f"error: table {name} in the backup is not what was written; the file is damaged")


@contextmanager
def reading(path: Path) -> Iterator[Reading]:
    """Raises InputError for a file that is no backup, or one in a format that this version does not know."""
    with _opened(path) as packed:
        try:
            manifest = _manifest(path, packed)
        except _UNREADABLE:
            raise _no_backup(path) from None
        yield Reading(packed, manifest)


def _opened(path: Path) -> zipfile.ZipFile:
    if not path.is_file():  # nor a pipe or a device, which may have no end
        raise InputError(f"error: {path} is {'no file' if path.exists() else 'not there'}; want {_WANTED}")
    try:
        return zipfile.ZipFile(path)
    except _UNREADABLE:
        raise _no_backup(path) from None


def _no_backup(path: Path) -> InputError:
    return InputError(f"error: {path} is no backup, or only a part of one; want {_WANTED}")


def _manifest(path: Path, packed: zipfile.ZipFile) -> Manifest:
    try:
        said = json.loads(packed.read(_MANIFEST))
        if said["format"] != FORMAT:
            raise InputError(f"error: {path} has format {said['format']}, this version reads {FORMAT}; use a newer version")
        tables = {
            name: Table(tuple(map(str, table["columns"])), int(table["rows"]), str(table["sha256"]))
            for name, table in said["tables"].items()
        }
        migrations = tuple((int(number), str(name), str(digest)) for number, name, digest in said["migrations"])
        return Manifest(said["format"], said["made_at"], said["database"], said["server"], migrations, tables)
    except (KeyError, ValueError, TypeError, AttributeError):
        raise InputError(f"error: {path} is no backup: it has no manifest that can be read") from None


def _entry(table: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(f"tables/{table}.copy", _EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry

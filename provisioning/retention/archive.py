"""An archive: a folder of compressed CSV files, each with a manifest beside it that says what is in it.

A file is whole, on the disk and read back before its rows are removed. Until they are, it is called `unfinished`; whoever finds
one after a crash knows from the audit log, which has a row of the same transaction, whether the rows are gone. Several
databases may share a folder: nobody touches what another one has not finished.
"""

from __future__ import annotations

import csv
import fcntl
import gzip
import hashlib
import io
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from provisioning.database.admin import EXACTLY
from provisioning.files import naming
from provisioning.findings import InputError
from provisioning.retention.chunks import Chunk, condition
from provisioning.retention.tables import Kept

FORMAT = 1
UNFINISHED = ".unfinished"
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Manifest:
    """What a file holds. `begin` and `end` (before which) are times of the rows, ISO 8601; `sha256` is the file's as it lies
    there; `database` tells databases apart that share a folder."""

    format: int
    table: str
    time: str
    columns: Mapping[str, str]
    rows: int
    begin: str
    end: str
    file: str
    sha256: str
    older_than: str
    database: str

    def recorded(self) -> dict[str, Any]:
        """What the audit log says of it."""
        return {"archive": f"{self.table}/{self.file}", "rows": self.rows, "sha256": self.sha256}


class Written:
    """A file whose rows are still in the table."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.manifest = manifest
        self._file, self._page = folder / manifest.file, folder / _page(manifest.file)

    def finish(self) -> None:
        """Gives the file its name, once its rows are removed."""
        for path in (self._file, self._page):
            if (before := Path(f"{path}{UNFINISHED}")).exists():  # one of them may have been named before a crash
                before.replace(path)
        _kept_on_disk(self._file.parent)

    def discard(self) -> None:
        """Removes the file, when its rows stay."""
        for path in (self._page, self._file):
            Path(f"{path}{UNFINISHED}").unlink(missing_ok=True)


@contextmanager
def alone(archive: Path) -> Iterator[None]:
    """Nobody else writes to this archive meanwhile, of no database. Raises InputError when somebody does, OSError."""
    archive.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = os.open(archive, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"error: somebody else is writing to the archive {archive}; wait until they are done") from None
        yield
    finally:
        os.close(folder)


def identity(connection: psycopg.Connection[Any]) -> str:
    """What tells this database from every other."""
    row = connection.execute("SELECT system_identifier::text, current_database() FROM pg_control_system()").fetchone()
    assert row is not None
    return f"{row[0]}/{row[1]}"


def write(connection: psycopg.Connection[Any], kept: Kept, chunk: Chunk, archive: Path, database: str) -> Written:
    """Writes the rows of a chunk, as this transaction sees them, and reads them back. Raises InputError, OSError."""
    folder = archive / kept.name
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    name = _free_name(folder, chunk)
    path = folder / f"{name}{UNFINISHED}"
    connection.execute(EXACTLY)
    with naming(path):
        copied = _copy(connection, kept, chunk, path)
    rows, digest = _read_back(path)
    if rows != copied:
        raise InputError(f"error: {path}: {rows} rows were read back where {copied} were written; nothing was removed")
    manifest = Manifest(
        FORMAT, kept.name, kept.time, _columns(connection, kept), rows, _iso(chunk.begin), _iso(chunk.end), name, digest,
        kept.older_than, database,
    )  # fmt: skip
    page = Path(f"{folder / _page(name)}{UNFINISHED}")
    with naming(page), _private(page) as file:
        file.write(json.dumps(asdict(manifest), indent=1, ensure_ascii=False).encode() + b"\n")
        _flush(file)
    _kept_on_disk(folder)
    return Written(folder, manifest)


def unfinished(archive: Path, kept: Kept, database: str) -> Iterator[Written]:
    """What a run left behind that was ended between writing and removing.

    Half a file, without a manifest or with half of one, is removed here: rows go only once both are whole.
    """
    folder = archive / kept.name
    if not folder.is_dir():
        return
    for page in sorted(folder.glob(f"*.json{UNFINISHED}")):
        manifest = _manifest(page)
        if manifest is None:
            page.unlink()
        elif manifest.database == database:
            yield Written(folder, manifest)
    for file in sorted(folder.glob(f"*.csv.gz{UNFINISHED}")):
        name = file.name.removesuffix(UNFINISHED)
        if not any((folder / f"{_page(name)}{ending}").exists() for ending in ("", UNFINISHED)):
            file.unlink()


def _manifest(page: Path) -> Manifest | None:
    """None for half a manifest, or an empty one. Raises InputError for one that another version wrote."""
    try:
        said = json.loads(page.read_text(encoding="utf-8"))
    except ValueError:
        return None
    try:
        return Manifest(**said)
    except TypeError:
        raise InputError(
            f"error: {page} was written by another version of this program; finish its run with that one"
        ) from None


def _copy(connection: psycopg.Connection[Any], kept: Kept, chunk: Chunk, path: Path) -> int:
    query = sql.SQL("COPY (SELECT * FROM {table} WHERE {rows} ORDER BY {time}) TO STDOUT (FORMAT csv, HEADER)").format(
        table=sql.Identifier(kept.schema, kept.table), rows=condition(kept, chunk), time=sql.Identifier(kept.time)
    )
    with _private(path) as file:
        with gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0) as packed, connection.cursor() as cursor:
            with cursor.copy(query) as copy:
                for block in copy:
                    packed.write(block)
            copied = cursor.rowcount
        _flush(file)
    return copied


def _read_back(path: Path) -> tuple[int, str]:
    """Rows without the header, and the SHA-256 of the file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    csv.field_size_limit(1 << 30)  # PostgreSQL's greatest value; the reader's own limit is 128 kB
    with gzip.open(path, "rb") as packed, io.TextIOWrapper(packed, encoding="utf-8", newline="") as text:
        return sum(1 for _ in csv.reader(text)) - 1, digest.hexdigest()


def _columns(connection: psycopg.Connection[Any], kept: Kept) -> dict[str, str]:
    query = (
        "SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute"
        " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
    )
    table = sql.Identifier(kept.schema, kept.table).as_string(connection)
    return dict(connection.execute(query, (table,)).fetchall())


def _free_name(folder: Path, chunk: Chunk) -> str:
    """Named by its hours; with a number where rows came late into hours that were archived before."""
    hours = "_".join(at.astimezone(UTC).strftime("%Y-%m-%dT%H") for at in (chunk.begin, chunk.end))
    number, name = 1, f"{hours}.csv.gz"
    while any((folder / f"{taken}{ending}").exists() for taken in (name, _page(name)) for ending in ("", UNFINISHED)):
        number += 1
        name = f"{hours}_{number}.csv.gz"
    return name


def _page(file: str) -> str:
    return file.removesuffix(".csv.gz") + ".json"


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()


def _private(path: Path) -> Any:
    """A new file that only its owner may read: rows may say who did what."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _flush(file: Any) -> None:
    file.flush()
    os.fsync(file.fileno())


def _kept_on_disk(folder: Path) -> None:
    """Names are on the disk too: a folder is written apart from its files."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

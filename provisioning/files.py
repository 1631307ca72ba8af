"""Writes a set of files so that a reader never sees half a file, and an interruption never leaves a mixed-up folder for long.

All new contents are written beside their places first; then each is renamed into place. A manifest in the folder names the
files that are ours: those that are no longer built are removed, all others are left alone.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from provisioning.findings import InputError

MANIFEST = ".observatory-build.json"


def write(artefacts: Mapping[str, bytes], out: Path) -> None:
    """Bring `out` to exactly these files of ours. Raises InputError, with nothing changed, when it cannot be written."""
    refuse_no_folder(out)
    ours = _manifest(out)
    changed = {name: body for name, body in artefacts.items() if not _same(out / name, body)}
    created: list[Path] = []
    ready: dict[Path, Path] = {}
    try:
        _refuse_foreign(out, changed.keys() - ours)
        for name, body in changed.items():
            ready[out / name] = _prepared(out / name, body, created)
        # First a manifest that knows old and new files, so that an interruption from here on is mended by the next build.
        _replace_one(out / MANIFEST, _manifest_text(ours | set(artefacts)), created)
        for place in list(ready):
            ready[place].replace(place)
            del ready[place]
        _remove(out, ours - set(artefacts))
        _replace_one(out / MANIFEST, _manifest_text(artefacts), created)
    except BaseException as problem:
        for temporary in ready.values():
            temporary.unlink(missing_ok=True)
        for folder in reversed(created):
            _remove_if_empty(folder)
        if isinstance(problem, OSError):
            where = f" ({problem.filename})" if problem.filename else ""  # a full disk names no file
            raise InputError(f"cannot write to {out}: {problem.strerror}{where}; choose another folder with --out") from None
        raise


@contextmanager
def naming(place: Path) -> Iterator[None]:
    """Lets a failure that names no file, such as a full disk, name the one that is written within."""
    try:
        yield
    except OSError as problem:
        problem.filename = problem.filename or str(place)
        raise


def _refuse_foreign(out: Path, names: Iterable[str]) -> None:
    foreign = sorted(name for name in names if (out / name).exists())
    if foreign:
        raise InputError(f"{out / foreign[0]} was not written by build; move it away, or choose another folder with --out")


def _replace_one(place: Path, body: bytes, created: list[Path]) -> None:
    if not _same(place, body):
        _prepared(place, body, created).replace(place)


def refuse_no_folder(out: Path) -> None:
    """Raises InputError where a folder can neither be nor be made."""
    parent = out.absolute().parent
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file; name a folder with --out")
    if not parent.is_dir():
        raise InputError(f"cannot write to {out}: there is no folder {parent}; create it, or choose another with --out")


def _same(place: Path, body: bytes) -> bool:
    try:
        return place.read_bytes() == body
    except OSError:
        return False


def _prepared(place: Path, body: bytes, created: list[Path]) -> Path:
    """A temporary file beside `place` with the new contents. Folders that had to be made are added to `created`."""
    missing = [folder for folder in (place.parent, *place.parent.parents) if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir()
        created.append(folder)
    handle, name = tempfile.mkstemp(prefix=f".{place.name}.", suffix=".new", dir=place.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(body)
        Path(name).chmod(0o644)  # servers run as other users; nothing here is secret
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return Path(name)


def _manifest_text(names: Iterable[str]) -> bytes:
    return (json.dumps({"files": sorted(names)}, indent=2) + "\n").encode()


def _manifest(out: Path) -> set[str]:
    """Names of our files from the last build; names that point outside the folder are not believed."""
    try:
        names = json.loads((out / MANIFEST).read_text())["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return set()
    return {name for name in names if isinstance(name, str) and _inside(PurePosixPath(name))}


def _inside(name: PurePosixPath) -> bool:
    return not name.is_absolute() and ".." not in name.parts and bool(name.parts)


def _remove(out: Path, names: Iterable[str]) -> None:
    for name in sorted(names):
        (out / name).unlink(missing_ok=True)
        folder = (out / name).parent
        while folder != out and _remove_if_empty(folder):
            folder = folder.parent


def _remove_if_empty(folder: Path) -> bool:
    try:
        folder.rmdir()
    except OSError:
        return False
    return True

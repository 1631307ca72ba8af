"""Files are written as a set: all or nothing, ours and nobody else's."""

from __future__ import annotations

import os
import signal
import tempfile
from pathlib import Path
from typing import Any

import pytest

from provisioning import files
from provisioning.findings import InputError


def tree(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != files.MANIFEST
    }


def test_a_second_build_removes_what_is_no_longer_built_and_nothing_else(tmp_path: Path) -> None:
    out = tmp_path / "build"
    files.write({"a/one.yml": b"1", "b/two.yml": b"2"}, out)
    (out / "b" / "mine.txt").write_text("mine")
    files.write({"a/one.yml": b"1*"}, out)
    assert tree(out) == {"a/one.yml": b"1*", "b/mine.txt": b"mine"}
    (out / "b" / "mine.txt").unlink()
    files.write({"c/three.yml": b"3"}, out)
    assert tree(out) == {"c/three.yml": b"3"}
    assert not (out / "a").exists(), "folders that became empty go too"


def test_an_unchanged_file_is_not_touched(tmp_path: Path) -> None:
    files.write({"one": b"1", "two": b"2"}, tmp_path)
    before = (tmp_path / "one").stat().st_mtime_ns, (tmp_path / "one").stat().st_ino
    files.write({"one": b"1", "two": b"2*"}, tmp_path)
    assert ((tmp_path / "one").stat().st_mtime_ns, (tmp_path / "one").stat().st_ino) == before


def test_a_file_that_build_did_not_write_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "b").write_text("mine")
    with pytest.raises(InputError, match="was not written by build"):
        files.write({"a": b"1", "b": b"2"}, tmp_path)
    assert tree(tmp_path) == {"b": b"mine"}


def test_nothing_is_half_written_when_one_file_cannot_be(tmp_path: Path) -> None:
    files.write({"a": b"1", "x": b"0"}, tmp_path)
    (tmp_path / "z").write_text("a file where a folder is needed")
    with pytest.raises(InputError, match="cannot write"):
        files.write({"a": b"2", "b/c": b"3", "z/late": b"4"}, tmp_path)
    assert tree(tmp_path) == {"a": b"1", "x": b"0", "z": b"a file where a folder is needed"}
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("out", ["/proc/observatory", "/dev/null/build", "{tmp}/no/such/folder", "{tmp}/file"])
def test_a_place_that_cannot_be_written(tmp_path: Path, out: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError) as raised:
        files.write({"a": b"1"}, Path(out.replace("{tmp}", str(tmp_path))))
    assert "--out" in str(raised.value)
    assert tree(tmp_path) == {"file": b""}


def test_a_full_disk_is_said_of_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = tempfile.mkstemp

    def full(*arguments: Any, **options: Any) -> tuple[int, str]:
        handle, name = made(*arguments, **options)
        os.close(handle)
        return os.open("/dev/full", os.O_WRONLY), name

    monkeypatch.setattr(tempfile, "mkstemp", full)
    with pytest.raises(InputError) as raised:
        files.write({"a": b"1"}, tmp_path)
    assert str(raised.value) == f"cannot write to {tmp_path}: No space left on device; choose another folder with --out"
    with pytest.raises(OSError, match="No space left") as bare, files.naming(tmp_path / "a"), Path("/dev/full").open("wb") as f:
        f.write(b"1")
    assert bare.value.filename == str(tmp_path / "a")
    assert tree(tmp_path) == {}


def test_an_interruption_leaves_no_temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.replace

    def interrupted(self: Path, target: Path) -> Path:
        if Path(target).name == "b":
            raise KeyboardInterrupt
        return real(self, target)

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        files.write({"a": b"1", "b": b"2"}, tmp_path)
    monkeypatch.undo()
    assert tree(tmp_path) == {"a": b"1"}
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "chmod", lambda *_: signal.raise_signal(signal.SIGINT))
        files.write({"a": b"1", "b": b"2"}, tmp_path)
    assert tree(tmp_path) == {"a": b"1"}, "nor does one while a file is written"
    files.write({"b": b"2"}, tmp_path)
    assert tree(tmp_path) == {"b": b"2"}, "the next build knows the files of the interrupted one"


def test_a_manifest_that_points_elsewhere_is_not_believed(tmp_path: Path) -> None:
    out = tmp_path / "out"
    files.write({"a": b"1"}, out)
    precious = tmp_path / "precious"
    precious.write_text("keep")
    (out / files.MANIFEST).write_text('{"files": ["../precious", "/etc/hostname", "a", 7]}')
    files.write({"b": b"1"}, out)
    assert precious.read_text() == "keep" and tree(out) == {"b": b"1"}

"""A program that was unpacked, not installed, is made to look for its files where it runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioning import unpacked

INSTALLED = b"/usr/share/prometheus/alertmanager"


@pytest.fixture
def binary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(unpacked, "_INSTALLED", Path(INSTALLED.decode().replace("usr", "opt")))
    path = tmp_path / "usr" / "bin" / "prometheus-alertmanager"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"before " + INSTALLED.replace(b"usr", b"opt") + b"/ui/ after")
    return path


def test_an_unpacked_program_reads_its_files_from_its_folder(binary: Path, tmp_path: Path) -> None:
    share = tmp_path / "usr" / "share" / "prometheus" / "alertmanager"
    share.mkdir(parents=True)
    (share / "default.tmpl").touch()
    program = unpacked.alertmanager(binary, tmp_path / "place")
    assert program.folder == share
    assert program.path.read_bytes() == b"before " + b"./" * 17 + b"/ui/ after"
    assert len(program.path.read_bytes()) == len(binary.read_bytes())
    assert program.path.stat().st_mode & 0o111
    assert [path.name for path in program.path.parent.iterdir()] == ["alertmanager"]


def test_a_program_with_everything_inside_is_run_as_it_is(binary: Path, tmp_path: Path) -> None:
    assert unpacked.alertmanager(binary, tmp_path / "place") == unpacked.Program(binary)
    assert not (tmp_path / "place").exists()


def test_debians_alertmanager_has_a_page_only_where_one_was_built(binary: Path, tmp_path: Path) -> None:
    assert unpacked.has_page(unpacked.Program(binary)), "a program of another origin has everything inside"
    share = tmp_path / "usr" / "share" / "prometheus" / "alertmanager"
    for folder in ("ui", "no-ui"):
        (share / folder).mkdir(parents=True)
    (share / "default.tmpl").touch()
    program = unpacked.alertmanager(binary, tmp_path / "place")
    assert not unpacked.has_page(program)
    (share / "ui" / "index.html").touch()
    assert unpacked.has_page(program)


def test_an_unpacked_prometheus_reads_its_pages_from_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = "/opt/share/prometheus/web"
    monkeypatch.setattr(unpacked, "_INSTALLED_WEB", Path(installed))
    binary = tmp_path / "usr" / "bin" / "prometheus"
    web = tmp_path / "usr" / "share" / "prometheus" / "web"
    for folder in (binary.parent, web / "templates"):
        folder.mkdir(parents=True)
    binary.write_bytes(f"before {installed}/v1 after".encode())
    assert unpacked.prometheus(binary, tmp_path / "place") == unpacked.Program(binary), "no pages were unpacked"
    (web / "templates" / "graph.html").touch()
    program = unpacked.prometheus(binary, tmp_path / "place")
    assert program == unpacked.Program(tmp_path / "place" / "prometheus", web)
    assert program.path.read_bytes() == b"before " + b"./" * 13 + b"v1 after"

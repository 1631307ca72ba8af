"""The script that fetches Prometheus and Alertmanager, with a package source of our own."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
APT = """#!/bin/sh
while [ "${1#-}" != "$1" ]; do case $1 in -o) shift 2 ;; *) shift ;; esac; done
[ "$1" = download ] || exit 0
shift
for package in "$@"; do
    case $package in libjs*) [ -z "$NO_PAGES" ] || exit 100 ;; esac
    echo "$package" >"$package.deb"
done
"""
DPKG = """#!/bin/sh
mkdir -p "$3/unpacked/$(cat "$2")"
"""
NEEDED = ("sh", "dirname", "mkdir", "rm", "date", "sleep", "tail", "sed", "cat")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in NEEDED:
        (programs / name).symlink_to(shutil.which(name) or pytest.fail(f"{name} is missing"))
    for name, text in (("apt-get", APT), ("dpkg", DPKG)):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    return tmp_path


def fetched(checkout: Path, **environment: str) -> set[str]:
    """Packages that the script has unpacked."""
    variables = {"PATH": str(checkout / "bin"), "NO_PAGES": ""} | environment
    done = subprocess.run([checkout / "scripts" / "tools.sh"], env=variables, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return {package.name for package in (checkout / ".tools" / "unpacked").iterdir()}


def test_prometheus_comes_with_what_its_pages_load(checkout: Path) -> None:
    packages = fetched(checkout)
    assert {"prometheus", "prometheus-alertmanager", "libjs-jquery", "libjs-rickshaw"} <= packages
    assert not (checkout / ".tools" / "packages").exists()


def test_a_source_without_the_pages_still_gives_the_programs(checkout: Path) -> None:
    assert fetched(checkout, NO_PAGES="yes") == {"prometheus", "prometheus-alertmanager"}


def test_pages_are_not_fetched_for_a_prometheus_that_is_there(checkout: Path) -> None:
    there = "/bin/sh"
    assert fetched(checkout, OBSERVATORY_PROMETHEUS=there, OBSERVATORY_PROMTOOL=there) == {"prometheus-alertmanager"}

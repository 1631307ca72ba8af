"""A program that serves metrics, ours or a peer's, watched from outside."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]

_ROOT = Path(__file__).resolve().parent.parent
_START_SECONDS, _SCRAPE_SECONDS = 30.0, 300.0


class ProgramError(Exception):
    """A program is not installed or does not run; the text says what to do or where its log is."""


def observatory(folder: Path, *words: str, ends: int = 0, **environment: str) -> float:
    """Milliseconds of one command in a folder, from the start of its process to its end.

    Of our own variables it sees only those that are given. Raises ProgramError when it ends with another code.
    """
    others = {name: value for name, value in os.environ.items() if not name.startswith("OBSERVATORY_")}
    paths = os.pathsep.join([str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-m", "provisioning.cli", *words]
    began = time.perf_counter()
    done = subprocess.run(
        command, cwd=folder, env={**others, **environment, "PYTHONPATH": paths}, capture_output=True, text=True, check=False
    )
    taken = (time.perf_counter() - began) * 1e3
    if done.returncode != ends:
        raise ProgramError(f"observatory {' '.join(words)} ended with {done.returncode}: {done.stderr or done.stdout}")
    return taken


@dataclass(frozen=True)
class Program:
    """A running exporter: ours or a peer's. `url` is its page of metrics."""

    pid: int
    url: str

    def scrape(self) -> tuple[bytes, float]:
        """The page, and the milliseconds until it was there."""
        began = time.perf_counter()
        with urllib.request.urlopen(self.url, timeout=_SCRAPE_SECONDS) as answer:  # noqa: S310  an address of ours
            body: bytes = answer.read()
        return body, (time.perf_counter() - began) * 1e3

    def memory_mb(self) -> float:
        return float(psutil.Process(self.pid).memory_info().rss) / 1e6

    def cpu_seconds(self) -> float:
        spent = psutil.Process(self.pid).cpu_times()
        return float(spent.user + spent.system)


@contextlib.contextmanager
def started(
    command: list[str], url: str, log: Path, environment: Mapping[str, str], folder: Path | None = None
) -> Iterator[Program]:
    """A program that serves `url`, run in a folder; ended afterwards. Raises ProgramError when it does not answer."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env={**os.environ, **environment}, cwd=folder)
    try:
        _wait(process, url, log)
        yield Program(process.pid, url)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    """Wait until the program listens; it need not have figures yet."""
    deadline = time.monotonic() + _START_SECONDS
    host, port = url.split("/")[2].split(":")
    while time.monotonic() < deadline:
        if process.poll() is not None:
            last = (log.read_text(errors="replace").strip().splitlines() or ["it said nothing"])[-1]
            raise ProgramError(f"the program for {url} ended at once: {last} (log: {log})")
        connections = psutil.Process(process.pid).net_connections("tcp")
        if any(c.status == psutil.CONN_LISTEN and c.laddr == (host, int(port)) for c in connections):
            return
        time.sleep(0.05)
    raise ProgramError(f"the program for {url} does not listen within {_START_SECONDS:g} s (log: {log})")

"""Blocks of a Prometheus data folder, made by promtool."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from types import TracebackType

BLOCK_NAME_LENGTH = 26
WORKERS = 2


class HistoryError(Exception):
    """History could not be written; the text says which tool failed and what it said."""


def blocks_of(folder: Path) -> list[Path]:
    """The block folders within a data folder, oldest first by creation."""
    if not folder.is_dir():
        return []
    return sorted(p for p in folder.iterdir() if len(p.name) == BLOCK_NAME_LENGTH and (p / "meta.json").is_file())


def short_lived() -> dict[str, str]:
    """Environment of short-lived Go programs with memory to spare: less collecting of garbage saves a sixth of their time."""
    return {**os.environ, "GOGC": "400"}


class Programs:
    """Runs a few programs at a time; the next waits for a free place. The first that fails ends everything.

    Use as a context: leaving it waits for the rest, leaving it by an error stops them.
    """

    def __init__(self, places: int = WORKERS) -> None:
        self._places = places
        self._running: list[tuple[list[str], subprocess.Popen[str], Path | None]] = []

    def __enter__(self) -> Programs:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            while kind is None and self._running:
                self._wait()
        finally:
            for _, process, _ in self._running:
                process.kill()
                process.communicate()

    def run(self, command: list[str], consumed: Path | None = None) -> None:
        """Start a program. `consumed` is deleted when it has ended. Raises HistoryError when an earlier one failed."""
        while len(self._running) >= self._places:
            self._wait()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=short_lived())
        self._running.append((command, process, consumed))

    def _wait(self) -> None:
        command, process, consumed = self._running[0]
        said, _ = process.communicate()
        self._running.pop(0)
        if process.returncode:
            last = said.strip().splitlines()[-1:] or ["nothing"]
            raise HistoryError(f"{' '.join(command[:4])} ended with {process.returncode} and said: {last[0]}")
        if consumed:
            consumed.unlink()


def import_file(programs: Programs, promtool: Path, file: Path, data: Path, span_seconds: int) -> None:
    """Turn one OpenMetrics file into blocks in `data`, in the background, and delete it.

    A block covers `span_seconds` at most: two hours times a power of three. promtool reads the file again for each one that it
    touches.
    """
    create = [str(promtool), "tsdb", "create-blocks-from", "openmetrics", str(file), str(data), "--quiet"]
    programs.run([*create, f"--max-block-duration={span_seconds}s"], file)

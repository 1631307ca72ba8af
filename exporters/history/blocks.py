"""Figures of many moments as OpenMetrics files, one for every block of two hours, as promtool wants them.

promtool reads a file again for every block that it touches, so a file never touches two. The points of a series stand together.
No metadata is written: blocks do not keep any.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from exporters.exposition import Renderer
from exporters.snapshot import Figure

BLOCK_SECONDS = 7200


class Blocks:
    """Takes moments in their order and writes a file whenever a block is full. `target` are the labels that a scrape adds."""

    def __init__(self, folder: Path, target: dict[str, str]) -> None:
        self._folder = folder
        self._target = ",".join(f'{name}="{value}"' for name, value in sorted(target.items()))
        self._renderer = Renderer()
        self._points: defaultdict[str, list[str]] = defaultdict(list)
        self._names: dict[bytes, str] = {}
        self._block = 0
        self.files: list[Path] = []
        self.points = 0

    def add(self, at: int, figures: Iterable[Figure]) -> None:
        """The figures of the moment `at`, in whole seconds since the epoch."""
        if at // BLOCK_SECONDS != self._block:
            self.close()
            self._block = at // BLOCK_SECONDS
        for family in self._renderer.families(figures):
            for line in b"".join(family.lines).splitlines():
                series, _, value = line.rpartition(b" ")
                self._points[self._named(series)].append(f"{value.decode()} {at}\n")
                self.points += 1

    def _named(self, series: bytes) -> str:
        if series not in self._names:
            name, brace, labels = series.decode().partition("{")
            self._names[series] = f"{name}{{{labels.removesuffix('}') + ',' if brace else ''}{self._target}}} "
        return self._names[series]

    def close(self) -> None:
        """Writes what there is of the last block."""
        if not self._points:
            return
        begin = datetime.fromtimestamp(self._block * BLOCK_SECONDS, UTC)
        path = self._folder / f"{begin:%Y-%m-%dT%H}.om"
        with path.open("w", encoding="utf-8") as file:
            for series, points in sorted(self._points.items()):
                file.write(series + series.join(points))
            file.write("# EOF\n")
        self._points.clear()
        self.files.append(path)

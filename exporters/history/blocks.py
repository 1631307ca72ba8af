"""Figures of many moments as OpenMetrics files, one for every block of two hours, as promtool wants them.

promtool reads a file again for every block that it touches, so a file never touches two. The points of a series stand together.
No metadata is written: blocks do not keep any.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from exporters.exposition import printed, values
from exporters.snapshot import Figure

BLOCK_SECONDS = 7200

_Key = tuple[str, tuple[str, ...]]
"""Name of a metric, and labels in its order."""


@dataclass
class _Line:
    """One line of a page through a block: what stands before the value, and at which of the block's moments which value began.
    An empty value is none."""

    before: str
    changes: list[tuple[int, str]] = field(default_factory=list)

    def points(self, ends: list[str]) -> tuple[str, int]:
        """The lines of all moments, of which `ends` has what stands behind the value; and how many there are."""
        lines, count = [], 0
        until = [place for place, _ in self.changes[1:]] + [len(ends)]
        for (place, value), end in zip(self.changes, until, strict=True):
            if value and place < end:
                begin = self.before + value
                lines.append(begin + begin.join(ends[place:end]))  # millions are written: little is done for each
                count += end - place
        return "".join(lines), count


class Blocks:
    """Takes moments in their order and writes a file whenever a block is full. `target` are the labels that a scrape adds."""

    def __init__(self, folder: Path, target: dict[str, str]) -> None:
        self._folder = folder
        self._target = ",".join(f'{name}="{value}"' for name, value in sorted(target.items()))
        self._lines: dict[_Key, list[_Line]] = {}
        self._times: list[int] = []
        self.files: list[Path] = []
        self.points = 0

    def add(self, at: int, changed: Iterable[Figure], gone: Iterable[_Key] = ()) -> None:
        """The moment `at`, in whole seconds since the epoch: figures that are new or others than at the moment before, and
        names and labels of those that are no more. All others are as they were."""
        if self._times and at // BLOCK_SECONDS != self._times[-1] // BLOCK_SECONDS:
            self.close()
        place = len(self._times)
        self._times.append(at)
        for item in changed:
            for line, value in zip(self._of(item), values(item), strict=True):
                if not line.changes or line.changes[-1][1] != value:
                    line.changes.append((place, value))
        for key in gone:
            for line in self._lines[key]:
                line.changes.append((place, ""))

    def _of(self, item: Figure) -> list[_Line]:
        key = item.metric.name, item.labels
        if key not in self._lines:
            self._lines[key] = [_Line(self._named(before)) for before in printed(item)]
        return self._lines[key]

    def _named(self, series: str) -> str:
        name, brace, labels = series.rstrip().partition("{")
        return f"{name}{{{labels.removesuffix('}') + ',' if brace else ''}{self._target}}} "

    def close(self) -> None:
        """Writes what there is of the last block."""
        if not self._times:
            return
        begin = datetime.fromtimestamp(self._times[0] // BLOCK_SECONDS * BLOCK_SECONDS, UTC)
        path = self._folder / f"{begin:%Y-%m-%dT%H}.om"
        ends = [f" {at}\n" for at in self._times]
        with path.open("w", encoding="utf-8") as file:
            for line in sorted((line for lines in self._lines.values() for line in lines), key=lambda line: line.before):
                text, points = line.points(ends)
                file.write(text)
                self.points += points
                line.changes = [(0, line.changes[-1][1])]
            file.write("# EOF\n")
        self._times.clear()
        self.files.append(path)

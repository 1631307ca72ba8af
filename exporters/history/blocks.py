"""Figures of many moments, gathered for two hours at a time; as OpenMetrics files for promtool, or however somebody takes them.

promtool reads a file again for every block that it touches, so a file never touches two. The points of a series stand together.
No metadata is written: blocks do not keep any.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from exporters.exposition import Labels, line_start, named, values
from exporters.snapshot import Figure

BLOCK_SECONDS = 7200

_Key = tuple[str, tuple[str, ...]]
"""Name of a metric, and labels in its order."""


@dataclass
class Line:
    """A series through a block: at which of the block's moments which value began, as it is printed. An empty one is none."""

    name: str
    labels: Labels
    changes: list[tuple[int, str]] = field(default_factory=list)

    def runs(self, moments: int) -> Iterator[tuple[str, int, int]]:
        """Every value with the places of the first moment at which it stood and of the one after its last."""
        until = [place for place, _ in self.changes[1:]] + [moments]
        for (place, value), end in zip(self.changes, until, strict=True):
            if value and place < end:
                yield value, place, end


class Blocks(ABC):
    """Takes moments in their order and writes whenever a block is full. `target` are the labels that a scrape adds."""

    def __init__(self, target: dict[str, str]) -> None:
        self._target = tuple(sorted(target.items()))
        self._lines: dict[_Key, list[Line]] = {}
        self._times: list[int] = []
        self.points = 0

    @abstractmethod
    def write(self, times: Sequence[int], lines: Sequence[Line]) -> int:
        """Writes a block, whose moments are `times` in seconds since the epoch; gives the number of its points."""

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

    def _of(self, item: Figure) -> list[Line]:
        key = item.metric.name, item.labels
        if key not in self._lines:
            self._lines[key] = [Line(name, (*labels, *self._target)) for name, labels in named(item)]
        return self._lines[key]

    def close(self) -> None:
        """Writes what there is of the last block."""
        if not self._times:
            return
        lines = [line for lines in self._lines.values() for line in lines]
        self.points += self.write(self._times, lines)
        for line in lines:
            line.changes = [(0, line.changes[-1][1])]
        self._times.clear()


class Files(Blocks):
    """One file for every block, as promtool wants them."""

    def __init__(self, folder: Path, target: dict[str, str]) -> None:
        super().__init__(target)
        self._folder = folder
        self.files: list[Path] = []

    def write(self, times: Sequence[int], lines: Sequence[Line]) -> int:
        begin = datetime.fromtimestamp(times[0] // BLOCK_SECONDS * BLOCK_SECONDS, UTC)
        path = self._folder / f"{begin:%Y-%m-%dT%H}.om"
        ends = [f" {at}\n" for at in times]
        points = 0
        unfinished = path.with_suffix(".unfinished")  # half a block is no history, and `*.om` does not name it
        try:
            with unfinished.open("w", encoding="utf-8") as file:
                starts = sorted([(line_start(line.name, line.labels), line) for line in lines], key=lambda one: one[0])
                for before, line in starts:
                    for value, first, end in line.runs(len(times)):
                        begun = before + value
                        file.write(begun + begun.join(ends[first:end]))  # millions are written: little is done for each
                        points += end - first
                file.write("# EOF\n")
            unfinished.replace(path)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise
        self.files.append(path)
        return points

"""Samples as OpenMetrics text, one file for every block of two hours.

promtool reads a file again for every block that it touches, so a file never touches two. The points of a series stand together,
and no metadata is written: blocks do not keep any.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from operator import add
from pathlib import Path
from typing import NamedTuple

from demo.platform.exposition import label_text
from demo.platform.registry import LabelPairs, Number

BLOCK_SECONDS = 7200
FINE_SECONDS, COARSE_SECONDS = 15, 60
FINE_SPAN_SECONDS = 86400
"""How much of the newest past has a sample every FINE_SECONDS, unless told otherwise; what is older has one every
COARSE_SECONDS."""


class Column(NamedTuple):
    """The points of one series. The last value belongs to the block's last time, the one before to the time before, and so on,
    so that a series may begin within a block. A value of None is no sample."""

    name: str
    labels: LabelPairs
    values: Sequence[Number]


class Table(NamedTuple):
    """Series that have their samples at the same times."""

    times: Sequence[int]
    columns: Sequence[Column]


def sample_times(since: float, until: float, now: float, fine: float = FINE_SPAN_SECONDS) -> list[int]:
    """Times of samples in (since, until]: quarters of a minute within `fine` seconds before `now`, whole minutes before."""
    fine_from = now - fine
    first = int(since // FINE_SECONDS + 1) * FINE_SECONDS
    return [at for at in range(first, int(until) + 1, FINE_SECONDS) if at > fine_from or at % COARSE_SECONDS == 0]


def by_block(times: Sequence[int]) -> Iterator[list[int]]:
    """The times cut at even hours (UTC), as Prometheus cuts its blocks."""
    block: list[int] = []
    for at in times:
        if block and at // BLOCK_SECONDS != block[0] // BLOCK_SECONDS:
            yield block
            block = []
        block.append(at)
    if block:
        yield block


def write(path: Path, tables: Iterable[Table]) -> int:
    """Write one file and return the number of its samples. A series may stand in one of the tables only."""
    samples = 0
    with path.open("w", encoding="utf-8") as file:
        for times, columns in tables:
            tails = [f" {at}\n" for at in times]
            for name, labels, values in columns:
                ends = tails[len(tails) - len(values) :]
                if None in values:
                    kept = [(value, end) for value, end in zip(values, ends, strict=True) if value is not None]
                    values, ends = [value for value, _ in kept], [end for _, end in kept]
                file.write(_lines(f"{name}{label_text(labels)} ", values, ends))
                samples += len(values)
        file.write("# EOF\n")
    return samples


def _lines(prefix: str, values: Sequence[Number], ends: list[str]) -> str:
    """One line for each value. Millions are written, so nothing is done for a line that can be done once."""
    if not values:
        return ""
    if values.count(values[0]) == len(values):
        prefix += repr(values[0])
        return prefix + prefix.join(ends)
    return prefix + prefix.join(map(add, map(repr, values), ends))

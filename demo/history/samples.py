"""Samples of many series at the same times, and at which times there are any."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from demo.platform.registry import LabelPairs, Number
from provisioning.rules import wire
from provisioning.rules.server import Workshop

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


_SAMPLES_AT_ONCE = 200_000


def write(workshop: Workshop, tables: Iterable[Table]) -> int:
    """Write tables to a server and return the number of their samples. Raises Unreachable when it has gone."""
    samples = 0
    batch, waiting = [], 0
    for series, count in _encoded(tables):
        batch.append(series)
        waiting += count
        if waiting >= _SAMPLES_AT_ONCE:
            workshop.send(wire.body(batch))
            samples, batch, waiting = samples + waiting, [], 0
    if batch:
        workshop.send(wire.body(batch))
    return samples + waiting


def _encoded(tables: Iterable[Table]) -> Iterator[tuple[bytes, int]]:
    """Every series that has samples, and how many."""
    for times, columns in tables:
        moments = wire.Moments(times)
        for name, labels, values in columns:
            kept = [value for value in values if value is not None]
            if len(kept) == len(values):
                samples = moments.encoded(kept)
            else:
                begun = times[len(times) - len(values) :]
                samples = wire.encoded((at, value) for at, value in zip(begun, values, strict=True) if value is not None)
            if kept:
                yield wire.time_series(name, labels, samples), len(kept)

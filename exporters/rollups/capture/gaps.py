"""Ids that were skipped when their successors were counted, and for how long somebody may still bring them.

A transaction takes its number from a sequence before it commits, and an application may take a block of numbers and use them
in later transactions. So an id that is missing is remembered until every transaction that ran when it was missed has ended
*and* a grace has passed. Ranges instead of single ids: a block of a million numbers costs one line.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, replace

GRACE = 3600.0
"""Seconds for which an id that nobody holds may still arrive: blocks that an application keeps for later."""
MOST = 5_000
"""So many ranges are remembered; beyond that those that were missed first are given up."""


@dataclass(frozen=True, order=True)
class Gap:
    """Ids `low` to `high`, both missing. `xmax`: transactions from here on began later; `seen_at`: seconds of the epoch."""

    low: int
    high: int
    xmax: int
    seen_at: float


def advance(
    gaps: Iterable[Gap],
    last: int,
    counted: Iterable[tuple[int, int]],
    *,
    xmin: int,
    xmax: int,
    now: float,
) -> tuple[tuple[Gap, ...], int]:
    """The gaps and the highest id after a step that counted the ranges `counted` (low to high, both counted, none twice).

    `xmin` and `xmax` are those of the snapshot that the step saw.
    """
    ranges = sorted(counted)
    left = [piece for gap in gaps for piece in _without(gap, ranges) if not _given_up(piece, xmin, now)]
    for low, high in ranges:
        if low > last + 1:
            left.append(Gap(last + 1, low - 1, xmax, now))
        last = max(last, high)
    latest = sorted(left, key=lambda gap: (gap.seen_at, gap.low))[-MOST:]
    return tuple(sorted(latest)), last


def _given_up(gap: Gap, xmin: int, now: float) -> bool:
    return gap.xmax <= xmin and now - gap.seen_at >= GRACE


def _without(gap: Gap, ranges: list[tuple[int, int]]) -> list[Gap]:
    """What is left of a gap once some ids of it have come."""
    pieces, low = [], gap.low
    begin = max(0, bisect_right(ranges, (gap.low, gap.low)) - 1)
    for first, end in ranges[begin:]:
        if first > gap.high:
            break
        if end < low:
            continue
        if first > low:
            pieces.append(replace(gap, low=low, high=first - 1))
        low = end + 1
    if low <= gap.high:
        pieces.append(replace(gap, low=low))
    return pieces

"""What is to be done every so often, by a clock that may be set."""

from __future__ import annotations


def due(last: float, every: float, now: float) -> bool:
    """Whether `every` seconds have passed since `last`. When the clock was set back behind `last` nobody knows, so it is due:
    else it would wait until the clock is there again, which may be a day or a year. All in seconds since the epoch.
    """
    return not 0 <= now - last < every

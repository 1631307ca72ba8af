"""Sizes for people."""

from __future__ import annotations

_UNITS = ("B", "kB", "MB", "GB", "TB")


def size(size_: float) -> str:
    """Bytes in the unit that leaves few digits.

    >>> size(512), size(1536), size(3 * 2**30)
    ('512 B', '1.5 kB', '3.0 GB')
    """
    unit = 0
    while size_ >= 1024 and unit < len(_UNITS) - 1:
        size_, unit = size_ / 1024, unit + 1
    return f"{size_:.0f} {_UNITS[unit]}" if unit == 0 else f"{size_:.1f} {_UNITS[unit]}"

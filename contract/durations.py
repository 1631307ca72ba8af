"""Durations as Prometheus writes them."""

from __future__ import annotations

import re

FORM = re.compile(r"^(?:[0-9]+(?:ms|s|m|h|d|w|y))+$")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "y": 31536000.0}


def duration_seconds(text: str) -> float:
    """Seconds of a Prometheus duration such as `5m` or `1h30m`. Raises ValueError for anything else."""
    if not FORM.match(text):
        raise ValueError(f"{text!r} is not a duration; write for example 30s, 5m or 2h")
    return sum(float(n) * _SECONDS[unit] for n, unit in re.findall(r"([0-9]+)(ms|s|m|h|d|w|y)", text))


def duration_text(seconds: float) -> str:
    """Whole seconds as Prometheus writes them: `1d1h`."""
    parts = []
    for unit in ("d", "h", "m", "s"):
        count, seconds = divmod(seconds, _SECONDS[unit])
        parts += [f"{count:g}{unit}"] if count else []
    return "".join(parts)

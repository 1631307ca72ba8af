"""One measured figure, the bar it has to clear, and what the peer needs for the same."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Bar:
    """A limit in the unit of its measure. Without `at_least`, less is better."""

    limit: float
    at_least: bool = False

    def met(self, value: float) -> bool:
        return value >= self.limit if self.at_least else value <= self.limit


@dataclass(frozen=True)
class Measure:
    """`ours` and `peer` are in `unit`; `peer` is what `against` names. `spread` is the range that `ours` comes from."""

    what: str
    ours: float
    unit: str
    bar: Bar | None = None
    peer: float | None = None
    against: str = ""
    spread: tuple[float, float] | None = None

    @property
    def met(self) -> bool | None:
        return None if self.bar is None else self.bar.met(self.ours)

    @property
    def ratio(self) -> float | None:
        """How many times less ours is than the peer's."""
        return self.peer / self.ours if self.peer is not None and self.ours else None

    def plain(self) -> dict[str, Any]:
        return {**asdict(self), "met": self.met, "ratio": self.ratio}


def timed(action: Callable[[], object], repeat: int) -> list[float]:
    """Milliseconds of each of `repeat` runs of `action`."""
    taken = []
    for _ in range(repeat):
        began = time.perf_counter()
        action()
        taken.append((time.perf_counter() - began) * 1e3)
    return taken


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` (0 to 1) of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]


def median(what: str, taken: Sequence[float], unit: str = "ms", **more: Any) -> Measure:
    return Measure(what, statistics.median(taken), unit, spread=(min(taken), max(taken)), **more)


def p99(what: str, taken: Sequence[float], unit: str = "ms", **more: Any) -> Measure:
    return Measure(what, percentile(taken, 0.99), unit, spread=(min(taken), max(taken)), **more)

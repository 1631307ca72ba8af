"""How much of the past is written."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

from demo.history.samples import FINE_SPAN_SECONDS

DAYS = 7


@dataclass(frozen=True)
class Past:
    """The first time the last `days` are written, later what is missing since.

    In the last `fine` seconds samples stand as close as those of scrapes. `whole` writes every series of the platform, and not
    just those that have a past (in the last hour all are written anyway). Where somebody knows what will be read, `only` names
    it: of no other series anything is written.
    """

    days: float = DAYS
    fine: float = FINE_SPAN_SECONDS
    whole: bool = False
    only: Set[str] | None = None

    def keeps(self, series: str) -> bool:
        """Whether series of this name (of a histogram: with `_bucket`, `_sum` or `_count`) are written."""
        return self.only is None or series in self.only

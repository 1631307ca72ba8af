"""What a check of dashboards is given."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from provisioning.boards import Board
from provisioning.check.lint.model import Fault
from provisioning.check.series import Known


@dataclass(frozen=True)
class Site:
    """What is known beside a dashboard: the series, how often targets are scraped, and whether a browser may save."""

    known: Known
    scrape: timedelta
    saved_in_browser: bool = False


@dataclass(frozen=True)
class BoardCheck:
    """A check of one dashboard: yields places and what is wrong there."""

    id: str
    find: Callable[[Board, Site], Iterator[tuple[str, Fault]]]

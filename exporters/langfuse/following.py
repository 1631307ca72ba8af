"""Follows one of Langfuse's lists: the present first, then a little more of the past with what is left of time and requests."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, Protocol, TypeVar

from exporters.journal import QueryFailed
from exporters.langfuse.client import LangfuseClient, Page
from exporters.langfuse.ledger import Ledger, Overtaken
from exporters.langfuse.reading import SHORTEST_STEP, Reading, Window
from exporters.langfuse.request_budget import GENERAL
from exporters.langfuse.transport import TooMuch
from exporters.logs import LOG, pairs

_Row = TypeVar("_Row")


class Fetch(Protocol):
    def __call__(self, begin: datetime, end: datetime, cursor: str = "") -> Page: ...


@dataclass(frozen=True)
class Pace:
    """How far back rows are read again, and how far back the past is filled in; when runs end, by the monotonic clock."""

    reread: timedelta
    oldest: datetime
    present_until: float
    past_until: float


class Listing(Generic[_Row]):
    """One list. `read` makes a row of the ledger, or None; `at` is its time; `write` takes a page."""

    def __init__(
        self,
        name: str,
        fetch: Fetch,
        read: Callable[[Mapping[str, Any]], _Row | None],
        at: Callable[[_Row], datetime],
        write: Callable[[Sequence[_Row], Reading, Reading, datetime], int],
    ) -> None:
        self.name, self._fetch, self._read, self._at, self._write = name, fetch, read, at, write
        self._complaint = ""

    def page(self, window: Window) -> tuple[list[_Row], str]:
        """The rows of a page, without those that cannot be read, and the cursor of the next one."""
        page = self._fetch(window.begin, window.end, window.cursor)
        rows, complaint, bad = [], "", 0
        for raw in page.rows:
            try:
                if (row := self._read(raw)) is not None:
                    rows.append(row)
            except QueryFailed as failure:
                complaint, bad = str(failure), bad + 1
        if complaint and complaint != self._complaint:
            LOG.warning("rows are left out", extra=pairs(list=self.name, rows=bad, problem=complaint))
        self._complaint = complaint
        return rows, page.cursor

    def take(self, window: Window, reading: Reading, now: datetime, reread: timedelta) -> tuple[int, Reading]:
        """Fetches and writes one page; the rows that it had, and where reading stands then."""
        rows, cursor = self.page(window)
        newest = max(map(self._at, rows), default=None)
        after = reading.after(window, cursor, newest, now, reread)
        self._write(rows, reading, after, now)
        return len(rows), after


def follow(listing: Listing[Any], ledger: Ledger, client: LangfuseClient, now: datetime, pace: Pace) -> int:
    """Reads on, page by page, and gives the number of rows that it saw. Every page that was written stays; what another
    exporter reads at the same time is left to it.

    Raises QueryFailed or SourceDown when Langfuse does not answer, DatabaseDown or StatementRefused when PostgreSQL does not.
    """
    reading, seen = ledger.reading(listing.name, now, pace.reread), 0
    try:
        while True:
            window = reading.window(now)
            rows, reading = _step(listing, ledger, window, reading, now, pace.reread)
            seen += rows or 0
            if rows is not None and not reading.cursor and window.end >= now:
                break
            if time.monotonic() > pace.present_until or client.budget.remaining(GENERAL) == 0:
                return seen
        while time.monotonic() < pace.past_until and client.budget.spare(GENERAL) != 0:
            if (past := reading.past_window(pace.oldest)) is None:
                break
            rows, reading = _step(listing, ledger, past, reading, now, pace.reread)
            seen += rows or 0
    except Overtaken:
        LOG.debug("another exporter reads on", extra=pairs(list=listing.name))
    return seen


def _step(
    listing: Listing[Any], ledger: Ledger, window: Window, reading: Reading, now: datetime, reread: timedelta
) -> tuple[int | None, Reading]:
    """The rows of one page; None, and a shorter window to come, where Langfuse could not answer this one in its time."""
    try:
        return listing.take(window, reading, now, reread)
    except TooMuch:
        if window.end - window.begin <= SHORTEST_STEP:
            raise
        after = reading.too_much(window)
    except QueryFailed:
        if window.cursor:
            ledger.move(listing.name, reading, reading.anew(window))
        raise
    ledger.move(listing.name, reading, after)
    return None, after

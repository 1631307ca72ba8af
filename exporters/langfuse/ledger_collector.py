"""The collector with a ledger: reads Langfuse's lists into schema `analytics`, and gives what was counted there.

The figures are as old as the last time that reading reached the present: while Langfuse is silent, they age, although the
database could give them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from contract.durations import duration_seconds
from contract.metrics import Source
from exporters.credentials import CredentialError
from exporters.database.mapping import Mapping as TableMapping
from exporters.database.sessions import CONNECT_SECONDS, DatabaseDown, StatementRefused
from exporters.database.sharing import Seat
from exporters.journal import Answer, Journal, QueryFailed, SourceDown
from exporters.langfuse import reconciliation
from exporters.langfuse.attribution import Attribution
from exporters.langfuse.calls import Call, read_call, read_score
from exporters.langfuse.client import LangfuseClient
from exporters.langfuse.figures import counter_samples, covered, in_windows, totals, window_samples
from exporters.langfuse.following import Listing, Pace, follow
from exporters.langfuse.interface import INTERFACE_YIELDS, interface_samples
from exporters.langfuse.ledger import Ledger
from exporters.langfuse.price_list import Prices, store_prices
from exporters.langfuse.prices import PriceList
from exporters.langfuse.request_budget import GENERAL, METRICS
from exporters.langfuse.storage import CALLS, SCORES, read_state
from exporters.snapshot import Sample, Snapshot, sample
from exporters.timing import due
from exporters.windows import windows

if TYPE_CHECKING:
    from contract.settings import Settings

_PRESENT_SECONDS, _PAST_SECONDS = 120.0, 20.0
_RECONCILE_SECONDS = 900.0
_REQUESTS = 4
"""Of a usual run: a page or two of calls, one of scores, one of the past."""

_NOT_INSTALLED = ("42P01", "3F000", "42703")
"""PostgreSQL's codes of a table, schema or column that is not there."""


YIELDS: dict[str, tuple[str, ...]] = {
    "counters": (
        "langfuse_generations_total",
        "langfuse_tokens_total",
        "langfuse_cost_usd_total",
        "langfuse_unpriced_calls_total",
        "langfuse_generation_duration_seconds",
        "langfuse_time_to_first_token_seconds",
        "langfuse_traces_total",
        "langfuse_scores_total",
        "langfuse_score_sum",
        "langfuse_ledger_corrections_total",
    ),
    "windows": (
        "langfuse_window_calls",
        "langfuse_window_errors",
        "langfuse_window_tokens",
        "langfuse_window_cost_usd",
        "langfuse_window_latency_seconds",
    ),
}
"""The metrics that each query gives."""

ABOUT = (
    "exporter_ledger_lag_seconds",
    "exporter_reconciliation_ratio",
    "langfuse_call_delay_seconds",
    *INTERFACE_YIELDS,
)
"""The metrics about the reading itself."""


class LedgerCollector:
    """`seat` may write schema `analytics`. `user_key` makes a pseudonym of a user's name, or None to keep nothing of it."""

    name = "langfuse"

    def __init__(
        self,
        settings: Settings,
        client: LangfuseClient,
        seat: Seat,
        mapping: TableMapping,
        user_key: Callable[[str], str | None],
    ) -> None:
        self._langfuse, self._client, self._seat, self._user_key = settings.sources.langfuse, client, seat, user_key
        wanted = duration_seconds(settings.exporter.intervals.langfuse)
        self.interval = client.budget.interval(GENERAL, wanted, _REQUESTS)
        self.timeout = CONNECT_SECONDS + 2 * (_PRESENT_SECONDS + _PAST_SECONDS)
        self.max_age = max(duration_seconds(settings.exporter.max_age), 2 * self.interval)
        self.snapshot: Snapshot | None = None
        queries = (CALLS, SCORES, "prices", "counters", "windows", "reconciliation")
        self._journal = Journal(self.name, Source.LANGFUSE, queries, self.without_secrets, settings.exporter.series_limit)
        self._ledger = Ledger(seat, Attribution(seat, mapping, user_key))
        self._prices, self._price_list = Prices(self._langfuse.prices), PriceList()
        self._reconcile_every = client.budget.interval(METRICS, _RECONCILE_SECONDS, 1)
        self._reconciled_at = float("-inf")
        self._reread = timedelta(seconds=duration_seconds(self._langfuse.reread))
        self._history = timedelta(seconds=duration_seconds(self._langfuse.history))
        self._claimed = False
        self._compared: tuple[Sample, ...] = ()
        self._newest: dict[str, datetime] = {}
        calls = Listing(CALLS, client.calls, self._read_call, lambda call: call.started_at, self._ledger.write_calls)
        scores = Listing(SCORES, client.scores, read_score, lambda score: score.at, self._ledger.write_scores)
        self._listings: tuple[Listing[Any], ...] = (calls, scores)

    def collect(self, now: float) -> None:
        at, up = datetime.fromtimestamp(now, UTC), False
        self._journal.begin(keep={"prices", "reconciliation"})
        try:
            self._open()
            down = self._read_on(at)
            self._give(at)
            if down is not None:
                raise down
            up = True
        finally:
            self.snapshot = self._journal.snapshot(up, self._standing_samples(now))

    def _open(self) -> None:
        try:
            self._seat.open()
        except (DatabaseDown, StatementRefused, CredentialError) as error:
            raise SourceDown(f"no ledger: {error}") from None

    def _read_on(self, now: datetime) -> SourceDown | None:
        """Asks Langfuse for what is new. Why it did not answer at all, or None: what was counted before can be given."""
        try:
            self._ask("prices", now, partial(self._ask_prices, now))
            asked = [self._ask(listing.name, now, partial(self._follow, listing, now)) for listing in self._listings]
            if self._claimed and due(self._reconciled_at, self._reconcile_every, now.timestamp()):
                self._ask("reconciliation", now, partial(self._reconcile, now))
        except SourceDown as down:
            return down
        return None if any(asked) else SourceDown(f"nothing was read: {self._journal.last_failure}")

    def _ask(self, name: str, as_of: datetime, run: Callable[[], Answer]) -> bool:
        """Runs one query under its name; what the database refuses concerns this query alone."""

        def answer() -> Answer:
            try:
                return run()
            except StatementRefused as refused:
                raise QueryFailed(_said(refused)) from None
            except DatabaseDown as down:
                raise SourceDown(f"no ledger: {down}") from None

        return self._journal.ask(name, as_of.timestamp(), answer)

    def _follow(self, listing: Listing[Any], now: datetime) -> Answer:
        """Reads one list on, unless another exporter has just done so."""
        self._ledger.reading(listing.name, now, self._reread)
        self._claimed = self._ledger.claim(listing.name, self.interval / 2)
        if not self._claimed:
            return Answer((), 0)
        begun = time.monotonic()
        pace = Pace(self._reread, now - self._history, begun + _PRESENT_SECONDS, begun + min(_PAST_SECONDS, self.interval / 3))
        try:
            return Answer((), follow(listing, self._ledger, self._client, now, pace))
        except (QueryFailed, SourceDown):
            self._ledger.release(listing.name)
            raise

    def _read_call(self, row: Mapping[str, Any]) -> Call:
        return read_call(row, self._price_list, self._user_key)

    def _ask_prices(self, now: datetime) -> Answer:
        known = self._prices.from_langfuse
        self._price_list = self._prices.of(self._client, now.timestamp())
        if self._prices.from_langfuse is not known:
            with self._seat.transaction() as connection:
                store_prices(connection, self._prices.from_langfuse)
        return Answer((), len(self._prices.from_langfuse))

    def _reconcile(self, now: datetime) -> Answer:
        """Compares, and reads the window again when the ledger does not have all of its calls."""
        begin, end = reconciliation.window(now, self._langfuse.reconciliation)
        theirs = reconciliation.of_langfuse(self._client, begin, end)
        self._reconciled_at = now.timestamp()
        with self._seat.transaction() as connection:
            ours = reconciliation.of_ledger(connection, begin, end)
            delay = reconciliation.call_delay(connection, begin, end)
        if ours.calls < theirs.calls:
            self._ledger.go_back(CALLS, begin)
        self._compared = tuple(reconciliation.ratio_samples(ours, theirs))
        if delay is not None:
            self._compared += (sample("langfuse_call_delay_seconds", value=delay),)
        return Answer((), 1)

    def _give(self, now: datetime) -> None:
        """What was counted, as of the time at which reading reached the present last."""
        try:
            with self._seat.transaction() as connection:
                readings = {listing.name: read_state(connection, listing.name) for listing in self._listings}
        except StatementRefused as refused:
            raise SourceDown(f"no ledger: {_said(refused)}") from None
        except DatabaseDown as down:
            raise SourceDown(f"no ledger: {down}") from None
        self._newest = {name: reading.newest for name, reading in readings.items() if reading is not None}
        calls = readings[CALLS]
        as_of = calls.read_until if calls is not None else now
        self._ask("counters", as_of, self._counters)
        self._ask("windows", as_of, partial(self._windows, now))

    def _counters(self) -> Answer:
        with self._seat.transaction() as connection:
            samples = tuple(counter_samples(totals(connection)))
        return Answer(samples, len(samples), in_order=True)

    def _windows(self, now: datetime) -> Answer:
        with self._seat.transaction() as connection:
            cells = in_windows(connection, covered(connection, windows(now)))
        samples = tuple(each for name, found in cells.items() for each in window_samples(found, name))
        return Answer(samples, len(samples))

    def _standing_samples(self, now: float) -> Iterator[Sample]:
        next_time = max(now + self.interval, self._reconciled_at + self._reconcile_every)
        yield from interface_samples(self._client, {GENERAL: now + self.interval, METRICS: next_time})
        if now - self._reconciled_at <= 2 * self._reconcile_every:
            yield from self._compared
        for name, newest in self._newest.items():
            yield sample("exporter_ledger_lag_seconds", name, value=max(0.0, now - newest.timestamp()))

    def abort(self) -> None:
        self._seat.abort()

    def without_secrets(self, text: str) -> str:
        return self._client.without_secrets(self._seat.without_secrets(text))

    def close(self) -> None:
        self._client.close()
        self._seat.close()


def _said(refused: StatementRefused) -> str:
    """What the database refused, and what helps when the schema is not there."""
    missing = refused.sqlstate in _NOT_INSTALLED
    return f"{refused}; run `observatory db install`, or `upgrade` after an update" if missing else str(refused)

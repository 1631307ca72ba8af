"""The collector of money: costs by window, budgets, and what a conversation costs, from the ledger's counts.

Cost of a conversation: cost of the calls that belong to one / conversations started, in the same window, by agent. Cost of a
success likewise, by the conversations that reached their goal in it. A window is shown once the ledger has all of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from contract.durations import duration_seconds
from contract.metrics import Source
from exporters.credentials import CredentialError
from exporters.database.sessions import CONNECT_SECONDS, DatabaseDown, StatementRefused
from exporters.database.sharing import Seat
from exporters.journal import Answer, Journal, QueryFailed, SourceDown
from exporters.langfuse.calls import NANO
from exporters.langfuse.counting import AGENTS, CALLS, FACTS
from exporters.langfuse.figures import Cells, cost_by_day, covered, in_windows
from exporters.langfuse.month_end import HISTORY_DAYS
from exporters.langfuse.price_list import stored_prices
from exporters.langfuse.prices import ListedPrice, PriceList, configured
from exporters.langfuse.spending import budget_samples, cost_samples, limit_samples
from exporters.langfuse.usage import TOKEN_TYPES
from exporters.rollups.sources import FACTS as ROLLUP_FACTS
from exporters.snapshot import Sample, Snapshot, sample
from exporters.windows import windows

if TYPE_CHECKING:
    from contract.data_plane import Price
    from contract.settings import Settings

_STARTED, _ENDED = "conversations_started", "conversations_ended"
_COST = FACTS[CALLS].sums.index("cost_nano")
_CONVERSATION_COST = FACTS[AGENTS].sums.index("conversation_cost_nano")
_CACHE_READ = TOKEN_TYPES.index("cache_read")

YIELDS: dict[str, tuple[str, ...]] = {
    "costs": (
        "platform_cost_usd",
        "platform_budget_spent_usd",
        "platform_budget_spent_ratio",
        "platform_budget_forecast_usd",
        "platform_budget_exhaustion_timestamp_seconds",
    ),
    "conversations": ("platform_cost_per_conversation_usd", "platform_cost_per_success_usd"),
    "cache_savings": ("platform_cache_savings_usd",),
}
"""The metrics that each query gives."""

ABOUT = ("platform_budget_limit_usd",)
"""What is known without a query."""


class CostCollector:
    """`seat` reads schema `analytics`."""

    name = "cost"

    def __init__(self, settings: Settings, seat: Seat) -> None:
        self._settings, self._seat = settings, seat
        self.interval = duration_seconds(settings.exporter.intervals.cost)
        self.timeout = CONNECT_SECONDS + 4 * duration_seconds(settings.exporter.query_timeout)
        self.max_age = max(duration_seconds(settings.exporter.max_age), 2 * self.interval)
        self.snapshot: Snapshot | None = None
        limit = settings.exporter.series_limit
        self._journal = Journal(self.name, Source.LANGFUSE, YIELDS, seat.without_secrets, limit)

    def collect(self, now: float) -> None:
        at, up = datetime.fromtimestamp(now, UTC), False
        self._journal.begin()
        try:
            try:
                self._seat.open()
                asked = [
                    self._ask("costs", now, partial(self._costs, at)),
                    self._ask("conversations", now, partial(self._conversations, at)),
                    self._ask("cache_savings", now, partial(self._cache_savings, at)),
                ]
            except (DatabaseDown, StatementRefused, CredentialError) as error:
                raise SourceDown(str(error)) from None
            if not any(asked):
                raise SourceDown(f"PostgreSQL did not answer one query: {self._journal.last_failure}")
            up = True
        finally:
            self.snapshot = self._journal.snapshot(up, limit_samples(self._settings.budgets))

    def _ask(self, name: str, now: float, run: Callable[[], Iterable[Sample]]) -> bool:
        def answer() -> Answer:
            try:
                samples = tuple(run())
            except StatementRefused as refused:
                raise QueryFailed(str(refused)) from None
            return Answer(samples, len(samples))

        return self._journal.ask(name, now, answer)

    def _costs(self, now: datetime) -> Iterator[Sample]:
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        with self._seat.transaction() as connection:
            found = in_windows(connection, covered(connection, windows(now)), (CALLS,))
            daily = cost_by_day(connection, midnight, HISTORY_DAYS)
        costs = {window: cost_by_scope(cells, self._settings.environments) for window, cells in found.items()}
        for window, by_scope in costs.items():
            yield from cost_samples(by_scope, window)
        if "mtd" in costs:
            yield from budget_samples(self._settings.budgets, costs["mtd"], daily, now)

    def _conversations(self, now: datetime) -> Iterator[Sample]:
        with self._seat.transaction() as connection:
            found = in_windows(connection, covered(connection, windows(now)), (AGENTS, _STARTED, _ENDED))
        for window, cells in found.items():
            yield from conversation_samples(cells, window)

    def _cache_savings(self, now: datetime) -> Iterator[Sample]:
        with self._seat.transaction() as connection:
            found = in_windows(connection, covered(connection, windows(now)), (CALLS,))
            prices = price_list(self._settings.sources.langfuse.prices, stored_prices(connection))
        for window, cells in found.items():
            yield sample("platform_cache_savings_usd", window, value=cache_savings(cells, prices, now))

    def abort(self) -> None:
        self._seat.abort()

    def without_secrets(self, text: str) -> str:
        return self._seat.without_secrets(text)

    def close(self) -> None:
        self._seat.close()


def price_list(own: Iterable[Price], stored: Iterable[ListedPrice]) -> PriceList:
    """The configuration's prices, then Langfuse's."""
    return PriceList((*configured(own), *stored))


def cost_by_scope(cells: Cells, environments: Iterable[str]) -> dict[str, float]:
    """USD of `all` and of each environment; the expected ones are there even when they cost nothing."""
    nano = Counter(dict.fromkeys(("all", *environments), 0))
    for cell in cells.get(CALLS, ()):
        nano["all"] += cell.sums[_COST]
        nano[cell.labels[1]] += cell.sums[_COST]
    return {scope: amount / NANO for scope, amount in nano.items()}


def conversation_samples(cells: Cells, window: str) -> Iterator[Sample]:
    """What a conversation and a success cost, by agent and environment; none where there was none."""
    costs: Counter[tuple[str, str]] = Counter()
    for cell in cells.get(AGENTS, ()):
        labels = dict(zip(FACTS[AGENTS].labels, cell.labels, strict=True))
        costs[labels["agent"], labels["environment"]] += cell.sums[_CONVERSATION_COST]
    metrics = {
        "platform_cost_per_conversation_usd": _conversations(cells, _STARTED),
        "platform_cost_per_success_usd": _conversations(cells, _ENDED, goal="achieved"),
    }
    for name, conversations in metrics.items():
        for of, count in sorted(conversations.items()):
            if count > 0:
                yield sample(name, *of, window, value=costs[of] / NANO / count)


def _conversations(cells: Cells, fact: str, **wanted: str) -> Counter[tuple[str, str]]:
    """How many conversations, by agent and environment."""
    found: Counter[tuple[str, str]] = Counter()
    for cell in cells.get(fact, ()):
        labels = dict(zip(ROLLUP_FACTS[fact].labels, cell.labels, strict=True))
        if wanted.items() <= labels.items():
            found[labels["agent"], labels["environment"]] += cell.n
    return found


def cache_savings(cells: Cells, prices: PriceList, at: datetime) -> float:
    """USD less than if every token that came from a cache had cost what other input costs, by the prices of a time."""
    return sum(cell.sums[_CACHE_READ] * prices.saved_per_cached_token(cell.labels[0], at) for cell in cells.get(CALLS, ()))
